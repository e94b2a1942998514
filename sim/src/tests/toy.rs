//! A gossip of numbers: every node passes a rumour on that it hears for the first time, and
//! answers each with a thank-you. It writes every rumour to a store.

use crate::{Config, World};
use overlay::{Contact, Cx, Duration, Id, Input, Machine, OpId, WriteSeq};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Gossip {
    Rumour(u64),
    Thanks(u64),
}

#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Rumour(u64),
    Thanks { from: usize },
    Down(Contact),
    Durable(WriteSeq),
    Tick,
    Told(OpId),
}

pub(super) struct Toy {
    pub(super) friends: Vec<Contact>,
    pub(super) heard: BTreeSet<u64>,
    /// How many friends, drawn at random, a rumour is passed on to.
    pub(super) fanout: usize,
}

impl Machine for Toy {
    type Message = Gossip;
    type Timer = ();
    type Call = u64;
    type Event = Heard;

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        match input {
            Input::Message {
                from,
                message: Gossip::Rumour(rumour),
            } => {
                cx.send(from, Gossip::Thanks(rumour));
                self.hear(cx, rumour);
            }
            Input::Message {
                from,
                message: Gossip::Thanks(_),
            } => {
                cx.emit(Heard::Thanks {
                    from: crate::index_of(from.addr).unwrap(),
                });
            }
            Input::Timer(()) => cx.emit(Heard::Tick),
            Input::Call { op, call } => {
                cx.emit(Heard::Told(op));
                self.hear(cx, call);
            }
            Input::PeerDown(peer) => cx.emit(Heard::Down(peer)),
            Input::Durable(seq) => cx.emit(Heard::Durable(seq)),
            Input::Loaded(_) => {}
        }
    }

    fn last_write(&self) -> WriteSeq {
        WriteSeq(self.heard.len() as u64)
    }
}

impl Toy {
    fn hear(&mut self, cx: &mut Cx<'_, Self>, rumour: u64) {
        if !self.heard.insert(rumour) {
            return;
        }
        cx.emit(Heard::Rumour(rumour));
        for _ in 0..self.fanout.min(self.friends.len()) {
            let friend = self.friends[cx.rng.next_u64() as usize % self.friends.len()];
            cx.send(friend, Gossip::Rumour(rumour));
        }
        cx.arm(cx.now + Duration::from_secs(1), ());
    }
}

/// Nodes that all know each other.
pub(super) fn crowd(config: Config, nodes: usize, fanout: usize) -> World<Toy> {
    let mut world = World::new(config);
    let contact = |node| Contact {
        id: id(node),
        addr: crate::address_of(node),
    };
    for node in 0..nodes {
        let friends = (0..nodes)
            .filter(|&other| other != node)
            .map(contact)
            .collect();
        world.add(id(node), |_| Toy {
            friends,
            heard: BTreeSet::new(),
            fanout,
        });
    }
    world
}

pub(super) fn id(node: usize) -> Id {
    Id::from_u64(node as u64 + 1)
}

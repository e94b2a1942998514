//! A node alone, with neighbours that the test plays.

use super::still;
use gnutella::{
    Errand, Gnutella, GnutellaConfig, Guid, Header, Message, Query, Reach, Role, RoleChoice, Walk,
    What,
};
use overlay::{Contact, Cx, Effect, Fault, Id, Input, Machine, MemoryStore, Outbox, Time, WallMs};
use rand_pcg::Pcg64Mcg;
use sim::address_of;

/// A node alone, with some neighbours that the test plays.
pub(crate) struct Bench {
    pub(crate) node: Gnutella<MemoryStore>,
    pub(crate) rng: Pcg64Mcg,
    pub(crate) now: Time,
}

pub(crate) fn contact(number: usize) -> Contact {
    Contact {
        id: Id::of(&number.to_be_bytes()),
        addr: address_of(number),
    }
}

pub(crate) fn guid(number: u64) -> Guid {
    Guid(u128::from(number).to_be_bytes())
}

pub(crate) fn query(number: u64, ttl: u8, hops: u8) -> Message {
    let guid = guid(number);
    Message::Query {
        header: Header { guid, ttl, hops },
        query: Query {
            what: What::Holders(Id::from_u64(1)),
            wanted: 10,
        },
    }
}

/// A walker that neighbour `from` sends out.
pub(crate) fn walker(number: u64, from: usize) -> Walk {
    Walk {
        guid: guid(number),
        walker: 0,
        origin: contact(from),
        ttl: 100,
        hops: 0,
        fresh: Reach::default(),
        errand: Errand::Search(Query {
            what: What::Holders(Id::from_u64(1)),
            wanted: 10,
        }),
    }
}

impl Bench {
    /// A peer with four others, 1 to 4.
    pub(crate) fn new() -> Self {
        Self::with(Role::Peer, &[Role::Peer; 4])
    }

    /// A node of this role, with neighbours of these, from 1 on.
    pub(crate) fn with(role: Role, neighbours: &[Role]) -> Self {
        let config = GnutellaConfig {
            role: RoleChoice::Always(role),
            ..still()
        };
        let mut node = Gnutella::new(contact(0), MemoryStore::new(), config, &[]);
        let links: Vec<_> = (1..).map(contact).zip(neighbours.iter().copied()).collect();
        node.assume_links(&links, Time::ZERO);
        Self {
            node,
            rng: Pcg64Mcg::new(1),
            now: Time(1),
        }
    }

    /// What the node does about a message.
    pub(crate) fn send(
        &mut self,
        from: usize,
        message: Message,
    ) -> Vec<Effect<Gnutella<MemoryStore>>> {
        let mut out = Outbox::default();
        let mut cx = Cx {
            now: self.now,
            wall: WallMs(sim::EPOCH.0),
            rng: &mut self.rng,
            out: &mut out,
        };
        let from = contact(from);
        self.node.handle(&mut cx, Input::Message { from, message });
        out.drain().collect()
    }

    pub(crate) fn fault(&mut self, from: usize, message: Message) -> Option<Fault> {
        let effects = self.send(from, message);
        effects.into_iter().find_map(|effect| match effect {
            Effect::HangUp { fault, .. } => Some(fault),
            _ => None,
        })
    }

    /// The fault with which a link ends after so many of the same.
    pub(crate) fn ends(
        &mut self,
        from: usize,
        mut message: impl FnMut(u64) -> Message,
    ) -> Option<(u64, Fault)> {
        (0..5_000).find_map(|at| Some((at, self.fault(from, message(at))?)))
    }
}

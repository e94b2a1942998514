//! A router without messages: all of its nodes share one list of members.

use overlay::{
    Arc, Claim, Contact, Cx, Hop, Id, Input, KeyRouter, Machine, Neighbours, OwnedArc, RouterCall,
    RouterEvent,
};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// All members.
#[derive(Debug, Default)]
pub struct Oracle {
    members: BTreeMap<Id, Contact>,
    generation: u64,
    /// What nodes go on to believe that have not heard of any change since they were frozen.
    frozen: BTreeMap<Id, (BTreeMap<Id, Contact>, u64)>,
}

impl Oracle {
    pub fn members(&self) -> impl Iterator<Item = Contact> {
        self.members.values().copied()
    }

    /// This node hears of no change from now on.
    pub fn freeze(&mut self, node: Id) {
        let seen = (self.members.clone(), self.generation);
        self.frozen.insert(node, seen);
    }

    /// It hears of everything again.
    pub fn thaw(&mut self, node: Id) {
        self.generation += 1;
        self.frozen.remove(&node);
    }

    /// The ring as this node sees it.
    fn seen_by(&self, node: Id) -> (&BTreeMap<Id, Contact>, u64) {
        match self.frozen.get(&node) {
            Some((members, generation)) => (members, *generation),
            None => (&self.members, self.generation),
        }
    }

    pub fn add(&mut self, member: Contact) {
        self.generation += 1;
        self.members.insert(member.id, member);
    }

    pub fn remove(&mut self, member: Id) {
        self.generation += 1;
        self.members.remove(&member);
    }

    /// The members at or after a point, clockwise, each once.
    pub fn replicas(&self, key: Id, count: usize) -> Vec<Contact> {
        after(&self.members, key, count)
    }
}

fn after(members: &BTreeMap<Id, Contact>, key: Id, count: usize) -> Vec<Contact> {
    let after = members.range(key..).chain(members.range(..key));
    after.take(count).map(|(_, member)| *member).collect()
}

fn before(members: &BTreeMap<Id, Contact>, id: Id) -> Id {
    let before = members.range(..id).next_back();
    before
        .or_else(|| members.iter().next_back())
        .map_or(id, |(found, _)| *found)
}

/// One node's router.
#[derive(Debug)]
pub struct Ring {
    me: Contact,
    oracle: Rc<RefCell<Oracle>>,
}

impl Ring {
    pub fn new(me: Contact, oracle: Rc<RefCell<Oracle>>) -> Self {
        Self { me, oracle }
    }

    fn after(&self, key: Id, count: usize) -> Vec<Contact> {
        after(self.oracle.borrow().seen_by(self.me.id).0, key, count)
    }
}

impl Machine for Ring {
    type Message = ();
    type Timer = ();
    type Call = RouterCall;
    type Event = RouterEvent;

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        let Input::Call { op, call } = input else {
            return;
        };
        match call {
            RouterCall::Create | RouterCall::Join { .. } => {
                self.oracle.borrow_mut().add(self.me);
                cx.emit(RouterEvent::NeighboursChanged);
                cx.emit(RouterEvent::Joined { op });
            }
            RouterCall::Leave => {
                self.oracle.borrow_mut().remove(self.me.id);
                cx.emit(RouterEvent::Left { op });
            }
            RouterCall::Looked { .. } | RouterCall::Silent(_) => {}
        }
    }
}

impl KeyRouter for Ring {
    const NAME: &'static str = "ring";

    fn me(&self) -> Contact {
        self.me
    }

    fn is_member(&self) -> bool {
        let oracle = self.oracle.borrow();
        oracle.seen_by(self.me.id).0.contains_key(&self.me.id)
    }

    fn claim(&self, key: Id) -> Claim {
        if !self.is_member() {
            return Claim::NotMember;
        }
        match self.after(key, 1).first() {
            Some(root) if root.id == self.me.id => Claim::Mine,
            _ => Claim::Elsewhere,
        }
    }

    fn next_hops(
        &self,
        key: Id,
        last: bool,
        count: usize,
        avoid: &dyn Fn(Id) -> bool,
        hops: &mut SmallVec<[Hop; 8]>,
    ) {
        let candidates = self.after(key, 8);
        let nearer = candidates
            .into_iter()
            .take_while(|peer| !last || peer.id != self.me.id);
        let others = nearer.filter(|peer| peer.id != self.me.id && !avoid(peer.id));
        hops.extend(others.take(count).map(|contact| Hop {
            contact,
            last: true,
        }));
    }

    fn owned(&self, replicas: usize) -> Vec<OwnedArc> {
        if !self.is_member() {
            return Vec::new();
        }
        let from = before(self.oracle.borrow().seen_by(self.me.id).0, self.me.id);
        let arc = Arc {
            from,
            to: self.me.id,
        };
        vec![OwnedArc {
            arc,
            replicas: self.after(self.me.id, replicas),
        }]
    }

    fn neighbours(&self) -> Neighbours {
        Neighbours::Ring {
            predecessor: None,
            successors: self.contacts(),
            fingers: Vec::new(),
        }
    }

    fn contacts(&self) -> Vec<Contact> {
        let oracle = self.oracle.borrow();
        let members = oracle.seen_by(self.me.id).0.values();
        members
            .filter(|peer| peer.id != self.me.id)
            .copied()
            .collect()
    }

    fn generation(&self) -> u64 {
        self.oracle.borrow().seen_by(self.me.id).1
    }
}

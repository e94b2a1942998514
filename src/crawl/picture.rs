//! A picture of a network while it is taken: whom to ask next, and what came of it.

use super::{Found, MAX_CONTACTS, MAX_NODES, Missing, NetworkView, Unreachable};
use crate::control::client::ClientError;
use overlay::{Contact, Id};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// What became of an address of which somebody told.
enum Place {
    Waits,
    Answered(Id),
    Silent(ClientError),
}

/// A picture while it is taken.
#[derive(Default)]
pub(super) struct Picture {
    nodes: BTreeMap<Id, Found>,
    places: BTreeMap<SocketAddr, Place>,
    waiting: VecDeque<SocketAddr>,
    /// Neighbours that all reports name together.
    contacts: usize,
    truncated: bool,
}

impl Picture {
    pub(super) fn next(&mut self) -> Option<SocketAddr> {
        self.waiting.pop_front()
    }

    pub(super) fn silent(&mut self, addr: SocketAddr, why: ClientError) {
        self.places.insert(addr, Place::Silent(why));
    }

    /// Takes what a node says. Where it says that it is, others are asked all the same: anybody can
    /// claim the address of somebody else.
    pub(super) fn answered(&mut self, found: Found) {
        let status = &found.report.status;
        let at = found.at.unwrap_or(status.me.addr);
        self.places.insert(at, Place::Answered(status.me.id));
        let named = status.neighbours.all().count();
        if self.contacts.saturating_add(named) > MAX_CONTACTS {
            self.truncated = true;
            return;
        }
        self.contacts += named;
        for Contact { addr, .. } in status.neighbours.all() {
            if self.places.contains_key(addr) {
                continue;
            }
            if self.places.len() < MAX_NODES {
                self.places.insert(*addr, Place::Waits);
                self.waiting.push_back(*addr);
            } else {
                self.truncated = true;
            }
        }
        // A node that has two addresses answers at both; the shorter way is the one to show.
        let known = self.nodes.get(&status.me.id);
        if known.is_none_or(|known| known.rtt > found.rtt) {
            self.nodes.insert(status.me.id, found);
        }
    }

    pub(super) fn finish(mut self) -> NetworkView {
        let mut unreachable: BTreeMap<Id, Unreachable> = BTreeMap::new();
        for found in self.nodes.values() {
            let neighbours: BTreeSet<_> = found.report.status.neighbours.all().collect();
            for contact in neighbours {
                if self.nodes.contains_key(&contact.id) {
                    continue;
                }
                if let Some(known) = unreachable.get_mut(&contact.id) {
                    known.known_by += 1;
                    continue;
                }
                // For addresses that were left out, and for many ids at one address.
                let is_full = self.nodes.len() + unreachable.len() >= MAX_NODES;
                match self.places.get(&contact.addr) {
                    Some(place) if !is_full => {
                        let missing = Unreachable {
                            contact: *contact,
                            known_by: 1,
                            why: place.why(),
                        };
                        unreachable.insert(contact.id, missing);
                    }
                    _ => self.truncated = true,
                }
            }
        }
        let is_waiting = |place| matches!(place, &Place::Waits);
        let truncated = self.truncated || self.places.values().any(is_waiting);
        NetworkView {
            nodes: self.nodes,
            unreachable,
            truncated,
        }
    }
}

impl Place {
    fn why(&self) -> Missing {
        match self {
            Self::Answered(id) => Missing::Another(*id),
            Self::Silent(why) => Missing::Silent(why.clone()),
            Self::Waits => Missing::NotAsked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::StatusReport;
    use overlay::Neighbours;

    fn contact(number: u16) -> Contact {
        Contact {
            id: Id::of(&number.to_be_bytes()),
            addr: SocketAddr::from(([127, 0, 0, 1], number)),
        }
    }

    /// What a node says that has `others` for successors.
    fn node(me: Contact, others: &[u16]) -> Found {
        let successors = others.iter().copied().map(contact).collect();
        let neighbours = Neighbours::Ring {
            predecessor: None,
            successors,
            fingers: Vec::new(),
        };
        let mut report = Box::new(StatusReport::of(me));
        report.status.neighbours = neighbours;
        Found {
            report,
            at: Some(me.addr),
            rtt: None,
        }
    }

    #[test]
    fn everybody_of_whom_anybody_tells_is_asked_once() {
        let mut picture = Picture::default();
        picture.answered(node(contact(1), &[2, 3]));
        assert_eq!(picture.next(), Some(contact(2).addr));
        picture.answered(node(contact(2), &[3, 4, 1]));
        assert_eq!(picture.next(), Some(contact(3).addr));
        // Another node has taken the place of the third.
        let mut another = node(contact(9), &[1, 2, 4]);
        another.at = Some(contact(3).addr);
        picture.answered(another);
        assert_eq!(picture.next(), Some(contact(4).addr));
        let addr = contact(4).addr;
        picture.silent(addr, ClientError::NobodyListens { addr });
        assert_eq!(
            picture.next(),
            None,
            "the node that answered twice is asked again"
        );
        let view = picture.finish();
        assert_eq!(view.nodes.len(), 3);
        let missing = |number: u16| {
            let missing = view.unreachable.get(&contact(number).id);
            missing.map(|missing| (missing.known_by, missing.why.clone()))
        };
        assert_eq!(missing(3), Some((2, Missing::Another(contact(9).id))));
        let why = Missing::Silent(ClientError::NobodyListens { addr });
        assert_eq!(missing(4), Some((2, why)));
        assert_eq!(view.unreachable.len(), 2);
        assert!(!view.truncated);
    }

    fn asked(picture: &mut Picture) -> usize {
        std::iter::from_fn(|| picture.next()).count()
    }

    #[test]
    fn a_picture_has_a_limit_and_says_when_it_is_reached() {
        let mut picture = Picture::default();
        let others: Vec<u16> = (2..=5_000).collect();
        picture.answered(node(contact(1), &others));
        assert_eq!(asked(&mut picture), MAX_NODES - 1);
        let view = picture.finish();
        assert!(view.truncated);
        assert_eq!(view.nodes.len() + view.unreachable.len(), MAX_NODES);
    }

    #[test]
    fn many_names_at_one_address_are_bounded_too() {
        let mut picture = Picture::default();
        let mut found = node(contact(1), &[]);
        let names = (2..=60_000).map(|number| Contact {
            addr: contact(2).addr,
            ..contact(number)
        });
        found.report.status.neighbours = Neighbours::Ring {
            predecessor: None,
            successors: names.collect(),
            fingers: Vec::new(),
        };
        picture.answered(found);
        assert_eq!(asked(&mut picture), 1);
        let view = picture.finish();
        assert_eq!(view.nodes.len() + view.unreachable.len(), MAX_NODES);
        assert!(view.truncated);
    }

    #[test]
    fn long_lists_do_not_fill_the_memory() {
        let mut picture = Picture::default();
        let others: Vec<u16> = (0..60_000).collect();
        for number in 1..=20 {
            picture.answered(node(contact(number), &others));
        }
        let kept = picture.nodes.len();
        assert_eq!(kept, MAX_CONTACTS / others.len(), "kept {kept} long lists");
    }

    #[test]
    fn nobody_hides_another_by_claiming_its_address() {
        let mut picture = Picture::default();
        picture.answered(node(contact(1), &[2, 3]));
        let mut liar = node(contact(2), &[]);
        liar.report.status.me.addr = contact(3).addr;
        assert_eq!(picture.next(), Some(contact(2).addr));
        picture.answered(liar);
        assert_eq!(picture.next(), Some(contact(3).addr));
        picture.answered(node(contact(3), &[1]));
        assert_eq!(picture.finish().nodes.len(), 3);
    }
}

//! The neighbourhood set: the nodes with the shortest measured round trips.
//!
//! It takes no part in routing. It tells a joining node who is near, and fills empty slots.

use overlay::proximity::following;
use overlay::{Contact, Duration, Id};

/// The neighbourhood set of one node, at most |M| nodes.
#[derive(Clone, Debug, Default)]
pub struct Nearby {
    /// The nearest first.
    nodes: Vec<(Duration, Contact)>,
}

impl Nearby {
    /// Takes in a measurement of a peer, at most `most` are kept.
    pub fn measured(&mut self, contact: Contact, rtt: Duration, most: usize) {
        let rtt = match self
            .nodes
            .iter()
            .position(|(_, known)| known.id == contact.id)
        {
            Some(at) => following(self.nodes.remove(at).0, rtt),
            None => rtt,
        };
        let at = self.nodes.partition_point(|(known, _)| *known <= rtt);
        if at < most {
            self.nodes.insert(at, (rtt, contact));
            self.nodes.truncate(most);
        }
    }

    /// Takes a node out.
    pub fn remove(&mut self, id: Id) {
        self.nodes.retain(|(_, known)| known.id != id);
    }

    /// The nodes with their round trips, the nearest first.
    pub fn measurements(&self) -> impl Iterator<Item = (Duration, Contact)> {
        self.nodes.iter().copied()
    }

    /// The nodes, the nearest first.
    pub fn contacts(&self) -> impl Iterator<Item = Contact> {
        self.nodes.iter().map(|(_, contact)| *contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_are_kept() {
        let contact = |number: u8| Contact {
            id: Id::from_u64(u64::from(number)),
            addr: ([127, 0, 0, 1], u16::from(number)).into(),
        };
        let mut nearby = Nearby::default();
        for (number, ms) in [(1, 30), (2, 10), (3, 20), (1, 15), (2, 22)] {
            nearby.measured(contact(number), Duration::from_millis(ms), 2);
        }
        assert_eq!(
            nearby.contacts().collect::<Vec<_>>(),
            [contact(2), contact(1)]
        );
        nearby.remove(contact(2).id);
        assert_eq!(nearby.contacts().count(), 1);
    }
}

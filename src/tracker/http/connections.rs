//! How many connections there are, in all and from one address.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;

/// Connections at a time, each with up to some 20 KB; the next are closed at once.
pub const MAX_CONNECTIONS: usize = 8_192;
/// Of them from one address, IPv6: one /64. A network behind one address has fewer clients that
/// announce at the same moment, and no single machine can take all places. What comes through a
/// trusted proxy is not counted so, for it is of many addresses.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 512;

/// The connections that are open.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: usize,
    by_network: BTreeMap<IpAddr, usize>,
}

/// Why a connection is closed at once, in a word for the counter.
pub(super) type Reason = &'static str;

/// A place among the connections; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    connections: Rc<RefCell<Connections>>,
    network: Option<IpAddr>,
}

impl Seat {
    /// Takes a place for a connection; `trusted` is one of a proxy.
    pub(super) fn take(
        connections: &Rc<RefCell<Connections>>,
        ip: IpAddr,
        trusted: bool,
    ) -> Result<Self, Reason> {
        let mut open = connections.borrow_mut();
        if open.all >= MAX_CONNECTIONS {
            return Err("connections");
        }
        let network = (!trusted).then(|| network_of(ip));
        if let Some(network) = network {
            let count = open.by_network.entry(network).or_default();
            if *count >= MAX_CONNECTIONS_PER_ADDRESS {
                return Err("address_connections");
            }
            *count += 1;
        }
        open.all += 1;
        Ok(Self {
            connections: Rc::clone(connections),
            network,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.connections.borrow_mut();
        open.all = open.all.saturating_sub(1);
        let Some(network) = self.network else {
            return;
        };
        if let Some(count) = open.by_network.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_network.remove(&network);
            }
        }
    }
}

/// The address, or for IPv6 the beginning of its /64, of which one line has all.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_each_address_and_given_back() {
        let open = Rc::new(RefCell::new(Connections::default()));
        let ip = |number: u32| IpAddr::from(number.to_be_bytes());
        let take = |number: u32| Seat::take(&open, ip(number), false);
        let mut seats: Vec<_> = (0..MAX_CONNECTIONS_PER_ADDRESS)
            .map(|_| take(7).expect("room"))
            .collect();
        assert_eq!(take(7).unwrap_err(), "address_connections");
        drop(seats.pop());
        seats.push(take(7).expect("a place was given back"));
        let mut number = 8;
        while seats.len() < MAX_CONNECTIONS {
            seats.push(take(number).expect("room"));
            number += 1;
        }
        assert_eq!(take(number).unwrap_err(), "connections");
        drop(seats);
        let rest = open.borrow();
        assert_eq!((rest.all, rest.by_network.len()), (0, 0), "nothing is left");
    }

    #[test]
    fn a_line_is_one_address_and_a_proxy_is_many() {
        let open = Rc::new(RefCell::new(Connections::default()));
        let six = |number: u128| IpAddr::from((0x2001_0db8_u128 << 96 | number).to_be_bytes());
        let most = MAX_CONNECTIONS_PER_ADDRESS as u128;
        let _seats: Vec<_> = (0..most)
            .map(|number| Seat::take(&open, six(number), false).expect("room"))
            .collect();
        assert!(Seat::take(&open, six(most), false).is_err(), "the same /64");
        assert!(
            Seat::take(&open, six(1 << 64), false).is_ok(),
            "another /64"
        );
        assert!(Seat::take(&open, six(most), true).is_ok(), "a proxy");
    }
}

//! Where clients take connections that ask the DHT from another port.
//!
//! A question of the DHT comes from the port of a client's DHT, which may be another than that of its
//! BitTorrent; many clients may share one address. So what a client announced from a port of its DHT
//! tells which peer is itself when it asks from there. Before it has announced to this node that is
//! not known.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// Most clients that are remembered, the oldest is forgotten first: two megabytes, and more than a
/// node answers in the minutes between two questions of a client.
pub const MAX_LISTENERS: usize = 16_384;

/// Where clients take connections, by the address of their DHT.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    ports: BTreeMap<SocketAddr, u16>,
    order: VecDeque<SocketAddr>,
}

impl Listeners {
    /// A client has announced from this address that it takes connections at this port.
    pub fn remember(&mut self, dht: SocketAddr, port: u16) {
        if self.ports.insert(dht, port).is_none() {
            self.order.push_back(dht);
        }
        if self.order.len() > MAX_LISTENERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.ports.remove(&oldest);
        }
    }

    /// Where the client takes connections that asks from this address: at the same port, unless it
    /// has announced another.
    #[must_use]
    pub fn of(&self, dht: SocketAddr) -> SocketAddr {
        let port = self.ports.get(&dht).copied();
        SocketAddr::new(dht.ip().to_canonical(), port.unwrap_or(dht.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_behind_one_address_are_told_apart_and_few_are_remembered() {
        let dht = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let mut listeners = Listeners::default();
        listeners.remember(dht(7_000), 6_881);
        listeners.remember(dht(7_001), 6_882);
        listeners.remember(dht(7_001), 6_883);
        assert_eq!(listeners.of(dht(7_000)), dht(6_881));
        assert_eq!(listeners.of(dht(7_001)), dht(6_883));
        assert_eq!(listeners.of(dht(7_002)), dht(7_002));
        for port in 0..MAX_LISTENERS as u16 {
            listeners.remember(dht(10_000 + port), 1);
        }
        assert_eq!(listeners.of(dht(7_000)), dht(7_000), "forgotten");
        assert_eq!(
            (listeners.ports.len(), listeners.order.len()),
            (MAX_LISTENERS, MAX_LISTENERS)
        );
    }
}

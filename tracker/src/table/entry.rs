//! One peer in a swarm: 20 bytes with an IPv4 address, 32 with an IPv6 one.

use std::net::{IpAddr, SocketAddr};

/// Milliseconds modulo 2^32: 49 days. Ages are compared, never times, and sweeps see every peer far
/// more often than once in 24 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick(pub(crate) u32);

impl Tick {
    /// The tick of a time.
    pub(crate) const fn of(now: overlay::Time) -> Self {
        // Truncation is the modulo.
        Self((now.0 / 1_000) as u32)
    }

    /// Milliseconds since `earlier`; a tick from the future counts as now.
    pub(crate) const fn since(self, earlier: Self) -> u32 {
        let age = self.0.wrapping_sub(earlier.0);
        if age > i32::MAX as u32 { 0 } else { age }
    }

    /// The tick `ms` milliseconds earlier.
    pub(crate) const fn before(self, ms: u32) -> Self {
        Self(self.0.wrapping_sub(ms))
    }
}

/// An address of one family.
pub(crate) trait Address: Copy + Eq {
    /// The address.
    fn ip(self) -> IpAddr;
    /// Its bytes.
    fn octets(&self) -> &[u8];
    /// An address that is of this family.
    fn of(ip: IpAddr) -> Option<Self>;
}

impl Address for [u8; 4] {
    fn ip(self) -> IpAddr {
        IpAddr::from(self)
    }

    fn octets(&self) -> &[u8] {
        self
    }

    fn of(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Some(ip.octets()),
            IpAddr::V6(_) => None,
        }
    }
}

impl Address for [u8; 16] {
    fn ip(self) -> IpAddr {
        IpAddr::from(self)
    }

    fn octets(&self) -> &[u8] {
        self
    }

    fn of(ip: IpAddr) -> Option<Self> {
        match ip.to_canonical() {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip.octets()),
        }
    }
}

/// It has everything.
pub(crate) const SEED: u8 = 1;
/// It wants nothing more, without having everything (BEP 21).
pub(crate) const PAUSED: u8 = 2;
/// It announced to another node; this one has heard of it.
pub(crate) const REMOTE: u8 = 4;
/// The same client is listed with its IPv4 address, and is counted there.
pub(crate) const TWIN: u8 = 8;
/// It is counted among those that ever completed.
pub(crate) const COMPLETED: u8 = 16;

/// One peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<A> {
    pub(crate) ip: A,
    pub(crate) port: u16,
    pub(crate) flags: u8,
    /// Where it is, if another node has said so, by its number among the table's names.
    pub(crate) place: u8,
    /// When it announced last.
    pub(crate) seen: Tick,
    /// A keyed hash of peer id and key, in halves, so that it needs no alignment of eight.
    identity: [u32; 2],
}

const _: () = assert!(size_of::<Entry<[u8; 4]>>() == 20 && size_of::<Entry<[u8; 16]>>() == 32);

impl<A: Address> Entry<A> {
    pub(crate) const fn new(ip: A, port: u16, flags: u8, seen: Tick, identity: u64) -> Self {
        Self {
            ip,
            port,
            flags,
            place: 0,
            seen,
            identity: [(identity >> 32) as u32, identity as u32],
        }
    }

    pub(crate) const fn identity(&self) -> u64 {
        let [high, low] = self.identity;
        (high as u64) << 32 | low as u64
    }

    pub(crate) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip.ip(), self.port)
    }

    /// Appends the compact form.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // At once: an answer has up to 200 of them.
        let mut room = [0; 18];
        let octets = self.ip.octets();
        let (head, rest) = room.split_at_mut(octets.len());
        head.copy_from_slice(octets);
        rest[..2].copy_from_slice(&self.port.to_be_bytes());
        out.extend_from_slice(&room[..octets.len() + 2]);
    }
}

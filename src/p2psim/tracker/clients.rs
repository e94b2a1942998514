//! The clients: when they come, announce, get everything, and go.

use super::super::cli::{MAX_HOMES, TrackerArgs};
use overlay::{Duration, Time};
use sim::Dice;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use tracker::{Announce, Event, FrontEnd, InfoHash, PeerId};

/// The first address of clients: nodes are in 10.0.0.0/8.
const FIRST_IP: u32 = 0x0b00_0000;
/// Where clients take connections.
const PORT: NonZeroU16 = NonZeroU16::MIN.saturating_add(6_880);
/// One in so many goes without a word.
const VANISHES: u64 = 3;
/// One in so many has everything when it comes.
const SEEDS: u64 = 4;
/// The weight of the first swarm; that of rank r has an r-th of it.
const WEIGHT: u64 = 1_000_000;

/// One client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) swarm: u32,
    /// The nodes that it announces to: what the first answers it waits for.
    pub(super) homes: [Option<u32>; MAX_HOMES],
    pub(super) seed: bool,
    /// It has got everything, and each of its nodes has counted that.
    pub(super) completed: bool,
    /// It waits for an answer.
    pub(super) waits: bool,
    /// Since when every node must be able to offer it; none while nobody may know of it.
    pub(super) visible: Option<Time>,
    /// Since when it is what it is: seed or not.
    pub(super) role_since: Time,
    pub(super) announced: Time,
    completes: Time,
    ends: Time,
    pub(super) vanishes: bool,
    /// A node died to which it announced: what that one said of it lasts for a while.
    pub(super) orphaned: bool,
    /// When it went.
    pub(super) gone: Option<Time>,
}

impl Client {
    pub(super) fn homes(&self) -> impl Iterator<Item = usize> + use<> {
        self.homes.into_iter().flatten().map(|home| home as usize)
    }
}

/// All clients that there ever were.
pub(super) struct Clients {
    all: Vec<Client>,
    /// Of each swarm those that are there, or may still be listed.
    members: Vec<Vec<u32>>,
    weights: Vec<u64>,
    interval: Duration,
    session: Duration,
    dice: Dice,
}

/// What a client does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It announces.
    Announce(Event),
    /// It goes without a word.
    Vanish,
}

impl Clients {
    pub(super) fn new(args: &TrackerArgs, dice: Dice) -> Self {
        let mut weights = Vec::new();
        let mut sum = 0;
        for rank in 1..=args.swarms {
            sum += WEIGHT / rank + 1;
            weights.push(sum);
        }
        let interval = Duration(args.interval.as_micros() as u64);
        Self {
            all: Vec::new(),
            members: vec![Vec::new(); args.swarms as usize],
            weights,
            interval,
            session: interval.times(args.session.into()),
            dice,
        }
    }

    /// A new one, of some swarm.
    pub(super) fn come(&mut self, now: Time) -> u32 {
        let at = self.dice.below(self.weights.last().copied().unwrap_or(1));
        let swarm = self.weights.partition_point(|sum| *sum <= at);
        self.come_to(swarm as u32, now)
    }

    /// A new one of a swarm.
    pub(super) fn come_to(&mut self, swarm: u32, now: Time) -> u32 {
        let number = self.all.len() as u32;
        self.all.push(Client {
            swarm,
            homes: [None; MAX_HOMES],
            seed: self.dice.below(SEEDS) == 0,
            completed: false,
            waits: false,
            visible: None,
            role_since: now,
            announced: now,
            completes: now + self.dice.exponential(self.session),
            ends: now + self.dice.exponential(self.session),
            vanishes: self.dice.below(VANISHES) == 0,
            orphaned: false,
            gone: None,
        });
        if let Some(members) = self.members.get_mut(swarm as usize) {
            members.push(number);
        }
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&Client> {
        self.all.get(number as usize)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Client> {
        self.all.get_mut(number as usize)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (u32, &mut Client)> {
        (0..).zip(&mut self.all)
    }

    /// Those of a swarm that are there, or may be listed: who went and cannot be listed any more
    /// is forgotten.
    pub(super) fn members(&mut self, swarm: u32, now: Time, expiry: Duration) -> &[u32] {
        let all = &self.all;
        let listed = |number: &u32| {
            let client = all.get(*number as usize);
            client.is_some_and(|client| client.gone.is_none() || client.announced + expiry > now)
        };
        match self.members.get_mut(swarm as usize) {
            Some(members) => {
                members.retain(listed);
                members
            }
            None => &[],
        }
    }

    /// What a client does now that its time has come.
    pub(super) fn step(&mut self, number: u32, now: Time) -> Option<Step> {
        let client = self.all.get_mut(number as usize)?;
        if client.gone.is_some() {
            return None;
        }
        if now >= client.ends {
            client.gone = Some(now);
            return Some(match client.vanishes {
                true => Step::Vanish,
                false => Step::Announce(Event::Stopped),
            });
        }
        if !client.seed && now >= client.completes {
            client.seed = true;
            client.role_since = now;
            return Some(Step::Announce(Event::Completed));
        }
        let event = if client.homes[0].is_none() {
            Event::Started
        } else {
            Event::Regular
        };
        Some(Step::Announce(event))
    }

    /// When a client acts next that was told to wait for so long.
    pub(super) fn next(&self, number: u32, now: Time, interval_s: u32) -> Time {
        let at = now + Duration::from_secs(interval_s.into()).min(self.interval);
        let Some(client) = self.get(number) else {
            return at;
        };
        let completes = if client.seed { at } else { client.completes };
        at.min(completes)
            .min(client.ends)
            .max(now + Duration::from_micros(1))
    }
}

/// The torrent of a swarm.
pub(super) fn hash_of(swarm: u32) -> InfoHash {
    let mut hash = [0x5a; 20];
    // Spread over the ring, as real ones are.
    let mixed = u64::from(swarm + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for (byte, of) in hash.iter_mut().zip(mixed.to_be_bytes()) {
        *byte = of;
    }
    InfoHash(hash)
}

/// Where a client is.
pub(super) const fn ip_of(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(FIRST_IP + number))
}

/// Which client is at an address.
pub(super) fn number_of(addr: SocketAddr) -> Option<u32> {
    match addr.ip() {
        IpAddr::V4(ip) if addr.port() == PORT.get() => ip.to_bits().checked_sub(FIRST_IP),
        _ => None,
    }
}

/// What a client says.
pub(super) fn announce(number: u32, client: &Client, event: Event) -> Announce {
    let mut peer_id = *b"-SI0001-00000000xxxx";
    if let Some(tail) = peer_id.last_chunk_mut() {
        *tail = number.to_be_bytes();
    }
    Announce {
        by: FrontEnd::Http,
        info_hash: hash_of(client.swarm),
        peer_id: PeerId(peer_id),
        port: Some(PORT),
        uploaded: 0,
        downloaded: 0,
        left: u64::from(!client.seed),
        event,
        key: Some(number + 1),
        numwant: None,
        claimed_ip: None,
    }
}

/// What the judge asks: as a client that downloads, takes no connections, and wants everybody.
pub(super) fn inquiry(swarm: u32) -> Announce {
    Announce {
        by: FrontEnd::Http,
        info_hash: hash_of(swarm),
        peer_id: PeerId(*b"-SI0001-judgejudge00"),
        port: None,
        uploaded: 0,
        downloaded: 0,
        left: 1,
        event: Event::Regular,
        key: None,
        numwant: Some(200),
        claimed_ip: None,
    }
}

//! The tracker as a whole, without its sockets: an announce is admitted, entered into the table, and
//! answered.
//!
//! Entering and answering are two steps, because between them a node may ask others what they know
//! of a swarm.

use crate::announce::{Announce, Event};
use crate::choice::{self, Families, Offer, Offered, Wish};
use crate::ids::InfoHash;
use crate::limits::{Buckets, Rate};
use crate::place::{Place, Places};
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::secret::{Secret, address_bytes};
use crate::table::{Bounds, Change, Counts, Presence, Table, Tick};
use crate::udp::ConnectionIds;
use overlay::Time;
use rand_core::Rng;
use std::net::{IpAddr, SocketAddr};

/// Part of the interval that is left to chance, so that clients which came together do not stay
/// together: a tenth.
const JITTER_PART: u32 = 10;

/// How a tracker behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Milliseconds between two announces of a client. On the wire it is whole seconds, at least one,
    /// and up to a tenth less by chance.
    pub interval_ms: u32,
    /// Milliseconds after which a client that does not announce is gone: no less than
    /// [`Self::longest_told_ms`].
    pub expiry_ms: u32,
    /// Peers in an answer when the client does not say how many it wants.
    pub default_numwant: u32,
    /// Most peers in an answer.
    pub max_numwant: u32,
    /// How much the table holds.
    pub bounds: Bounds,
    /// Announces of one address (IPv6: of one /64).
    pub announces: Rate,
    /// Announces to one swarm, from all addresses together. Unlimited unless it is said: whoever
    /// exhausts it keeps everybody else out, so it is for those who must bound the load of one torrent.
    pub swarm_announces: Rate,
    /// Swarms that one address may bring into being.
    pub new_swarms: Rate,
    /// Clients that one address may bring into one swarm.
    pub new_peers: Rate,
    /// Whether the address in an announce's parameters is believed: only in closed networks.
    pub believe_addresses: bool,
    /// Where clients that announce to this node are, if the table of places does not say. Other nodes
    /// are told.
    pub location: Option<Place>,
}

impl Config {
    /// The longest that a client may be told to wait, in milliseconds: the interval, in whole seconds.
    /// Whoever waits for so long must not have expired.
    #[must_use]
    pub const fn longest_told_ms(interval_ms: u32) -> u32 {
        match interval_ms.div_ceil(1_000) {
            0 => 1_000,
            seconds => seconds.saturating_mul(1_000),
        }
    }
}

impl Default for Config {
    /// Half an hour between announces, three quarters until somebody is gone, 50 peers, at most 200.
    ///
    /// The rates are those of a large seed box: 10,000 torrents at once. A network behind one
    /// address brings 500 clients into one swarm at once, and one more each second.
    fn default() -> Self {
        Self {
            interval_ms: 30 * 60_000,
            expiry_ms: 45 * 60_000,
            default_numwant: 50,
            max_numwant: 200,
            bounds: Bounds::default(),
            announces: Rate {
                per_s: 1_000,
                burst: 50_000,
            },
            swarm_announces: Rate::UNLIMITED,
            new_swarms: Rate {
                per_s: 20,
                burst: 10_000,
            },
            new_peers: Rate {
                per_s: 1,
                burst: 500,
            },
            believe_addresses: false,
            location: None,
        }
    }
}

/// An announce that was admitted and entered.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// Of which torrent.
    pub hash: InfoHash,
    /// By whom; port 0 when it takes no connections, and is not listed.
    pub addr: SocketAddr,
    /// Recognises the client.
    pub identity: u64,
    /// Whether it has everything.
    pub seed: bool,
    /// How many peers it is to be told of; 0 when it has just stopped.
    pub numwant: u32,
    /// What became of the swarm.
    pub change: Change,
}

/// The numbers of an answer; the peers are in the [`Offer`].
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Seconds until the next announce.
    pub interval_s: u32,
    /// Seconds before which the client must not announce.
    pub min_interval_s: u32,
    /// How many there are.
    pub counts: Counts,
}

/// A tracker.
#[derive(Clone, Debug)]
pub struct Tracker {
    config: Config,
    /// All swarms.
    pub table: Table,
    /// Who is served; replaced as a whole when lists are read again.
    pub rules: Rules,
    /// Where addresses are.
    pub places: Places,
    ids: ConnectionIds,
    secret: Secret,
    announces: Buckets,
    swarm_announces: Buckets,
    new_swarms: Buckets,
    new_peers: Buckets,
}

impl Tracker {
    /// An empty tracker.
    pub fn new(config: Config, rng: &mut dyn Rng) -> Self {
        let secret = Secret::new(rng);
        Self {
            table: Table::new(config.bounds, config.expiry_ms, rng),
            rules: Rules::default(),
            places: Places::default(),
            ids: ConnectionIds::new(secret.clone()),
            announces: Buckets::new(config.announces, b'A'),
            swarm_announces: Buckets::new(config.swarm_announces, b'T'),
            new_swarms: Buckets::new(config.new_swarms, b'S'),
            new_peers: Buckets::new(config.new_peers, b'P'),
            secret,
            config,
        }
    }

    /// How it behaves.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The key that this run keeps to itself.
    pub(crate) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// The connection ids of the UDP protocol.
    #[must_use]
    pub const fn connection_ids(&self) -> &ConnectionIds {
        &self.ids
    }

    /// Admits an announce that came from `ip`, and enters the client into its swarm.
    ///
    /// # Errors
    /// When the client is not served; nothing was changed but its rates.
    pub fn enter(
        &mut self,
        now: Time,
        ip: IpAddr,
        passkey: Option<&[u8]>,
        announce: &Announce,
    ) -> Result<Entered, Refusal> {
        let hash = announce.info_hash;
        self.rules.check_torrent(&hash, passkey)?;
        self.rules.check_client(&announce.peer_id)?;
        let secret = &self.secret;
        if !self.announces.take(secret, ip, &[], now) {
            return Err(Refusal::TooOften);
        }
        if !self.swarm_announces.take_about(secret, &hash.0, now) {
            return Err(Refusal::SwarmTooOften);
        }
        let believed = announce
            .claimed_ip
            .filter(|_| self.config.believe_addresses);
        let ip = believed.unwrap_or(ip).to_canonical();
        let addr = SocketAddr::new(ip, announce.port.map_or(0, std::num::NonZeroU16::get));
        let identity = self.identity(announce, ip);
        let mut entered = Entered {
            hash,
            addr,
            identity,
            seed: announce.is_seed(),
            numwant: self.numwant(announce),
            change: Change::Nothing,
        };
        if announce.port.is_none() {
            return Ok(entered);
        }
        let stops = announce.event == Event::Stopped;
        if !stops && !self.table.lists(&hash, addr) {
            if !self.table.knows(&hash) && !self.new_swarms.take(secret, ip, &[], now) {
                return Err(Refusal::TooManySwarms);
            }
            if !self.new_peers.take(secret, ip, &hash.0, now) {
                return Err(Refusal::TooManyPeers);
            }
        }
        let presence = Presence {
            addr,
            identity,
            seed: entered.seed,
            event: announce.event,
            by: Some(announce.by),
        };
        let change = self.table.announce(hash, &presence, now);
        entered.change = change.map_err(|_| Refusal::Full)?;
        Ok(entered)
    }

    /// Answers an announce that was entered: fills the offer with at most `most` peers, of both
    /// address families or of the client's own. `explain` hears why each was chosen.
    pub fn answer(
        &self,
        now: Time,
        entered: &Entered,
        scope: Scope,
        rng: &mut dyn Rng,
        offer: &mut Offer,
        explain: Option<&mut Vec<Offered>>,
    ) -> Answer {
        let wish = Wish {
            count: (entered.numwant as usize).min(scope.most),
            addr: entered.addr,
            identity: entered.identity,
            seed: entered.seed,
            families: scope.families,
            places: Some(&self.places).filter(|places| !places.is_empty()),
            location: self.config.location.as_ref(),
            names: Some(self.table.names()),
        };
        offer.v4.clear();
        offer.v6.clear();
        let swarm = self.table.swarm(&entered.hash);
        if let Some(swarm) = swarm {
            let expiry_ms = self.config.expiry_ms;
            choice::choose(swarm, &wish, Tick::of(now), expiry_ms, rng, offer, explain);
        }
        let interval_s = self.interval_s(rng);
        Answer {
            interval_s,
            min_interval_s: (interval_s / 2).max(1),
            counts: swarm.map_or_else(Counts::default, crate::table::Swarm::counts),
        }
    }

    /// How many are in a swarm, for a scrape.
    ///
    /// # Errors
    /// When the torrent is not served, or not with this passkey.
    pub fn scrape(&self, hash: &InfoHash, passkey: Option<&[u8]>) -> Result<Counts, Refusal> {
        self.rules.check_torrent(hash, passkey)?;
        Ok(self.table.counts(hash))
    }

    /// Whether anybody may know of a torrent who shows this passkey.
    #[must_use]
    pub fn serves(&self, hash: &InfoHash, passkey: Option<&[u8]>) -> bool {
        self.rules.check_torrent(hash, passkey).is_ok()
    }

    /// At most `most` info-hashes, at random, of swarms that have peers and of which anybody may
    /// know, and how many swarms there are; none in private mode.
    pub fn sample_hashes(&self, most: usize, rng: &mut dyn Rng) -> (Vec<InfoHash>, usize) {
        if self.rules.passkeys.is_some() {
            return (Vec::new(), 0);
        }
        let mut hashes = self.table.sample_hashes(most, rng);
        // Lists may have changed since their clients announced.
        hashes.retain(|hash| self.serves(hash, None));
        (hashes, self.table.swarms())
    }

    fn numwant(&self, announce: &Announce) -> u32 {
        if announce.event == Event::Stopped {
            return 0;
        }
        let wanted = announce.numwant.unwrap_or(self.config.default_numwant);
        wanted.min(self.config.max_numwant)
    }

    /// Up to a tenth less than the interval, in whole seconds: rounded up or down by chance, so that
    /// also of few seconds the mean is what it would be without rounding.
    fn interval_s(&self, rng: &mut dyn Rng) -> u32 {
        let mut below = |count: u32| ((u64::from(rng.next_u32()) * u64::from(count)) >> 32) as u32;
        let interval_ms = self.config.interval_ms;
        let left = interval_ms - below(interval_ms / JITTER_PART + 1);
        let up = u32::from(below(1_000) < left % 1_000);
        (left / 1_000 + up).max(1)
    }

    /// A client that sent a key is the same wherever it announces from; anybody in the swarm knows its
    /// peer id, and without a key only its address tells that it is itself.
    fn identity(&self, announce: &Announce, ip: IpAddr) -> u64 {
        let id = &announce.peer_id.0[..];
        match announce.key {
            Some(key) => self.secret.mac(b'k', &[id, &key.to_be_bytes()]),
            None => {
                let mut room = [0; 16];
                self.secret.mac(b'i', &[id, address_bytes(ip, &mut room)])
            }
        }
    }
}

/// How large an answer may be, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Most peers.
    pub most: usize,
    /// Of which address families.
    pub families: Families,
}

#[cfg(test)]
mod tests;

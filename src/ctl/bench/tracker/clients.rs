//! Who announces: clients, each in one torrent, in an order that chance decides once.

use super::TrackerArgs;
use overlay::Id;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::net::IpAddr;
use tracker::InfoHash;

/// The lowest port of a client.
const FIRST_PORT: u32 = 1_024;
/// One client of so many has everything.
const SEED_EVERY: u32 = 4;

/// One client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// Which of all; its peer id and key are made of it.
    pub(super) number: u32,
    torrent: u32,
    pub(super) port: u16,
}

impl Client {
    /// Bytes that it lacks.
    pub(super) const fn left(self) -> u64 {
        if self.number.is_multiple_of(SEED_EVERY) {
            0
        } else {
            1 << 20
        }
    }

    pub(super) fn peer_id(self) -> [u8; 20] {
        let mut id = *b"-PB0100-000000000000";
        let (_, digits) = id.split_at_mut(12);
        for (digit, shift) in digits.iter_mut().zip((0..8).rev()) {
            *digit = b'a' + (self.number >> (4 * shift) & 15) as u8;
        }
        id
    }
}

/// All clients of one address.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) ip: Option<IpAddr>,
    clients: Vec<Client>,
    next: usize,
}

impl Source {
    /// The next client of this address; round and round.
    pub(super) fn next(&mut self) -> Option<Client> {
        let client = *self.clients.get(self.next)?;
        self.next = (self.next + 1) % self.clients.len();
        Some(client)
    }

    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }
}

/// All clients.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) sources: Vec<Source>,
    hashes: Vec<[u8; 20]>,
}

impl Clients {
    pub(super) fn new(args: &TrackerArgs, ips: Vec<Option<IpAddr>>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
        let popularity = cumulative(args.torrents);
        let mut sources: Vec<_> = ips
            .into_iter()
            .map(|ip| Source {
                ip,
                clients: Vec::new(),
                next: 0,
            })
            .collect();
        let count = u32::try_from(sources.len()).unwrap_or(u32::MAX);
        for (number, at) in (0..args.peers).zip((0..sources.len()).cycle()) {
            let port = FIRST_PORT + number / count % (u32::from(u16::MAX) - FIRST_PORT);
            if let Some(source) = sources.get_mut(at) {
                source.clients.push(Client {
                    number,
                    torrent: draw(&popularity, &mut rng),
                    port: u16::try_from(port).unwrap_or(u16::MAX),
                });
            }
        }
        // The order is that of the numbers, which says nothing of the torrents.
        sources.retain(|source| !source.clients.is_empty());
        let hashes = (0..args.torrents)
            .map(|number| hash(args.seed, number))
            .collect();
        Self { sources, hashes }
    }

    pub(super) fn hash(&self, client: Client) -> [u8; 20] {
        self.hashes
            .get(client.torrent as usize)
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = InfoHash> {
        self.hashes.iter().copied().map(InfoHash)
    }

    pub(super) fn len(&self) -> usize {
        self.sources.iter().map(Source::len).sum()
    }
}

fn hash(seed: u64, number: u32) -> [u8; 20] {
    Id::of(format!("torrent {number} of {seed}").as_bytes()).0
}

/// Sums of the popularities, by Zipf's law.
fn cumulative(torrents: u32) -> Vec<f64> {
    let parts = (1..=torrents).map(|rank| 1.0 / f64::from(rank));
    let sums = parts.scan(0.0, |sum, part| {
        *sum += part;
        Some(*sum)
    });
    sums.collect()
}

fn draw(popularity: &[f64], rng: &mut ChaCha8Rng) -> u32 {
    let all = popularity.last().copied().unwrap_or_default();
    let point = f64::from(rng.next_u32()) / f64::from(u32::MAX) * all;
    let at = popularity.partition_point(|sum| *sum < point);
    u32::try_from(at.min(popularity.len().saturating_sub(1))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popularity_follows_zipf() {
        let popularity = cumulative(1_000);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut drawn = vec![0_u32; 1_000];
        for _ in 0..100_000 {
            drawn[draw(&popularity, &mut rng) as usize] += 1;
        }
        // The harmonic number of 1,000 is 7.485.
        assert!((13_000..13_750).contains(&drawn[0]), "{}", drawn[0]);
        assert!((6_400..6_950).contains(&drawn[1]), "{}", drawn[1]);
        assert_eq!(drawn.iter().sum::<u32>(), 100_000);
    }

    #[test]
    fn clients_differ() {
        let one = Client {
            number: 0x0102_0304,
            torrent: 0,
            port: 1,
        };
        assert_eq!(&one.peer_id(), b"-PB0100-0000abacadae");
        assert_eq!(
            (one.left(), Client { number: 5, ..one }.left()),
            (0, 1 << 20)
        );
    }
}

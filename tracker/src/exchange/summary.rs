//! What one node knows of one swarm, as the text of a holder.
//!
//! A text must be UTF-8, and its words are published in the overlay's index. So the bytes are written
//! with the 32 signs of ASCII that are neither letters nor digits, five bits each: a text without
//! words, of at most 1 KiB, for which 640 bytes have room.

use crate::place::Place;
use crate::table::{Counts, Heard};
use overlay::{MAX_TEXT_BYTES, WallMs};
use std::net::{IpAddr, SocketAddr};

/// The signs, in the order of their numbers.
const SIGNS: &[u8; 32] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/// Which form the rest has, without and with a place. Anything else is not a summary.
const FORM: u8 = 0xb1;
const FORM_PLACED: u8 = 0xb2;
/// Most bytes before they are written as signs.
const MAX_BYTES: usize = MAX_TEXT_BYTES * 5 / 8;
/// Bytes before the peers: the form, the time, four counts, the unit of ages, the number of IPv4 peers.
const HEAD_BYTES: usize = 1 + 6 + 16 + 3 + 1;
/// Most IPv4 peers that fit, 7 bytes each.
pub const MAX_SUMMARY_PEERS: usize = (MAX_BYTES - HEAD_BYTES) / 7;
/// Ages are counted in so many parts of the expiry.
const AGE_STEPS: u32 = 63;

/// What one node publishes of one swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When it was written, by the clock of its node.
    pub at: WallMs,
    /// How many clients announce to that node.
    pub counts: Counts,
    /// Where they are, when the node was told.
    pub place: Option<Place>,
    /// Some of them. Ages are rounded up, to a 63rd of the expiry.
    pub peers: Vec<Heard>,
}

impl Summary {
    /// The text, with as many of the peers as fit: seeds and others of both families in turn.
    #[must_use]
    pub fn encode(&self, expiry_ms: u32) -> String {
        let unit = expiry_ms.div_ceil(AGE_STEPS).clamp(1, 0x00ff_ffff);
        let name = self.place.as_ref().map(ToString::to_string);
        let form = if name.is_some() { FORM_PLACED } else { FORM };
        let mut bytes = vec![form];
        bytes.extend(self.at.0.to_be_bytes().get(2..).unwrap_or_default());
        let counts = &self.counts;
        for count in [
            counts.complete,
            counts.incomplete,
            counts.downloaders,
            counts.downloaded,
        ] {
            bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
        }
        bytes.extend(unit.to_be_bytes().get(1..).unwrap_or_default());
        let mut placed = Vec::new();
        if let Some(name) = name {
            // A place has 128 bytes at most.
            placed.push(name.len() as u8);
            placed.extend(name.into_bytes());
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let mut count = 0_u8;
        for peer in in_turn(&self.peers) {
            let age = peer.age_ms.div_ceil(unit).min(AGE_STEPS);
            let flags = u8::from(peer.seed) << 7 | u8::from(peer.paused) << 6;
            // Six bits.
            let tail = flags | age as u8;
            let port = peer.addr.port().to_be_bytes();
            let left = MAX_BYTES - HEAD_BYTES - placed.len() - v4.len() - v6.len();
            match peer.addr.ip() {
                IpAddr::V4(ip) if left >= 7 => {
                    v4.extend(ip.octets());
                    v4.extend([port[0], port[1], tail]);
                    count += 1;
                }
                IpAddr::V6(ip) if left >= 19 => {
                    v6.extend(ip.octets());
                    v6.extend([port[0], port[1], tail]);
                }
                _ => {}
            }
        }
        bytes.push(count);
        bytes.extend(placed);
        bytes.extend(v4);
        bytes.extend(v6);
        signs_of(&bytes)
    }

    /// Reads a text back. None when it is something else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = unsigned(text)?;
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let mut fields = head.iter().copied();
        let mut number = |count: usize| {
            let bytes = fields.by_ref().take(count);
            bytes.fold(0_u64, |number, byte| number << 8 | u64::from(byte))
        };
        let form = number(1);
        if form != u64::from(FORM) && form != u64::from(FORM_PLACED) {
            return None;
        }
        let at = WallMs(number(6));
        let counts = Counts {
            complete: number(4),
            incomplete: number(4),
            downloaders: number(4),
            downloaded: number(4),
        };
        let unit = u32::try_from(number(3)).ok()?;
        let v4 = usize::try_from(number(1)).ok()?;
        let (place, rest) = match form == u64::from(FORM_PLACED) {
            true => place_of(rest)?,
            false => (None, rest),
        };
        let (v4, v6) = rest.split_at_checked(v4 * 7)?;
        if v6.len() % 19 != 0 {
            return None;
        }
        let four = v4
            .chunks_exact(7)
            .filter_map(|peer| peer_of::<4>(peer, unit));
        let six = v6
            .chunks_exact(19)
            .filter_map(|peer| peer_of::<16>(peer, unit));
        Some(Self {
            at,
            counts,
            place,
            peers: four.chain(six).collect(),
        })
    }
}

/// Seeds and others of both families in turn, so that of each some fit: an IPv6 peer takes almost
/// three times as much, and would find no room behind all of IPv4.
fn in_turn(peers: &[Heard]) -> impl Iterator<Item = &Heard> {
    let group = |seed: bool, v4: bool| {
        let is = move |peer: &&Heard| peer.seed == seed && peer.addr.is_ipv4() == v4;
        peers.iter().filter(is)
    };
    let mut groups = [(true, true), (true, false), (false, true), (false, false)]
        .map(|(seed, v4)| group(seed, v4));
    // Once round in a sweep, until a sweep finds nothing.
    std::iter::from_fn(move || {
        let round: Vec<&Heard> = groups.iter_mut().filter_map(Iterator::next).collect();
        (!round.is_empty()).then_some(round)
    })
    .flatten()
}

/// The place at the beginning of these bytes, and the rest. What is no place is nowhere.
fn place_of(bytes: &[u8]) -> Option<(Option<Place>, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let name = std::str::from_utf8(name).ok();
    Some((name.and_then(|name| name.parse().ok()), rest))
}

fn peer_of<const N: usize>(bytes: &[u8], unit: u32) -> Option<Heard>
where
    IpAddr: From<[u8; N]>,
{
    let (ip, rest) = bytes.split_first_chunk::<N>()?;
    let &[high, low, tail] = rest else {
        return None;
    };
    let port = u16::from_be_bytes([high, low]);
    (port != 0).then(|| Heard {
        addr: SocketAddr::new(IpAddr::from(*ip), port),
        seed: tail & 0x80 != 0,
        paused: tail & 0x40 != 0,
        age_ms: u32::from(tail & 0x3f).saturating_mul(unit),
        place: 0,
    })
}

/// Bytes as a text without words.
#[must_use]
pub fn signs_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u16, 0);
    for byte in bytes {
        held = held << 8 | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(sign(held >> bits));
        }
    }
    if bits > 0 {
        text.push(sign(held << (5 - bits)));
    }
    text
}

fn sign(number: u16) -> char {
    let sign = SIGNS.get(usize::from(number & 31));
    char::from(sign.copied().unwrap_or(b'!'))
}

/// The bytes of such a text; none when it has other characters, or is too long for a holder.
#[must_use]
pub fn unsigned(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0_u16, 0);
    for character in text.bytes() {
        let number = SIGNS.iter().position(|sign| *sign == character)?;
        // Below 32.
        held = held << 5 | number as u16;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            // The eight upper of the bits that are held.
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::words::Words;
    use proptest::prelude::*;

    const EXPIRY_MS: u32 = 2_700_000;

    fn heard() -> impl Strategy<Value = Heard> {
        let ip = prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
        ];
        (ip, 1_u16.., any::<bool>(), any::<bool>(), 0..EXPIRY_MS).prop_map(
            |(ip, port, seed, paused, age_ms)| Heard {
                addr: SocketAddr::new(ip, port),
                seed,
                paused,
                age_ms,
                place: 0,
            },
        )
    }

    proptest! {
        #[test]
        fn a_summary_is_read_back_and_has_no_words(
            peers in prop::collection::vec(heard(), 0..200),
            complete in any::<u32>(),
            place in prop_oneof![Just(None), Just(Some("dc1/rack7"))],
        ) {
            let counts = Counts { complete: complete.into(), incomplete: 7, downloaders: 6, downloaded: 5 };
            let summary = Summary { at: WallMs(1_790_000_000_000), counts, place: place.map(|name| name.parse().unwrap()), peers };
            let text = summary.encode(EXPIRY_MS);
            prop_assert!(text.len() <= MAX_TEXT_BYTES);
            prop_assert!(Words::of(&text).is_empty(), "{}", text);
            let read = Summary::decode(&text).expect("a summary");
            prop_assert_eq!((read.at, read.counts, &read.place), (summary.at, counts, &summary.place));
            prop_assert!(read.peers.len() >= summary.peers.len().min(30));
            for peer in &read.peers {
                let same = |of: &&Heard| of.addr == peer.addr && of.seed == peer.seed
                    && of.paused == peer.paused && of.age_ms <= peer.age_ms
                    && peer.age_ms - of.age_ms <= EXPIRY_MS / 63 + 1;
                prop_assert!(summary.peers.iter().any(|of| same(&of)), "{:?}", peer);
            }
        }

        #[test]
        fn other_texts_do_no_harm(text in "[!-/:-@\\[-`{-~]{0,300}", more in ".{0,40}") {
            let _ = (Summary::decode(&text), Summary::decode(&more));
        }
    }

    #[test]
    fn no_family_and_no_role_starves() {
        let peer = |number: u8, v4: bool| Heard {
            addr: if v4 {
                SocketAddr::from(([10, 0, 0, number], 80))
            } else {
                SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()], 80))
            },
            seed: number.is_multiple_of(2),
            paused: false,
            age_ms: 0,
            place: 0,
        };
        let four = (0..200).map(|number| peer(number, true));
        let six = (0..20).map(|number| peer(number, false));
        let summary = Summary {
            at: WallMs(0),
            counts: Counts::default(),
            place: None,
            peers: four.chain(six).collect(),
        };
        let read = Summary::decode(&summary.encode(EXPIRY_MS)).unwrap();
        for (seed, v4) in [(true, true), (true, false), (false, true), (false, false)] {
            let is = |peer: &&Heard| peer.seed == seed && peer.addr.is_ipv4() == v4;
            let count = read.peers.iter().filter(is).count();
            assert!(count >= 10, "seed {seed}, IPv4 {v4}: {count}");
        }
    }

    #[test]
    fn a_full_summary_fits() {
        let peer = |number: u8| Heard {
            addr: SocketAddr::from(([10, 0, 0, number], 80)),
            seed: number.is_multiple_of(2),
            paused: false,
            age_ms: 0,
            place: 0,
        };
        let summary = Summary {
            at: WallMs(0),
            counts: Counts::default(),
            place: None,
            peers: (0..200).map(peer).collect(),
        };
        let read = Summary::decode(&summary.encode(EXPIRY_MS)).unwrap();
        assert_eq!(read.peers.len(), MAX_SUMMARY_PEERS);
        assert!(MAX_SUMMARY_PEERS >= 80 && MAX_SUMMARY_PEERS <= usize::from(u8::MAX));
        assert_eq!(Summary::decode("an ordinary text"), None);
        assert_eq!(Summary::decode(""), None);
    }
}

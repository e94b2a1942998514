//! What the network stores: values and holders, with versions and ends of life.

use crate::{ID_BYTES, Id, WallMs};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Longest key that a user may give, in bytes; only its SHA-1 travels between nodes.
pub const MAX_KEY_BYTES: usize = 1 << 10;
/// Longest value: one value fits one message, and one node's send queue holds several.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// Longest text of a holder: a file name and a sentence.
pub const MAX_TEXT_BYTES: usize = 1 << 10;
/// Longest life of a value with a limit: one year. Without a limit it lives until it is deleted.
pub const MAX_TTL_S: u32 = 366 * 24 * 3600;
/// Longest lease of a holder: one week. The inserting node renews leases, so that a longer one
/// would only keep the dead listed.
pub const MAX_LEASE_S: u32 = 7 * 24 * 3600;
/// Longest body of a [`Slot::Text`] or [`Slot::Entry`]: a text and a key with what goes with them.
pub const MAX_ENTRY_BYTES: usize = MAX_TEXT_BYTES + MAX_KEY_BYTES + 128;
/// Most holders of one key at one node, so that all of them, with texts, fit one message.
pub const MAX_HOLDERS_PER_KEY: usize = 1_000;

/// A hybrid logical clock (Kulkarni et al., 2014): wall-clock milliseconds in the upper 48 bits, a
/// counter in the lower 16 that orders events within a millisecond.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Hlc(pub u64);

impl Hlc {
    const COUNTER_BITS: u32 = 16;

    /// The first clock value of a wall-clock millisecond.
    #[must_use]
    pub const fn at(wall: WallMs) -> Self {
        Self(wall.0 << Self::COUNTER_BITS)
    }

    /// The wall-clock part.
    #[must_use]
    pub const fn wall(self) -> WallMs {
        WallMs(self.0 >> Self::COUNTER_BITS)
    }

    /// The counter part.
    #[must_use]
    pub const fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// A clock value after this one, and not before the wall clock.
    #[must_use]
    pub fn tick(self, wall: WallMs) -> Self {
        Self::at(wall).max(self.following())
    }

    /// The next clock value, whatever the time.
    #[must_use]
    pub const fn following(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The version of a record: the newer clock wins, then the larger writer, so that two nodes
/// always agree which of two versions is newer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// When it was written.
    pub clock: Hlc,
    /// The node that gave the version (for a value, the one that was asked to write), and a number
    /// that it does not use again: see [`Version::given`].
    pub writer: Id,
}

impl Version {
    /// The version that a node gives. A number takes the place of the last eight bytes of its id, one
    /// that it draws at random, or counts from where it began at random when it started. For a clock value that did not outlive a crash
    /// may be given once more, and others may have what was written under it at first: two records
    /// of one version would never become the same one.
    #[must_use]
    pub fn given(clock: Hlc, node: Id, number: u64) -> Self {
        let mut writer = node;
        let (_, last) = writer.0.split_at_mut(ID_BYTES - size_of::<u64>());
        last.copy_from_slice(&number.to_be_bytes());
        Self { clock, writer }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}-{}",
            self.clock.wall().0,
            self.clock.counter(),
            self.writer
        )
    }
}

/// The text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no version; give one as put and get print it: milliseconds, a point, a counter, a hyphen and the 40 hexadecimal digits of the writer"
)]
pub struct ParseVersionError(String);

impl FromStr for Version {
    type Err = ParseVersionError;

    /// Takes back exactly what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseVersionError(text.chars().take(96).collect());
        let (clock, writer) = text.split_once('-').ok_or_else(wrong)?;
        let (wall, counter) = clock.split_once('.').ok_or_else(wrong)?;
        let wall: u64 = wall.parse().map_err(|_| wrong())?;
        let counter: u16 = counter.parse().map_err(|_| wrong())?;
        if wall >> (u64::BITS - Hlc::COUNTER_BITS) != 0 {
            return Err(wrong());
        }
        Ok(Self {
            clock: Hlc(Hlc::at(WallMs(wall)).0 | u64::from(counter)),
            writer: writer.parse().map_err(|_| wrong())?,
        })
    }
}

/// What must be there for a write to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Whatever is there.
    #[default]
    Always,
    /// Nothing: no value was stored, or it was deleted, or it has ended.
    Absent,
    /// Exactly this version.
    Version(Version),
}

impl Condition {
    /// Whether it holds where `live` is the version of what a reader would see.
    #[must_use]
    pub fn holds(self, live: Option<Version>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => live.is_none(),
            Self::Version(wanted) => live == Some(wanted),
        }
    }
}

/// Which of the records under one key. They sort in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// The one value.
    Value,
    /// The holder at this address: one record for each (key, peer).
    Holder(SocketAddr),
    /// The words by which the value of this key is found.
    Text,
    /// An entry of an index: the key is its place there.
    Entry,
}

/// One version of a value or a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Newest wins.
    pub version: Version,
    /// The bytes of a value, the text of a holder (UTF-8, maybe empty), or what an index needs.
    /// `None` is a tombstone: the record was deleted, and must not come back from a replica that
    /// missed it.
    pub body: Option<Bytes>,
    /// When it ends by itself: a value's time to live or a holder's lease.
    pub expires: Option<WallMs>,
}

impl Record {
    /// Whether a reader sees it: neither deleted nor expired.
    #[must_use]
    pub fn is_live(&self, now: WallMs) -> bool {
        self.body.is_some() && self.expires.is_none_or(|end| now < end)
    }
}

/// A record and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The key's point on the circle.
    pub key: Id,
    /// Which of the records there.
    pub slot: Slot,
    /// The version.
    pub record: Record,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_back_as_it_was_written() {
        for clock in [0, 1, 0xffff, 0x1_0000, u64::MAX] {
            let version = Version {
                clock: Hlc(clock),
                writer: Id::of(b"writer"),
            };
            assert_eq!(version.to_string().parse(), Ok(version));
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        let writer = Id::of(b"writer");
        for text in [
            String::new(),
            "1.2".to_owned(),
            "1.2-abc".to_owned(),
            format!("1-{writer}"),
            format!("1.65536-{writer}"),
            format!("281474976710656.0-{writer}"),
            format!("-1.0-{writer}"),
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_condition_is_about_what_a_reader_sees() {
        let (one, two) = (
            Version::default(),
            Version {
                clock: Hlc(1),
                ..Version::default()
            },
        );
        assert!(Condition::Always.holds(Some(one)) && Condition::Always.holds(None));
        assert!(Condition::Absent.holds(None) && !Condition::Absent.holds(Some(one)));
        assert!(Condition::Version(one).holds(Some(one)));
        assert!(!Condition::Version(one).holds(Some(two)) && !Condition::Version(one).holds(None));
    }
}

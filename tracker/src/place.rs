//! Places, and which addresses are where.
//!
//! A place is a path from the large to the small, `dc1/rack7`; two places are the nearer the longer
//! the path is that they have in common. A table says where ranges of addresses are: lines of a CIDR
//! prefix and a place, or a network map of ALTO (RFC 7285, section 11.2.1).

use crate::range::{Range, RangeError, bits_of, ip_of};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Most parts of a place: continent, country, city, provider, site, row, rack, and one to spare.
pub const MAX_PLACE_PARTS: usize = 8;
/// Longest place, in bytes.
pub const MAX_PLACE_BYTES: usize = 128;
/// Most ranges in a table: as many as there are routes in the Internet, at some 100 bytes each.
pub const MAX_RANGES: usize = 1 << 20;

/// Where something is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(Arc<str>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Place {
    /// How many parts the two have in common, from the first on.
    #[must_use]
    pub fn shared(&self, other: &Self) -> usize {
        let pairs = self.0.split('/').zip(other.0.split('/'));
        pairs.take_while(|(one, two)| one == two).count()
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let parts = text.split('/').count();
        let is_part = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace());
        if parts > MAX_PLACE_PARTS || text.len() > MAX_PLACE_BYTES || !text.split('/').all(is_part)
        {
            return Err(PlaceError::Place(text.chars().take(80).collect()));
        }
        Ok(Self(text.into()))
    }
}

/// Why a place or a table of places is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// No place.
    #[error("{0:?} is no place; write up to {MAX_PLACE_PARTS} parts with slashes, as dc1/rack7")]
    Place(String),
    /// No range of addresses.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// A line that is not a range and a place.
    #[error("line {line}: {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// No network map.
    #[error("no ALTO network map (RFC 7285): {0}")]
    Alto(String),
    /// One range is in two places.
    #[error("{0} is in two places")]
    Twice(String),
    /// Too many ranges.
    #[error("the table has more than {MAX_RANGES} ranges")]
    TooMany,
}

/// Which addresses are where; the longest prefix decides.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Addresses in order, cut where the place changes: the first of each piece, and its place. An
    /// announce asks for the place of each peer that it may be offered, so that one search must do.
    pieces: Vec<(u128, Option<Place>)>,
}

/// A table as it is read.
#[derive(Default)]
struct Ranges(BTreeMap<Range, Place>);

#[derive(Deserialize)]
struct NetworkMap {
    #[serde(rename = "network-map")]
    groups: BTreeMap<String, Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    ipv4: Vec<String>,
    #[serde(default)]
    ipv6: Vec<String>,
}

impl Places {
    /// Reads a table: an ALTO network map when it begins with a brace, lines of range and place
    /// otherwise. Empty lines, and what follows a `#`, are passed over. In ALTO the name of a group
    /// is the place, with points for slashes, because the standard allows no slash there.
    ///
    /// # Errors
    /// When the table is not understood; the error says where.
    pub fn parse(text: &str) -> Result<Self, PlaceError> {
        if text.trim_start().starts_with('{') {
            Self::from_alto(text)
        } else {
            Self::from_lines(text)
        }
    }

    fn from_lines(text: &str) -> Result<Self, PlaceError> {
        let mut ranges = Ranges::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (range, place, more) = (words.next(), words.next(), words.next());
            let added = match (range, place, more) {
                (None, ..) => Ok(()),
                (Some(range), Some(place), None) => ranges.add(range, place),
                _ => Err(PlaceError::Alto(String::new())),
            };
            added.map_err(|error| PlaceError::Line {
                line: number + 1,
                reason: match error {
                    PlaceError::Alto(_) => "write a range of addresses and a place".to_owned(),
                    error => error.to_string(),
                },
            })?;
        }
        Ok(Self::cut(ranges))
    }

    fn from_alto(text: &str) -> Result<Self, PlaceError> {
        let map: NetworkMap =
            serde_json::from_str(text).map_err(|error| PlaceError::Alto(error.to_string()))?;
        let mut ranges = Ranges::default();
        for (name, group) in map.groups {
            let place = name.replace('.', "/");
            for range in group.ipv4.iter().chain(&group.ipv6) {
                ranges.add(range, &place)?;
            }
        }
        Ok(Self::cut(ranges))
    }

    /// Cuts the addresses into pieces. Ranges are disjoint or one inside the other, so those around
    /// the present address are a stack, the longest prefix on top.
    fn cut(ranges: Ranges) -> Self {
        let mut places = Self::default();
        let mut around: Vec<(u128, Place)> = Vec::new();
        for (range, place) in ranges.0 {
            places.leave(&mut around, |last| last < range.bits);
            places.turn(range.bits, Some(&place));
            around.push((range.last(), place));
        }
        places.leave(&mut around, |_| true);
        places.pieces.shrink_to_fit();
        places
    }

    /// Takes leave of the ranges whose last address is behind.
    fn leave(&mut self, around: &mut Vec<(u128, Place)>, is_behind: impl Fn(u128) -> bool) {
        while let Some((last, _)) = around.pop_if(|(last, _)| is_behind(*last)) {
            // After the last of all addresses nothing begins.
            if let Some(next) = last.checked_add(1) {
                self.turn(next, around.last().map(|(_, place)| place));
            }
        }
    }

    /// From an address on the place is another one.
    fn turn(&mut self, from: u128, place: Option<&Place>) {
        // Of what begins at one address the last that is said counts.
        self.pieces.pop_if(|(start, _)| *start == from);
        self.pieces.push((from, place.cloned()));
    }

    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Where an address is.
    #[must_use]
    pub fn of(&self, ip: IpAddr) -> Option<&Place> {
        self.piece_of(ip)?.0.as_ref()
    }

    /// The first and the last of the addresses around this one that are said to be where it is; none
    /// when nothing is said of it.
    #[must_use]
    pub fn around(&self, ip: IpAddr) -> Option<(IpAddr, IpAddr)> {
        let (place, first, last) = self.piece_of(ip)?;
        place.as_ref().map(|_| (ip_of(first), ip_of(last)))
    }

    fn piece_of(&self, ip: IpAddr) -> Option<(&Option<Place>, u128, u128)> {
        let bits = bits_of(ip);
        let after = self.pieces.partition_point(|(start, _)| *start <= bits);
        let (first, place) = self.pieces.get(after.checked_sub(1)?)?;
        let next = self.pieces.get(after).map(|(start, _)| *start);
        let last = next.map_or(u128::MAX, |next| next.saturating_sub(1));
        Some((place, *first, last))
    }
}

impl Ranges {
    fn add(&mut self, range: &str, place: &str) -> Result<(), PlaceError> {
        let parsed: Range = range.parse()?;
        let place = place.parse()?;
        if self.0.len() >= MAX_RANGES {
            return Err(PlaceError::TooMany);
        }
        match self.0.insert(parsed, place) {
            None => Ok(()),
            Some(_) => Err(PlaceError::Twice(range.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::masked;

    fn place(table: &Places, ip: &str) -> Option<String> {
        table.of(ip.parse().unwrap()).map(Place::to_string)
    }

    #[test]
    fn the_longest_prefix_decides() {
        let text = "# racks\n10.0.0.0/8 dc1\n10.0.7.0/24\tdc1/rack7 # here\n\n2001:db8::/32 dc2\n";
        let table = Places::parse(text).unwrap();
        assert_eq!(place(&table, "10.0.7.1").as_deref(), Some("dc1/rack7"));
        assert_eq!(place(&table, "10.0.8.1").as_deref(), Some("dc1"));
        assert_eq!(place(&table, "::ffff:10.0.8.1").as_deref(), Some("dc1"));
        assert_eq!(place(&table, "2001:db8:1::1").as_deref(), Some("dc2"));
        assert_eq!(place(&table, "192.0.2.1"), None);
        let around = |ip: &str| {
            let (first, last) = table.around(ip.parse().unwrap())?;
            Some(format!("{first} {last}"))
        };
        assert_eq!(around("10.0.7.1").as_deref(), Some("10.0.7.0 10.0.7.255"));
        assert_eq!(around("192.0.2.1"), None);
        let all = Places::parse("0.0.0.0/0 v4\n::/0 world").unwrap();
        assert_eq!(place(&all, "192.0.2.1").as_deref(), Some("v4"));
        assert_eq!(place(&all, "::1").as_deref(), Some("world"));
    }

    /// Every set of up to three ranges among those of sixteen addresses, the last eight, and all.
    #[test]
    fn one_search_finds_what_all_prefixes_would() {
        let mut ranges = vec![(0_u128, 0_u8), (u128::MAX << 3, 125)];
        for length in 124..=128_u8 {
            let step = 1_u128 << (128 - length);
            ranges.extend((0..16 / step).map(|number| (number * step, length)));
        }
        let sets = ranges.len().pow(3);
        for set in 0..sets {
            let mut chosen = Ranges::default();
            for digit in 0..3 {
                let (bits, length) = ranges[set / ranges.len().pow(digit) % ranges.len()];
                let place = format!("at{bits:x}/of{length}").parse().unwrap();
                chosen.0.insert(Range { bits, length }, place);
            }
            let oracle: Vec<_> = chosen.0.clone().into_iter().collect();
            let table = Places::cut(chosen);
            for bits in (0..18).chain([u128::MAX - 8, u128::MAX - 7, u128::MAX]) {
                let inside = oracle
                    .iter()
                    .filter(|(range, _)| masked(bits, range.length) == range.bits);
                let longest = inside.max_by_key(|(range, _)| range.length);
                let ip = IpAddr::V6(bits.into());
                assert_eq!(
                    table.of(ip),
                    longest.map(|(_, place)| place),
                    "{oracle:?} {ip}"
                );
            }
        }
    }

    #[test]
    fn a_network_map_of_rfc_7285_is_a_table() {
        let text = r#"{
            "meta": { "vtag": { "resource-id": "my-default-network-map", "tag": "da65eca2" } },
            "network-map": {
                "dc1.rack1": { "ipv4": ["192.0.2.0/24", "198.51.100.0/25"] },
                "dc1.rack2": { "ipv4": ["198.51.100.128/25"], "ipv6": ["2001:db8::/32"] },
                "PID3": { "ipv4": ["0.0.0.0/0"], "ipv6": ["::/0"] }
            }
        }"#;
        let table = Places::parse(text).unwrap();
        assert_eq!(place(&table, "198.51.100.1").as_deref(), Some("dc1/rack1"));
        assert_eq!(
            place(&table, "198.51.100.200").as_deref(),
            Some("dc1/rack2")
        );
        assert_eq!(place(&table, "203.0.113.5").as_deref(), Some("PID3"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, words) in [
            ("10.0.0.0/8", "line 1: write a range"),
            ("\n10.0.0.0/33 a", "line 2: \"10.0.0.0/33\" is no range"),
            ("10.0.0.1/8 a", "is no range"),
            ("10.0.0.0/8 a//b", "is no place"),
            ("10.0.0.0/8 a b", "write a range"),
            (
                "10.0.0.0/8 a\n10.0.0.0/8 b",
                "line 2: 10.0.0.0/8 is in two places",
            ),
            ("{\"network-map\": 3}", "no ALTO network map"),
        ] {
            let error = Places::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn nearness_is_the_length_of_the_common_path() {
        let place = |text: &str| text.parse::<Place>().unwrap();
        assert_eq!(place("dc1/rack7").shared(&place("dc1/rack7/x")), 2);
        assert_eq!(place("dc1/rack7").shared(&place("dc1/rack70")), 1);
        assert_eq!(place("dc1").shared(&place("dc2")), 0);
    }
}

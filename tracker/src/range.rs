//! Ranges of addresses, as CIDR writes them.

use std::net::IpAddr;
use std::str::FromStr;

/// No range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no range of addresses; write for instance 192.0.2.0/24 or 2001:db8::/32")]
pub struct RangeError(String);

/// A range of addresses as the upper bits of 128; IPv4 lies in `::ffff:0:0/96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
// In this order a range comes before those that lie inside it: `Places` depends on it.
pub struct Range {
    pub(crate) bits: u128,
    pub(crate) length: u8,
}

/// An address as 128 bits.
pub(crate) fn bits_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The address that 128 bits stand for.
pub(crate) fn ip_of(bits: u128) -> IpAddr {
    IpAddr::V6(bits.into()).to_canonical()
}

/// The upper bits alone.
pub(crate) const fn masked(bits: u128, length: u8) -> u128 {
    match length {
        0 => 0,
        length => bits & (u128::MAX << (128_u8.saturating_sub(length))),
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let wrong = || RangeError(text.chars().take(80).collect());
        let (ip, length) = text.split_once('/').ok_or_else(wrong)?;
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let length: u8 = length.parse().map_err(|_| wrong())?;
        let (most, offset) = if ip.is_ipv4() { (32, 96) } else { (128, 0) };
        if length > most {
            return Err(wrong());
        }
        let length = length + offset;
        let bits = bits_of(ip);
        // Bits beyond the prefix are a mistake that should not pass.
        if masked(bits, length) != bits {
            return Err(wrong());
        }
        Ok(Self { bits, length })
    }
}

impl Range {
    /// Whether an address is inside.
    #[must_use]
    pub fn contains(self, ip: IpAddr) -> bool {
        masked(bits_of(ip), self.length) == self.bits
    }

    /// The last address inside.
    pub(crate) const fn last(self) -> u128 {
        self.bits | !masked(u128::MAX, self.length)
    }
}

impl TryFrom<String> for Range {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_what_its_prefix_says_over_both_ways_to_write_ipv4() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let range: Range = "10.0.0.0/9".parse().unwrap();
        assert!(range.contains(ip("10.127.0.1")) && range.contains(ip("::ffff:10.127.0.1")));
        assert!(!range.contains(ip("10.128.0.1")) && !range.contains(ip("::1")));
        let one: Range = "2001:db8::1/128".parse().unwrap();
        assert!(one.contains(ip("2001:db8::1")) && !one.contains(ip("2001:db8::2")));
        assert!(
            "10.0.0.1/9".parse::<Range>().is_err(),
            "bits beyond the prefix"
        );
    }
}

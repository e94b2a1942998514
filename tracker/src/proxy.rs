//! The address of a client that comes through a reverse proxy.
//!
//! A proxy appends to a header whom it has its request from. Anybody may send such a header, so it
//! counts only when the connection comes from a trusted address, and of the hops that it names only
//! the last one that is not trusted itself: what stands before it was written by strangers.

use crate::range::Range;
use std::net::{IpAddr, SocketAddr};

/// Most hops that are looked at: chains in use have two or three, and a header of 8 KiB has a
/// thousand.
pub const MAX_HOPS: usize = 32;
/// Longest name of a header: the longest in use have some thirty.
pub const MAX_HEADER_NAME_BYTES: usize = 64;

/// Proxies whose word is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The header, in lower case; empty for none.
    header: String,
    trusted: Vec<Range>,
}

/// Why the client of a trusted proxy is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy's header names no address of a client")]
pub struct NoClient;

/// No name of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a header; write for instance X-Forwarded-For or Forwarded")]
pub struct HeaderNameError(String);

/// The name of a header, in lower case.
///
/// # Errors
/// When it has other signs than letters, digits and hyphens.
pub fn parse_header_name(text: &str) -> Result<String, HeaderNameError> {
    let is_sign = |sign: u8| sign.is_ascii_alphanumeric() || b"-_".contains(&sign);
    if (1..=MAX_HEADER_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_sign) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(HeaderNameError(text.chars().take(80).collect()))
}

impl Proxies {
    /// Proxies at these addresses, which name the client in this header.
    #[must_use]
    pub fn new(header: &str, trusted: Vec<Range>) -> Self {
        let header = header.to_ascii_lowercase();
        Self { header, trusted }
    }

    /// The header to look for, in lower case; none when nobody is trusted.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        let counts = !self.header.is_empty() && !self.trusted.is_empty();
        counts.then_some(&*self.header)
    }

    /// Whether an address is that of a trusted proxy.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(ip))
    }

    /// Who asks, on a connection from `from` with these values of the header, in their order.
    ///
    /// # Errors
    /// When a trusted proxy names somebody who has no address.
    pub fn client<'a, V>(&self, from: IpAddr, values: V) -> Result<IpAddr, NoClient>
    where
        V: DoubleEndedIterator<Item = &'a [u8]>,
    {
        if self.header().is_none() || !self.trusts(from) {
            return Ok(from);
        }
        let is_forwarded = self.header == "forwarded";
        let mut client = from;
        let hops = values
            .rev()
            .flat_map(|value| elements(value).into_iter().rev());
        for hop in hops.take(MAX_HOPS) {
            let node = if is_forwarded {
                forwarded_for(hop)
            } else {
                Some(hop)
            };
            client = node.and_then(address).ok_or(NoClient)?;
            if !self.trusts(client) {
                break;
            }
        }
        Ok(client)
    }
}

/// The parts between commas that stand outside of quotes, at most [`MAX_HOPS`] from the end.
fn elements(value: &[u8]) -> Vec<&[u8]> {
    let mut quoted = false;
    let mut parts: Vec<_> = value
        .split(|byte| {
            quoted ^= *byte == b'"';
            *byte == b',' && !quoted
        })
        .map(<[u8]>::trim_ascii)
        .filter(|part| !part.is_empty())
        .collect();
    let more = parts.len().saturating_sub(MAX_HOPS);
    parts.drain(..more);
    parts
}

/// The `for` of an element of `Forwarded` (RFC 7239, section 4).
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    let pairs = element.split(|byte| *byte == b';');
    let mut values = pairs.filter_map(|pair| {
        let (name, value) = pair.trim_ascii().split_first_chunk::<4>()?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    });
    let value = values.next()?;
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    Some(inner.unwrap_or(value))
}

/// An address, with a port or without, IPv6 in brackets or without.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let with_port = || text.parse::<SocketAddr>().ok().map(|both| both.ip());
    let ip = bare.unwrap_or(text).parse().ok().or_else(with_port);
    ip.map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: &str, from: &str, values: &[&str]) -> Result<String, NoClient> {
        let trusted = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"];
        let trusted = trusted.map(|range| range.parse().unwrap()).to_vec();
        let values = values.iter().map(|value| value.as_bytes());
        let proxies = Proxies::new(header, trusted);
        let found = proxies.client(from.parse().unwrap(), values);
        found.map(|ip| ip.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_last_stranger() {
        let of = |from: &str, values: &[&str]| client("X-Forwarded-For", from, values).unwrap();
        // A stranger's own header says nothing.
        assert_eq!(of("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(of("127.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        // What the client wrote itself stands before what the proxy has added.
        assert_eq!(
            of("127.0.0.1", &["6.6.6.6, 203.0.113.9, 10.1.1.1"]),
            "203.0.113.9"
        );
        assert_eq!(of("127.0.0.1", &["6.6.6.6", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(of("::ffff:127.0.0.1", &["[2001:db9::7]:80"]), "2001:db9::7");
        assert_eq!(of("127.0.0.1", &["2001:db9::7"]), "2001:db9::7");
        assert_eq!(of("127.0.0.1", &["203.0.113.9:1234"]), "203.0.113.9");
        // From within: the first of all is the client. Without the header it is the proxy.
        assert_eq!(of("127.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(of("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn the_header_of_rfc_7239_is_read() {
        let of = |value: &str| client("Forwarded", "127.0.0.1", &[value]);
        let good = |value: &str| of(value).unwrap();
        assert_eq!(
            good("for=192.0.2.60;proto=http;by=203.0.113.43"),
            "192.0.2.60"
        );
        assert_eq!(
            good("For=\"[2001:db9:cafe::17]:4711\""),
            "2001:db9:cafe::17"
        );
        assert_eq!(
            good("for=6.6.6.6, proto=http; for=192.0.2.43"),
            "192.0.2.43"
        );
        assert_eq!(good("for=192.0.2.43;x=\"a, for=6.6.6.6\""), "192.0.2.43");
        for wrong in ["for=unknown", "for=_hidden", "proto=http", "for=\"", "for="] {
            assert_eq!(of(wrong), Err(NoClient), "{wrong}");
        }
    }

    #[test]
    fn a_header_without_sense_names_nobody_and_does_no_harm() {
        for wrong in ["unknown", "1.2.3", "[::1", "203.0.113.9, x", "\"", "\u{e9}"] {
            assert_eq!(
                client("x-real-ip", "127.0.0.1", &[wrong]),
                Err(NoClient),
                "{wrong}"
            );
        }
        let long = "10.0.0.1, ".repeat(10_000);
        let of = client("x-forwarded-for", "127.0.0.1", &[&long]);
        assert_eq!(of.as_deref(), Ok("10.0.0.1"));
        for wrong in ["", "a b", "a:b", &"a".repeat(65)] {
            assert!(parse_header_name(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(parse_header_name("X-Real-IP").as_deref(), Ok("x-real-ip"));
    }
}

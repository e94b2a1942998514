//! Which tracker, and from which addresses it is loaded.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Source addresses when the tracker is on this machine's IPv4 loopback, of which every address may be
/// used: clients of one address differ by their ports alone, of which there are too few.
const SOURCES: u8 = 16;

/// Where the tracker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Udp(SocketAddr),
    Http { tracker: SocketAddr, path: String },
}

impl Target {
    /// The addresses that clients have; none for what the system chooses.
    pub(super) fn sources(&self) -> Vec<Option<IpAddr>> {
        let (Self::Udp(tracker) | Self::Http { tracker, .. }) = self;
        match tracker.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => (1..=SOURCES)
                .map(|number| Some(Ipv4Addr::new(127, 0, 1, number).into()))
                .collect(),
            _ => vec![None],
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no tracker; give udp://IP:PORT or http://IP:PORT/announce");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (address, path) = match rest.split_once('/') {
            Some((address, path)) => (address, format!("/{path}")),
            None => (rest, "/announce".to_owned()),
        };
        let tracker = address.parse().map_err(|_| wrong())?;
        let plain = path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'?');
        match scheme {
            "udp" => Ok(Self::Udp(tracker)),
            "http" if plain => Ok(Self::Http { tracker, path }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(tracker) => write!(f, "udp://{tracker}"),
            Self::Http { tracker, path } => write!(f, "http://{tracker}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_is_a_url_with_an_address() {
        let target: Target = "http://127.0.0.1:80/key/announce".parse().unwrap();
        assert_eq!(target.to_string(), "http://127.0.0.1:80/key/announce");
        assert_eq!(target.sources().len(), usize::from(SOURCES));
        let target: Target = "udp://[2001:db8::1]:6969/announce".parse().unwrap();
        assert_eq!(target.to_string(), "udp://[2001:db8::1]:6969");
        assert_eq!(target.sources(), [None]);
        for wrong in [
            "",
            "127.0.0.1:80",
            "udp://x:1",
            "ftp://127.0.0.1:1",
            "http://127.0.0.1:1/a b",
        ] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}

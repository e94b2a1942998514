//! The flags of the tracker, as users write them.

use super::{ConfigError, NodeArgs};
use crate::tracker::{Lists, TrackerOptions};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tracker::limits::Rate;
use tracker::place::{Place, PlaceError};
use tracker::proxy::{HeaderNameError, Proxies, parse_header_name};
use tracker::range::{Range, RangeError};

/// Longest interval and expiry: a week, as the longest lease in the overlay.
const MAX_INTERVAL_MS: u128 = 7 * 24 * 3_600_000;
/// So many seconds' worth of announces may come at once.
const BURST_S: u32 = 50;

/// A span of time with a unit, in milliseconds: `10s`, `1500ms`, `30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Interval(pub u32);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no time from 1ms to 7days; write for instance 10s or 30m");
        let span = humantime::parse_duration(text).map_err(|_| wrong())?;
        span.try_into().map_err(|_| wrong())
    }
}

impl TryFrom<Duration> for Interval {
    type Error = String;

    fn try_from(span: Duration) -> Result<Self, String> {
        let wrong = || format!("{span:?} is no time from 1 ms to 7 days");
        match span.as_millis() {
            ms @ 1..=MAX_INTERVAL_MS => u32::try_from(ms).map(Self).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A type of a setting that is read from text, on the command line and in the file.
macro_rules! from_text {
    ($(#[$doc:meta] $name:ident($inner:ty), $error:ty, $read:expr;)+) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(pub $inner);

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                $read(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }
    )+};
}

from_text! {
    #[doc = "A place, as `dc1/rack7`."]
    Location(Place), PlaceError, str::parse;
    #[doc = "The name of a header, in lower case."]
    HeaderName(String), HeaderNameError, parse_header_name;
    #[doc = "Addresses of proxies."]
    ProxyRange(Range), RangeError, str::parse;
}

/// The proxies that are believed.
fn proxies(flags: &NodeArgs, file: &NodeArgs) -> Result<Proxies, ConfigError> {
    let header = &flags.tracker_proxy_header;
    let header = header.as_ref().or(file.tracker_proxy_header.as_ref());
    let of = |args: &NodeArgs| -> Vec<Range> {
        let ranges = args.tracker_trusted_proxy.iter();
        ranges.map(|range| range.0).collect()
    };
    let (own, other) = (of(flags), of(file));
    let trusted = if own.is_empty() { other } else { own };
    match header {
        Some(header) if !trusted.is_empty() => Ok(Proxies::new(&header.0, trusted)),
        None if trusted.is_empty() => Ok(Proxies::default()),
        _ => Err(ConfigError::Proxies),
    }
}

/// When clients expire: not before they come back as they were told.
fn expiry(interval_ms: u32, said: Option<u32>) -> Result<u32, ConfigError> {
    let least_ms = tracker::Config::longest_told_ms(interval_ms);
    match said {
        None => Ok(least_ms.saturating_add(least_ms / 2)),
        Some(expiry_ms) if expiry_ms >= least_ms => Ok(expiry_ms),
        Some(expiry_ms) => Err(ConfigError::Expiry {
            expiry_ms,
            least_ms,
        }),
    }
}

/// What flags and file say of the tracker.
pub(super) fn options(flags: &NodeArgs, file: &NodeArgs) -> Result<TrackerOptions, ConfigError> {
    let usual = tracker::Config::default();
    let time = |of: fn(&NodeArgs) -> Option<Interval>| of(flags).or(of(file)).map(|span| span.0);
    let path =
        |of: fn(&NodeArgs) -> &Option<PathBuf>| of(flags).clone().or_else(|| of(file).clone());
    let address = |of: fn(&NodeArgs) -> Option<SocketAddr>| of(flags).or(of(file));
    let interval_ms = time(|args| args.announce_interval).unwrap_or(usual.interval_ms);
    let per_s = flags.announce_rate.or(file.announce_rate);
    let rate = |per_s: u32| Rate {
        per_s,
        burst: per_s.saturating_mul(BURST_S),
    };
    let announces = per_s.map_or(usual.announces, rate);
    // Who lifts the limit expects many clients behind one address.
    let limited = |usual: Rate| {
        if per_s == Some(0) {
            Rate::UNLIMITED
        } else {
            usual
        }
    };
    let location = flags.location.clone().or_else(|| file.location.clone());
    Ok(TrackerOptions {
        http: address(|args| args.tracker_http),
        udp: address(|args| args.tracker_udp),
        mainline: address(|args| args.mainline),
        config: tracker::Config {
            interval_ms,
            expiry_ms: expiry(interval_ms, time(|args| args.peer_expiry))?,
            default_numwant: flags
                .default_numwant
                .or(file.default_numwant)
                .unwrap_or(usual.default_numwant)
                .min(usual.max_numwant),
            announces,
            swarm_announces: rate(
                flags
                    .swarm_announce_rate
                    .or(file.swarm_announce_rate)
                    .unwrap_or(0),
            ),
            believe_addresses: flags.tracker_believe_addresses || file.tracker_believe_addresses,
            new_swarms: limited(usual.new_swarms),
            new_peers: limited(usual.new_peers),
            location: location.map(|location| location.0),
            ..usual
        },
        proxies: proxies(flags, file)?,
        lists: Lists {
            allow_torrents: path(|args| &args.allow_torrents),
            deny_torrents: path(|args| &args.deny_torrents),
            allow_clients: path(|args| &args.allow_clients),
            deny_clients: path(|args| &args.deny_clients),
            passkeys: path(|args| &args.passkeys),
            locations: path(|args| &args.locations),
        },
    })
}

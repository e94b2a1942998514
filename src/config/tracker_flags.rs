//! The flags of the tracker, as users write them.

use super::NodeArgs;
use crate::tracker::{Lists, TrackerOptions};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use tracker::limits::Rate;
use tracker::place::{Place, PlaceError};

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

/// A place, as `dc1/rack7`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Location(pub Place);

impl FromStr for Location {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for Location {
    type Error = PlaceError;

    fn try_from(text: String) -> Result<Self, PlaceError> {
        text.parse()
    }
}

/// What flags and file say of the tracker.
pub(super) fn options(flags: &NodeArgs, file: &NodeArgs) -> TrackerOptions {
    let usual = tracker::Config::default();
    let time = |of: fn(&NodeArgs) -> Option<Interval>| of(flags).or(of(file)).map(|span| span.0);
    let path =
        |of: fn(&NodeArgs) -> &Option<PathBuf>| of(flags).clone().or_else(|| of(file).clone());
    let address = |of: fn(&NodeArgs) -> Option<SocketAddr>| of(flags).or(of(file));
    let interval_ms = time(|args| args.announce_interval).unwrap_or(usual.interval_ms);
    let per_s = flags.announce_rate.or(file.announce_rate);
    let announces = per_s.map_or(usual.announces, |per_s| Rate {
        per_s,
        burst: per_s.saturating_mul(BURST_S),
    });
    // Who lifts the limit expects many clients behind one address.
    let limited = |usual: Rate| {
        if per_s == Some(0) {
            Rate::UNLIMITED
        } else {
            usual
        }
    };
    let location = flags.location.clone().or_else(|| file.location.clone());
    TrackerOptions {
        http: address(|args| args.tracker_http),
        udp: address(|args| args.tracker_udp),
        mainline: address(|args| args.mainline),
        config: tracker::Config {
            interval_ms,
            expiry_ms: time(|args| args.peer_expiry)
                .unwrap_or(interval_ms.saturating_add(interval_ms / 2)),
            default_numwant: flags
                .default_numwant
                .or(file.default_numwant)
                .unwrap_or(usual.default_numwant)
                .min(usual.max_numwant),
            announces,
            new_swarms: limited(usual.new_swarms),
            new_peers: limited(usual.new_peers),
            location: location.map(|location| location.0),
            ..usual
        },
        lists: Lists {
            allow_torrents: path(|args| &args.allow_torrents),
            deny_torrents: path(|args| &args.deny_torrents),
            allow_clients: path(|args| &args.allow_clients),
            deny_clients: path(|args| &args.deny_clients),
            passkeys: path(|args| &args.passkeys),
            locations: path(|args| &args.locations),
        },
    }
}

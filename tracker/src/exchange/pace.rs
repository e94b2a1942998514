//! How often a swarm is written and looked up.
//!
//! What all nodes do together meets at one root, so whoever shares a swarm with many goes slower:
//! up to [`CROWD`] nodes have the full pace, and more of them share its messages. In a large swarm a
//! client more or less is no news, and nobody could be sure of a place in the samples.

use super::LARGE;
use super::standing::Standing;
use overlay::Duration;

/// Least time between two writes for one swarm. Within it clients are collected.
pub const PUBLISH_GAP: Duration = Duration::from_millis(500);
/// The same in swarms of [`LARGE`] peers and more.
pub const PUBLISH_GAP_WHEN_LARGE: Duration = Duration::from_secs(5);
/// For how long what was looked up counts as new.
pub const FRESH_FOR: Duration = Duration::from_millis(1_000);
/// For how long it does in swarms of [`LARGE`] peers and more.
pub const FRESH_WHEN_LARGE: Duration = Duration::from_secs(10);
/// So many nodes that publish one swarm do so at the full pace: then their root has a hundred writes
/// and fifty lookups a second at most for it, and in a large swarm ten and five.
pub const CROWD: usize = 50;
/// How often what is published is refreshed within the expiry: ages in it grow old.
const REFRESH_PER_EXPIRY: u64 = 3;
/// And at most, for the sake of those who are old: whoever dies is refreshed in vain.
const REFRESH_PER_EXPIRY_AT_MOST: u64 = 9;
/// And so soon, in parts of the expiry, after a client has come back: what others know of it would
/// end before it comes again, if this node died meanwhile and it came to another.
const RENEWED_WITHIN: u64 = 16;
/// A refresh comes so much before the oldest would expire elsewhere, in parts of the expiry: the
/// rounding of an age, and as much again for the write and for the lookups of others.
const REFRESH_AHEAD: u64 = 32;

/// For how long a lookup of a swarm of so many peers and publishers counts as new.
pub(super) fn fresh_for(peers: usize, publishers: usize) -> Duration {
    let alone = if peers >= LARGE {
        FRESH_WHEN_LARGE
    } else {
        FRESH_FOR
    };
    shared(alone, publishers)
}

/// Least time between two writes.
pub(super) fn publish_gap(standing: &Standing) -> Duration {
    let alone = if standing.large {
        PUBLISH_GAP_WHEN_LARGE
    } else {
        PUBLISH_GAP
    };
    shared(alone, standing.publishers)
}

/// A pause, when so many others make the same.
fn shared(alone: Duration, publishers: usize) -> Duration {
    Duration(alone.0 * publishers.max(CROWD) as u64 / CROWD as u64)
}

/// How long after a client came back the next write is due.
pub(super) fn renewed_within(expiry: Duration) -> Duration {
    part(expiry, RENEWED_WITHIN)
}

/// How long after a write the next is due although nothing changes: before the oldest in it would
/// be too old for others.
pub(super) fn refresh(expiry: Duration, oldest_ms: u32) -> Duration {
    let ahead = part(expiry, REFRESH_AHEAD).0;
    let left = expiry
        .0
        .saturating_sub(u64::from(oldest_ms) * 1_000)
        .saturating_sub(ahead);
    let least = part(expiry, REFRESH_PER_EXPIRY_AT_MOST).0;
    Duration(left.clamp(least, part(expiry, REFRESH_PER_EXPIRY).0))
}

/// One of so many parts.
fn part(whole: Duration, parts: u64) -> Duration {
    Duration((whole.0 / parts).max(1))
}

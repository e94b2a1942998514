//! The limits on what users ask and what peers send.

use crate::Meta;
use crate::clock::{Clock, MAX_CLOCK_DRIFT_MS};
use crate::message::{Renewal, Write};
use overlay::words::{MAX_TEXT_RESULTS, Query, Words};
use overlay::{
    Condition, Item, MAX_ENTRY_BYTES, MAX_KEY_BYTES, MAX_LEASE_S, MAX_TEXT_BYTES, MAX_TTL_S,
    MAX_VALUE_BYTES, Record, Request, Slot, WallMs,
};

/// Most items in one message of records: what a page of small records needs.
pub(crate) const MAX_ITEMS: usize = 1_024;
/// Bytes of bodies after which a message of several records is closed; one large value may exceed
/// it. It keeps a hand-over from holding up the small messages of users.
pub(crate) const BATCH_BYTES: usize = 64 << 10;
/// What one record costs in a batch besides its body.
const ITEM_BYTES: usize = 96;

/// Why a user's request is refused, in one line with the limit; nothing when it is fine.
pub(crate) fn refuse(request: &Request) -> Option<String> {
    match request {
        Request::Put {
            value,
            ttl_s,
            text,
            indexed,
            ..
        } => value_fits(value.len())
            .or_else(|| ttl_s.and_then(ttl_fits))
            .or_else(|| words_fit(text))
            .or_else(|| indexed.as_ref().and_then(|name| name_fits(name.len()))),
        Request::Insert {
            lease_s,
            text,
            holder,
            indexed,
            ..
        } => {
            if holder.port() == 0 || holder.ip().is_unspecified() {
                return Some(format!(
                    "a holder needs an address that others can reach, and {holder} is none"
                ));
            }
            lease_fits(*lease_s)
                .or_else(|| words_fit(text))
                .or_else(|| indexed.as_ref().and_then(|name| name_fits(name.len())))
        }
        Request::Delete {
            holder, condition, ..
        } => condition_fits(holder.is_some(), *condition),
        Request::Search { limit: 0, .. } => {
            Some("a search for at most 0 holders finds nothing; ask for 1 at least".to_owned())
        }
        Request::SearchText { text, limit, .. } => {
            let query = Query::parse(text).err().map(|error| error.to_string());
            query.or_else(|| limit_fits(*limit))
        }
        Request::SearchPrefix { prefix, limit, .. } => {
            name_fits(prefix.len()).or_else(|| limit_fits(*limit))
        }
        _ => None,
    }
}

/// The limits of a text that a user gives.
fn words_fit(text: &str) -> Option<String> {
    let words = || Words::parse(text).err().map(|error| error.to_string());
    text_fits(text.len()).or_else(words)
}

fn name_fits(length: usize) -> Option<String> {
    (length > MAX_KEY_BYTES)
        .then(|| format!("a key has at most {MAX_KEY_BYTES} bytes, and this one has {length}"))
}

fn limit_fits(limit: u32) -> Option<String> {
    (limit == 0 || limit > MAX_TEXT_RESULTS).then(|| {
        format!("a search has 1 to {MAX_TEXT_RESULTS} results, not {limit}; ask for fewer")
    })
}

fn condition_fits(of_holder: bool, condition: Condition) -> Option<String> {
    match condition {
        Condition::Always => None,
        _ if of_holder => {
            Some("a condition is for the value of a key, and not for one of its holders".to_owned())
        }
        Condition::Absent => Some("what is absent needs no deletion".to_owned()),
        Condition::Version(_) => None,
    }
}

fn value_fits(length: usize) -> Option<String> {
    (length > MAX_VALUE_BYTES).then(|| {
        format!("a value has at most {MAX_VALUE_BYTES} bytes (1 MiB), and this one has {length}")
    })
}

fn text_fits(length: usize) -> Option<String> {
    (length > MAX_TEXT_BYTES).then(|| {
        format!("a text has at most {MAX_TEXT_BYTES} bytes, and this one has {length}; shorten it")
    })
}

fn ttl_fits(ttl_s: u32) -> Option<String> {
    (ttl_s == 0 || ttl_s > MAX_TTL_S).then(|| {
        format!("a time to live is between 1 s and {MAX_TTL_S} s (366 days), not {ttl_s} s; without one the value stays until it is deleted")
    })
}

fn lease_fits(lease_s: u32) -> Option<String> {
    (lease_s == 0 || lease_s > MAX_LEASE_S).then(|| {
        format!("a lease is between 1 s and {MAX_LEASE_S} s (7 days), not {lease_s} s; this node renews it")
    })
}

/// Whether a peer may ask for this write.
pub(crate) fn write_fits(write: &Write) -> bool {
    let (body, life_s) = (write.body.as_deref(), write.life_s);
    match write.slot {
        Slot::Holder(_) if write.condition != Condition::Always => false,
        // These follow from values, and go in messages of their own.
        Slot::Text | Slot::Entry => false,
        Slot::Value => {
            let text = write.text.as_ref();
            text.is_none_or(|text| body.is_some() && text.len() <= MAX_ENTRY_BYTES)
                && body.is_none_or(|body| value_fits(body.len()).is_none())
                && life_s.is_none_or(|life| ttl_fits(life).is_none())
        }
        Slot::Holder(_) => {
            body.is_none_or(|text| {
                text_fits(text.len()).is_none() && std::str::from_utf8(text).is_ok()
            }) && life_s.is_none_or(|life| lease_fits(life).is_none())
                && (body.is_none() || life_s.is_some())
        }
    }
}

/// Whether a peer may ask for this renewal.
pub(crate) fn renewal_fits(renewal: &Renewal) -> bool {
    text_fits(renewal.text.len()).is_none()
        && std::str::from_utf8(&renewal.text).is_ok()
        && lease_fits(renewal.lease_s).is_none()
}

/// Whether a peer's record is within all bounds.
pub(crate) fn item_fits(item: &Item, wall: WallMs) -> bool {
    let Record {
        version,
        body,
        expires,
    } = &item.record;
    let longest_s = match item.slot {
        Slot::Value | Slot::Text => MAX_TTL_S,
        Slot::Holder(_) | Slot::Entry => MAX_LEASE_S,
    };
    let latest = wall
        .plus_secs(u64::from(longest_s))
        .0
        .saturating_add(MAX_CLOCK_DRIFT_MS);
    let fits = match (item.slot, body) {
        (_, None) => true,
        (Slot::Value, Some(body)) => body.len() <= MAX_VALUE_BYTES,
        (Slot::Text, Some(body)) => body.len() <= MAX_ENTRY_BYTES,
        (Slot::Entry, Some(body)) => body.len() <= MAX_ENTRY_BYTES && expires.is_some(),
        (Slot::Holder(_), Some(text)) => {
            text.len() <= MAX_TEXT_BYTES && std::str::from_utf8(text).is_ok() && expires.is_some()
        }
    };
    fits && expires.is_none_or(|end| end.0 <= latest) && Clock::believes(version.clock, wall)
}

/// Whether all records of a message are within bounds.
pub(crate) fn items_fit(items: &[Item], wall: WallMs) -> bool {
    items.len() <= MAX_ITEMS && items.iter().all(|item| item_fits(item, wall))
}

/// What a record takes of a batch.
pub(crate) fn batch_cost(record: &Meta) -> usize {
    ITEM_BYTES + record.length.unwrap_or(0) as usize
}

/// How long the record of an expired lease is kept: the clocks of replicas differ that much.
const EXPIRED_HOLDER_KEPT_MS: u64 = 2 * MAX_CLOCK_DRIFT_MS;

/// Whether nobody needs the record any more: a tombstone or an ended value past the grace period,
/// or an ended lease. It is still part of every comparison until it is collected.
pub(crate) fn is_garbage(slot: Slot, record: &Meta, wall: WallMs, grace_s: u64) -> bool {
    if record.is_tombstone() {
        return record.version.clock.wall().plus_secs(grace_s) < wall;
    }
    match (slot, record.expires) {
        (_, None) => false,
        // An ended value hides older versions as a tombstone does.
        (Slot::Value | Slot::Text, Some(end)) => end.plus_secs(grace_s) < wall,
        (Slot::Holder(_) | Slot::Entry, Some(end)) => {
            end.0.saturating_add(EXPIRED_HOLDER_KEPT_MS) < wall.0
        }
    }
}

//! The limits on what users ask and what peers send.

use overlay::words::{MAX_TEXT_RESULTS, Query, Words};
use overlay::{
    Condition, Item, MAX_LEASE_S, MAX_TEXT_BYTES, MAX_TTL_S, MAX_VALUE_BYTES, Record, Request,
    Slot, WallMs,
};

/// How far ahead of our wall clock a version may be, as on the other overlays.
pub(crate) const MAX_CLOCK_DRIFT_MS: u64 = 60_000;

/// Why a user's request is refused, in one line; nothing when it is fine.
pub(crate) fn refuse(request: &Request) -> Option<String> {
    match request {
        Request::Put {
            value,
            ttl_s,
            condition,
            text,
            indexed,
            ..
        } => unconditional(*condition)
            .or_else(|| unindexed(indexed.is_some()))
            .or_else(|| value_is_short(value.len()))
            .or_else(|| ttl_s.and_then(ttl_fits))
            .or_else(|| text_fits(text)),
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
                .or_else(|| text_fits(text))
                .or_else(|| unindexed(indexed.is_some()))
        }
        Request::Delete { condition, .. } => unconditional(*condition),
        Request::Search { limit: 0, .. } => {
            Some("a search for at most 0 holders finds nothing; ask for 1 at least".to_owned())
        }
        Request::SearchText { text, limit, .. } => results_fit(*limit).or_else(|| {
            let wrong = Query::parse(text).err();
            wrong.map(|error| error.to_string())
        }),
        Request::SearchPrefix { .. } => unindexed(true),
        _ => None,
    }
}

fn unconditional(condition: Condition) -> Option<String> {
    (condition != Condition::Always).then(|| {
        "nobody on gnutella can tell what is there, so no condition can be kept; chord and pastry can"
            .to_owned()
    })
}

fn unindexed(asked: bool) -> Option<String> {
    asked.then(|| {
        "gnutella keeps no index in the order of keys (--indexed, --prefix); search by KEY or by --text"
            .to_owned()
    })
}

fn results_fit(limit: u32) -> Option<String> {
    (limit == 0 || limit > MAX_TEXT_RESULTS)
        .then(|| format!("ask for 1 to {MAX_TEXT_RESULTS} results, not {limit}"))
}

fn value_is_short(length: usize) -> Option<String> {
    (length > MAX_VALUE_BYTES).then(|| {
        format!("a value has at most {MAX_VALUE_BYTES} bytes (1 MiB), and this one has {length}")
    })
}

fn text_fits(text: &str) -> Option<String> {
    if text.len() > MAX_TEXT_BYTES {
        let length = text.len();
        return Some(format!(
            "a text has at most {MAX_TEXT_BYTES} bytes, and this one has {length}"
        ));
    }
    Words::parse(text).err().map(|error| error.to_string())
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

/// Whether a peer's value may be passed on to a user.
pub(crate) fn value_fits(record: &Record, wall: WallMs) -> bool {
    let latest = wall.0.saturating_add(MAX_CLOCK_DRIFT_MS);
    let length = record.body.as_ref().map_or(0, bytes::Bytes::len);
    length <= MAX_VALUE_BYTES && record.version.clock.wall().0 <= latest
}

/// Whether a peer's record is within all bounds.
pub(crate) fn item_fits(item: &Item, wall: WallMs) -> bool {
    let record = &item.record;
    let longest_s = match item.slot {
        Slot::Value => MAX_TTL_S,
        Slot::Holder(_) => MAX_LEASE_S,
        Slot::Text => MAX_TTL_S,
        // There is no index here.
        Slot::Entry => return false,
    };
    let latest = wall.plus_secs(longest_s.into()).0;
    let latest = latest.saturating_add(MAX_CLOCK_DRIFT_MS);
    let body_fits = match (item.slot, &record.body) {
        (Slot::Holder(_) | Slot::Text, Some(text)) => {
            text.len() <= MAX_TEXT_BYTES
                && std::str::from_utf8(text).is_ok()
                && (record.expires.is_some() || item.slot == Slot::Text)
        }
        _ => true,
    };
    body_fits && value_fits(record, wall) && record.expires.is_none_or(|end| end.0 <= latest)
}

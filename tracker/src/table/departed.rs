//! Removing from one family those that are gone.

use super::entry::{Address, Entry, REMOTE, Tick};
use super::family::Family;
use crate::front_end::Ways;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Removes those that were heard of from other nodes and that nobody lists any more.
pub(super) fn unlist<A: Address>(
    family: &mut Family<A>,
    listed: &BTreeSet<SocketAddr>,
    key: u64,
    mut each: impl FnMut(&Entry<A>),
) {
    // Backwards: what removal puts in a gap has been looked at already.
    for at in (0..family.len()).rev() {
        let gone = family.get(at).is_some_and(|entry| {
            let heard = entry.has(REMOTE);
            heard && !listed.contains(&entry.addr())
        });
        if gone && let Some(entry) = family.remove(at, key) {
            each(&entry);
        }
    }
}

/// Removes those that have not announced for `expiry_ms`, and counts the others by their ways. Gives
/// how many were removed, and whether one of them had announced here.
pub(super) fn drop_old<A: Address>(
    family: &mut Family<A>,
    (now, expiry_ms): (Tick, u32),
    key: u64,
    ways: &mut Ways,
    mut each: impl FnMut(&Entry<A>),
) -> (usize, bool) {
    let (mut dropped, mut own) = (0, false);
    // Backwards: what removal puts in a gap has been looked at already.
    for at in (0..family.len()).rev() {
        match family.get(at) {
            Some(entry) if now.since(entry.seen) > expiry_ms => {}
            Some(entry) => {
                ways.count(entry);
                continue;
            }
            None => continue,
        }
        if let Some(entry) = family.remove(at, key) {
            dropped += 1;
            own |= !entry.has(REMOTE);
            each(&entry);
        }
    }
    if dropped > 0 {
        family.shrink(key);
    }
    (dropped, own)
}

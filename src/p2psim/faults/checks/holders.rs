//! A holder is listed as long as its lease: acknowledged ones are found in the end while their
//! node renews them or the lease runs, removed ones are not, and nothing else is listed.

use super::{Check, End};
use crate::p2psim::faults::history::{History, Operation};
use crate::p2psim::faults::weather::Weather;
use overlay::{Duration, HolderInfo, Id, Outcome, Reply, Request};
use std::net::SocketAddr;

/// Every insert names an address of its own, so an address names its insert.
pub(super) struct HoldersKept;

/// A lease that nobody renews any more must have ended this long after its time: what is left of
/// it is counted in whole seconds, and clocks differ by less than a minute.
const GRACE: Duration = Duration::from_secs(60);

impl Check for HoldersKept {
    fn name(&self) -> &'static str {
        "holders are listed as long as their leases"
    }

    fn answered(
        &mut self,
        history: &History,
        operation: &Operation,
        _weather: &Weather,
    ) -> Result<(), String> {
        let Some((key, found)) = listed(operation) else {
            return Ok(());
        };
        let stranger = found
            .iter()
            .find(|info| insert_of(history, key, info.addr).is_none());
        stranger.map_or(Ok(()), |info| {
            Err(format!(
                "{} was never inserted: {}",
                info.addr,
                operation.describe()
            ))
        })
    }

    fn last_read(&self, history: &History, end: &End, read: &Operation) -> Result<(), String> {
        if !matches!(read.request, Request::Search { .. }) {
            return Ok(());
        }
        let outcome = match &read.answer {
            Some((_, Reply::Searched(report))) => report.outcome,
            _ => Outcome::Unknown,
        };
        let Some((key, found)) = listed(read).filter(|_| outcome != Outcome::Unknown) else {
            return Err(format!("the last search failed: {}", read.describe()));
        };
        let mut inserts = history
            .on(key)
            .filter(|op| matches!(op.request, Request::Insert { .. }));
        inserts.try_for_each(|insert| judge(history, end, read, found, insert))
    }
}

fn listed(operation: &Operation) -> Option<(Id, &[HolderInfo])> {
    match (operation.key(), &operation.answer) {
        (Some(key), Some((_, Reply::Searched(report)))) => Some((key, &report.holders)),
        _ => None,
    }
}

fn insert_of(history: &History, key: Id, addr: SocketAddr) -> Option<&Operation> {
    history
        .on(key)
        .find(|op| matches!(op.request, Request::Insert { holder, .. } if holder == addr))
}

fn judge(
    history: &History,
    end: &End,
    read: &Operation,
    found: &[HolderInfo],
    insert: &Operation,
) -> Result<(), String> {
    let Request::Insert {
        key,
        holder,
        lease_s,
        ..
    } = insert.request
    else {
        return Ok(());
    };
    let is_listed = found.iter().any(|info| info.addr == holder);
    let removals: Vec<&Operation> = history
        .on(key)
        .filter(
            |op| matches!(op.request, Request::Delete { holder: Some(gone), .. } if gone == holder),
        )
        .collect();
    let stopped = end.stopped_after(insert.node, insert.began);
    let lease = Duration::from_secs(u64::from(lease_s));
    let is_over = stopped.is_some_and(|stopped| stopped + lease + GRACE < read.began);
    let is_running = insert.began + lease > read.began + GRACE;
    let must_be_listed =
        insert.acknowledged().is_some() && removals.is_empty() && (stopped.is_none() || is_running);
    let must_not = is_over
        || removals.iter().any(|removal| {
            // By another node than the one that inserted it, whose clock may be behind: newest wins.
            let removed = removal.acknowledged();
            let inserted = insert.acknowledged();
            inserted.zip(removed).is_some_and(|(inserted, removed)| {
                inserted.ended < removal.began && inserted.version < removed.version
            })
        });
    if must_be_listed && !is_listed {
        return Err(format!(
            "{} does not list {}",
            read.describe(),
            insert.describe()
        ));
    }
    if must_not && is_listed {
        let why = removals.first().map_or_else(
            || format!("whose node stopped at {}", stopped.unwrap_or_default()),
            |removal| format!("removed by {}", removal.describe()),
        );
        return Err(format!(
            "{} still lists {}, {why}",
            read.describe(),
            insert.describe()
        ));
    }
    Ok(())
}

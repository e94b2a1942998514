//! The node itself: status and peers.

use super::output::{Answer, Exit, aligned, count_of, document};
use super::{Asking, CtlError, moving, neighbours, wrong_answer};
use crate::control::{ControlBody, Copies, ReplyBody, StatusReport};
use crate::documents::{Peers, StatusDocument};
use serde_json::json;

pub(super) async fn status(asking: Asking) -> Result<Answer, CtlError> {
    let mut session = asking.open().await?;
    let reply = asking.ask(&mut session, ControlBody::Status).await;
    let addr = session.addr();
    session.close().await;
    let ReplyBody::Status(report) = reply? else {
        return Err(wrong_answer(addr));
    };
    Ok(Answer::new(
        Exit::Done,
        document(json!(StatusDocument::from(&*report))),
        status_text(&report),
    ))
}

fn status_text(report: &StatusReport) -> String {
    let status = &report.status;
    let member = if status.member {
        "in the network"
    } else {
        "in no network"
    };
    let settled = match (status.leaving, status.settled) {
        (true, _) => "leaving",
        (false, true) => "settled: ",
        (false, false) => "not settled",
    };
    let copies = match (status.leaving, status.settled) {
        (false, true) => complete(report.copies),
        _ => String::new(),
    };
    let mut rows = vec![
        ("id".to_owned(), status.me.id.to_string()),
        (
            "overlay".to_owned(),
            format!("{}, {member}, {settled}{copies}", status.overlay),
        ),
        ("listen".to_owned(), report.listen.to_string()),
    ];
    if status.me.addr != report.listen {
        rows.push(("advertised".to_owned(), status.me.addr.to_string()));
    }
    if let Some(http) = report.http {
        rows.push(("http".to_owned(), http.to_string()));
    }
    let up = humantime::format_duration(std::time::Duration::from_secs(report.uptime_s));
    rows.push(("up".to_owned(), format!("{up}, version {}", report.version)));
    let stored = format!(
        "{}, {}, {} of the index, {}; renews {}",
        count_of(status.values, "value"),
        count_of(status.holders, "holder"),
        entries_of(status.entries),
        indicatif::HumanBytes(status.stored_bytes),
        count_of(status.renewed_leases, "lease"),
    );
    rows.push(("stores".to_owned(), stored));
    if let Some(copies) = report.copies {
        let records = count_of(copies.records, "record");
        let text = format!("{records} in its arcs, deletions included");
        rows.push(("answers for".to_owned(), text));
    }
    rows.extend(moving::rows(status));
    if status.clocks_refused > 0 {
        let refused = count_of(status.clocks_refused, "message");
        let text = format!(
            "{refused} refused, more than a minute ahead; check the clocks of the peers and of this machine"
        );
        rows.push(("clocks".to_owned(), text));
    }
    let peers = format!("{}, {} connected", status.peers, report.connections);
    rows.push(("peers".to_owned(), peers));
    rows.extend(neighbours::rows(&status.neighbours));
    aligned(&rows)
}

/// How complete the copies of a settled node are: nobody can make more than there are nodes for.
fn complete(copies: Option<Copies>) -> String {
    match copies {
        Some(copies) if copies.are_short() => format!(
            "{} of {} copies, there are too few nodes for more",
            copies.possible, copies.wanted
        ),
        _ => "all copies complete".to_owned(),
    }
}

fn entries_of(count: u64) -> String {
    let word = if count == 1 { "entry" } else { "entries" };
    format!("{count} {word}")
}

pub(super) async fn peers(asking: Asking) -> Result<Answer, CtlError> {
    let mut session = asking.open().await?;
    let reply = asking.ask(&mut session, ControlBody::Peers).await;
    let addr = session.addr();
    session.close().await;
    let ReplyBody::Peers(peers) = reply? else {
        return Err(wrong_answer(addr));
    };
    let rows: Vec<_> = peers
        .iter()
        .map(|peer| {
            let rtt = peer
                .rtt_us
                .map_or_else(|| "-".to_owned(), |rtt| format!("{rtt} µs"));
            (
                format!("{}  {}", peer.contact.id, peer.contact.addr),
                format!("{rtt:>9}  {}", peer.role),
            )
        })
        .collect();
    let text = if rows.is_empty() {
        "no peers: the node is alone".to_owned()
    } else {
        aligned(&rows)
    };
    Ok(Answer::new(
        Exit::Done,
        document(json!(Peers::from(&*peers))),
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_are_not_said_to_hold_three_copies() {
        let of = |possible| {
            complete(Some(Copies {
                records: 1,
                wanted: 3,
                possible,
            }))
        };
        assert_eq!(of(3), "all copies complete");
        assert!(of(2).starts_with("2 of 3 copies, there are too few nodes"));
    }
}

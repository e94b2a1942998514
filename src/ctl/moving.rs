//! What a node moves in the background, for people and for programs.

use super::output::count_of;
use indicatif::{DecimalBytes, HumanCount};
use overlay::{Contact, Movement, Purpose, Status, WaitsFor};
use std::collections::BTreeSet;

/// Most peers that are named in one line.
const NAMED: usize = 3;

/// The lines of `status` about it: one for each purpose.
pub(super) fn rows(status: &Status) -> Vec<(String, String)> {
    let lines = [
        (Purpose::Repair, "repairing", "copied to"),
        (Purpose::TakeOver, "taking over", "exchanged with"),
        (Purpose::HandOver, "handing over", "handed to"),
    ];
    lines
        .into_iter()
        .filter_map(|(purpose, name, verb)| {
            let of_it = |movement: &&Movement| movement.purpose == purpose;
            let all: Vec<&Movement> = status.moving.iter().filter(of_it).collect();
            (!all.is_empty()).then(|| (name.to_owned(), line(&all, verb)))
        })
        .collect()
}

/// Everything in one line.
pub(super) fn summary(status: &Status) -> String {
    let rows = rows(status).into_iter();
    let texts: Vec<_> = rows.map(|(name, text)| format!("{name}: {text}")).collect();
    texts.join("; ")
}

fn line(all: &[&Movement], verb: &str) -> String {
    let sum = |of: fn(&Movement) -> u64| all.iter().map(|movement| of(movement)).sum::<u64>();
    let (records, moved) = (sum(|each| each.records), sum(|each| each.moved));
    let peers: BTreeSet<Contact> = all.iter().filter_map(|movement| movement.peer).collect();
    let whom = if peers.is_empty() {
        "nobody yet".to_owned()
    } else {
        count_of(peers.len() as u64, "node")
    };
    let mut text = if records == 0 {
        format!("comparing with {whom}")
    } else {
        let rate = DecimalBytes(sum(|each| each.bytes_per_s)).to_string();
        format!(
            "{} of {} records {verb} {whom}, {rate}/s",
            HumanCount(moved),
            HumanCount(records)
        )
    };
    for reason in reasons(all) {
        text.push_str("; ");
        text.push_str(&reason);
    }
    text
}

/// What stands in the way, where that is more than the pace or an answer under way.
fn reasons(all: &[&Movement]) -> Vec<String> {
    let waiting = |what: WaitsFor| all.iter().filter(move |each| each.waits_for == what);
    let mut reasons = Vec::new();
    let peers = |what| waiting(what).filter_map(|movement| movement.peer).collect();
    let silent: BTreeSet<Contact> = peers(WaitsFor::Retry);
    if !silent.is_empty() {
        reasons.push(format!("{} to be asked again", some_of(&silent)));
    }
    if waiting(WaitsFor::Testimony).next().is_some() {
        let text = "waits for nodes that know what else was acknowledged, for ten minutes at most";
        reasons.push(text.to_owned());
    }
    if waiting(WaitsFor::Disk).next().is_some() {
        reasons.push("waits for the disk".to_owned());
    }
    let full: BTreeSet<Contact> = peers(WaitsFor::PeerRoom);
    if !full.is_empty() {
        reasons.push(format!("{} without room in the store", some_of(&full)));
    }
    if waiting(WaitsFor::OwnRoom).next().is_some() {
        let text = "no room in the store of this node (--max-store, or its disk)";
        reasons.push(text.to_owned());
    }
    reasons
}

/// The first few peers by name.
fn some_of(peers: &BTreeSet<Contact>) -> String {
    let named = peers.iter().take(NAMED).map(|peer| peer.addr.to_string());
    let named = named.collect::<Vec<_>>().join(", ");
    match peers.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Id;
    use std::net::SocketAddr;

    fn movement(purpose: Purpose, peer: u16, waits_for: WaitsFor) -> Movement {
        let addr = SocketAddr::from(([127, 0, 0, 1], peer));
        let id = Id::from_u64(peer.into());
        Movement {
            purpose,
            peer: Some(Contact { id, addr }),
            arc: None,
            records: 50_000,
            moved: 6_200,
            bytes: 1 << 20,
            bytes_per_s: 1_400_000,
            waits_for,
        }
    }

    #[test]
    fn a_person_sees_how_many_whereto_and_how_fast() {
        let all = [
            movement(Purpose::Repair, 1, WaitsFor::Pace),
            movement(Purpose::Repair, 2, WaitsFor::Peer),
            movement(Purpose::Repair, 3, WaitsFor::Peer),
        ];
        let all: Vec<&Movement> = all.iter().collect();
        assert_eq!(
            line(&all, "copied to"),
            "18,600 of 150,000 records copied to 3 nodes, 4.20 MB/s"
        );
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let waiting = Movement {
            records: 0,
            moved: 0,
            ..movement(Purpose::TakeOver, 4001, WaitsFor::Retry)
        };
        let text = line(&[&waiting], "exchanged with");
        let expected = "comparing with 1 node; 127.0.0.1:4001 to be asked again";
        assert_eq!(text, expected);
        let nobody = Movement {
            peer: None,
            waits_for: WaitsFor::Testimony,
            ..waiting
        };
        let text = line(&[&nobody], "exchanged with");
        assert!(
            text.contains("nobody yet; waits for nodes that know"),
            "{text}"
        );
    }
}

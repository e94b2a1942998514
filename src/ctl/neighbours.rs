//! The neighbours of a node, by the words of its overlay.

use super::output::{contact_json, document};
use overlay::{Contact, Neighbours};
use serde_json::{Map, Value, json};

/// As keys of the document that `status` prints.
pub(super) fn json(neighbours: &Neighbours) -> Map<String, Value> {
    let list = |contacts: &[_]| contacts.iter().map(contact_json).collect::<Vec<_>>();
    document(match neighbours {
        Neighbours::Ring {
            predecessor,
            successors,
            fingers,
        } => json!({
            "predecessor": predecessor.as_ref().map(contact_json),
            "successors": list(successors),
            "fingers": list(fingers),
        }),
        Neighbours::Leaves {
            smaller,
            larger,
            table,
            neighbourhood,
        } => json!({
            "leaf_set": { "smaller": list(smaller), "larger": list(larger) },
            "routing_table": list(table),
            "neighbourhood": list(neighbourhood),
        }),
        Neighbours::Links {
            role,
            equals,
            leaves,
        } => json!({
            "role": role, "neighbours": list(equals), "leaves": list(leaves),
        }),
        _ => json!({}),
    })
}

/// As lines for a person.
pub(super) fn rows(neighbours: &Neighbours) -> Vec<(String, String)> {
    let place = |peer: &Contact| format!("{}  {}", peer.id, peer.addr);
    let ranked = |name: &'static str, contacts: &[Contact]| {
        let row =
            move |(rank, peer): (usize, &Contact)| (format!("{name} {}", rank + 1), place(peer));
        contacts.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let count = |name: &str, contacts: &[Contact]| {
        (name.to_owned(), format!("{} distinct", contacts.len()))
    };
    match neighbours {
        Neighbours::Ring {
            predecessor,
            successors,
            fingers,
        } => {
            let before = predecessor
                .as_ref()
                .map_or_else(|| "none".to_owned(), place);
            let mut rows = vec![("predecessor".to_owned(), before)];
            rows.extend(ranked("successor", successors));
            rows.push(count("fingers", fingers));
            rows
        }
        Neighbours::Leaves {
            smaller,
            larger,
            table,
            neighbourhood,
        } => {
            let mut rows = ranked("smaller leaf", smaller);
            rows.extend(ranked("larger leaf", larger));
            rows.push(count("routing table", table));
            rows.push(count("neighbourhood", neighbourhood));
            rows
        }
        Neighbours::Links {
            role,
            equals,
            leaves,
        } => {
            let mut rows = vec![("role".to_owned(), role.clone())];
            rows.extend(ranked("neighbour", equals));
            if !leaves.is_empty() {
                rows.push(count("leaves", leaves));
            }
            rows
        }
        _ => Vec::new(),
    }
}

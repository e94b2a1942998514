//! The neighbours of a node, by the words of its overlay.

use overlay::{Contact, Neighbours};

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

//! What real nodes count: named by the conventions, and moving when something happens.

use crate::nodes::{Served, fetch, network};
use crate::prometheus::promtool;
use crate::support::{SETTLE, SOON, alone, wait_until};
use std::collections::BTreeMap;

/// Most series of one node: far more than there are, far fewer than labels from the network would make.
const MAX_SERIES: usize = 1_500;
/// Endings of histograms that say their unit.
const UNITS: [&str; 3] = ["_seconds", "_hops", "_records"];

fn is_id(text: &str) -> bool {
    let digits =
        |part: &str| part.len() >= 8 && part.chars().all(|digit| digit.is_ascii_hexdigit());
    text.split('"').any(digits)
}

/// Asserts what Prometheus' conventions and those of the project say of a page.
fn keeps_to_conventions(page: &str) {
    promtool(&["check", "metrics"], Some(page));
    let types: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    for (name, kind) in &types {
        assert!(name.starts_with("p2p_"), "{name}");
        assert!(
            page.contains(&format!("# HELP {name} ")),
            "{name} has no help"
        );
        assert_eq!(name.ends_with("_total"), *kind == "counter", "{name}");
        for unit in ["_us", "_ms", "_milliseconds", "_kib", "_percent"] {
            let name = name.trim_end_matches("_total");
            assert!(!name.ends_with(unit), "{name} is in no base unit");
        }
        if *kind == "histogram" {
            assert!(UNITS.iter().any(|unit| name.ends_with(unit)), "{name}");
        }
    }
    let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(samples.len() < MAX_SERIES, "{} series", samples.len());
    let foreign = samples.iter().find(|sample| is_id(sample));
    assert_eq!(foreign, None, "a label has an id");
}

/// Waits until a sum has grown.
fn grows(node: &Served, name: &str, before: f64) {
    wait_until(name, SOON, || match node.sum(name) {
        now if now > before => Ok(()),
        now => Err(format!("{now}, as before")),
    });
}

/// Twenty writes, reads of what is not there, and deletes by way of another node.
fn ask(overlay: &str, first: &Served, other: &Served) {
    for at in 0..20 {
        first
            .node
            .ctl(["put", &format!("key {at}"), "value"])
            .exits(0);
        // Proven absent, or on Gnutella unknown.
        let asked = format!("never stored {at}");
        first
            .node
            .ctl(["get", asked.as_str()])
            .exits(if overlay == "gnutella" { 3 } else { 1 });
        let key = format!("key {at}");
        other.node.ctl(["delete", key.as_str()]).exits(0);
        if overlay != "gnutella" {
            // By now it may remember who answers for every arc, and need no lookup for these calls.
            first.node.ctl(["locate", key.as_str()]).exits(0);
        }
    }
}

fn counts_what_happens(overlay: &str) {
    let _alone = alone();
    let mut nodes = network(overlay, 4, &[], &[]);
    let first = &nodes[0];
    let put = "p2p_operations_total{kind=\"put\",outcome=\"done\"}";
    let missing = match overlay {
        "gnutella" => "p2p_operations_total{kind=\"get\",outcome=\"unknown\"}",
        _ => "p2p_operations_total{kind=\"get\",outcome=\"absent\"}",
    };
    let moving = [
        put,
        missing,
        "p2p_operation_seconds_count{kind=\"put\"}",
        "p2p_lookups_total",
        "p2p_lookup_seconds_count",
        "p2p_messages_in_total",
        "p2p_messages_out_total",
        "p2p_bytes_in_total",
        "p2p_bytes_out_total",
        "p2p_tombstones",
        "p2p_store_group_records_count",
        "p2p_store_used_bytes",
    ];
    let gets = "p2p_operation_seconds_count{kind=\"get\"}";
    let gets_before = first.sum(gets);
    let before = moving.map(|name| first.sum(name));
    ask(overlay, first, &nodes[1]);
    for (name, before) in moving.iter().zip(before) {
        grows(first, name, before);
    }
    assert_eq!(first.sum(put), 20.0);
    // Each page that was asked for made the node look at itself.
    assert_eq!(first.sum(gets) - gets_before, 20.0, "calls of users only");
    keeps_to_conventions(&fetch(first.http, "/metrics").expect("metrics"));
    assert_eq!(first.sum("p2p_build_info"), 1.0);
    assert_eq!(first.sum("p2p_member"), 1.0);
    wait_until("its look at the network is good", SOON, || {
        match first.sum("p2p_ready") {
            1.0 => Ok(()),
            other => Err(other.to_string()),
        }
    });
    if overlay == "gnutella" {
        gnutella_counts(&nodes);
    } else {
        assert_eq!(first.sum("p2p_under_replicated_records"), 0.0);
        grows(first, "p2p_ranges_compared_total", 0.0);
        grows(first, "p2p_comparisons_total{outcome=\"done\"}", 0.0);
    }
    let changes = "p2p_neighbour_set_changes_total";
    let dead = nodes.remove(3);
    let sum = || nodes.iter().map(|node| node.sum(changes)).sum::<f64>();
    let before = sum();
    dead.node.kill();
    wait_until("the death is counted", SETTLE, || match sum() {
        now if now > before => Ok(()),
        now => Err(format!("{changes} is {now}, as before")),
    });
    keeps_to_conventions(&fetch(nodes[0].http, "/metrics").expect("metrics"));
}

/// Somebody has seen queries, passed them on, dropped duplicates, and hit.
fn gnutella_counts(nodes: &[Served]) {
    nodes[2].node.ctl(["put", "there", "value"]).exits(0);
    for node in nodes {
        node.node.ctl(["get", "there"]).exits(0);
    }
    for name in [
        "p2p_gnutella_queries_seen_total",
        "p2p_gnutella_queries_forwarded_total",
        "p2p_gnutella_queries_dropped_total{reason=\"duplicate\"}",
        "p2p_gnutella_hits_total{way=\"sent\"}",
        "p2p_gnutella_hits_total{way=\"received\"}",
        "p2p_gnutella_links_total{change=\"made\"}",
    ] {
        wait_until(name, SOON, || {
            match nodes.iter().map(|node| node.sum(name)).sum::<f64>() {
                sum if sum > 0.0 => Ok(()),
                _ => Err("it is zero at all nodes".to_owned()),
            }
        });
    }
}

#[test]
fn chord_counts_what_happens() {
    counts_what_happens("chord");
}

#[test]
fn pastry_counts_what_happens() {
    counts_what_happens("pastry");
}

#[test]
fn gnutella_counts_what_happens() {
    counts_what_happens("gnutella");
}

//! Every expression of every panel and rule has data when a real Prometheus scrapes a real network of
//! each overlay under load, with a node of each killed.

use crate::files::{dashboards, panels};
use crate::nodes::{Served, fetch, network, store};
use crate::prometheus::Prometheus;
use crate::support::{SETTLE, alone, wait_until};

/// The window of rates, as Grafana would choose it for a scrape each second or two.
const WINDOW: &str = "10s";

/// All expressions of panels, as Grafana would send them with everything selected.
fn of_panels() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().expect("targets") {
                let expression = target["expr"].as_str().expect("an expression");
                let expression = expression.replace("$__rate_interval", WINDOW);
                let expression = expression.replace("$job", ".*").replace("$instance", ".*");
                assert!(!expression.contains('$'), "unknown variable: {expression}");
                let title = panel["title"].as_str().unwrap_or_default();
                all.push((format!("{name}: {title}"), expression));
            }
        }
    }
    all
}

/// Stores, reads and searches, through two nodes.
fn load(nodes: &[Served], round: usize) {
    store(&nodes[0].node, round, 20, 100);
    let key = format!("key {round} 1");
    nodes[1].node.ctl(["get", key.as_str()]);
    nodes[0].node.ctl(["get", "never stored"]);
    nodes[1].node.ctl(["search", "--text", "all"]);
    nodes[1].node.ctl(["delete", key.as_str()]);
}

#[test]
fn every_expression_has_data() {
    let _alone = alone();
    let first = ["--max-store", "64MiB", "--tracker-http", "127.0.0.1:0"];
    let prometheus = Prometheus::start(&[]);
    let mut networks: Vec<Vec<Served>> = ["chord", "pastry", "gnutella"]
        .into_iter()
        .map(|overlay| {
            let nodes = network(overlay, 4, &[], &first);
            prometheus.scrape(overlay, &nodes[0]);
            nodes
        })
        .collect();
    let tracker = networks[0][0].tracker.expect("a tracker");
    let announce = format!(
        "/announce?info_hash={}&peer_id=-XX0000-012345678901&port=1&uploaded=0&downloaded=0&left=0",
        "%aa".repeat(20)
    );
    fetch(tracker, &announce).expect("an answer of the tracker");
    for nodes in &mut networks {
        load(nodes, 0);
        nodes.remove(3).node.kill();
    }
    let mut round = 0;
    let mut missing = of_panels();
    println!("{} expressions of panels", missing.len());
    wait_until("every expression of every panel has data", SETTLE, || {
        round += 1;
        for nodes in &networks {
            load(nodes, round);
        }
        missing.retain(|(_, expression)| {
            let found = prometheus.query(expression);
            found.expect("a valid expression").is_empty()
        });
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("{missing:#?}")),
        }
    });
    let hidden = prometheus.query("{exported_overlay!=\"\"}");
    assert_eq!(hidden, Ok(Vec::new()), "the list hides a label of a node");
    wait_until("every rule has data", SETTLE, || {
        let rules = prometheus.rules()?;
        assert!(rules.len() > 10, "{rules:#?}");
        for rule in &rules {
            if rule["health"] != "ok" {
                return Err(rule.to_string());
            }
            if rule["type"] == "recording" {
                // Two rules may have one name: each is asked for itself.
                let expression = rule["query"].as_str().expect("an expression");
                let name = rule["name"].as_str().expect("a name");
                for asked in [name, expression] {
                    if prometheus.query(asked)?.is_empty() {
                        return Err(format!("{name} has no data: {asked}"));
                    }
                }
            }
        }
        Ok(())
    });
}

//! Each alert fires when its cause is made, and none before. The rules are those that ship, with shorter
//! times; `promtool test rules` is for the times that ship.

use crate::nodes::{Served, network, spawn, store};
use crate::prometheus::Prometheus;
use crate::support::{SETTLE, Starting, alone, wait_until};
use std::path::PathBuf;

/// The times of the rules, and shorter ones.
const QUICKER: [(&str, &str); 3] = [
    ("for: 2m", "for: 1s"),
    ("for: 5m", "for: 1s"),
    ("[5m]", "[15s]"),
];

/// Waits until an alert of this name fires with this label.
fn fires(prometheus: &Prometheus, name: &str, (label, value): (&str, &str)) {
    let what = format!("{name} fires for {value}");
    wait_until(&what, SETTLE, || {
        let alerts = prometheus.alerts()?;
        let is_it = alerts.iter().any(|alert| {
            let labels = &alert["labels"];
            alert["state"] == "firing" && labels["alertname"] == name && labels[label] == value
        });
        is_it.then_some(()).ok_or_else(|| format!("{alerts:#?}"))
    });
    println!("{what}");
}

/// The library of the package `faketime` that shifts the clock of a process.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("libraries");
    let mut libraries = folders.flatten().map(|folder| {
        let own = folder.path().join("faketime");
        own.join("libfaketime.so.1")
    });
    let found = libraries.find(|library| library.is_file());
    found.expect("libfaketime is missing; `cargo xtask test` installs the package `faketime`")
}

/// A network with records that is scraped, and about which nothing is to be told.
fn at_rest(prometheus: &Prometheus) -> Vec<Served> {
    let nodes = network("chord", 4, &["--repair-rate", "64KiB"], &[]);
    store(&nodes[0].node, 0, 200, 10_000);
    prometheus.scrape("rest", &nodes[0]);
    wait_until("all nodes are scraped and of use", SETTLE, || {
        let ready = prometheus.query("sum(p2p_ready)")?;
        match ready.first() {
            Some((_, 4.0)) => Ok(()),
            _ => Err(format!("{ready:?}")),
        }
    });
    wait_until("nothing is wrong with a network at rest", SETTLE, || {
        let alerts = prometheus.alerts()?;
        alerts
            .is_empty()
            .then_some(())
            .ok_or_else(|| format!("{alerts:#?}"))
    });
    nodes
}

#[test]
fn each_alert_fires_when_its_cause_is_made() {
    let _alone = alone();
    let prometheus = Prometheus::start(&QUICKER);
    let mut nodes = at_rest(&prometheus);

    // A store with a quota that is nearly used up, alone: its records have no copies either.
    let full = Served::of(spawn("chord", None, &["--max-store", "1MiB"]));
    store(&full.node, 0, 97, 10_000);
    prometheus.scrape("full", &full);
    // A clock that is half a minute ahead; time-outs go by another one.
    let library = faketime();
    let variables = [
        ("LD_PRELOAD", library.to_str().expect("a path")),
        ("FAKETIME", "+30s"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let flags = ["--http", "127.0.0.1:0"];
    let ahead = Served::of(Starting::spawn_in("chord", None, &flags, &variables));
    // Its neighbour's own clock is right, and it hears of the other one in what that one writes.
    let hears = Served::of(spawn("chord", Some(ahead.node.listen), &[]));
    wait_until("they know each other", SETTLE, || {
        let text = ahead.node.status()?.to_string();
        text.contains(&hears.node.id).then_some(()).ok_or(text)
    });
    // The other is the root of the key that is its own id. This is the first write, before the one that
    // writes has heard of the other's clock, which what it writes follows from then on.
    let written = ["put", "--hex", &ahead.node.id, "early"];
    hears.node.json(written).exits(0);
    let behind = ahead.sum("p2p_clock_behind_seconds");
    assert!((25.0..35.0).contains(&behind), "{behind} s behind");
    store(&ahead.node, 0, 20, 100);
    prometheus.scrape("ahead", &ahead);
    let at = |node: &Served| node.http.to_string();
    fires(&prometheus, "P2PStoreNearlyFull", ("instance", &at(&full)));
    fires(&prometheus, "P2PClockDrift", ("instance", &at(&ahead)));
    fires(&prometheus, "P2PClockDrift", ("instance", &at(&hears)));
    let heard = format!("p2p_clock_ahead_seconds{{instance=\"{}\"}} > 5", at(&hears));
    let heard = prometheus.query(&heard).expect("an answer");
    assert_eq!(heard.len(), 1, "the clock that it hears of, not its own");
    fires(
        &prometheus,
        "P2PUnderReplicated",
        ("cause", "too_few_nodes"),
    );

    let dead = nodes.remove(3);
    let lost = at(&dead);
    dead.node.kill();
    // As a timer does: who is silent stays in the list, or nothing would be told of it.
    prometheus.scrape("rest", &nodes[0]);
    fires(&prometheus, "P2PNodeDown", ("instance", &lost));
    fires(&prometheus, "P2PUnderReplicated", ("cause", "copying"));

    for other in &nodes[1..] {
        other.node.signal("STOP");
    }
    prometheus.scrape("rest", &nodes[0]);
    fires(&prometheus, "P2PNodeDown", ("instance", &at(&nodes[1])));
    fires(&prometheus, "P2PNodeCutOff", ("instance", &at(&nodes[0])));
    // A user asks; what the node asks itself does not count.
    for _ in 0..3 {
        // Unknown, or refused by a node that has noticed that it is in no network.
        nodes[0].node.ctl(["get", "never stored"]);
    }
    fires(&prometheus, "P2PErrorRate", ("instance", &at(&nodes[0])));
}

//! What it costs to renew many leases.

use super::network::{Network, Node, clock};
use super::{Flags, Place, pause};
use std::fmt::Write;
use std::time::Duration;

/// Nodes of the network unless told otherwise.
const NODES: usize = 4;
/// How long the network is watched without leases, to compare.
const IDLE: Duration = Duration::from_secs(60);

pub(super) fn measure(flags: &Flags, place: Place) -> Result<(), String> {
    let network = Network::start(place, flags.nodes.unwrap_or(NODES))?;
    let idle = watch(&network, IDLE)?;
    let mut lines = String::new();
    for number in 0..flags.leases {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{{\"key\":\"resource {number}\"}}");
    }
    let file = network.file("leases");
    std::fs::write(&file, lines).map_err(|why| format!("cannot write the batch: {why}"))?;
    let (file, ttl) = (file.display().to_string(), format!("{}s", flags.lease_s));
    let began = clock();
    network.ctl(&["insert", "--batch", &file, "--ttl", &ttl])?;
    let inserted = began.elapsed().as_secs_f64();
    println!(
        "{} inserts through one node took {inserted:.1} s; one lease is {} s",
        flags.leases, flags.lease_s
    );
    let before = network.sums()?;
    let lease = Duration::from_secs(flags.lease_s);
    let busy = watch(&network, lease)?;
    let after = network.sums()?;
    for (number, (busy, idle)) in busy.iter().zip(&idle).enumerate() {
        let role = if number == 0 { "inserts" } else { "owner" };
        let memory = network.nodes.get(number).map_or(0.0, Node::memory_mib);
        println!(
            "node {number} ({role}): {busy:.2} s of CPU, {:.3} % of a core; without leases {:.3} %; {memory:.0} MiB",
            100.0 * busy / lease.as_secs_f64(),
            100.0 * idle / IDLE.as_secs_f64(),
        );
    }
    println!(
        "all nodes sent {:.0} messages with {:.0} bytes, and made {:.0} commits of {:.0} records; holders now: {:.0}",
        after.since(&before, "p2p_messages_out_total"),
        after.since(&before, "p2p_bytes_out_total"),
        after.since(&before, "p2p_store_group_records_count"),
        after.since(&before, "p2p_store_group_records_sum"),
        after.get("p2p_holders"),
    );
    Ok(())
}

/// Seconds of CPU of each node in the time to come.
fn watch(network: &Network, length: Duration) -> Result<Vec<f64>, String> {
    let cpu = || network.nodes.iter().map(Node::cpu_s);
    let before: Vec<f64> = cpu().collect::<Result<_, _>>()?;
    pause(length);
    let after: Vec<f64> = cpu().collect::<Result<_, _>>()?;
    let pairs = after.iter().zip(&before);
    Ok(pairs.map(|(after, before)| after - before).collect())
}

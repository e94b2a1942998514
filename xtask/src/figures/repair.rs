//! One node dies for good: how soon all records have three replicas again, and what it costs.

use super::metrics::Sums;
use super::network::{Network, clock};
use super::{Flags, Place, pause};
use std::time::Duration;

/// Nodes of the network unless told otherwise.
const NODES: usize = 16;
/// Replicas of each record.
const REPLICAS: u64 = 3;
/// How long the network is left alone before, so that its maintenance has its longest periods.
const QUIET: Duration = Duration::from_secs(60);
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) fn measure(flags: &Flags, place: Place) -> Result<(), String> {
    let nodes = flags.nodes.unwrap_or(NODES);
    let mut network = Network::start(place, nodes)?;
    let keys = flags.records * nodes as u64 / REPLICAS;
    let all = (keys * REPLICAS) as f64;
    eprintln!("putting {keys} values of 100 bytes");
    let (count, asked) = (keys.to_string(), network.addresses(4));
    // The load phase puts each key once; the gets after it are as few as may be.
    let words = [
        "bench", "--nodes", &asked, "--keys", &count, "--mix", "0:100", "--ops", "1000",
    ];
    network.ctl(&words)?;
    network.wait("every value has three replicas", |network| {
        Ok(network.sums()?.get("p2p_values") >= all)
    })?;
    let began = network.sums()?;
    pause(QUIET);
    let before = network.sums()?;
    let idle = before.since(&began, "p2p_bytes_out_total") / QUIET.as_secs_f64();
    let victim = nearest(&network, flags.records as f64)?;
    let had = Sums::of(network.nodes.get(victim))?.get("p2p_values");
    network.kill(victim)?;
    let died = clock();
    let start = network.sums()?;
    let left = start.get("p2p_values");
    let mut found_after = None;
    let end = loop {
        let now = network.sums()?;
        let values = now.get("p2p_values");
        if values > left && found_after.is_none() {
            found_after = Some(died.elapsed());
        }
        if values >= all {
            break now;
        }
        if died.elapsed() > Duration::from_secs(900) {
            return Err(format!("{values} of {all} replicas after 15 minutes"));
        }
        pause(LOOK_EVERY);
    };
    let took = died.elapsed().as_secs_f64();
    let found_after = found_after.unwrap_or_default().as_secs_f64();
    let bytes = end.since(&start, "p2p_bytes_out_total") - idle * took;
    let moved = end.since(&start, "p2p_values");
    println!("one of {nodes} nodes, with {had} of {keys} values of 100 bytes, is killed for good");
    println!("until the first record is copied: {found_after:.1} s");
    println!("until every record has three replicas: {took:.1} s");
    println!(
        "records copied: {moved}; bytes sent by all nodes: {bytes:.0}, {:.0} a record (without the {idle:.0} a second of the network at rest)",
        bytes / moved.max(1.0)
    );
    println!(
        "messages sent by all nodes: {:.0}",
        end.since(&start, "p2p_messages_out_total")
    );
    Ok(())
}

/// The node, but for the first, that has about so many records.
fn nearest(network: &Network, records: f64) -> Result<usize, String> {
    let mut found = (1, f64::INFINITY);
    for (at, node) in network.nodes.iter().enumerate().skip(1) {
        let off = (Sums::of([node])?.get("p2p_values") - records).abs();
        if off < found.1 {
            found = (at, off);
        }
    }
    Ok(found.0)
}

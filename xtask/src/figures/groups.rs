//! How many records share one commit, by the puts in flight.

use super::metrics::number_in;
use super::network::Network;
use super::{Flags, Place};

/// Nodes of the network unless told otherwise.
const NODES: usize = 16;
/// Nodes that clients speak to.
const ASKED: usize = 4;
/// Puts of one measurement for each in flight, and at most: one to ten seconds each.
const PUTS: (u64, u64) = (2_500, 100_000);

/// One measurement.
struct Measured {
    puts_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    mean_us: f64,
    records_per_commit: f64,
    sync_us: f64,
    commit_us: f64,
}

impl Measured {
    /// Each put is written by three replicas.
    fn commits_per_s(&self) -> f64 {
        3.0 * self.puts_per_s / self.records_per_commit
    }
}

pub(super) fn measure(flags: &Flags, place: Place) -> Result<(), String> {
    let network = Network::start(place, flags.nodes.unwrap_or(NODES))?;
    println!(
        "puts of 100 bytes, 2 of 3 replicas durable, {} nodes, the fastest of {} rounds",
        network.nodes.len(),
        flags.rounds
    );
    println!(
        "{:>9} {:>8} {:>8} {:>8} {:>15} {:>10} {:>9} {:>9} {:>11}",
        "in flight",
        "puts/s",
        "p50 µs",
        "p99 µs",
        "records/commit",
        "commits/s",
        "sync µs",
        "commit µs",
        "sync share"
    );
    for in_flight in &flags.in_flight {
        let mut best: Option<Measured> = None;
        for _ in 0..flags.rounds {
            let found = once(&network, *in_flight)?;
            if best
                .as_ref()
                .is_none_or(|best| found.puts_per_s > best.puts_per_s)
            {
                best = Some(found);
            }
        }
        if let Some(found) = best {
            println!(
                "{in_flight:>9} {:>8.0} {:>8.0} {:>8.0} {:>15.2} {:>10.0} {:>9.0} {:>9.0} {:>9.0} %",
                found.puts_per_s,
                found.p50_us,
                found.p99_us,
                found.records_per_commit,
                found.commits_per_s(),
                found.sync_us,
                found.commit_us,
                100.0 * found.sync_us / found.mean_us
            );
        }
    }
    Ok(())
}

fn once(network: &Network, in_flight: u64) -> Result<Measured, String> {
    let (each, most) = PUTS;
    let ops = (each * in_flight).min(most).to_string();
    let asked = network.addresses(ASKED.min(in_flight as usize));
    let in_flight = in_flight.to_string();
    let before = network.sums()?;
    let document = network.ctl(&[
        "--json",
        "bench",
        "--nodes",
        &asked,
        "--ops",
        &ops,
        "--concurrency",
        &in_flight,
    ])?;
    let after = network.sums()?;
    let mean = |name: &str| {
        let count = after.since(&before, &format!("p2p_store_{name}_count"));
        after.since(&before, &format!("p2p_store_{name}_sum")) / count.max(1.0)
    };
    // The first phase of the document is that of the puts.
    Ok(Measured {
        puts_per_s: number_in(&document, "ops_per_s")?,
        p50_us: number_in(&document, "p50_us")?,
        p99_us: number_in(&document, "p99_us")?,
        mean_us: number_in(&document, "mean_us")?,
        records_per_commit: mean("group_records"),
        sync_us: 1e6 * mean("sync_seconds"),
        commit_us: 1e6 * mean("commit_seconds"),
    })
}

//! `p2psim search`: what the ways to search an unstructured overlay cost.
//!
//! The same items, popular and rare, are looked for in a flat network by floods, rings and walkers,
//! and among super-peers by dynamic queries with query routing tables. Links and tables are given,
//! so that a network of 10,000 nodes is there at once. A flood sends two messages for each query: it
//! and its echo; all of them are counted, until nothing is under way any more.

mod network;

use super::cli::SearchArgs;
use super::{RunError, write_json};
use gnutella::{GnutellaConfig, Tally, Way};
use network::{Item, Network, Shape};
use overlay::{Duration, Notice, Outcome, Reply};
use serde::Serialize;
use sim::{Dice, Distribution, Summary, Table};
use std::io::Write;

/// What is measured: where, and how.
const SETUPS: [(&str, Shape, Way); 5] = [
    ("flood", Shape::Flat, Way::Flood),
    ("expanding ring", Shape::Flat, Way::Ring),
    ("16 walkers", Shape::Flat, Way::Walk),
    ("flood, super-peers", Shape::SuperPeers, Way::Flood),
    ("dynamic, super-peers", Shape::SuperPeers, Way::Dynamic),
];
/// The stream of entropy that chooses who searches.
const ORIGINS: u32 = 101;
/// The longest that anything may go on after a search.
const QUIET: Duration = Duration::from_secs(120);

/// What one way costs for one kind of item.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The way.
    pub way: &'static str,
    /// `popular` or `rare`.
    pub item: &'static str,
    /// Nodes that have it.
    pub copies: usize,
    /// Searches that found it, of all.
    pub found: f64,
    /// Messages for each search, echoes and hits included.
    pub messages: f64,
    /// Messages for each search that found something.
    pub messages_per_success: f64,
    /// From the call to the answer, of those that found it.
    pub latency_ms: Summary,
    /// Nodes that were known to have been reached, on average.
    pub reached: f64,
    /// Of the queries on their last hop, the share that query routing tables made needless.
    pub last_hop_stopped: f64,
    /// Of those that lead to nothing, the share that the tables stopped: what they let through
    /// beyond this they had to, because it is there.
    pub needless_stopped: f64,
    /// Of the queries that arrived, the share that was known already.
    pub duplicates: f64,
}

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    /// Nodes.
    pub nodes: u64,
    /// Searches for each row.
    pub searches: u64,
    /// The seed.
    pub seed: u64,
    /// What was measured.
    pub rows: Vec<Row>,
}

/// Runs the experiment, and prints its result.
pub(super) fn command(args: &SearchArgs, out: &mut dyn Write) -> Result<bool, RunError> {
    let report = run(args)?;
    if args.json {
        write_json(out, &report)?;
    } else {
        print(&report, out)?;
    }
    Ok(true)
}

/// Runs the experiment.
///
/// # Errors
/// Never: nothing is watched.
pub fn run(args: &SearchArgs) -> Result<SearchReport, RunError> {
    let mut rows = Vec::new();
    for (name, shape, way) in SETUPS {
        let config = GnutellaConfig {
            way,
            maintain: false,
            ..GnutellaConfig::default()
        };
        let mut network = Network::build(args.seed, args.nodes as usize, shape, &config);
        for item in [Item::Popular, Item::Rare] {
            rows.push(measure(args, &mut network, name, item)?);
        }
    }
    Ok(SearchReport {
        nodes: args.nodes,
        searches: args.searches,
        seed: args.seed,
        rows,
    })
}

/// Searches for one item, one search after the other.
fn measure(
    args: &SearchArgs,
    network: &mut Network,
    way: &'static str,
    item: Item,
) -> Result<Row, RunError> {
    let mut dice = Dice::new(args.seed, ORIGINS.into());
    let (before, tally_before) = (network.world.counters().sent, network.tally());
    let (mut found, mut reached) = (0_u64, 0_u64);
    let mut latency = Distribution::default();
    for _ in 0..args.searches {
        let origin = network.somebody_without(item, &mut dice);
        let began = network.world.now();
        network.world.call(origin, item.search());
        network.world.run_until_quiet(began + QUIET)?;
        for told in network.world.take_events() {
            let Notice::Done {
                reply: Reply::Searched(report),
                ..
            } = told.event
            else {
                continue;
            };
            reached += u64::from(report.reached.unwrap_or(0));
            if report.outcome == Outcome::Found {
                found += 1;
                latency.record(told.time.since(began).as_micros());
            }
        }
    }
    let sent = (network.world.counters().sent - before) as f64;
    let tally = since(&network.tally(), &tally_before);
    let searches = args.searches as f64;
    let last_hop = tally.last_hop_sent + tally.last_hop_stopped;
    Ok(Row {
        way,
        item: item.name(),
        copies: network.copies(item),
        found: found as f64 / searches,
        messages: sent / searches,
        messages_per_success: sent / (found.max(1)) as f64,
        latency_ms: latency.summary(1_000.0),
        reached: reached as f64 / searches,
        last_hop_stopped: share(tally.last_hop_stopped, last_hop),
        needless_stopped: share(
            tally.last_hop_stopped,
            tally.last_hop_stopped + tally.last_hop_vain,
        ),
        duplicates: share(tally.duplicates, tally.queries),
    })
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

const fn since(now: &Tally, before: &Tally) -> Tally {
    Tally {
        queries: now.queries - before.queries,
        duplicates: now.duplicates - before.duplicates,
        last_hop_sent: now.last_hop_sent - before.last_hop_sent,
        last_hop_stopped: now.last_hop_stopped - before.last_hop_stopped,
        last_hop_vain: now.last_hop_vain - before.last_hop_vain,
        ..*now
    }
}

fn print(report: &SearchReport, out: &mut dyn Write) -> Result<(), RunError> {
    let mut table = Table::new(&[
        "way",
        "item",
        "copies",
        "found",
        "messages",
        "per success",
        "reached",
        "p50 ms",
        "p99 ms",
        "last hop stopped",
        "of the needless",
        "duplicates",
    ]);
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    for row in &report.rows {
        table.row([
            row.way.to_owned(),
            row.item.to_owned(),
            row.copies.to_string(),
            percent(row.found),
            format!("{:.0}", row.messages),
            format!("{:.0}", row.messages_per_success),
            format!("{:.0}", row.reached),
            format!("{:.0}", row.latency_ms.p50),
            format!("{:.0}", row.latency_ms.p99),
            percent(row.last_hop_stopped),
            format!("{:.2} %", row.needless_stopped * 100.0),
            percent(row.duplicates),
        ]);
    }
    writeln!(
        out,
        "{} nodes, {} searches a row, seed {}\n{table}",
        report.nodes, report.searches, report.seed
    )?;
    Ok(())
}

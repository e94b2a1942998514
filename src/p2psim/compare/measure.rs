//! One technique measured: searches, inserts, and what nodes keep.

use super::items::{Wanted, fresh_key};
use super::network::{ASKED_FOR, Network};
use super::report::{Cost, Row, Spread};
use super::techniques::Technique;
use crate::p2psim::RunError;
use overlay::{Consistency, Duration, Locate, MAX_LEASE_S, Notice, Outcome, Reply, Request};
use sim::{Dice, Distribution, World, address_of};

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// After an answer, what it has set in motion is over within this time: a flood on its way, the
/// acknowledgements of replicas, a table that is told once a second.
const SETTLE: Duration = Duration::from_secs(3);
/// The stream of entropy that chooses who searches.
const ORIGINS: u64 = 101;

/// What a call came to.
struct Answer {
    reply: Option<Reply>,
    took: Duration,
    messages: u64,
}

/// Measures everything about one network.
pub(super) fn measure<N: Network>(
    technique: Technique,
    network: &mut N,
    seed: u64,
    searches: u64,
) -> Result<Row, RunError> {
    let (stored, peers) = (network.stored(), peers(network.world()));
    let mut dice = Dice::new(seed, ORIGINS);
    let popular = search(network, Wanted::Popular, searches, &mut dice)?;
    let rare = search(network, Wanted::Rare, searches, &mut dice)?;
    let update_messages = insert(network, searches)?;
    Ok(Row {
        technique: technique.name(),
        computed: false,
        lecture: technique.lecture(),
        searches,
        popular,
        rare,
        update_messages,
        storage: Spread::of(&stored),
        peers: Spread::of(&peers),
        trace_hash: network.world().trace_hash().to_string(),
    })
}

/// Peers that each node knows.
fn peers<M: Locate>(world: &World<M>) -> Vec<u64> {
    let nodes = world.live();
    nodes.map(|(_, node)| node.peers().len() as u64).collect()
}

/// Searches for one thing from random nodes that do not have it, one after the other. How far it is
/// away is asked for apart, and its messages are not counted.
fn search<N: Network>(
    network: &mut N,
    wanted: Wanted,
    searches: u64,
    dice: &mut Dice,
) -> Result<Cost, RunError> {
    let key = wanted.key();
    let (mut hops, mut latency) = (Distribution::default(), Distribution::default());
    let (mut found, mut messages) = (0_u64, 0_u64);
    for _ in 0..searches {
        let origin = network.items().somebody_without(wanted, dice);
        let request = Request::Search {
            key,
            limit: 1,
            consistency: Consistency::Quorum,
        };
        let answer = ask(network.world(), origin, request)?;
        messages += answer.messages;
        if let Some(Reply::Searched(report)) = answer.reply
            && report.outcome == Outcome::Found
        {
            found += 1;
            latency.record(answer.took.as_micros());
        }
        let iterative = false;
        let request = Request::Locate { key, iterative };
        if let Some(Reply::Located(report)) = ask(network.world(), origin, request)?.reply {
            hops.record(report.hops.into());
        }
    }
    Ok(Cost {
        copies: network.items().having(wanted).len(),
        found: found as f64 / searches as f64,
        hops: hops.mean(),
        latency_ms: latency.summary(1_000.0),
        messages: messages as f64 / searches as f64,
    })
}

/// Inserts new resources at random nodes; gives the messages of one insert.
fn insert<N: Network>(network: &mut N, inserts: u64) -> Result<f64, RunError> {
    let mut messages = 0_u64;
    for number in 0..inserts {
        let node = network.inserter();
        network.prepare(node)?;
        let request = Request::Insert {
            key: fresh_key(number),
            holder: address_of(node),
            lease_s: MAX_LEASE_S,
            text: String::new(),
            indexed: None,
        };
        messages += ask(network.world(), node, request)?.messages;
    }
    Ok(messages as f64 / inserts as f64)
}

/// Asks a node, waits for its answer and for everything that follows.
fn ask<M: Locate>(world: &mut World<M>, node: usize, request: Request) -> Result<Answer, RunError> {
    let (began, before) = (world.now(), world.counters().sent_by_kind[ASKED_FOR]);
    let asked = world.call(node, request);
    let mut answered = None;
    loop {
        let is_late = world.advance(began + PATIENCE)?;
        for told in world.take_events() {
            if let Notice::Done { op, reply } = told.event
                && op == asked
            {
                answered = Some((reply, told.time.since(began)));
            }
        }
        if is_late || answered.is_some() {
            break;
        }
    }
    let until = world.now() + SETTLE;
    world.run_until(until)?;
    let (reply, took) = answered.map_or((None, PATIENCE), |(reply, took)| (Some(reply), took));
    Ok(Answer {
        reply,
        took,
        messages: world.counters().sent_by_kind[ASKED_FOR] - before,
    })
}

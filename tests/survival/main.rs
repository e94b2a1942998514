//! Survival: real processes are killed, stopped, added, removed and cut off from each other while
//! clients write and read, and nothing that was acknowledged is lost.
//!
//! `cargo xtask survive` runs it with an overlay, a seed and a time of one's choice. The seed
//! decides who is hit when and what clients ask; processes and disks have a time of their own, so
//! that a seed that found something finds it often and not always. What fails is printed with the
//! history of its key and the folder in which logs and histories are kept.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

mod chaos;
mod clients;
mod cluster;
mod figures;
mod ground;
mod namespaces;
mod plan;
mod record;
#[path = "../support/mod.rs"]
mod support;
mod verdict;

use clients::{Client, Line};
use cluster::Cluster;
use figures::Shown;
use ground::Ground;
use overlay::Time;
use plan::Plan;
use record::{Record, Violation};
use sim::Dice;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

/// How often it is looked whether a partition is healed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Violations that are printed with the history of their key.
const SHOWN: usize = 5;

#[test]
fn nothing_acknowledged_is_lost_while_processes_die_every_second() {
    let _alone = support::alone();
    survive(&Plan::from_environment(), Ground::loopback());
}

#[test]
fn nothing_acknowledged_is_lost_while_namespaces_are_cut_off_too() {
    let _alone = support::alone();
    match namespaces::Namespaces::new() {
        Ok(spaces) => survive(&Plan::from_environment(), Ground::Namespaces(spaces)),
        Err(why) => say(&format!(
            "SKIPPED: the survival run in namespaces, with partitions: {why}"
        )),
    }
}

/// Says something also when the test's output is captured.
fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn survive(plan: &Plan, ground: Ground) {
    let directory = tempfile::Builder::new()
        .prefix("p2pnode-survival-")
        .tempdir();
    let directory = directory.expect("a temporary directory");
    let name = ground.name();
    say(&format!(
        "survival on {name}: {} with seed {}, {} s, in {}",
        plan.overlay,
        plan.seed,
        plan.span.as_secs(),
        directory.path().display()
    ));
    let record = Record::new(directory.path(), Vec::new(), plan.patient);
    let record = Rc::new(RefCell::new(record));
    let dice = Dice::new(plan.seed, 3);
    let cluster = Cluster::new(
        ground,
        &plan.overlay,
        directory.path(),
        Rc::clone(&record),
        dice,
    );
    let cluster = Rc::new(cluster);
    let ended = chaos::on_one_thread(run(Rc::clone(&cluster), plan));
    let record = record.borrow();
    let figures = cluster.figures.borrow();
    say(&format!(
        "survival on {name}, seed {}:\n{}",
        plan.seed,
        Shown(&figures, &record, ended)
    ));
    if plan.keep || !record.violations.is_empty() {
        let kept = directory.keep();
        say(&format!(
            "logs and histories are kept in {}",
            kept.display()
        ));
    }
    assert!(record.violations.is_empty(), "{}", told(&record, plan));
    figures.assert_trouble(plan, cluster.can_split());
}

/// The whole run; gives the time at which the trouble ended.
async fn run(cluster: Rc<Cluster>, plan: &Plan) -> Time {
    let first = cluster.add();
    cluster.start(first).await;
    for _ in 1..plan.nodes {
        let number = cluster.add();
        cluster.start(number).await;
    }
    let is_over = Rc::new(Cell::new(false));
    let mut beside = Vec::new();
    for number in 0..plan.clients {
        let dice = Dice::new(plan.seed, 1_000 + number as u64);
        let client = Client::new(number, Rc::clone(&cluster), dice);
        beside.push(chaos::beside(client.run(Rc::clone(&is_over))));
    }
    beside.push(chaos::beside(watch(
        Rc::clone(&cluster),
        Rc::clone(&is_over),
    )));
    chaos::trouble(&cluster, plan).await;
    is_over.set(true);
    let ended = cluster.record.borrow().now();
    for task in beside {
        task.await.expect("nothing panics");
    }
    cluster.record.borrow_mut().clients_ended();
    verdict::settle(&cluster, ended, plan.patient).await;
    verdict::judge(&cluster, ended).await;
    cluster.look_for_the_dead();
    ended
}

/// Notes when the consequences of a partition are repaired.
async fn watch(cluster: Rc<Cluster>, is_over: Rc<Cell<bool>>) {
    let mut line = Line::new();
    while !is_over.get() {
        tokio::time::sleep(LOOK_EVERY).await;
        let before = cluster.figures.borrow().partitions;
        let is_split = cluster.record.borrow().weather.is_split() && !cluster.is_cut();
        if is_split
            && verdict::unsettled(&cluster, &mut line, true)
                .await
                .is_none()
        {
            let mut record = cluster.record.borrow_mut();
            let now = record.now();
            if cluster.figures.borrow().partitions == before {
                record.weather.settled(now);
                record.weather.troubled();
            }
        }
    }
}

/// What went wrong, with the history of each key concerned.
fn told(record: &Record, plan: &Plan) -> String {
    let count = record.violations.len();
    let mut text = format!(
        "{count} violations; again: cargo xtask survive --overlay {} --seed {}\n",
        plan.overlay, plan.seed
    );
    for Violation {
        promise,
        text: what,
        key,
    } in record.violations.iter().take(SHOWN)
    {
        let _ = writeln!(text, "\n{promise}: {what}");
        let Some(key) = key else { continue };
        let _ = writeln!(text, "all that was asked of {key}:");
        for operation in record.by_clients(*key) {
            let _ = writeln!(text, "    {}", operation.describe());
        }
    }
    text
}

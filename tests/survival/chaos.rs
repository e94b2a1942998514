//! What happens to the nodes: every second one is killed or stopped, some join, some leave, and
//! where there are namespaces the network is cut in two and grows together again.

use crate::cluster::{Cluster, Life};
use crate::plan::Plan;
use sim::Dice;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};

/// How often a node is hit.
const EVERY: Duration = Duration::from_secs(1);
/// Nodes that may be away at once, of 12: beyond that a second passes without a hit.
const MOST_AWAY: usize = 6;
/// How long a killed node is down before it is started again, and a stopped one stands still.
const DOWN_MS: (u64, u64) = (100, 2_000);
const STOPPED_MS: (u64, u64) = (1_000, 5_000);
/// How long a partition lasts, and how long there is none.
const CUT_MS: (u64, u64) = (4_000, 15_000);
const WHOLE_MS: (u64, u64) = (5_000, 15_000);
/// A node that could not hand everything over leaves again after this.
const LEAVE_AGAIN_AFTER: Duration = Duration::from_secs(5);

fn pause(dice: &mut Dice, (low, high): (u64, u64)) -> Duration {
    Duration::from_millis(low + dice.below(high - low + 1))
}

/// Troubles the network for as long as planned. Everybody who is not gone serves at the end, and
/// nobody is cut off.
pub(crate) async fn trouble(cluster: &Rc<Cluster>, plan: &Plan) {
    let end = Instant::now() + plan.span;
    let mut tasks = JoinSet::new();
    tasks.spawn_local(hit(Rc::clone(cluster), Dice::new(plan.seed, 1), end));
    for turn in 0..plan.newcomers {
        let share = |part: usize| {
            let parts = u32::try_from(2 * plan.newcomers + 1).unwrap_or(u32::MAX);
            plan.span * u32::try_from(part).unwrap_or(0) / parts
        };
        let joins_at = Instant::now() + share(2 * turn + 1);
        let leaves_at = Instant::now() + share(2 * turn + 2);
        tasks.spawn_local(join_one(Rc::clone(cluster), joins_at));
        let dice = Dice::new(plan.seed, 100 + turn as u64);
        tasks.spawn_local(leave_one(Rc::clone(cluster), dice, leaves_at));
    }
    if cluster.can_split() {
        tasks.spawn_local(split(Rc::clone(cluster), Dice::new(plan.seed, 2), end));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("nothing panics");
    }
}

/// Hits one node after another.
async fn hit(cluster: Rc<Cluster>, mut dice: Dice, end: Instant) {
    let mut away = JoinSet::new();
    let mut next = Instant::now() + EVERY;
    while next < end {
        sleep_until(next).await;
        next += EVERY;
        cluster.look_for_the_dead();
        let is_away = |life| matches!(life, Life::Down | Life::Stopped | Life::Starting);
        let up = cluster.up();
        let Some(&number) = dice
            .pick(&up)
            .filter(|_| cluster.all(is_away).len() < MOST_AWAY)
        else {
            cluster.figures.borrow_mut().seconds_without += 1;
            continue;
        };
        // It is hit before anybody else may choose it.
        if dice.below(2) == 0 {
            cluster.kill(number).await;
            let down = pause(&mut dice, DOWN_MS);
            away.spawn_local(come_back(Rc::clone(&cluster), number, down));
        } else {
            cluster.stop(number);
            let stopped = pause(&mut dice, STOPPED_MS);
            let is_killed = dice.below(2) == 0;
            away.spawn_local(end_stop(Rc::clone(&cluster), number, stopped, is_killed));
        }
    }
    while let Some(ended) = away.join_next().await {
        ended.expect("nothing panics");
    }
}

async fn come_back(cluster: Rc<Cluster>, number: usize, down: Duration) {
    sleep(down).await;
    cluster.start(number).await;
}

async fn end_stop(cluster: Rc<Cluster>, number: usize, stopped: Duration, is_killed: bool) {
    sleep(stopped).await;
    if is_killed {
        cluster.kill(number).await;
        cluster.start(number).await;
    } else {
        cluster.go_on(number);
    }
}

async fn join_one(cluster: Rc<Cluster>, at: Instant) {
    sleep_until(at).await;
    let number = cluster.add();
    cluster.start(number).await;
    cluster.figures.borrow_mut().joined += 1;
}

/// Lets one of the nodes leave that were there from the beginning, whoever is up.
async fn leave_one(cluster: Rc<Cluster>, mut dice: Dice, at: Instant) {
    sleep_until(at).await;
    loop {
        let up = cluster.up();
        let Some(&number) = dice.pick(&up) else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        match cluster.leave(number).await {
            Ok(()) => {
                cluster.figures.borrow_mut().left += 1;
                return;
            }
            Err(why) => {
                cluster.figures.borrow_mut().leaves_in_vain.push(why);
                cluster.start(number).await;
                sleep(LEAVE_AGAIN_AFTER).await;
            }
        }
    }
}

/// Cuts the network in two, again and again.
async fn split(cluster: Rc<Cluster>, mut dice: Dice, end: Instant) {
    loop {
        sleep(pause(&mut dice, WHOLE_MS)).await;
        let lasts = pause(&mut dice, CUT_MS);
        if Instant::now() + lasts >= end {
            return;
        }
        let mut there = cluster.all(|life| life != Life::Gone);
        dice.shuffle(&mut there);
        let most = there.len() as u64 / 2;
        let count = usize::try_from(1 + dice.below(most)).unwrap_or(1);
        there.truncate(count);
        cluster.cut(&there);
        sleep(lasts).await;
        cluster.heal();
    }
}

/// Runs something with tasks of one thread.
pub(crate) fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), work)
}

/// Lets work go on beside what follows.
pub(crate) fn beside(work: impl Future<Output = ()> + 'static) -> tokio::task::JoinHandle<()> {
    spawn_local(work)
}

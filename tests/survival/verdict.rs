//! After the trouble: every key is read at every node, and everything that was said is judged.

use crate::clients::{Line, read_of};
use crate::cluster::{Cluster, Life};
use overlay::{Id, Reply, Time};
use p2pnode::control::ControlBody;
use p2pnode::control::ReplyBody;
use p2pnode::control::client::Connector;
use p2pnode::control::proof;
use p2pnode::p2psim::faults::checks::{Check, End};
use p2pnode::p2psim::faults::history::{History, Operation};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Without trouble, every node says within this time that all its copies are complete.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// And within this time every read at every node gives what it must.
const FOUND_WITHIN: Duration = Duration::from_secs(150);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Questions that one node is asked at a time.
const WINDOW: usize = 32;
/// How long a round of reads may stand still.
const STANDSTILL: Duration = Duration::from_secs(15);
/// The number under which the last reads are recorded.
const READER: usize = 999;

/// In the end a value that is found is no older than any that was acknowledged: not even one that
/// was written on the other side of a partition.
pub(crate) struct NewestInTheEnd;

impl Check for NewestInTheEnd {
    fn name(&self) -> &'static str {
        "in the end the newest version is found"
    }

    fn last_read(&self, history: &History, _end: &End, read: &Operation) -> Result<(), String> {
        let (Some(key), Some((_, Reply::Got(report)))) = (read.key(), &read.answer) else {
            return Ok(());
        };
        let Some(version) = report.version else {
            return Ok(());
        };
        let mut writes = history.on(key).filter(|op| op.writes_value());
        let newer = writes.find(|op| op.acknowledged().is_some_and(|done| done.version > version));
        newer.map_or(Ok(()), |write| {
            Err(format!(
                "{}; newer was {}",
                read.describe(),
                write.describe()
            ))
        })
    }
}

/// Waits until all nodes say that their copies are complete.
pub(crate) async fn settle(cluster: &Cluster, began: Time) {
    let limit = Instant::now() + SETTLED_WITHIN;
    let mut line = Line::new();
    loop {
        match unsettled(cluster, &mut line).await {
            None => break,
            Some(node) if Instant::now() > limit => {
                let within = SETTLED_WITHIN.as_secs();
                let text = format!(
                    "node {node} does not say within {within} s that its copies are complete"
                );
                cluster
                    .record
                    .borrow_mut()
                    .violate("copies become complete", text, None);
                return;
            }
            Some(_) => sleep(LOOK_EVERY).await,
        }
    }
    let mut record = cluster.record.borrow_mut();
    let now = record.now();
    record.weather.settled(now);
    cluster.figures.borrow_mut().settled_after = Some(now.since(began));
}

/// A node whose copies are not complete, or that is not there and will be.
pub(crate) async fn unsettled(cluster: &Cluster, line: &mut Line) -> Option<usize> {
    for node in cluster.all(|life| life != Life::Gone) {
        if cluster.life(node) != Some(Life::Up)
            || line.is_settled(cluster, node).await != Some(true)
        {
            return Some(node);
        }
    }
    None
}

/// Reads every key at every node until all is right, then once more, and judges the run.
pub(crate) async fn judge(cluster: &Rc<Cluster>, began: Time) {
    let limit = Instant::now() + FOUND_WITHIN;
    let mut wrong = everything(cluster);
    loop {
        let round = round(cluster, wrong).await;
        wrong = round.wrong;
        if wrong.is_empty() {
            let now = cluster.record.borrow().now();
            cluster.figures.borrow_mut().found_after = Some(now.since(began));
            break;
        }
        if Instant::now() > limit {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    let last = round(cluster, everything(cluster)).await;
    let mut record = cluster.record.borrow_mut();
    cluster.figures.borrow_mut().last_reads = last.count;
    for (node, reads) in &last.wrong {
        for (key, _) in reads {
            let text = format!("node {node} does not say of key {key} what it must");
            record.violate("every node finds everything", text, Some(*key));
        }
    }
    record.finish(&last.end);
}

/// What is read at which node, and whether it is a value.
type Reads = BTreeMap<usize, Vec<(Id, bool)>>;

fn everything(cluster: &Cluster) -> Reads {
    let record = cluster.record.borrow();
    let [values, resources] = &record.keys;
    let values = values.iter().map(|key| (*key, true));
    let all: Vec<_> = values
        .chain(resources.iter().map(|key| (*key, false)))
        .collect();
    let up = cluster.up();
    up.into_iter().map(|node| (node, all.clone())).collect()
}

struct Round {
    end: End,
    count: usize,
    wrong: Reads,
}

/// Reads at all nodes at the same time.
async fn round(cluster: &Rc<Cluster>, reads: Reads) -> Round {
    let end = End {
        reads_began: cluster.record.borrow().now(),
        stopped: cluster.stops(),
    };
    let count = reads.values().map(Vec::len).sum();
    let mut tasks = JoinSet::new();
    for (node, keys) in reads {
        tasks.spawn_local(read_at(Rc::clone(cluster), node, keys, end.clone()));
    }
    let mut wrong = Reads::new();
    while let Some(result) = tasks.join_next().await {
        let (node, keys) = result.expect("nothing panics");
        if !keys.is_empty() {
            wrong.insert(node, keys);
        }
    }
    Round { end, count, wrong }
}

/// Reads many keys at one node; gives back those that are not right.
async fn read_at(
    cluster: Rc<Cluster>,
    node: usize,
    mut keys: Vec<(Id, bool)>,
    end: End,
) -> (usize, Vec<(Id, bool)>) {
    let mut connector = Connector::new(proof::anonymous().expect("a key of the moment"));
    let Ok(mut session) = connector.connect_to(cluster.reach(node), STANDSTILL).await else {
        return (node, keys);
    };
    let mut asked = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut replies = Vec::new();
    while !keys.is_empty() || !asked.is_empty() {
        while asked.len() < WINDOW
            && let Some((key, is_value)) = keys.pop()
        {
            let request = read_of(key, is_value);
            let op = cluster
                .record
                .borrow_mut()
                .asked(READER, node, request.clone());
            session.queue(op.0, ControlBody::Data(request));
            asked.insert(op.0, (op, key, is_value));
        }
        let arrived = timeout(STANDSTILL, session.exchange(&mut replies)).await;
        if !matches!(arrived, Ok(Ok(()))) {
            break;
        }
        let mut record = cluster.record.borrow_mut();
        for reply in replies.drain(..) {
            let Some((op, key, is_value)) = asked.remove(&reply.id) else {
                continue;
            };
            if let ReplyBody::Data(answer) = reply.body {
                record.answered(op, answer);
            } else {
                record.unanswered(op);
            }
            if record.is_right(op, &end).is_err() {
                wrong.push((key, is_value));
            }
        }
    }
    for (op, key, is_value) in asked.into_values() {
        cluster.record.borrow_mut().unanswered(op);
        wrong.push((key, is_value));
    }
    wrong.extend(keys);
    session.close().await;
    (node, wrong)
}

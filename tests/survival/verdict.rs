//! After the trouble: every key is read at every node, and everything that was said is judged.

use crate::clients::{Line, read_of};
use crate::cluster::{Cluster, Life};
use crate::record::{Violation, is_final};
use overlay::{Id, OpId, Time};
use p2pnode::control::ControlBody;
use p2pnode::control::ReplyBody;
use p2pnode::control::client::Connector;
use p2pnode::control::proof;
use p2pnode::p2psim::faults::checks::End;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Without trouble, every node is in the network within this time; and in a patient run says that
/// all its copies are complete. Of a part whose witnesses have all been restarted, that is not
/// known before ten minutes are over.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);
const COMPLETE_WITHIN: Duration = Duration::from_secs(900);
/// And within this time every read at every node gives what it must.
const FOUND_WITHIN: Duration = Duration::from_secs(150);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Questions that one node is asked at a time: many, for one that cannot be answered takes seconds.
const WINDOW: usize = 64;
/// How long a round of reads may stand still.
const STANDSTILL: Duration = Duration::from_secs(15);
/// The number under which the last reads are recorded.
const READER: usize = 999;

/// Waits until all nodes are in the network, or until all copies are complete.
pub(crate) async fn settle(cluster: &Cluster, began: Time, is_patient: bool) {
    let within = if is_patient {
        COMPLETE_WITHIN
    } else {
        WHOLE_WITHIN
    };
    let limit = Instant::now() + within;
    let mut line = Line::new();
    while let Some(node) = unsettled(cluster, &mut line, is_patient).await {
        if Instant::now() > limit {
            let within = within.as_secs();
            let text = format!("not after {within} s: node {node}");
            let mut record = cluster.record.borrow_mut();
            record.violate("the network comes to rest", text, None);
            return;
        }
        sleep(LOOK_EVERY).await;
    }
    let mut record = cluster.record.borrow_mut();
    let now = record.now();
    if is_patient {
        record.weather.settled(now);
    }
    cluster.figures.borrow_mut().settled_after = Some(now.since(began));
}

/// A node that is not in the network and will be, or whose copies are to be complete and are not.
pub(crate) async fn unsettled(
    cluster: &Cluster,
    line: &mut Line,
    must_be_complete: bool,
) -> Option<usize> {
    for node in cluster.all(|life| life != Life::Gone) {
        if cluster.life(node) != Some(Life::Up) {
            return Some(node);
        }
        match line.state(cluster, node).await {
            Some((true, is_complete)) if is_complete || !must_be_complete => {}
            _ => return Some(node),
        }
    }
    None
}

/// Reads every key at every node until all is right, then again, and judges the run. The second
/// time no answer may be wrong; a read may only be late or unknown, and is asked again.
pub(crate) async fn judge(cluster: &Rc<Cluster>, began: Time) {
    let first = read_until_right(cluster).await;
    let is_right = first.wrong.is_empty();
    let now = cluster.record.borrow().now();
    cluster.figures.borrow_mut().found_after = is_right.then(|| now.since(began));
    let (last, promise) = if is_right {
        let last = read_until_right(cluster).await;
        cluster.record.borrow_mut().violations.extend(last.lies);
        (
            Round {
                lies: Vec::new(),
                ..last
            },
            "what was found stays found",
        )
    } else {
        (first, "every node finds everything in time")
    };
    let mut record = cluster.record.borrow_mut();
    cluster.figures.borrow_mut().unproven = last.unproven;
    record
        .violations
        .extend(last.lies.into_iter().chain(last.late));
    for (node, reads) in &last.wrong {
        if let Some((key, _)) = reads.first() {
            let text = format!(
                "{} reads at node {node} are wrong or unanswered",
                reads.len()
            );
            record.violate(promise, text, Some(*key));
        }
    }
    record.finish(last.end);
}

/// Reads every key at every node, and those that were not right again, within the limit.
async fn read_until_right(cluster: &Rc<Cluster>) -> Round {
    let limit = Instant::now() + FOUND_WITHIN;
    let all = everything(cluster);
    cluster.figures.borrow_mut().last_reads = all.values().map(Vec::len).sum();
    let mut so_far = round(cluster, all).await;
    while !so_far.wrong.is_empty() && Instant::now() < limit {
        sleep(LOOK_EVERY).await;
        let mut next = round(cluster, so_far.wrong).await;
        next.unproven += so_far.unproven;
        next.lies.extend(so_far.lies);
        so_far = next;
    }
    so_far
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

/// What a round of reads came to.
struct Round {
    end: End,
    /// Reads that said `unknown` where nothing is.
    unproven: usize,
    wrong: Reads,
    /// One wrong answer for each node, and one that was none.
    lies: Vec<Violation>,
    late: Vec<Violation>,
}

/// Reads at all nodes at the same time.
async fn round(cluster: &Rc<Cluster>, reads: Reads) -> Round {
    let end = End {
        reads_began: cluster.record.borrow().now(),
        // Of real processes nobody sees the insides.
        rest: Default::default(),
        stopped: cluster.stops(),
    };
    let mut round = Round {
        end: end.clone(),
        unproven: 0,
        wrong: Reads::new(),
        lies: Vec::new(),
        late: Vec::new(),
    };
    let mut tasks = JoinSet::new();
    for (node, keys) in reads {
        let reader = Reader {
            cluster: Rc::clone(cluster),
            node,
            end: end.clone(),
            unproven: 0,
            wrong: Vec::new(),
            lie: None,
            late: None,
        };
        tasks.spawn_local(reader.read(keys));
    }
    while let Some(result) = tasks.join_next().await {
        let reader = result.expect("nothing panics");
        round.unproven += reader.unproven;
        round.lies.extend(reader.lie);
        round.late.extend(reader.late);
        if !reader.wrong.is_empty() {
            round.wrong.insert(reader.node, reader.wrong);
        }
    }
    round
}

/// Reads many keys at one node.
struct Reader {
    cluster: Rc<Cluster>,
    node: usize,
    end: End,
    unproven: usize,
    wrong: Vec<(Id, bool)>,
    lie: Option<Violation>,
    late: Option<Violation>,
}

impl Reader {
    async fn read(mut self, mut keys: Vec<(Id, bool)>) -> Self {
        let mut connector = Connector::new(proof::anonymous().expect("a key of the moment"));
        let addr = self.cluster.reach(self.node);
        let Ok(mut session) = connector.connect_to(addr, STANDSTILL).await else {
            self.wrong = keys;
            return self;
        };
        let mut asked = BTreeMap::new();
        let mut replies = Vec::new();
        while !keys.is_empty() || !asked.is_empty() {
            while asked.len() < WINDOW
                && let Some((key, is_value)) = keys.pop()
            {
                let request = read_of(key, is_value);
                let mut record = self.cluster.record.borrow_mut();
                let op = record.asked(READER, self.node, request.clone());
                session.queue(op.0, ControlBody::Data(request));
                asked.insert(op.0, (op, key, is_value));
            }
            let arrived = timeout(STANDSTILL, session.exchange(&mut replies)).await;
            if !matches!(arrived, Ok(Ok(()))) {
                break;
            }
            for reply in replies.drain(..) {
                if let Some((op, key, is_value)) = asked.remove(&reply.id) {
                    self.take(op, (key, is_value), reply.body);
                }
            }
        }
        for (op, key, is_value) in asked.into_values() {
            self.cluster.record.borrow_mut().unanswered(op);
            self.wrong.push((key, is_value));
        }
        self.wrong.extend(keys);
        session.close().await;
        self
    }

    fn take(&mut self, op: OpId, read: (Id, bool), body: ReplyBody) {
        let mut record = self.cluster.record.borrow_mut();
        let is_answer = match body {
            ReplyBody::Data(answer) => {
                let is_answer = is_final(&answer);
                record.answered(op, answer);
                is_answer
            }
            _ => {
                record.unanswered(op);
                false
            }
        };
        match record.judge(op, &self.end) {
            Ok(true) => {}
            Ok(false) => self.unproven += 1,
            Err(violation) => {
                self.wrong.push(read);
                let kind = if is_answer {
                    &mut self.lie
                } else {
                    &mut self.late
                };
                kind.get_or_insert(violation);
            }
        }
    }
}

//! The driver at work under a toy machine: every node knows every other, and keeps what it is told.

mod calls;
mod lanes;
mod leaving;

use super::{Node, NodeHandle, NodeOptions, StartError};
use crate::control::StatusReport;
use bytes::Bytes;
use calls::{get, put, until};
use overlay::{
    Condition, Consistency, Contact, Cx, Failure, Fault, GetReport, Hlc, Id, Input, Locate,
    Machine, Notice, OpId, Outcome, PeerInfo, Promise, PutReport, Reply, Request, Status, Version,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Message {
    Join,
    Members(Vec<Contact>),
    Store(Id, Bytes),
    Ask(u64, Id),
    Tell(u64, Option<Bytes>),
    Misbehave,
    Urgent,
}

#[derive(Debug)]
struct Toy {
    me: Contact,
    members: BTreeSet<Contact>,
    values: BTreeMap<Id, Bytes>,
    joining: Option<OpId>,
    asked: BTreeMap<u64, (Id, usize)>,
    down: u64,
    member: bool,
    /// How many values were there when something urgent came.
    before_urgent: u64,
}

impl Toy {
    fn new(me: Contact) -> Self {
        Self {
            me,
            members: BTreeSet::new(),
            values: BTreeMap::new(),
            joining: None,
            asked: BTreeMap::new(),
            down: 0,
            member: false,
            before_urgent: 0,
        }
    }

    fn done(cx: &mut Cx<'_, Self>, op: OpId, reply: Reply) {
        cx.emit(Notice::Done { op, reply });
    }

    fn message(&mut self, cx: &mut Cx<'_, Self>, from: Contact, message: Message) {
        match message {
            Message::Join => {
                let all = self.members.iter().copied().chain([self.me]).collect();
                cx.send(from, Message::Members(all));
                self.members.insert(from);
            }
            Message::Members(all) => {
                for member in all.into_iter().filter(|member| *member != self.me) {
                    if self.members.insert(member) && member != from {
                        cx.send(member, Message::Join);
                    }
                }
                if let Some(op) = self.joining.take() {
                    self.member = true;
                    Self::done(cx, op, Reply::Joined);
                }
            }
            Message::Store(key, value) => {
                self.values.insert(key, value);
            }
            Message::Ask(number, key) => {
                cx.send(from, Message::Tell(number, self.values.get(&key).cloned()));
            }
            Message::Tell(number, value) => self.told(cx, number, value),
            Message::Misbehave => cx.hang_up(from, Fault::Flood),
            Message::Urgent => self.before_urgent = self.values.len() as u64,
        }
    }

    fn told(&mut self, cx: &mut Cx<'_, Self>, number: u64, value: Option<Bytes>) {
        let Some((key, left)) = self.asked.get_mut(&number) else {
            return;
        };
        *left -= 1;
        let key = *key;
        if value.is_some() || *left == 0 {
            self.asked.remove(&number);
            Self::done(cx, OpId(number), got(key, value));
        }
    }

    fn call(&mut self, cx: &mut Cx<'_, Self>, op: OpId, call: Request) {
        match call {
            Request::Create => {
                self.member = true;
                Self::done(cx, op, Reply::Joined);
            }
            Request::Join { via } => {
                self.joining = Some(op);
                cx.send(via, Message::Join);
            }
            // It goes on handing over for ever.
            Request::Leave | Request::LeaveWithin { .. }
                if self.values.contains_key(&leaving::precious()) => {}
            Request::Leave if self.values.contains_key(&leaving::last()) => {
                let failure = Failure::LastNode {
                    values: 1,
                    holders: 0,
                };
                Self::done(cx, op, Reply::Failed(failure));
            }
            Request::Leave | Request::LeaveWithin { .. } => Self::done(cx, op, Reply::Left),
            Request::Put { key, value, .. } => {
                self.values.insert(key, value);
                let version = Version {
                    clock: Hlc::at(cx.wall),
                    writer: self.me.id,
                };
                let report = PutReport {
                    key,
                    version,
                    replicas_durable: 1,
                    replicas: 1,
                };
                Self::done(cx, op, Reply::Put(report));
            }
            Request::Get { key, .. } if self.members.is_empty() => {
                Self::done(cx, op, got(key, self.values.get(&key).cloned()));
            }
            Request::Get { key, .. } => {
                self.asked.insert(op.0, (key, self.members.len()));
                for member in self.members.clone() {
                    cx.send(member, Message::Ask(op.0, key));
                }
            }
            // It stands for whatever a test wants its peers to do.
            Request::Delete { key, .. } => {
                for member in self.members.clone() {
                    let value = self.values.get(&key).cloned().unwrap_or_default();
                    cx.send(member, Message::Store(key, value));
                    cx.send(member, Message::Misbehave);
                }
                Self::done(cx, op, Reply::Failed(Failure::Busy(0)));
            }
            // Tells the peers that somebody else lives at our address.
            Request::Locate { key, .. } => {
                let nobody = Contact {
                    id: key,
                    addr: self.me.addr,
                };
                for member in self.members.clone() {
                    cx.send(member, Message::Members(vec![nobody]));
                }
                Self::done(cx, op, Reply::Failed(Failure::Busy(0)));
            }
            Request::Search { .. } => lanes::flood(&self.members, cx, op),
            _ => Self::done(cx, op, Reply::Failed(Failure::Busy(0))),
        }
    }
}

fn got(key: Id, value: Option<Bytes>) -> Reply {
    let outcome = if value.is_some() {
        Outcome::Found
    } else {
        Outcome::Absent
    };
    Reply::Got(GetReport {
        key,
        outcome,
        value,
        version: None,
        replicas_answered: 1,
        replicas_asked: 1,
        reason: None,
        reached: None,
    })
}

impl Machine for Toy {
    type Message = Message;
    type Timer = ();
    type Call = Request;
    type Event = Notice;

    fn is_urgent(message: &Message) -> bool {
        matches!(message, Message::Urgent)
    }

    fn handle(&mut self, cx: &mut Cx<'_, Self>, input: Input<Self>) {
        match input {
            Input::Message { from, message } => self.message(cx, from, message),
            Input::Call { op, call } => self.call(cx, op, call),
            Input::PeerDown(contact) => {
                self.down += 1;
                self.members.remove(&contact);
                if let Some(op) = self.joining.take() {
                    let failure = Failure::JoinFailed("down".to_owned());
                    Self::done(cx, op, Reply::Failed(failure));
                }
            }
            Input::Timer(()) | Input::Durable(_) | Input::Loaded(_) => {}
        }
    }
}

impl Locate for Toy {
    fn tally(&self) -> overlay::Tally {
        overlay::Tally::default()
    }

    const OVERLAY: &'static str = "toy";

    fn promise(&self) -> Promise {
        Promise::BestEffort
    }

    fn me(&self) -> Contact {
        self.me
    }

    fn status(&self) -> Status {
        Status {
            me: self.me,
            overlay: Self::OVERLAY.to_owned(),
            member: self.member,
            promise: Promise::BestEffort,
            peers: self.members.len() as u32,
            values: self.values.len() as u64,
            holders: self.down,
            stored_bytes: self.before_urgent,
            ..StatusReport::of(self.me).status
        }
    }

    fn peers(&self) -> Vec<PeerInfo> {
        Vec::new()
    }
}

fn start(join: &[&NodeHandle]) -> (TempDir, NodeHandle) {
    let temp = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::local(temp.path().join("data"));
    options.join = join.iter().map(|node| node.listen().to_string()).collect();
    let node = Node::start(&options, |site| Ok(Toy::new(site.me))).unwrap();
    (temp, node)
}

#[tokio::test]
async fn small_and_large_values_are_found_through_another_node() {
    let (_a, first) = start(&[]);
    let (_b, second) = start(&[&first]);
    let (_c, third) = start(&[&second]);
    until(&first, "three know each other", |status| status.peers == 2).await;
    let key = Id::of(b"key");
    for length in [0, 1, 100, 16_000, 17_000, 200_000, 1 << 20] {
        let value: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        first.call(put(key, &value)).await;
        assert_eq!(
            get(&third, key).await.as_deref(),
            Some(&value[..]),
            "length {length}"
        );
    }
    assert_eq!(get(&second, Id::of(b"other")).await, None);
}

#[tokio::test]
async fn a_crash_is_noticed_after_a_restart_and_the_peer_comes_back() {
    let (_a, first) = start(&[]);
    let (temp, second) = start(&[&first]);
    until(&first, "two know each other", |status| status.peers == 1).await;
    let (contact, listen) = (second.contact(), second.listen());
    drop(second);
    until(&first, "the end is noticed", |status| status.holders == 1).await;
    let mut options = NodeOptions::local(temp.path().join("data"));
    options.listen = listen;
    options.join = vec![first.listen().to_string()];
    let again = Node::start(&options, |site| Ok(Toy::new(site.me))).unwrap();
    assert_eq!(again.contact(), contact, "the key was kept");
    until(&first, "it is back", |status| status.peers == 1).await;
    first.call(put(Id::of(b"k"), b"v")).await;
    assert_eq!(get(&again, Id::of(b"k")).await.as_deref(), Some(&b"v"[..]));
}

#[tokio::test]
async fn a_peer_that_breaks_the_rules_is_hung_up_on_and_refused() {
    let (_a, first) = start(&[]);
    let (_b, second) = start(&[&first]);
    until(&first, "two know each other", |status| status.peers == 1).await;
    let mischief = Request::Delete {
        key: Id::of(b"k"),
        holder: None,
        consistency: Consistency::One,
        condition: Condition::Always,
    };
    second.call(mischief.clone()).await;
    until(&second, "it is hung up on", |status| status.holders == 1).await;
    assert_eq!(
        first.metrics().faults.with_label_values(&["flood"]).get(),
        1
    );
    let again = NodeOptions {
        join: vec![first.listen().to_string()],
        ..NodeOptions::local(_b.path().join("data"))
    };
    drop(second);
    let error = Node::start(&again, |site| Ok(Toy::new(site.me))).unwrap_err();
    assert!(matches!(error, StartError::Join(_)), "{error}");
    assert!(
        first
            .metrics()
            .refused
            .with_label_values(&["refused_peer"])
            .get()
            >= 1
    );
}

#[tokio::test]
async fn a_certificate_of_another_id_is_dropped_and_reported() {
    let (_a, first) = start(&[]);
    let (_b, second) = start(&[&first]);
    until(&first, "two know each other", |status| status.peers == 1).await;
    let lie = Request::Locate {
        key: Id::of(b"nobody"),
        iterative: false,
    };
    second.call(lie).await;
    until(&first, "the liar is found out", |status| {
        status.holders == 1 && status.peers == 1
    })
    .await;
    assert_eq!(
        first
            .metrics()
            .dropped
            .with_label_values(&["wrong_id"])
            .get(),
        1
    );
    first.call(put(Id::of(b"k"), b"v")).await;
    assert_eq!(get(&second, Id::of(b"k")).await.as_deref(), Some(&b"v"[..]));
}

//! What happens at a node, told to whoever follows it.
//!
//! The machine's task tells, and never waits: a reader that is too far behind loses its place.

use crate::documents::{Located, evidence_of, members};
use overlay::{Reply, RingChange};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::{Notify, broadcast};

/// Events that a reader may be behind. A busy node tells of some thousand calls a second, so this
/// outlasts a short pause of a reader, with 300 bytes each.
pub(crate) const MAX_BEHIND: usize = 1_024;

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    /// What kind of thing.
    pub(crate) name: &'static str,
    /// A JSON document.
    pub(crate) data: Arc<str>,
}

/// Where it is told.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    sender: broadcast::Sender<Happening>,
    readers: Arc<Notify>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(MAX_BEHIND),
            readers: Arc::default(),
        }
    }

    /// A place at the feed, if there are fewer than `most` readers.
    pub(crate) fn read(&self, most: usize) -> Option<broadcast::Receiver<Happening>> {
        let receiver = (self.sender.receiver_count() < most).then(|| self.sender.subscribe());
        self.readers.notify_one();
        receiver
    }

    /// Waits until somebody reads.
    pub(crate) async fn is_read(&self) {
        while self.sender.receiver_count() == 0 {
            self.readers.notified().await;
        }
    }

    /// Tells something. Where nobody reads it costs nothing.
    pub(crate) fn tell(&self, name: &'static str, data: impl FnOnce() -> Value) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        let data = data().to_string().into();
        // The last reader may just have gone.
        let _ = self.sender.send(Happening { name, data });
    }

    /// Tells of a call that was answered.
    pub(crate) fn answered(&self, kind: &'static str, reply: &Reply, seconds: f64) {
        let name = match reply {
            Reply::Located(_) => "lookup",
            _ => "operation",
        };
        self.tell(name, || {
            let mut told = match reply {
                Reply::Located(report) => json!(Located::from(report)),
                Reply::Put(report) => json!({ "key": report.key }),
                Reply::Got(report) => json!({ "key": report.key }),
                Reply::Inserted(report) => json!({ "key": report.key }),
                Reply::Searched(report) => json!({ "key": report.key }),
                Reply::Deleted(report) => json!({ "key": report.key }),
                Reply::Conflict(report) => json!({ "key": report.key }),
                Reply::Failed(failure) => json!({ "error": failure.to_string() }),
                _ => json!({}),
            };
            if let Some(told) = told.as_object_mut() {
                told.insert("kind".to_owned(), kind.into());
                told.insert("seconds".to_owned(), seconds.into());
                let failed = matches!(reply, Reply::Failed(_));
                told.insert("failed".to_owned(), failed.into());
                let writes = matches!(kind, "put" | "insert" | "delete");
                told.extend(evidence_of(reply, writes));
            }
            told
        });
    }

    /// Tells of a change of membership.
    pub(crate) fn ring(&self, change: &RingChange) {
        self.tell("ring", || {
            let who = |contact: &Option<overlay::Contact>| {
                contact.and_then(|contact| members(&[contact]).pop())
            };
            match change {
                RingChange::Successor { was, is } => {
                    json!({ "change": "successor", "was": who(was), "is": who(is) })
                }
                RingChange::Predecessor { was, is } => {
                    json!({ "change": "predecessor", "was": who(was), "is": who(is) })
                }
                RingChange::Dead(peer) => json!({ "change": "dead", "peer": who(&Some(*peer)) }),
                RingChange::Reunited(peer) => {
                    json!({ "change": "reunited", "peer": who(&Some(*peer)) })
                }
                RingChange::CutOff => json!({ "change": "cut_off" }),
                RingChange::LastOfItsRing => json!({ "change": "last_of_its_ring" }),
                _ => json!({ "change": "other" }),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Failure;
    use tokio::sync::broadcast::error::TryRecvError;

    #[test]
    fn what_a_call_came_to_is_told() {
        let feed = Feed::new();
        let mut reader = feed.read(1).unwrap();
        for (kind, outcome) in [("put", "failed"), ("get", "unknown")] {
            feed.answered(kind, &Reply::Failed(Failure::NotMember), 0.1);
            let told: Value = serde_json::from_str(&reader.try_recv().unwrap().data).unwrap();
            assert_eq!(
                (&told["failed"], &told["outcome"]),
                (&true.into(), &outcome.into())
            );
        }
    }

    #[test]
    fn a_reader_that_is_too_far_behind_loses_its_place() {
        let feed = Feed::new();
        // Nobody reads: nothing is even written down.
        feed.tell("operation", || unreachable!("nobody reads"));
        let mut slow = feed.read(1).unwrap();
        assert!(feed.read(1).is_none(), "one reader is the limit");
        for number in 0..=MAX_BEHIND {
            feed.tell("operation", || number.into());
        }
        assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(1))));
        drop(slow);
        assert!(feed.read(1).is_some());
    }
}

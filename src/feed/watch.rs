//! Neighbours and repairs, which are looked at while somebody reads.

use super::Feed;
use crate::event::{Event, Repair};
use crate::runtime::Command;
use overlay::{Neighbours, Status};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at neighbours and repairs while somebody reads, until the node ends.
pub(crate) async fn watch(feed: Feed, commands: mpsc::Sender<Command>) {
    let mut seen: Option<Seen> = None;
    loop {
        feed.is_read().await;
        let (reply, answer) = oneshot::channel();
        if commands.send(Command::Report(reply)).await.is_err() {
            return;
        }
        let Ok(report) = answer.await else { return };
        seen = Some(Seen::tell(&feed, seen, &report.status));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What was told last.
struct Seen {
    neighbours: Neighbours,
    repair: Repair,
}

impl Seen {
    fn tell(feed: &Feed, last: Option<Self>, status: &Status) -> Self {
        let now = Self {
            neighbours: status.neighbours.clone(),
            repair: status.into(),
        };
        let are_new = last
            .as_ref()
            .is_none_or(|last| last.neighbours != now.neighbours);
        if are_new {
            feed.tell(|| Event::Neighbours(now.neighbours.clone()));
        }
        if last.is_some_and(|last| last.repair != now.repair) {
            feed.tell(|| Event::Repair(now.repair.clone()));
        }
        now
    }
}

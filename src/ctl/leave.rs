//! Leaving: it takes as long as it takes, and shows how far it is.

use super::args::LeaveArgs;
use super::moving;
use super::output::{Answer, Exit, document};
use super::{Asking, CtlError, wrong_answer};
use crate::control::client::Connector;
use crate::control::session::Session;
use crate::control::{ControlBody, ControlReply, ReplyBody, StatusReport, proof};
use indicatif::ProgressBar;
use overlay::{Reply, Status};
use serde_json::json;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::Instant;

/// How often the node is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The request to leave on its session.
const LEAVE_ID: u64 = 0;

pub(super) async fn leave(asking: Asking, args: LeaveArgs) -> Result<Answer, CtlError> {
    let mut session = administer(&asking).await?;
    let addr = session.addr();
    let body = match args.within {
        Some(seconds) => ControlBody::LeaveWithin { seconds },
        None => ControlBody::Leave,
    };
    let mut watch = Watch::new(asking.timeout);
    let end = watch.until_answered(&mut session, body).await;
    watch.bar.finish_and_clear();
    session.close().await;
    match end? {
        ReplyBody::Left => {}
        ReplyBody::Data(Reply::Failed(failure)) => return Err(CtlError::Failed(failure)),
        ReplyBody::Denied(why) => return Err(CtlError::Denied(why)),
        ReplyBody::Invalid(why) => return Err(CtlError::WrongUse(why)),
        _ => return Err(wrong_answer(addr)),
    }
    let left_alone = watch.last.as_ref().is_some_and(|status| status.peers == 0);
    let text = if left_alone {
        format!("left: {addr} was the last of its network and ends; what it had stays on its disk")
    } else {
        format!("left: {addr} handed its data over and ends")
    };
    let json = document(json!({
        "addr": addr, "outcome": "left", "last_node": left_alone,
        "moved_records": watch.last.map(|status| status.moved_records),
    }));
    Ok(Answer::new(Exit::Done, json, text))
}

async fn administer(asking: &Asking) -> Result<Session, CtlError> {
    let addrs = asking.node.resolve().await?;
    let config = proof::administrator(asking.key.as_deref(), &addrs).map_err(|error| {
        if asking.key.is_some() {
            CtlError::WrongUse(error.to_string())
        } else {
            CtlError::Local(error.to_string())
        }
    })?;
    let mut connector = Connector::new(config);
    Ok(connector.connect(&asking.node, asking.timeout).await?)
}

/// What is seen of a node that leaves.
struct Watch {
    bar: ProgressBar,
    /// How long it may make no progress.
    patience: Duration,
    last: Option<Status>,
    /// When there was progress.
    moved_at: Instant,
}

impl Watch {
    fn new(patience: Duration) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_message("leaving");
        Self {
            bar,
            patience,
            last: None,
            moved_at: Instant::now(),
        }
    }

    /// Asks the node to leave and how far it is, again and again, until it is done.
    async fn until_answered(
        &mut self,
        session: &mut Session,
        body: ControlBody,
    ) -> Result<ReplyBody, CtlError> {
        // How it is before it leaves, too: afterwards it may answer nothing more.
        let mut number = LEAVE_ID + 1;
        session.queue(number, ControlBody::Status);
        session.queue(LEAVE_ID, body);
        let mut replies = Vec::new();
        let mut is_asked = true;
        loop {
            let next = Instant::now() + LOOK_EVERY;
            while let Ok(exchanged) =
                tokio::time::timeout_at(next, session.exchange(&mut replies)).await
            {
                if let Err(error) = exchanged {
                    return Err(CtlError::Unanswered(error));
                }
                for ControlReply { id, body } in replies.drain(..) {
                    match body {
                        body if id == LEAVE_ID => return Ok(body),
                        ReplyBody::Status(report) => {
                            is_asked = false;
                            self.see(*report);
                        }
                        _ => {}
                    }
                }
            }
            if self.moved_at.elapsed() >= self.patience {
                return Err(CtlError::StillLeaving(self.complaint()));
            }
            // One question at a time: a node that is busy gets no heap of them.
            if !is_asked {
                is_asked = true;
                number += 1;
                session.queue(number, ControlBody::Status);
            }
        }
    }

    fn see(&mut self, report: StatusReport) {
        let status = report.status;
        let progress = |status: &Status| {
            let records = status.moving.iter().map(|movement| movement.records);
            (status.moved_records, records.sum::<u64>())
        };
        if self.last.as_ref().map(progress) != Some(progress(&status)) {
            self.moved_at = Instant::now();
        }
        let text = moving::summary(&status);
        self.bar.set_message(if text.is_empty() {
            "leaving".to_owned()
        } else {
            format!("leaving; {text}")
        });
        self.bar.tick();
        self.last = Some(status);
    }

    fn complaint(&self) -> String {
        let patience = humantime::format_duration(self.patience);
        let text = self.last.as_ref().map(moving::summary).unwrap_or_default();
        let what = if text.is_empty() {
            String::new()
        } else {
            format!(" ({text})")
        };
        format!("the node is leaving, and nothing has moved for {patience}{what}")
    }
}

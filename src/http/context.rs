//! What every path works with: the machine's task, asked with a deadline.

use super::network::Pictures;
use super::problem::Problem;
use super::ready::Readiness;
use crate::control::StatusReport;
use crate::feed::Feed;
use crate::metrics::Metrics;
use crate::runtime::Command;
use axum::body::Bytes;
use overlay::{Contact, Id, PeerInfo, Quorums, Reply, Request};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the machine's task may take for a report before the node counts as silent.
pub(super) const REPORT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call may take. The machine answers each by itself within eight seconds or so; this is
/// for a machine that has ended.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// What a node's HTTP server is made from.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The node as others know it.
    pub(crate) me: Contact,
    pub(crate) quorums: Quorums,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) feed: Feed,
}

/// The same, and what the paths keep.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) site: Site,
    pub(super) readiness: Arc<Readiness>,
    pub(super) pictures: Arc<Pictures>,
    /// The description of all paths, once they are all known.
    pub(super) description: Arc<OnceLock<Bytes>>,
}

impl Context {
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            readiness: Arc::default(),
            pictures: Arc::default(),
            description: Arc::default(),
        }
    }

    async fn ask<T>(
        &self,
        limit: Duration,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.site.commands.send(command(reply)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(limit, asked).await.ok().flatten()
    }

    /// How the node is; none when it says nothing.
    pub(super) async fn report(&self) -> Option<StatusReport> {
        self.ask(REPORT_TIMEOUT, Command::Report).await
    }

    /// The peers in its tables; none when it says nothing.
    pub(super) async fn peers(&self) -> Option<Vec<PeerInfo>> {
        self.ask(REPORT_TIMEOUT, Command::Peers).await
    }

    /// Makes a call of the node's own; none when it says nothing.
    pub(super) async fn look(&self, request: Request) -> Option<Reply> {
        self.ask(CALL_TIMEOUT, |reply| Command::Look { request, reply })
            .await
    }

    /// Makes a call. What the node could not do is a problem.
    pub(super) async fn call(&self, request: Request) -> Result<Reply, Problem> {
        let (key, writes) = about(&request);
        let asked = self.ask(CALL_TIMEOUT, |reply| Command::Call { request, reply });
        match asked.await {
            Some(Reply::Failed(failure)) => Err(Problem::failed(&failure, key, writes)),
            Some(reply) => Ok(reply),
            None => Err(Problem::silent(writes)),
        }
    }
}

/// The key of a call, and whether it may change something.
const fn about(request: &Request) -> (Option<Id>, bool) {
    match request {
        Request::Put { key, .. } | Request::Insert { key, .. } | Request::Delete { key, .. } => {
            (Some(*key), true)
        }
        Request::Get { key, .. } | Request::Search { key, .. } | Request::Locate { key, .. } => {
            (Some(*key), false)
        }
        _ => (None, false),
    }
}

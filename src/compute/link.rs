//! Many questions to one node at once.

use super::ComputeError;
use crate::control::client::{ClientError, Connector, NodeName};
use crate::control::session::Session;
use crate::control::window::Window;
use crate::control::{ControlBody, ReplyBody, proof};
use overlay::{Reply, Request};
use std::time::Duration;

/// Questions under way at a time: enough to fill the groups that nodes make durable together.
const IN_FLIGHT: usize = 64;

/// A node, and a session with it while that lives.
#[derive(Debug)]
pub(super) struct Link {
    node: NodeName,
    timeout: Duration,
    session: Option<Session>,
}

impl Link {
    pub(super) const fn new(node: NodeName, timeout: Duration) -> Self {
        Self {
            node,
            timeout,
            session: None,
        }
    }

    /// The answers, in the order of the questions. After an error the next call opens a session
    /// anew, so that no late answer is taken for another.
    pub(super) async fn ask(&mut self, requests: Vec<Request>) -> Result<Vec<Reply>, ComputeError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.open().await?,
        };
        let mut replies: Vec<Option<Reply>> = Vec::new();
        replies.resize_with(requests.len(), || None);
        let mut to_ask = requests.into_iter().enumerate();
        let window = Window {
            session: &mut session,
            limit: IN_FLIGHT,
            timeout: self.timeout,
        };
        let next = || {
            to_ask
                .next()
                .map(|(at, request)| (at, ControlBody::Data(request)))
        };
        let ran = window.run(next, |at, answer, _| {
            if let (Some(slot), Ok(ReplyBody::Data(reply))) = (replies.get_mut(at), answer) {
                *slot = Some(reply);
            }
        });
        ran.await?;
        let addr = session.addr();
        let all = replies.into_iter().map(|reply| match reply {
            Some(Reply::Failed(failure)) => Err(ComputeError::Failed(failure)),
            Some(reply) => Ok(reply),
            None => Err(ComputeError::Client(ClientError::NoAnswer {
                addr,
                after: self.timeout,
            })),
        });
        let all = all.collect::<Result<_, _>>()?;
        self.session = Some(session);
        Ok(all)
    }

    async fn open(&self) -> Result<Session, ComputeError> {
        let config = proof::anonymous().map_err(|error| ClientError::Socket(error.to_string()))?;
        let mut connector = Connector::new(config);
        Ok(connector.connect(&self.node, self.timeout).await?)
    }
}

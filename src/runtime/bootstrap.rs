//! Finding a member of the network to join.

use super::dial::{self, DialError};
use super::{Command, Shared};
use overlay::{Failure, Machine, Reply, Request};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// How long a node tries to join before it gives up: its members may be starting just now.
pub const JOIN_PATIENCE: Duration = Duration::from_secs(5);
/// Pause after the first round of tries; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Most addresses that one name is tried at.
const MAX_ADDRESSES: usize = 16;

/// A `--join` argument with its addresses.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    name: String,
    addresses: Vec<SocketAddr>,
}

/// Looks a name up; the reason when that fails.
pub(crate) fn resolve(name: &str) -> Result<Target, String> {
    let found = name.to_socket_addrs().map_err(|error| error.to_string())?;
    let addresses: Vec<_> = found.take(MAX_ADDRESSES).collect();
    if addresses.is_empty() {
        return Err("it has no address".to_owned());
    }
    Ok(Target {
        name: name.to_owned(),
        addresses,
    })
}

/// What went wrong at one address.
#[derive(Debug)]
enum Attempt {
    Dial(DialError),
    Join(Failure),
}

impl Attempt {
    /// Whether it will be the same the next time.
    const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Dial(
                DialError::Address(_)
                    | DialError::OtherOverlay
                    | DialError::OtherQuorums(_)
                    | DialError::Oneself
            )
        )
    }

    fn explain(&self, overlay: &str) -> String {
        match self {
            Self::Dial(DialError::Silence) => {
                "nobody answers; check that a node runs there and that UDP gets through".to_owned()
            }
            Self::Dial(DialError::OtherOverlay) => {
                format!("the node there runs another overlay than {overlay}; check --overlay")
            }
            Self::Dial(DialError::OtherQuorums(theirs)) => format!(
                "the network there runs with {theirs}, and all nodes of a network have the same; start this one with these flags"
            ),
            Self::Dial(DialError::Oneself) => {
                "that is this node itself; name another member, or none to found a network"
                    .to_owned()
            }
            Self::Dial(error) => error.to_string(),
            Self::Join(failure) => failure.to_string(),
        }
    }
}

/// Joins the network of the first target that lets us, or founds one when there are no targets.
///
/// # Errors
/// One line that says for each address what went wrong.
pub(crate) async fn join<M: Machine + 'static>(
    shared: &Arc<Shared<M>>,
    commands: &mpsc::Sender<Command>,
    targets: &[Target],
) -> Result<(), String> {
    if targets.is_empty() {
        return call(commands, Request::Create)
            .await
            .map_err(|failure| failure.to_string());
    }
    let give_up = Instant::now() + JOIN_PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        let mut failures = Vec::new();
        for target in targets {
            for address in &target.addresses {
                match join_at(shared, commands, *address).await {
                    Ok(()) => return Ok(()),
                    Err(attempt) => failures.push((target, *address, attempt)),
                }
            }
        }
        let hopeless = failures.iter().all(|(_, _, attempt)| attempt.is_final());
        if hopeless || Instant::now() + pause >= give_up {
            return Err(describe(&failures, shared.overlay));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn describe(failures: &[(&Target, SocketAddr, Attempt)], overlay: &str) -> String {
    let one = |(target, address, attempt): &(&Target, SocketAddr, Attempt)| {
        let place = if target.name == address.to_string() {
            target.name.clone()
        } else {
            format!("{} ({address})", target.name)
        };
        format!("{place}: {}", attempt.explain(overlay))
    };
    failures.iter().map(one).collect::<Vec<_>>().join("; ")
}

async fn join_at<M: Machine + 'static>(
    shared: &Arc<Shared<M>>,
    commands: &mpsc::Sender<Command>,
    address: SocketAddr,
) -> Result<(), Attempt> {
    if address == shared.me.addr {
        return Err(Attempt::Dial(DialError::Oneself));
    }
    let via = dial::introduce(shared, address)
        .await
        .map_err(Attempt::Dial)?;
    call(commands, Request::Join { via })
        .await
        .map_err(Attempt::Join)
}

async fn call(commands: &mpsc::Sender<Command>, request: Request) -> Result<(), Failure> {
    let (reply, answer) = oneshot::channel();
    let stopped = || Failure::JoinFailed("the node was stopped".to_owned());
    commands
        .send(Command::Call { request, reply })
        .await
        .map_err(|_| stopped())?;
    match answer.await.map_err(|_| stopped())? {
        Reply::Failed(failure) => Err(failure),
        _ => Ok(()),
    }
}

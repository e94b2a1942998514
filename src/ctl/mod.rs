//! `p2pctl`: a person's hand on a node.
//!
//! Each command is one question to one node, and each answer says its evidence. With `--json`,
//! standard output is exactly one document, on failure too.

mod admin;
mod args;
mod bench;
mod commands;
mod holders;
mod output;
mod parse;

pub use args::CtlArgs;

use crate::control::client::{ClientError, Connector, NodeName};
use crate::control::session::Session;
use crate::control::{ControlBody, ReplyBody, proof};
use args::{Command, DEFAULT_LEAVE_TIMEOUT, DEFAULT_TIMEOUT};
use clap::Parser;
use output::{Answer, Exit, print_error, print_json};
use overlay::Failure;
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// The document of `--json`.
type Document = Map<String, Value>;

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
enum CtlError {
    /// The command makes no sense.
    #[error("{0}")]
    WrongUse(String),
    /// The node was not reached, or the question did not go out.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The node was asked, and there is no answer.
    #[error("{0}")]
    Unanswered(ClientError),
    /// The node says that it could not be done.
    #[error("{0}")]
    Failed(Failure),
    /// The node does not allow it.
    #[error("{0}")]
    Denied(String),
    /// Something on this machine went wrong.
    #[error("{0}")]
    Local(String),
}

impl CtlError {
    const fn exit(&self) -> Exit {
        match self {
            Self::WrongUse(_) | Self::Failed(Failure::Refused(_)) => Exit::WrongUse,
            _ => Exit::Unknown,
        }
    }

    /// `failed` when it is sure that nothing was changed, else `unknown`; a read that was not
    /// answered is always unknown.
    const fn outcome(&self, writes: bool) -> &'static str {
        match self {
            Self::WrongUse(_) | Self::Denied(_) | Self::Failed(Failure::Refused(_)) => "failed",
            Self::Unanswered(_)
            | Self::Failed(Failure::TooFewReplicas { .. } | Failure::NoAnswer { .. }) => "unknown",
            _ if writes => "failed",
            _ => "unknown",
        }
    }
}

/// Runs `p2pctl` with the arguments of a process, the program's name first.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    match CtlArgs::try_parse_from(&arguments) {
        Ok(args) => run_command(args),
        Err(error) => refuse(
            &error,
            arguments.iter().any(|argument| argument == "--json"),
        ),
    }
}

/// Prints what the command-line parser says; help and version are no errors.
fn refuse(error: &clap::Error, as_json: bool) -> ExitCode {
    use clap::error::ErrorKind;
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if as_json && !asked {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        let line = line.strip_prefix("error: ").unwrap_or(line);
        print_json(failure_document(Map::new(), line, "failed"));
    } else {
        let _ = error.print();
    }
    if asked {
        Exit::Done.into()
    } else {
        Exit::WrongUse.into()
    }
}

fn run_command(args: CtlArgs) -> ExitCode {
    let (name, writes, as_json) = (args.command.name(), args.command.writes(), args.json);
    let made = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let mut context = Map::new();
    let result = match made {
        Ok(runtime) => {
            let result = runtime.block_on(answer(args, &mut context));
            // A name server that is silent must not hold up the end.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(CtlError::Local(format!(
            "cannot start the runtime: {error}"
        ))),
    };
    match result {
        Ok(answer) => answer.print(as_json),
        Err(error) => {
            let line = error.to_string();
            print_error(&line);
            if as_json {
                context.insert("command".to_owned(), name.into());
                print_json(failure_document(context, &line, error.outcome(writes)));
            }
            error.exit().into()
        }
    }
}

fn failure_document(mut context: Document, line: &str, outcome: &str) -> Document {
    context.insert("outcome".to_owned(), outcome.into());
    context.insert("error".to_owned(), line.into());
    context
}

/// Runs one command. What is known of the question goes into `context`, so that a failure can
/// name it too.
async fn answer(args: CtlArgs, context: &mut Document) -> Result<Answer, CtlError> {
    let CtlArgs {
        node,
        timeout,
        key,
        command,
        json,
    } = args;
    let default = match command {
        Command::Leave => DEFAULT_LEAVE_TIMEOUT,
        _ => DEFAULT_TIMEOUT,
    };
    let asking = Asking {
        node,
        timeout: timeout.unwrap_or(default),
        key,
    };
    match command {
        Command::Put(args) => commands::put(asking, args, context).await,
        Command::Get(args) => commands::get(asking, args, context).await,
        Command::Insert(args) => holders::insert(asking, args, context).await,
        Command::Search(args) => holders::search(asking, args, context).await,
        Command::Delete(args) => commands::delete(asking, args, context).await,
        Command::Locate(args) => commands::locate(asking, args, context).await,
        Command::Status => admin::status(asking).await,
        Command::Peers => admin::peers(asking).await,
        Command::Leave => admin::leave(asking).await,
        Command::Bench(args) => bench::run(asking, args, json).await,
    }
}

/// Whom to ask, and how long.
struct Asking {
    node: NodeName,
    timeout: Duration,
    key: Option<std::path::PathBuf>,
}

impl Asking {
    /// Opens a session as nobody in particular.
    async fn open(&self) -> Result<Session, CtlError> {
        let config = proof::anonymous().map_err(|error| CtlError::Local(error.to_string()))?;
        Ok(Connector::new(config)
            .connect(&self.node, self.timeout)
            .await?)
    }

    /// Asks one question on a session.
    async fn ask(&self, session: &mut Session, body: ControlBody) -> Result<ReplyBody, CtlError> {
        let addr = session.addr();
        match tokio::time::timeout(self.timeout, session.call(body)).await {
            Ok(Ok(ReplyBody::Denied(why))) => Err(CtlError::Denied(why)),
            Ok(Ok(ReplyBody::Invalid(why))) => Err(CtlError::WrongUse(why)),
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(CtlError::Unanswered(error)),
            Err(_) => Err(CtlError::Unanswered(ClientError::NoAnswer {
                addr,
                after: self.timeout,
            })),
        }
    }
}

/// The node answered another question than the one asked.
fn wrong_answer(addr: std::net::SocketAddr) -> CtlError {
    let what = "the answer belongs to another question".to_owned();
    CtlError::Unanswered(ClientError::Nonsense { addr, what })
}

/// As [`wrong_answer`], where the node's address is no longer at hand.
fn wrong_answer_of(command: &str) -> CtlError {
    let why = "use the p2pctl of the node's version";
    CtlError::Local(format!(
        "the node answered something else than a {command}; {why}"
    ))
}

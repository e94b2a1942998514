//! `p2pctl`: a person's hand on a node.
//!
//! Each command is one question to one node, and each answer says its evidence. With `--json`,
//! standard output is exactly one document, on failure too.

mod admin;
mod args;
mod batch;
mod bench;
mod commands;
mod failure;
mod holders;
mod leave;
mod locate;
mod moving;
mod neighbours;
mod output;
mod papers;
mod parse;
mod swarm;
mod targets;
mod top;
mod torrent;
mod words;

pub use args::CtlArgs;

use crate::control::client::{ClientError, Connector, NodeName};
use crate::control::session::Session;
use crate::control::{ControlBody, ReplyBody, proof};
use args::{Command, DEFAULT_LEAVE_TIMEOUT, DEFAULT_TIMEOUT};
use clap::Parser;
use failure::CtlError;
use output::{Answer, print_error, print_json};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

/// The document of `--json`.
type Document = Map<String, Value>;

/// Runs `p2pctl` with the arguments of a process, the program's name first.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    match CtlArgs::try_parse_from(&arguments) {
        Ok(args) => run_command(args),
        Err(error) => failure::refuse(&error, &arguments),
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
                error.evidence(&mut context);
                let (outcome, hint) = (error.outcome(writes), error.hint(name, writes));
                print_json(failure::document(context, &line, outcome, &hint));
            }
            error.exit().into()
        }
    }
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
        Command::Leave(_) => DEFAULT_LEAVE_TIMEOUT,
        _ => DEFAULT_TIMEOUT,
    };
    let asking = Asking {
        node,
        timeout: timeout.unwrap_or(default),
        key,
    };
    match command {
        Command::Put(args) if args.batch.is_some() => batch::put(asking, args, json).await,
        Command::Insert(args) if args.batch.is_some() => batch::insert(asking, args, json).await,
        Command::Put(args) => commands::put(asking, args, context).await,
        Command::Get(args) => commands::get(asking, args, context).await,
        Command::Insert(args) => holders::insert(asking, args, context).await,
        Command::Search(args) if args.name.is_none() => words::search(asking, args, context).await,
        Command::Search(args) => holders::search(asking, args, context).await,
        Command::Delete(args) => commands::delete(asking, args, context).await,
        Command::Locate(args) => locate::locate(asking, args, context).await,
        Command::Status => admin::status(asking).await,
        Command::Peers(args) if args.prometheus => targets::write(asking, &args).await,
        Command::Peers(_) => admin::peers(asking).await,
        Command::Top(args) => top::run(asking, args, json).await,
        Command::Leave(args) => leave::leave(asking, args).await,
        Command::Bench(args) => bench::run(asking, args, json).await,
        Command::Torrent(args) => torrent::run(asking, args, context, json).await,
        Command::Swarm(args) => swarm::run(asking, args, context).await,
        Command::Completions(args) => Ok(papers::completions(&args)),
        Command::Man(args) => papers::man(&args, context),
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

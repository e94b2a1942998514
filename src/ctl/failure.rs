//! A command without an answer: its exit code, and its document with `--json`.
//!
//! The document says which `command` and `key` it was about, the `outcome`, the `error`, and in
//! `hint` what to do.

use super::Document;
use super::args::CtlArgs;
use super::commands::note_key;
use super::output::{Exit, print_error, print_json};
use super::parse::Key;
use crate::control::client::ClientError;
use crate::documents::{durable_of, outcome_of};
use crate::usage;
use clap::{Arg, ArgMatches, CommandFactory};
use overlay::Failure;
use serde_json::Map;
use std::ffi::OsString;
use std::process::ExitCode;

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CtlError {
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
    /// A node that leaves makes no progress.
    #[error("{0}")]
    StillLeaving(String),
}

impl CtlError {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            Self::WrongUse(_) | Self::Failed(Failure::Refused(_)) => Exit::WrongUse,
            _ => Exit::Unknown,
        }
    }

    /// `failed` when it is sure that nothing was changed, else `unknown`; a read that was not
    /// answered is always unknown.
    pub(super) const fn outcome(&self, writes: bool) -> &'static str {
        match self {
            Self::Failed(failure) => outcome_of(failure, writes),
            Self::WrongUse(_) | Self::Denied(_) => "failed",
            Self::Unanswered(_) | Self::StillLeaving(_) => "unknown",
            _ if writes => "failed",
            _ => "unknown",
        }
    }

    /// Adds what is known of how far a write came.
    pub(super) fn evidence(&self, known: &mut Document) {
        if let Self::Failed(failure) = self {
            known.extend(durable_of(failure));
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self, command: &str, writes: bool) -> String {
        let hint = match self {
            Self::WrongUse(_) | Self::Failed(Failure::Refused(_)) => return help_of(command),
            Self::Client(_) => "nothing was asked; try again, or name another node with --node",
            Self::Failed(Failure::Full(_)) => {
                "delete something, raise --max-store of the nodes, or add nodes"
            }
            Self::Failed(Failure::NotHandedOver { .. }) => {
                "the node has ended; wait until `settled` is true in the status of the others"
            }
            Self::Failed(Failure::LastNode { .. }) => {
                "let another node join and leave again then, or end it with `p2pctl leave --within 0s`: its data stays in its data directory, for a node that is started there again"
            }
            Self::StillLeaving(_) => {
                "it goes on leaving, and `p2pctl status` shows how far it is; `p2pctl leave --within 0s` ends it in any case"
            }
            Self::Unanswered(_)
            | Self::Failed(Failure::TooFewReplicas { .. } | Failure::NoAnswer { .. })
                if writes =>
            {
                "it may have taken effect or still do; read before you repeat it"
            }
            Self::Unanswered(_) => {
                "try again with a longer --timeout, or name another node with --node"
            }
            Self::Failed(_) => "nothing was changed; try again, or name another node with --node",
            Self::Denied(_) => {
                "prove the node's key with --key FILE, or have yours listed in its authorized_clients"
            }
            Self::Local(_) => "mend that on this machine, then try again",
        };
        hint.to_owned()
    }
}

fn help_of(command: &str) -> String {
    format!("see `p2pctl {command} --help`")
}

/// The document of a failure; `known` is what is known of the question.
pub(super) fn document(mut known: Document, error: &str, outcome: &str, hint: &str) -> Document {
    known.insert("outcome".to_owned(), outcome.into());
    known.insert("error".to_owned(), error.into());
    known.insert("hint".to_owned(), hint.into());
    known
}

/// Prints what the command-line parser says; help and version are no errors.
pub(super) fn refuse(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if usage::is_help(error) {
        error.exit();
    }
    let document = refusal(error, arguments);
    let said = |name: &str| {
        document
            .get(name)
            .and_then(|text| text.as_str())
            .unwrap_or_default()
    };
    print_error(&format!("{}; {}", said("error"), said("hint")));
    if arguments.iter().any(|argument| argument == "--json") {
        print_json(document);
    }
    Exit::WrongUse.into()
}

fn refusal(error: &clap::Error, arguments: &[OsString]) -> Document {
    let line = usage::one_line(error);
    let mut known = Map::new();
    let command = what_is_known(arguments, &mut known);
    let hint = help_of(command.as_deref().unwrap_or_default()).replace("  ", " ");
    document(known, &line, "failed", &hint)
}

/// The command and the key in arguments that are wrong somewhere, as far as the parser gets.
fn what_is_known(arguments: &[OsString], known: &mut Document) -> Option<String> {
    let parser = CtlArgs::command()
        .ignore_errors(true)
        .mut_args(any_value)
        .mut_subcommands(|command| command.mut_args(any_value));
    let matches = parser.try_get_matches_from(arguments).ok()?;
    let (command, mut given) = matches.subcommand()?;
    let mut command = command.to_owned();
    while let Some((part, more)) = given.subcommand() {
        command = format!("{command} {part}");
        given = more;
    }
    known.insert("command".to_owned(), command.as_str().into());
    if let Some(key) = key_in(given) {
        note_key(&key, known);
    }
    Some(command)
}

/// Takes any value: a wrong one must not hide the key behind it.
fn any_value(argument: Arg) -> Arg {
    if argument.get_action().takes_values() {
        argument.value_parser(clap::value_parser!(OsString))
    } else {
        argument
    }
}

fn key_in(given: &ArgMatches) -> Option<Key> {
    let name = given.try_get_one::<OsString>("name").ok()??;
    let hex = given.try_get_one("hex").ok().flatten();
    Key::parse(name, hex.copied().unwrap_or(false)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use overlay::Id;
    use serde_json::json;

    fn refused(arguments: &[&str]) -> Document {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let error = CtlArgs::try_parse_from(&arguments).unwrap_err();
        refusal(&error, &arguments)
    }

    #[test]
    fn wrong_use_names_the_key_that_was_given() {
        let id = Id::of(b"k");
        let hex = Id::of(b"other").to_string();
        for (arguments, key) in [
            (&["p2pctl", "put", "k"][..], json!(id)),
            (&["p2pctl", "get", "k", "--frobnicate"], json!(id)),
            (&["p2pctl", "get", "k", "--consistency", "most"], json!(id)),
            (&["p2pctl", "get", "--consistency", "most", "k"], json!(id)),
            (&["p2pctl", "put", "k", "v", "--ttl", "0"], json!(id)),
            (&["p2pctl", "insert", "--ttl", "0", "k"], json!(id)),
            (&["p2pctl", "--timeout", "0", "get", "k"], json!(id)),
            (&["p2pctl", "get", "--hex", &hex, "more"], json!(hex)),
            (&["p2pctl", "get", "k", "more"], json!(id)),
        ] {
            let document = refused(arguments);
            assert_eq!(
                document.get("key"),
                Some(&key),
                "{arguments:?}: {document:?}"
            );
            assert_eq!(document["outcome"], "failed");
            let hint = document["hint"].as_str().unwrap();
            assert!(hint.starts_with("see `p2pctl "), "{hint}");
        }
    }

    #[test]
    fn a_key_that_is_missing_or_none_is_left_out() {
        for arguments in [
            &["p2pctl", "get"][..],
            &["p2pctl", "get", "--hex", "abc", "more"],
            &["p2pctl", "status", "k"],
            &["p2pctl", "fetch", "k"],
            // Nobody knows whether this is the key or belongs to the flag.
            &["p2pctl", "get", "--frobnicate", "k"],
            &["p2pctl", "bench", "--ops", "many"],
        ] {
            let document = refused(arguments);
            assert_eq!(document.get("key"), None, "{arguments:?}: {document:?}");
        }
    }

    #[test]
    fn the_error_says_what_is_missing_on_one_line() {
        let document = refused(&["p2pctl", "get"]);
        let error = document["error"].as_str().unwrap();
        assert!(error.contains("<KEY>"), "{error}");
        assert!(!error.contains('\n') && !error.contains("Usage"), "{error}");
        assert_eq!(document["hint"], "see `p2pctl get --help`");
    }

    #[test]
    fn a_write_without_an_answer_is_not_called_undone() {
        let failure = Failure::TooFewReplicas {
            durable: 1,
            replicas: 3,
            needed: 2,
        };
        let error = CtlError::Failed(failure);
        assert_eq!(error.outcome(true), "unknown");
        assert!(error.hint("put", true).contains("may have taken effect"));
        let said = error.to_string();
        assert!(
            said.contains("1 of 3 replicas") && said.contains("may still appear"),
            "{said}"
        );
        let mut known = Map::new();
        error.evidence(&mut known);
        let counts = ["replicas_durable", "replicas", "replicas_needed"];
        assert_eq!(counts.map(|name| known[name].as_u64()), [1, 3, 2].map(Some));
        let error = CtlError::Failed(Failure::NotMember);
        assert_eq!(error.outcome(true), "failed");
        assert!(error.hint("put", true).contains("nothing was changed"));
    }
}

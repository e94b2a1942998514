//! The commands on values, and delete; and what all data commands share.

use super::args::{DeleteArgs, GetArgs, KeyArgs, PutArgs};
use super::output::{Answer, Exit, base64, count_of, outcome_word};
use super::parse::{self, Key};
use super::words::check_text;
use super::{Asking, CtlError, Document, wrong_answer, wrong_answer_of};
use crate::control::client::NodeName;
use crate::control::session::Session;
use crate::control::{ControlBody, ReplyBody};
use crate::documents::{Deleted, Stored};
use overlay::{
    Condition, ConflictReport, DeleteReport, GetReport, Outcome, PutReport, Reply, Request,
};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

pub(super) fn key_of(args: &KeyArgs, context: &mut Document) -> Result<Key, CtlError> {
    let key = Key::parse(&args.name, args.hex).map_err(CtlError::WrongUse)?;
    note_key(&key, context);
    Ok(key)
}

/// Adds the key to what is known of the question.
pub(super) fn note_key(key: &Key, context: &mut Document) {
    context.insert("key".to_owned(), json!(key.id));
    if let Some(text) = &key.text {
        context.insert("key_text".to_owned(), json!(text));
    }
}

/// Merges an answer into what is known of the question.
pub(super) fn complete(context: &Document, answer: Value) -> Document {
    let mut all = context.clone();
    all.extend(super::output::document(answer));
    all
}

impl Asking {
    pub(super) async fn data(
        &self,
        session: &mut Session,
        request: Request,
    ) -> Result<Reply, CtlError> {
        match self.ask(session, ControlBody::Data(request)).await? {
            ReplyBody::Data(Reply::Failed(failure)) => Err(CtlError::Failed(failure)),
            ReplyBody::Data(reply) => Ok(reply),
            _ => Err(wrong_answer(session.addr())),
        }
    }

    /// Asks for one data command over a session of its own.
    pub(super) async fn data_once(&self, request: Request) -> Result<Reply, CtlError> {
        let mut session = self.open().await?;
        let reply = self.data(&mut session, request).await;
        session.close().await;
        reply
    }

    pub(super) async fn resolve(&self, name: &NodeName) -> Result<SocketAddr, CtlError> {
        let addrs = name.resolve().await?;
        let none = || CtlError::WrongUse(format!("{name} has no address"));
        addrs.first().copied().ok_or_else(none)
    }
}

/// On how many replicas a write is safe. A node that knows of no other acknowledges alone, which must
/// not look like any other success.
pub(super) fn durable(replicas_durable: u32, replicas: u32) -> String {
    let counted = count_of(replicas.into(), "replica");
    let alone = match replicas {
        1 => ", and is lost with it",
        _ => "",
    };
    format!("durable on {replicas_durable} of {counted}{alone}")
}

fn answered(replicas_answered: u32, replicas_asked: u32, reason: Option<&str>) -> String {
    let counted = format!(
        "{replicas_answered} of {} answered",
        count_of(replicas_asked.into(), "replica")
    );
    match reason {
        Some(reason) => format!("{counted}: {reason}"),
        None => counted,
    }
}

/// What an answer rests on: replicas that answered and were asked, or, where there are no replica
/// sets, the nodes that were `reached`.
pub(super) fn evidence(
    (replicas_answered, replicas_asked): (u32, u32),
    reached: Option<u32>,
    reason: Option<&str>,
) -> String {
    match reached {
        Some(reached) => hit(replicas_answered, reached, reason),
        None => answered(replicas_answered, replicas_asked, reason),
    }
}

/// The evidence of an overlay without replica sets.
fn hit(answered: u32, reached: u32, reason: Option<&str>) -> String {
    match reason {
        // It says how many were reached.
        Some(reason) => format!("{} answered: {reason}", count_of(answered.into(), "node")),
        None => format!(
            "{} answered of {reached} that were reached",
            count_of(answered.into(), "node")
        ),
    }
}

pub(super) async fn put(
    asking: Asking,
    args: PutArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let condition = match args.if_version {
        Some(version) => Condition::Version(version),
        None if args.if_absent => Condition::Absent,
        None => Condition::Always,
    };
    let key = key_of(&given_key(args.name, args.hex)?, context)?;
    let value = match (&args.file, &args.value) {
        (Some(path), _) => parse::value_from_file(path),
        (None, Some(value)) if value == "-" => parse::value_from_stdin(),
        (None, Some(value)) => parse::value_of(value),
        (None, None) => Err("give VALUE, --file F, or - for standard input".to_owned()),
    };
    let value = value.map_err(CtlError::WrongUse)?;
    check_text(&args.text).map_err(CtlError::WrongUse)?;
    let about = StoredBytes {
        bytes: value.len(),
        ttl_s: args.ttl,
    };
    let request = Request::Put {
        key: key.id,
        value: value.into(),
        ttl_s: args.ttl,
        consistency: args.consistency.into(),
        condition,
        text: args.text,
        indexed: key.indexed(args.indexed),
    };
    let reply = asking.data_once(request).await?;
    put_answer(context, reply, &about)
}

/// The key of a command that has another form without one.
pub(super) fn given_key(name: Option<OsString>, hex: bool) -> Result<KeyArgs, CtlError> {
    let none = || CtlError::WrongUse("give a KEY, or --batch FILE".to_owned());
    Ok(KeyArgs {
        name: name.ok_or_else(none)?,
        hex,
    })
}

/// What was to be stored.
#[derive(Debug)]
pub(super) struct StoredBytes {
    pub(super) bytes: usize,
    pub(super) ttl_s: Option<u32>,
}

/// What to say about the reply to a put.
pub(super) fn put_answer(
    context: &Document,
    reply: Reply,
    about: &StoredBytes,
) -> Result<Answer, CtlError> {
    let report = match reply {
        Reply::Put(report) => report,
        Reply::Conflict(report) => return Ok(conflict(context, &report, "put")),
        Reply::Failed(failure) => return Err(CtlError::Failed(failure)),
        _ => return Err(wrong_answer_of("put")),
    };
    let StoredBytes { bytes, ttl_s } = *about;
    let json = complete(context, json!(Stored::of(&report, bytes, ttl_s)));
    let PutReport {
        key,
        version,
        replicas_durable,
        replicas,
    } = report;
    let text = format!(
        "stored: {} under {key}, version {version}, {}",
        count_of(bytes as u64, "byte"),
        durable(replicas_durable, replicas),
    );
    Ok(Answer::new(Exit::Done, json, text))
}

/// A condition did not hold.
fn conflict(context: &Document, report: &ConflictReport, command: &str) -> Answer {
    let ConflictReport {
        key,
        found,
        replicas_answered,
        replicas,
    } = report;
    let there = found.map_or_else(
        || "no value is there".to_owned(),
        |found| format!("version {found} is there"),
    );
    let text = format!(
        "conflict: the {command} of {key} was not done, {there}, {}",
        answered(*replicas_answered, *replicas, None)
    );
    let json = complete(
        context,
        json!({
            "key": key, "outcome": "conflict", "version": found.map(|found| found.to_string()),
            "replicas_answered": replicas_answered, "replicas": replicas,
        }),
    );
    Answer::new(Exit::Absent, json, text)
}

pub(super) async fn get(
    asking: Asking,
    args: GetArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let key = key_of(&args.key, context)?;
    for (name, nothing) in [
        ("value_base64", Value::Null),
        ("version", Value::Null),
        ("replicas_answered", json!(0)),
        ("replicas_asked", json!(0)),
    ] {
        context.insert(name.to_owned(), nothing);
    }
    let request = Request::Get {
        key: key.id,
        consistency: args.consistency.into(),
        at_least: args.at_least,
    };
    let Reply::Got(report) = asking.data_once(request).await? else {
        return Err(wrong_answer_of("get"));
    };
    let GetReport {
        key,
        outcome,
        value,
        version,
        replicas_answered,
        replicas_asked,
        reason,
        reached,
    } = report;
    let json = complete(
        context,
        json!({
            "key": key, "outcome": outcome_word(outcome),
            "value_base64": value.as_ref().map(|value| base64(value)),
            "version": version.map(|version| version.to_string()),
            "replicas_answered": replicas_answered, "replicas_asked": replicas_asked,
            "reason": reason, "nodes_reached": reached,
        }),
    );
    let evidence = evidence(
        (replicas_answered, replicas_asked),
        reached,
        reason.as_deref(),
    );
    let (Outcome::Found, Some(value)) = (outcome, value) else {
        let text = not_found(outcome, &format!("no value under {key}"), &evidence);
        return Ok(Answer::new(outcome.into(), json, text));
    };
    let version = version.unwrap_or_default();
    let size = count_of(value.len() as u64, "byte");
    let text = format!("found: {size} under {key}, version {version}, {evidence}");
    match &args.out {
        Some(path) => {
            write_file(path, &value)?;
            let text = format!("{text}, written to {}", path.display());
            Ok(Answer::new(Exit::Done, json, text))
        }
        None => Ok(Answer {
            exit: Exit::Done,
            json,
            text,
            raw: Some(value),
        }),
    }
}

pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CtlError> {
    std::fs::write(path, bytes).map_err(|error| {
        CtlError::Local(format!(
            "the value was found, but cannot be written to {}: {error}; name another file with --out",
            path.display()
        ))
    })
}

pub(super) fn not_found(outcome: Outcome, what: &str, evidence: &str) -> String {
    match outcome {
        Outcome::Absent => format!("absent: {what}, {evidence}"),
        _ => format!(
            "unknown: it may be there or not; {evidence}; try again, or through another node"
        ),
    }
}

pub(super) async fn delete(
    asking: Asking,
    args: DeleteArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let key = key_of(&args.key, context)?;
    let holder = match &args.holder {
        Some(name) => Some(asking.resolve(name).await?),
        None => None,
    };
    if let Some(holder) = holder {
        context.insert("holder".to_owned(), json!(holder));
    }
    let request = Request::Delete {
        key: key.id,
        holder,
        consistency: args.consistency.into(),
        condition: args
            .if_version
            .map_or(Condition::Always, Condition::Version),
    };
    let report = match asking.data_once(request).await? {
        Reply::Deleted(report) => report,
        Reply::Conflict(report) => return Ok(conflict(context, &report, "delete")),
        _ => return Err(wrong_answer_of("delete")),
    };
    let json = complete(context, json!(Deleted::from(&report)));
    let DeleteReport {
        key,
        outcome,
        replicas_durable,
        replicas,
        ..
    } = report;
    let what = holder.map_or_else(|| "value".to_owned(), |holder| format!("holder {holder}"));
    let held = durable(replicas_durable, replicas);
    let (exit, text) = match outcome {
        Outcome::Found => (Exit::Done, format!("deleted: {what} of {key}, {held}")),
        Outcome::Absent => (
            Exit::Absent,
            format!("absent: there was no {what} of {key}; the deletion is {held}"),
        ),
        Outcome::Unknown => (
            Exit::Done,
            format!("deleted: {what} of {key}, if there was one; the deletion is {held}"),
        ),
    };
    Ok(Answer::new(exit, json, text))
}

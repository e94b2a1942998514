//! The commands on holders: insert and search.

use super::args::{InsertArgs, SearchArgs};
use super::commands::{complete, durable, evidence, given_key, key_of, not_found};
use super::output::{Answer, Exit, aligned, count_of};
use super::words::check_text;
use super::{Asking, CtlError, Document, wrong_answer, wrong_answer_of};
use crate::control::session::Session;
use crate::control::{ControlBody, ReplyBody};
use crate::documents::{Held, Inserted};
use overlay::{InsertReport, Outcome, Reply, Request, SearchReport};
use serde_json::json;
use std::net::SocketAddr;

pub(super) async fn insert(
    asking: Asking,
    args: InsertArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let key = key_of(&given_key(args.name, args.hex)?, context)?;
    check_text(&args.text).map_err(CtlError::WrongUse)?;
    let given = match &args.holder {
        Some(name) => Some(asking.resolve(name).await?),
        None => None,
    };
    let mut session = asking.open().await?;
    let holder = match given {
        Some(holder) => holder,
        None => asking.address_of(&mut session).await?,
    };
    context.insert("holder".to_owned(), json!(holder));
    let request = Request::Insert {
        key: key.id,
        holder,
        lease_s: args.ttl,
        text: args.text,
        indexed: key.indexed(args.indexed),
    };
    let reply = asking.data(&mut session, request).await;
    session.close().await;
    insert_answer(context, reply?)
}

impl Asking {
    /// The address under which the asked node is known to others.
    pub(super) async fn address_of(&self, session: &mut Session) -> Result<SocketAddr, CtlError> {
        match self.ask(session, ControlBody::Status).await? {
            ReplyBody::Status(report) => Ok(report.status.me.addr),
            _ => Err(wrong_answer(session.addr())),
        }
    }
}

/// What to say about the reply to an insert.
pub(super) fn insert_answer(context: &Document, reply: Reply) -> Result<Answer, CtlError> {
    let report = match reply {
        Reply::Inserted(report) => report,
        Reply::Failed(failure) => return Err(CtlError::Failed(failure)),
        _ => return Err(wrong_answer_of("insert")),
    };
    let json = complete(context, json!(Inserted::from(&report)));
    let InsertReport {
        key,
        holder,
        version: _,
        expires_in_s,
        replicas_durable,
        replicas,
    } = report;
    let text = format!(
        "inserted: {holder} holds {key}, lease {}, {}",
        seconds(expires_in_s),
        durable(replicas_durable, replicas),
    );
    Ok(Answer::new(Exit::Done, json, text))
}

pub(super) fn seconds(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

pub(super) async fn search(
    asking: Asking,
    args: SearchArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let key = key_of(&given_key(args.name, args.hex)?, context)?;
    context.insert("holders".to_owned(), json!([]));
    let request = Request::Search {
        key: key.id,
        limit: args.limit,
        consistency: args.consistency.into(),
    };
    let Reply::Searched(report) = asking.data_once(request).await? else {
        return Err(wrong_answer_of("search"));
    };
    let json = complete(context, json!(Held::from(&report)));
    let SearchReport {
        key,
        outcome,
        holders,
        replicas_answered,
        replicas_asked,
        reason,
        reached,
    } = report;
    let evidence = evidence(
        (replicas_answered, replicas_asked),
        reached,
        reason.as_deref(),
    );
    if outcome != Outcome::Found {
        let text = not_found(outcome, &format!("nobody holds {key}"), &evidence);
        return Ok(Answer::new(outcome.into(), json, text));
    }
    let rows: Vec<_> = holders
        .iter()
        .map(|holder| {
            let ends = format!("lease ends in {}", seconds(holder.expires_in_s));
            (
                holder.addr.to_string(),
                format!("{ends}  {}", printable(&holder.text)),
            )
        })
        .collect();
    let counted = count_of(holders.len() as u64, "holder");
    let text = format!("found: {counted} of {key}, {evidence}\n{}", aligned(&rows));
    Ok(Answer::new(Exit::Done, json, text))
}

/// Words of strangers, without what could command a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

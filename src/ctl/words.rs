//! Searches by words and by the beginning of keys.

use super::args::SearchArgs;
use super::commands::complete;
use super::holders::{printable, seconds};
use super::output::{Answer, Exit, aligned, count_of};
use super::torrent::listing;
use super::{Asking, CtlError, Document, wrong_answer_of};
use crate::documents::Matches;
use crate::documents::torrents::Listed;
use overlay::words::{Query, Words};
use overlay::{
    HitKind, MAX_KEY_BYTES, MAX_TEXT_BYTES, Outcome, Reply, Request, TextHit, TextReport,
};
use serde_json::json;
use std::collections::BTreeMap;

/// Checks the words that a holder or a value is to be found by.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!(
            "a text has at most {MAX_TEXT_BYTES} bytes, and this one has {}; shorten it",
            text.len()
        ));
    }
    Words::parse(text)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

pub(super) async fn search(
    asking: Asking,
    args: SearchArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    context.insert("results".to_owned(), json!([]));
    let consistency = args.consistency.into();
    let request = match (args.text, args.prefix) {
        (Some(text), _) => {
            context.insert("text".to_owned(), json!(text));
            Query::parse(&text).map_err(|error| CtlError::WrongUse(error.to_string()))?;
            Request::SearchText {
                text,
                limit: args.limit,
                consistency,
            }
        }
        (None, prefix) => {
            let prefix = prefix.unwrap_or_default();
            context.insert("prefix".to_owned(), json!(prefix.to_string_lossy()));
            let prefix = prefix.into_encoded_bytes();
            if prefix.len() > MAX_KEY_BYTES {
                return Err(CtlError::WrongUse(format!(
                    "a key has at most {MAX_KEY_BYTES} bytes, and this beginning of one has {}",
                    prefix.len()
                )));
            }
            Request::SearchPrefix {
                prefix: prefix.into(),
                limit: args.limit,
                consistency,
            }
        }
    };
    let mut session = asking.open().await?;
    let Reply::TextSearched(report) = asking.data(&mut session, request).await? else {
        return Err(wrong_answer_of("search"));
    };
    let torrents = listing::torrents(&asking, &mut session, &report.results).await?;
    session.close().await;
    Ok(found(context, &report, &torrents))
}

/// What to say about the results.
fn found(context: &Document, report: &TextReport, torrents: &BTreeMap<usize, Listed>) -> Answer {
    let TextReport {
        outcome,
        results,
        answered,
        asked,
        reason,
        ..
    } = report;
    let found = complete(context, json!(Matches::of(report, torrents)));
    let why = match reason {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    };
    let evidence = format!("{answered} of {asked} asked have answered{why}");
    let text = match outcome {
        Outcome::Found => {
            let counted = count_of(results.len() as u64, "result");
            let rows: Vec<_> = results
                .iter()
                .enumerate()
                .flat_map(|(place, hit)| rows(hit, torrents.get(&place)))
                .collect();
            format!("found: {counted}, {evidence}\n{}", aligned(&rows))
        }
        Outcome::Absent => format!("absent: nothing matches, {evidence}"),
        Outcome::Unknown => format!("unknown: {evidence}"),
    };
    Answer::new(Exit::from(*outcome), found, text)
}

fn rows(hit: &TextHit, torrent: Option<&Listed>) -> Vec<(String, String)> {
    let name = hit.indexed.as_deref().map(String::from_utf8_lossy);
    let name = name.map_or_else(|| hit.key.to_string(), |name| printable(&name));
    if let Some(torrent) = torrent {
        let [line, link] = listing::lines(torrent);
        return vec![(name, line), (String::new(), link)];
    }
    let what = match &hit.kind {
        HitKind::Holder { addr, expires_in_s } => {
            format!("at {addr}, lease ends in {}", seconds(*expires_in_s))
        }
        HitKind::Value { size, .. } => format!("a value of {}", count_of((*size).into(), "byte")),
    };
    vec![(name, format!("{what}  {}", printable(&hit.text)))]
}

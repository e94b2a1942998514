//! Values: bytes in, bytes out, with the version in `ETag` and the evidence in headers.

use super::asked::{Asked, Body, KeyPath, Named, Octets, Wanted, check_text, within};
use super::conditions::{
    DeleteIf, Precondition, ReadIf, WriteIf, condition, is_known, is_wanted, tag_of,
};
use super::context::Context;
use super::evidence::{Evidence, deletion};
use super::problem::{Conditional, Kind, Problem, Reads, Removes, Usual, Writes};
use crate::documents::{Deleted, Stored, VersionText, Word};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use overlay::{Condition, ConflictReport, GetReport, MAX_TTL_S, Outcome, Reply, Request, Version};
use serde::Deserialize;
use utoipa::IntoParams;

/// How often a write that replaces any value is tried: once to learn the version, and then against others
/// who write the same key, of whom one gets through each time.
const MATCH_ATTEMPTS: usize = 8;

/// How a value is read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
#[derive(Default)]
pub(super) struct Reading {
    /// How many replicas must answer.
    #[param(inline)]
    consistency: Wanted,
    /// The key is 40 hexadecimal digits, taken as they are.
    hex: bool,
    /// Take nothing older than this version; then the answer is 503 rather than a step back.
    #[param(value_type = Option<VersionText>, inline)]
    at_least: Option<String>,
}

/// How a value is written.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Writing {
    /// How many replicas must hold it durably before the answer.
    #[param(inline)]
    consistency: Wanted,
    /// The key is 40 hexadecimal digits, taken as they are.
    hex: bool,
    /// Seconds to live; without it the value lives until it is deleted.
    #[param(minimum = 1, maximum = 31_622_400)]
    ttl_s: Option<u32>,
    /// Words to find it by, at most 1,024 bytes and 64 different ones.
    text: String,
    /// Let it be found by the beginning of its key.
    indexed: bool,
}

/// How a value is deleted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Deleting {
    /// How many replicas must hold the deletion durably before the answer.
    #[param(inline)]
    consistency: Wanted,
    /// The key is 40 hexadecimal digits, taken as they are.
    hex: bool,
}

/// Read a value
///
/// 404 is said only when enough replicas that hold the whole arc have answered to prove that there
/// is no value; anything less is 503.
#[utoipa::path(get, path = "/v1/kv/{key}", operation_id = "get", tag = "values",
    params(KeyPath, Reading, ReadIf),
    responses(
        (status = 200, description = "The value", body = inline(Octets), content_type = "application/octet-stream"),
        (status = 304, description = "The client has it already"),
        Usual, Reads, Conditional))]
pub(super) async fn get(
    State(context): State<Context>,
    named: Named,
    Asked(reading): Asked<Reading>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = named.key(reading.hex)?;
    let at_least = reading.at_least.map(|text| text.parse::<Version>());
    let at_least = at_least
        .transpose()
        .map_err(|error| Problem::malformed(error.to_string()))?;
    is_known(&headers, Version::default())?;
    is_wanted(&headers, Version::default())?;
    let request = Request::Get {
        key: key.id,
        consistency: reading.consistency.into(),
        at_least,
    };
    let Reply::Got(report) = context.call(request).await? else {
        return Err(Problem::silent(false));
    };
    let evidence = Evidence::of_read(
        report.key,
        report.outcome.into(),
        (report.replicas_answered, report.replicas_asked),
        report.reached,
    );
    found(report, &headers, &evidence)
}

fn found(report: GetReport, headers: &HeaderMap, evidence: &Evidence) -> Result<Response, Problem> {
    let (value, version) = match (report.outcome, report.value, report.version) {
        (Outcome::Found, Some(value), version) => (value, version.unwrap_or_default()),
        (Outcome::Absent, ..) => return Err(evidence.explain(Problem::absent("value"))),
        _ => {
            let problem = Problem::unknown(report.reason.as_deref());
            return Err(evidence.explain(problem));
        }
    };
    if !is_wanted(headers, version)? {
        let detail = format!("version {version} is there");
        let problem = Problem::new(Kind::Conflict, detail, "leave If-Match out to read it");
        let problem = problem.with("version", version.to_string().into());
        return Err(evidence.explain(problem.header(header::ETAG, tag_of(version))));
    }
    let tag = [(header::ETAG, tag_of(version))];
    if is_known(headers, version)? {
        return Ok((StatusCode::NOT_MODIFIED, tag, evidence.headers()).into_response());
    }
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, tag, evidence.headers(), value).into_response())
}

/// Store a value
///
/// 503 with the outcome `unknown` says that it may have taken effect, or still may: `Retry-After` is for
/// reading it then, not for storing it again. With the outcome `failed` nothing was changed.
#[utoipa::path(put, path = "/v1/kv/{key}", operation_id = "put", tag = "values",
    params(KeyPath, Writing, WriteIf),
    request_body(content = inline(Octets), content_type = "application/octet-stream", description = "At most 1 MiB"),
    responses(
        (status = 200, description = "Stored", body = Stored),
        (status = 201, description = "Stored where there was nothing, as If-None-Match demanded", body = Stored),
        Usual, Writes, Conditional))]
pub(super) async fn put(
    State(context): State<Context>,
    named: Named,
    Asked(writing): Asked<Writing>,
    headers: HeaderMap,
    Body(value): Body,
) -> Result<Response, Problem> {
    let ttl_s = writing.ttl_s.map(|ttl| within("ttl_s", ttl, MAX_TTL_S));
    let ttl_s = ttl_s.transpose()?;
    let key = named.key(writing.hex)?;
    check_text(&writing.text)?;
    let condition = condition(&headers)?;
    let bytes = value.len();
    let indexed = key.indexed(writing.indexed)?;
    let request = |condition| Request::Put {
        key: key.id,
        value: value.clone(),
        ttl_s,
        consistency: writing.consistency.into(),
        condition,
        indexed: indexed.clone(),
        text: writing.text.clone(),
    };
    let report = match write(&context, condition, request).await? {
        Reply::Put(report) => report,
        Reply::Conflict(report) => return Err(conflict(&report)),
        _ => return Err(Problem::silent(true)),
    };
    let status = match condition {
        Precondition::Condition(Condition::Absent) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let evidence = Evidence::of_write(
        report.key,
        Word::Stored,
        (report.replicas_durable, report.replicas),
    );
    let tag = [(header::ETAG, tag_of(report.version))];
    let stored = Stored::of(&report, bytes, ttl_s);
    Ok((status, tag, evidence.headers(), Json(stored)).into_response())
}

/// Delete a value
///
/// 404 says that it is proven that there was nothing to delete. Where nobody knows whether there was
/// something the deletion holds all the same, and `outcome` is `unknown`.
#[utoipa::path(delete, path = "/v1/kv/{key}", operation_id = "delete", tag = "values",
    params(KeyPath, Deleting, DeleteIf),
    responses((status = 200, description = "Deleted", body = Deleted), Usual, Removes, Conditional))]
pub(super) async fn delete(
    State(context): State<Context>,
    named: Named,
    Asked(deleting): Asked<Deleting>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = named.key(deleting.hex)?;
    let condition = condition(&headers)?;
    if condition == Precondition::Condition(Condition::Absent) {
        let text = "what is absent cannot be deleted: leave If-None-Match out";
        return Err(Problem::refused(text));
    }
    let request = |condition| Request::Delete {
        key: key.id,
        holder: None,
        consistency: deleting.consistency.into(),
        condition,
    };
    match write(&context, condition, request).await? {
        Reply::Deleted(report) => deletion(&report, "value"),
        Reply::Conflict(report) => Err(conflict(&report)),
        _ => Err(Problem::silent(true)),
    }
}

/// Writes under a condition. The node knows none for "any value": it is asked for the version that is
/// there, by one that nothing has, and then to replace that one.
async fn write(
    context: &Context,
    wanted: Precondition,
    request: impl Fn(Condition) -> Request,
) -> Result<Reply, Problem> {
    let mut version = match wanted {
        Precondition::Condition(condition) => return context.call(request(condition)).await,
        Precondition::Anything => Version::default(),
    };
    for _ in 0..MATCH_ATTEMPTS {
        match context.call(request(Condition::Version(version))).await? {
            Reply::Conflict(ConflictReport {
                found: Some(found), ..
            }) => version = found,
            reply => return Ok(reply),
        }
    }
    let detail = "others wrote it each time that this write was tried; nothing was changed";
    let problem = Problem::new(Kind::Unknown, detail, "try again, or leave If-Match out");
    Err(problem.with("outcome", "failed".into()))
}

/// A condition did not hold.
fn conflict(report: &ConflictReport) -> Problem {
    let detail = match report.found {
        Some(found) => format!("version {found} is there; nothing was changed"),
        None => "no value is there; nothing was changed".to_owned(),
    };
    let hint = "get the value, decide anew, and give its ETag";
    let problem = Problem::new(Kind::Conflict, detail, hint)
        .with("outcome", "conflict".into())
        .with("key", report.key.to_string().into())
        .with(
            "version",
            report.found.map(|found| found.to_string()).into(),
        )
        .with("replicas_answered", report.replicas_answered.into())
        .with("replicas", report.replicas.into());
    match report.found {
        Some(found) => problem.header(header::ETAG, tag_of(found)),
        None => problem,
    }
}

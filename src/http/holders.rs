//! Holders: who has a resource.

use super::asked::{AddressText, Asked, Body, KeyPath, Named, Wanted, check_text, within};
use super::context::Context;
use super::evidence::{Evidence, deletion};
use super::problem::{Problem, Reads, Removes, Usual, Writes};
use crate::documents::{Held, Inserted, Word};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use overlay::{Condition, MAX_HOLDERS_PER_KEY, MAX_LEASE_S, Outcome, Reply, Request};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::net::SocketAddr;
use utoipa::{IntoParams, ToSchema};

/// Length of a lease when none is given: as that of `p2pctl insert`.
const DEFAULT_LEASE_S: u32 = 1_800;
/// Most results of a search when nothing is said: as those of `p2pctl search`.
pub(super) const DEFAULT_LIMIT: u32 = 100;

/// How holders are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// How many replicas must answer.
    #[param(inline)]
    consistency: Wanted,
    /// The key is 40 hexadecimal digits, taken as they are.
    hex: bool,
    /// Most holders to list, 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// How the key of a holder is given.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Inserting {
    /// The key is 40 hexadecimal digits, taken as they are.
    hex: bool,
}

/// A holder to insert.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewHolder {
    /// IP and port of who holds it; the node that is asked, when nothing is said.
    #[schema(value_type = Option<AddressText>, inline)]
    holder: Option<SocketAddr>,
    /// Length of the lease in seconds, 1,800 unless said otherwise; the node renews it.
    #[schema(minimum = 1, maximum = 604_800)]
    #[serde(deserialize_with = "whole")]
    ttl_s: Option<u32>,
    /// Words to find it by, at most 1,024 bytes and 64 different ones.
    text: String,
    /// Let it be found by the beginning of its key.
    indexed: bool,
}

/// A whole number, however it is written: to JSON Schema 300.0 is one.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(from)? else {
        return Ok(None);
    };
    let plain = number.as_u64().and_then(|plain| u32::try_from(plain).ok());
    let broken = || {
        let point = number.as_f64()?;
        let fits = point.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&point);
        fits.then_some(point as u32)
    };
    let wrong = || Error::custom(format!("{number} is no whole number, or too large"));
    plain.or_else(broken).map(Some).ok_or_else(wrong)
}

/// Which holder is removed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Removing {
    /// How many replicas must hold the deletion durably before the answer.
    #[param(inline)]
    consistency: Wanted,
    /// The key is 40 hexadecimal digits, taken as they are.
    hex: bool,
    /// IP and port of who holds it; the node that is asked, when nothing is said.
    #[param(value_type = Option<AddressText>, inline)]
    holder: Option<SocketAddr>,
}

/// List the holders of a resource
///
/// 404 is said only when it is proven that nobody holds it.
#[utoipa::path(get, path = "/v1/holders/{key}", operation_id = "search", tag = "holders",
    params(KeyPath, Listing),
    responses((status = 200, description = "The holders", body = Held), Usual, Reads))]
pub(super) async fn list(
    State(context): State<Context>,
    named: Named,
    Asked(listing): Asked<Listing>,
) -> Result<Response, Problem> {
    let most = u32::try_from(MAX_HOLDERS_PER_KEY).unwrap_or(u32::MAX);
    let limit = within("limit", listing.limit.unwrap_or(DEFAULT_LIMIT), most)?;
    let request = Request::Search {
        key: named.key(listing.hex)?.id,
        limit,
        consistency: listing.consistency.into(),
    };
    let Reply::Searched(report) = context.call(request).await? else {
        return Err(Problem::silent(false));
    };
    let evidence = Evidence::of_read(
        report.key,
        report.outcome.into(),
        (report.replicas_answered, report.replicas_asked),
        report.reached,
    );
    match report.outcome {
        Outcome::Found => Ok((evidence.headers(), Json(Held::from(&report))).into_response()),
        Outcome::Absent => Err(evidence.explain(Problem::absent("holder"))),
        Outcome::Unknown => Err(evidence.explain(Problem::unknown(report.reason.as_deref()))),
    }
}

/// Say that a peer holds a resource
///
/// The node renews the lease until the holder is removed.
#[utoipa::path(post, path = "/v1/holders/{key}", operation_id = "insert", tag = "holders",
    params(KeyPath, Inserting), request_body(content = NewHolder, content_type = "application/json"),
    responses((status = 200, description = "Inserted", body = Inserted), Usual, Writes))]
pub(super) async fn insert(
    State(context): State<Context>,
    named: Named,
    Asked(inserting): Asked<Inserting>,
    Body(body): Body,
) -> Result<Response, Problem> {
    // Whatever the content type says: a browser's form cannot be JSON by chance.
    let new: NewHolder = if body.is_empty() {
        NewHolder::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Problem::malformed(error.to_string()))?
    };
    let lease_s = within("ttl_s", new.ttl_s.unwrap_or(DEFAULT_LEASE_S), MAX_LEASE_S)?;
    let key = named.key(inserting.hex)?;
    check_text(&new.text)?;
    let request = Request::Insert {
        key: key.id,
        holder: new.holder.unwrap_or(context.site.me.addr),
        lease_s,
        indexed: key.indexed(new.indexed)?,
        text: new.text,
    };
    let Reply::Inserted(report) = context.call(request).await? else {
        return Err(Problem::silent(true));
    };
    let evidence = Evidence::of_write(
        report.key,
        Word::Inserted,
        (report.replicas_durable, report.replicas),
    );
    Ok((evidence.headers(), Json(Inserted::from(&report))).into_response())
}

/// Remove a holder
///
/// 404 says that it is proven that there was none to remove.
#[utoipa::path(delete, path = "/v1/holders/{key}", operation_id = "remove", tag = "holders",
    params(KeyPath, Removing),
    responses((status = 200, description = "Removed", body = crate::documents::Deleted), Usual, Removes))]
pub(super) async fn remove(
    State(context): State<Context>,
    named: Named,
    Asked(removing): Asked<Removing>,
) -> Result<Response, Problem> {
    let request = Request::Delete {
        key: named.key(removing.hex)?.id,
        holder: Some(removing.holder.unwrap_or(context.site.me.addr)),
        consistency: removing.consistency.into(),
        condition: Condition::Always,
    };
    match context.call(request).await? {
        Reply::Deleted(report) => deletion(&report, "such holder"),
        _ => Err(Problem::silent(true)),
    }
}

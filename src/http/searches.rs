//! Searches by words and by the beginning of keys; and where a key belongs.

use super::asked::{Asked, KeyPath, Named, Wanted, within};
use super::context::Context;
use super::holders::DEFAULT_LIMIT;
use super::problem::{Looks, Problem, Usual};
use crate::documents::torrents::{IN_FLIGHT, Listed, among, swarm_questions};
use crate::documents::{Located, Matches};
use crate::runtime::wall;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use futures_util::{StreamExt, stream};
use overlay::words::{MAX_TEXT_RESULTS, Query};
use overlay::{MAX_KEY_BYTES, Outcome, Reply, Request, TextHit};
use serde::Deserialize;
use std::collections::BTreeMap;
use tokio::time::Instant;
use utoipa::IntoParams;

/// A search by words.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ByWords {
    /// One to eight words, all of which a text must have; a `*` at the end of a word lets it go on:
    /// `ubun*`.
    #[param(min_length = 1)]
    text: String,
    /// Most results, 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// How many replicas must answer for each part of the index.
    #[serde(default)]
    #[param(inline, required = false)]
    consistency: Wanted,
}

/// A search by the beginning of keys.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ByPrefix {
    /// How the keys begin, at most 1,024 bytes; empty finds all.
    prefix: String,
    /// Most results, 100 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// How many replicas must answer for each part of the index.
    #[serde(default)]
    #[param(inline, required = false)]
    consistency: Wanted,
}

/// How a key is looked up.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Locating {
    /// The key is 40 hexadecimal digits, taken as they are.
    hex: bool,
    /// Let this node ask hop by hop, instead of letting the hops forward.
    iterative: bool,
}

/// Find holders and values by words
///
/// 200 with no results says that nothing matches, and that this is proven.
#[utoipa::path(get, path = "/v1/search", operation_id = "search_text", tag = "searches",
    params(ByWords),
    responses((status = 200, description = "What matches", body = Matches), Usual, Looks))]
pub(super) async fn by_words(
    State(context): State<Context>,
    Asked(asked): Asked<ByWords>,
) -> Result<Json<Matches>, Problem> {
    let limit = within(
        "limit",
        asked.limit.unwrap_or(DEFAULT_LIMIT),
        MAX_TEXT_RESULTS,
    )?;
    Query::parse(&asked.text).map_err(|error| Problem::refused(error.to_string()))?;
    let request = Request::SearchText {
        text: asked.text,
        limit,
        consistency: asked.consistency.into(),
    };
    matches(&context, request).await
}

/// Find what was stored as indexed by the beginning of its key
///
/// 200 with no results says that nothing matches, and that this is proven.
#[utoipa::path(get, path = "/v1/keys", operation_id = "search_prefix", tag = "searches",
    params(ByPrefix),
    responses((status = 200, description = "What matches, in order of keys", body = Matches), Usual, Looks))]
pub(super) async fn by_prefix(
    State(context): State<Context>,
    Asked(asked): Asked<ByPrefix>,
) -> Result<Json<Matches>, Problem> {
    let limit = within(
        "limit",
        asked.limit.unwrap_or(DEFAULT_LIMIT),
        MAX_TEXT_RESULTS,
    )?;
    if asked.prefix.len() > MAX_KEY_BYTES {
        let length = asked.prefix.len();
        return Err(Problem::refused(format!(
            "a key has at most {MAX_KEY_BYTES} bytes, and this beginning of one has {length}"
        )));
    }
    let request = Request::SearchPrefix {
        prefix: asked.prefix.into(),
        limit,
        consistency: asked.consistency.into(),
    };
    matches(&context, request).await
}

async fn matches(context: &Context, request: Request) -> Result<Json<Matches>, Problem> {
    let Reply::TextSearched(report) = context.call(request).await? else {
        return Err(Problem::silent(false));
    };
    if report.outcome == Outcome::Unknown {
        return Err(Problem::unknown(report.reason.as_deref())
            .with("outcome", "unknown".into())
            .with("answered", report.answered.into())
            .with("asked", report.asked.into()));
    }
    let torrents = torrents(context, &report.results).await;
    Ok(Json(Matches::of(&report, &torrents)))
}

/// The torrents among results, each with the clients that share it.
async fn torrents(context: &Context, hits: &[TextHit]) -> BTreeMap<usize, Listed> {
    let mut listed = among(hits);
    let questions = swarm_questions(&listed).into_iter();
    let asked =
        questions.map(|(place, request)| async move { (place, context.call(request).await) });
    let mut answers = stream::iter(asked).buffer_unordered(IN_FLIGHT);
    while let Some((place, answer)) = answers.next().await {
        // Whose clients cannot be counted is listed without a count.
        if let (Ok(Reply::Searched(report)), Some(torrent)) = (answer, listed.get_mut(&place)) {
            torrent.heard(&report, wall());
        }
    }
    drop(answers);
    listed
}

/// Find the replica set of a key, and the way to it
///
/// The header `Server-Timing` says how long the lookup took, in milliseconds: `lookup;dur=1.234`. With
/// `iterative` the node asks hop by hop, and `hop_us` says what each hop of this lookup took; else the
/// hops pass the request on, and only the whole is measured. On Gnutella a search is a flood: there are no
/// hops to ask, and `hop_us` is empty.
#[utoipa::path(get, path = "/v1/locate/{key}", operation_id = "locate", tag = "searches",
    params(KeyPath, Locating),
    responses((status = 200, description = "Where it belongs", body = Located), Usual, Looks))]
pub(super) async fn locate(
    State(context): State<Context>,
    named: Named,
    Asked(locating): Asked<Locating>,
) -> Result<([(HeaderName, String); 1], Json<Located>), Problem> {
    let request = Request::Locate {
        key: named.key(locating.hex)?.id,
        iterative: locating.iterative,
    };
    let began = Instant::now();
    let reply = context.call(request).await?;
    let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
    let timing = HeaderName::from_static("server-timing");
    match reply {
        Reply::Located(report) => Ok((
            [(timing, format!("lookup;dur={took_ms:.3}"))],
            Json(Located::from(&report)),
        )),
        _ => Err(Problem::silent(false)),
    }
}

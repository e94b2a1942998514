//! The node itself: its state, its peers, its metrics, and the description of all paths.

use super::context::Context;
use super::problem::{Problem, Usual};
use super::ready::look_again;
use crate::documents::{Peers, StatusDocument};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// How the node is
#[utoipa::path(get, path = "/v1/status", operation_id = "status", tag = "node",
    responses((status = 200, description = "As `p2pctl --json status` says it", body = StatusDocument), Usual))]
pub(super) async fn status(
    State(context): State<Context>,
) -> Result<Json<StatusDocument>, Problem> {
    match context.report().await {
        Some(report) => Ok(Json(StatusDocument::from(&report))),
        None => Err(Problem::silent(false)),
    }
}

/// The peers in its tables
#[utoipa::path(get, path = "/v1/peers", operation_id = "peers", tag = "node",
    responses((status = 200, description = "As `p2pctl --json peers` says it", body = Peers), Usual))]
pub(super) async fn peers(State(context): State<Context>) -> Result<Json<Peers>, Problem> {
    match context.peers().await {
        Some(peers) => Ok(Json(Peers::from(peers.as_slice()))),
        None => Err(Problem::silent(false)),
    }
}

/// What it counts, for Prometheus
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "node",
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"), Usual))]
pub(super) async fn metrics(State(context): State<Context>) -> Response {
    // The report sets the gauges; without one the counters are still worth having.
    context.report().await;
    look_again(&context);
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    (kind, context.site.metrics.render()).into_response()
}

/// This description
#[utoipa::path(get, path = "/v1/openapi.json", operation_id = "openapi", tag = "node",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"), Usual))]
pub(super) async fn openapi(State(context): State<Context>) -> Result<Response, Problem> {
    let text = context.description.get().cloned();
    let text = text.ok_or_else(|| Problem::silent(false))?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, text).into_response())
}

//! HTTP: health, metrics and status, on a thread of its own.

use crate::metrics::Metrics;
use crate::runtime::Command;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the machine's task may take for a report before the node counts as not healthy.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Context {
    commands: mpsc::Sender<Command>,
    metrics: Arc<Metrics>,
}

/// Serves HTTP until the process ends.
///
/// # Errors
/// When the system gives no thread or no event queue.
pub(crate) fn start(
    listener: TcpListener,
    commands: mpsc::Sender<Command>,
    metrics: Arc<Metrics>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let closed = commands.clone();
    let app = router(Context { commands, metrics });
    std::thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    served = axum::serve(listener, app) => {
                        if let Err(error) = served {
                            tracing::error!(%error, "the HTTP server ended");
                        }
                    }
                    () = closed.closed() => {}
                }
            });
        })?;
    Ok(())
}

fn router(context: Context) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .with_state(context)
}

async fn report(context: &Context) -> Option<crate::control::StatusReport> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        context.commands.send(Command::Report(reply)).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(REPORT_TIMEOUT, asked)
        .await
        .ok()
        .flatten()
}

fn unavailable(text: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn healthz(State(context): State<Context>) -> Response {
    match report(&context).await {
        Some(report) if report.status.member => "ok\n".into_response(),
        Some(_) => unavailable("the node is in no network\n"),
        None => unavailable("the node does not answer\n"),
    }
}

async fn metrics(State(context): State<Context>) -> Response {
    // The report sets the gauges; without one the counters are still worth having.
    report(&context).await;
    let kind = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
    (kind, context.metrics.render()).into_response()
}

async fn status(State(context): State<Context>) -> Response {
    match report(&context).await {
        Some(report) => Json(report).into_response(),
        None => unavailable("the node does not answer\n"),
    }
}

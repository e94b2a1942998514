//! HTTP: health, metrics, everything that `p2pctl` can ask for, and a page that shows the network, on a
//! thread of its own.
//!
//! The paths are described where they are served (`utoipa`), so that `/v1/openapi.json` cannot
//! differ from them. Everything that a request may hold is bounded: connections, how long one may
//! stand still and a head may take (`listener`), bodies, keys and texts (`asked`), readers of events (`events`).

#![allow(
    unused_qualifications,
    reason = "the macros of utoipa write them into what they make"
)]

mod asked;
mod conditions;
mod context;
mod events;
mod evidence;
mod guard;
mod headers;
mod holders;
mod listener;
mod network;
mod node;
mod page;
mod problem;
mod ready;
mod searches;
mod token;
mod values;

pub(crate) use context::Site;
pub use token::TokenError;
pub(crate) use token::{Token, check};

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Request, Uri, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Router, http};
use context::Context;
use guard::Guard;
use overlay::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use problem::{Kind, Problem};
use std::io;
use std::net::TcpListener;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Serves HTTP until the node ends.
///
/// # Errors
/// When the system gives no thread or no event queue.
pub(crate) fn start(listener: TcpListener, site: Site, token: Option<Token>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let closed = site.commands.clone();
    let refused = site.metrics.refused.with_label_values(&["http_of_address"]);
    let addresses = listener::Addresses::new(refused);
    let connections = addresses.clone();
    let open = move || Some(connections.open());
    let most = listener::MAX_CONNECTIONS;
    site.metrics.queues.watch("http_connections", most, open);
    let context = Context::new(site);
    let app = router(context.clone(), Guard::new(token));
    std::thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    () = listener::serve(listener, app, addresses) => {}
                    () = network::watch(context) => {}
                    () = closed.closed() => {}
                }
            });
        })?;
    Ok(())
}

/// What the description says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "p2pnode",
        description = "Values, holders and searches of a peer-to-peer network, by way of one of its nodes. An answer carries its evidence; 404 for a key is proven absence, and what is not known is 503. Where the node was started with a token each request but those for health and the page needs it."
    ),
    components(schemas(Problem))
)]
struct Description;

/// All paths, each with its description.
fn paths() -> OpenApiRouter<Context> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(page::page))
        .routes(routes!(values::get, values::put, values::delete))
        .routes(routes!(holders::list, holders::insert, holders::remove))
        .routes(routes!(searches::by_words))
        .routes(routes!(searches::by_prefix))
        .routes(routes!(searches::locate))
        .routes(routes!(node::status))
        .routes(routes!(node::peers))
        .routes(routes!(network::network))
        .routes(routes!(events::events))
        .routes(routes!(node::openapi))
        .routes(routes!(node::metrics))
        .routes(routes!(ready::healthz))
        .routes(routes!(ready::readyz))
}

fn router(context: Context, guard: Guard) -> Router {
    let (router, mut description) = paths().split_for_parts();
    headers::describe(&mut description);
    if guard.wants_token() {
        demand_token(&mut description);
    }
    // Strings and numbers are always written.
    let text = serde_json::to_vec(&description).unwrap_or_default();
    // Nobody else sets it.
    let _ = context.description.set(Bytes::from(text));
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_VALUE_BYTES))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .layer(middleware::from_fn(harden))
        .with_state(context)
}

/// What stands before a key.
const KEY_PATHS: [&str; 3] = ["/v1/kv/", "/v1/holders/", "/v1/locate/"];

/// Says that a token is wanted, wherever a path does not say that it is open.
fn demand_token(description: &mut utoipa::openapi::OpenApi) {
    let name = "token";
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = description.components.get_or_insert_default();
    components.add_security_scheme(name, bearer);
    let scopes: [&str; 0] = [];
    description.security = Some(vec![SecurityRequirement::new(name, scopes)]);
}

async fn no_such_path(uri: Uri) -> Problem {
    let key = KEY_PATHS
        .iter()
        .find_map(|path| Some((path, uri.path().strip_prefix(path)?)));
    if let Some((path, key)) = key
        && (key.is_empty() || key.contains('/'))
    {
        if key.is_empty() {
            // 404 would read as proven absence.
            let hint = format!("name the key: {path}KEY, of 1 to {MAX_KEY_BYTES} bytes");
            return Problem::new(Kind::Malformed, "the key is empty", hint);
        }
        // Two spellings of one key, of which one reads `..` and `//` as it likes, are worse than one.
        let hint = format!("write each / of a key as %2F: {path}a%2Fb");
        return Problem::new(Kind::Malformed, "a key is one part of the path", hint);
    }
    let hint = "see /v1/openapi.json for all paths";
    Problem::new(Kind::NoSuchPath, "this node serves no such path", hint)
}

async fn no_such_method() -> Problem {
    let hint = "see the header Allow";
    Problem::new(Kind::NoSuchMethod, "this path has no such method", hint)
}

/// Keeps browsers from taking a value, which anybody may have stored, for a page of this node. The
/// page has a policy of its own.
async fn harden(request: Request<axum::body::Body>, next: Next) -> Response {
    let mut response: http::Response<_> = next.run(request).await;
    let headers = response.headers_mut();
    let value = HeaderValue::from_static;
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, value("nosniff"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(value("default-src 'none'; frame-ancestors 'none'; sandbox"));
    headers.insert(header::CACHE_CONTROL, value("no-store"));
    response
}

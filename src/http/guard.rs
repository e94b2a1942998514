//! Who is let in: the bearer of the token; without one, programs of this machine, but no web page
//! of somebody else in a browser on it.
//!
//! A browser on the node's machine reaches loopback, too. A page of a stranger can make it send
//! requests here, and, with a name whose address it changes to 127.0.0.1 (DNS rebinding), read the
//! answers. The first shows in `Origin` and `Sec-Fetch-Site`, the second in `Host`, which is then a
//! name. A token, which no browser adds by itself, needs neither check.

use super::page;
use super::problem::{Kind, Problem};
use super::token::Token;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

/// What health checkers ask, who have no token.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// The rule.
#[derive(Clone, Debug)]
pub(super) struct Guard(Arc<Option<Token>>);

impl Guard {
    pub(super) fn new(token: Option<Token>) -> Self {
        Self(Arc::new(token))
    }

    /// Whether it wants a token.
    pub(super) fn wants_token(&self) -> bool {
        self.0.is_some()
    }

    fn objection(&self, path: &str, method: &Method, headers: &HeaderMap) -> Option<Problem> {
        match &*self.0 {
            // It holds nothing of the network, and asks for the token: a browser cannot bring it.
            Some(_) if path == page::PATH => None,
            Some(token) => (!bears(token, headers)).then(no_token),
            None => foreign(method, headers),
        }
    }
}

/// Passes a request on, or refuses it.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) {
        return next.run(request).await;
    }
    match guard.objection(path, request.method(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn bears(token: &Token, headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|value| value.as_bytes().split_at_checked("Bearer ".len()));
    shown.is_some_and(|(scheme, rest)| {
        scheme.eq_ignore_ascii_case(b"Bearer ") && token.is(rest.trim_ascii())
    })
}

fn no_token() -> Problem {
    Problem::new(
        Kind::Unauthorized,
        "this node wants the token in its --http-token-file",
        "send the header `Authorization: Bearer TOKEN`",
    )
}

/// Why a request may come from somebody else's page, if it may.
fn foreign(method: &Method, headers: &HeaderMap) -> Option<Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).unwrap_or_default();
    if !is_own_name(host) {
        return Some(Problem::new(
            Kind::Misdirected,
            "the header Host names neither an address nor localhost, so that this may be a web page that has the address of this machine given to its own name",
            "use an address or localhost in the URL, or start the node with --http-token-file",
        ));
    }
    let origin = text(header::ORIGIN);
    let is_other = origin.is_some_and(|origin| {
        let own = origin.strip_prefix("http://");
        own.is_none_or(|own| !own.eq_ignore_ascii_case(host))
    });
    // A link from elsewhere may lead here; what it shows stays in its own window.
    let is_link = text(header::HeaderName::from_static("sec-fetch-mode")) == Some("navigate")
        && method == Method::GET;
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    let crosses = matches!(site, Some("cross-site" | "same-site")) && !is_link;
    (is_other || crosses).then(|| {
        Problem::new(
            Kind::Forbidden,
            "this request was made by a web page of another site",
            "use a program that is no browser, or a page that this node serves; with --http-token-file the token decides",
        )
    })
}

/// Whether a `Host` is one that no stranger can have: an address, or localhost.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: Method, lines: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().unwrap());
        }
        foreign(&method, &headers).is_some()
    }

    #[test]
    fn a_name_that_a_stranger_may_have_is_refused() {
        for own in [
            "127.0.0.1:4080",
            "localhost:4080",
            "LOCALHOST",
            "[::1]:4080",
            "10.1.2.3",
        ] {
            assert!(!refused(Method::GET, &[("host", own)]), "{own}");
        }
        for other in ["", "node.example:4080", "127.0.0.1.example", "[node]", "["] {
            assert!(refused(Method::GET, &[("host", other)]), "{other}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_refused_and_links_are_not() {
        let host = ("host", "127.0.0.1:4080");
        let from = |origin: &str| refused(Method::PUT, &[host, ("origin", origin)]);
        assert!(!from("http://127.0.0.1:4080"));
        for other in [
            "http://a.example",
            "http://127.0.0.1:80",
            "null",
            "https://127.0.0.1:4080",
        ] {
            assert!(from(other), "{other}");
        }
        let site = |site: &'static str| [host, ("sec-fetch-site", site)];
        assert!(refused(Method::GET, &site("cross-site")));
        assert!(refused(Method::GET, &site("same-site")));
        assert!(!refused(Method::GET, &site("same-origin")));
        let link = [
            host,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ];
        assert!(!refused(Method::GET, &link));
        assert!(refused(Method::POST, &link));
    }
}

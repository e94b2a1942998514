//! What a request comes to that is not done: problem details (RFC 9457) that say what to do next.

use super::headers::header_of;
use crate::documents::{Word, durable_of, outcome_of};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use overlay::{Failure, Id};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// The content type of problem details.
const PROBLEM_JSON: &str = "application/problem+json";
/// Seconds after which an unknown answer may have become known: a dead neighbour is found within
/// one, and its keys are answered for again soon after.
const RETRY_AFTER_S: &str = "1";

/// What to do about a request that was refused.
const NOTHING_CHANGED: &str = "change the request; nothing was changed";

/// Which problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The request is not understood.
    Malformed,
    /// It is understood, and beyond a limit, or makes no sense.
    Refused,
    /// The token is missing or wrong.
    Unauthorized,
    /// It comes from somebody else's page.
    Forbidden,
    /// It was meant for another host.
    Misdirected,
    /// There is no such path.
    NoSuchPath,
    /// The path does not know the method.
    NoSuchMethod,
    /// Proven absent.
    Absent,
    /// A condition does not hold.
    Conflict,
    /// The body is too long.
    TooLarge,
    /// Nobody knows now.
    Unknown,
    /// The stores are full.
    Full,
}

impl Kind {
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed", "Not understood"),
            Self::Refused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "refused",
                "Beyond a limit, or without sense",
            ),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Token wanted"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "A page of another site"),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                "Another host",
            ),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no-such-path", "No such path"),
            Self::NoSuchMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "no-such-method",
                "No such method here",
            ),
            Self::Absent => (StatusCode::NOT_FOUND, "absent", "Proven absent"),
            Self::Conflict => (
                StatusCode::PRECONDITION_FAILED,
                "conflict",
                "The condition does not hold",
            ),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::Unknown => (StatusCode::SERVICE_UNAVAILABLE, "unknown", "Unknown now"),
            Self::Full => (StatusCode::INSUFFICIENT_STORAGE, "full", "Stores are full"),
        }
    }
}

/// A request was not done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Names the problem: `urn:p2pnode:problem:absent`, `…:unknown`, `…:conflict`, …
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: Box<str>,
    title: &'static str,
    status: u16,
    /// What is the matter, in one sentence.
    #[schema(value_type = String)]
    detail: Box<str>,
    /// What to do next.
    #[schema(value_type = String)]
    hint: Box<str>,
    /// What is known: `key`, `outcome`, `replicas_answered`, `replicas_asked`, `replicas_durable`, …
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    evidence: BTreeMap<String, Value>,
    #[serde(skip)]
    #[schema(ignore)]
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl Into<Box<str>>, hint: impl Into<Box<str>>) -> Self {
        let (status, name, title) = kind.parts();
        let headers = match kind {
            Kind::Unknown => vec![(header::RETRY_AFTER, RETRY_AFTER_S.to_owned())],
            Kind::Unauthorized => vec![(header::WWW_AUTHENTICATE, "Bearer".to_owned())],
            _ => Vec::new(),
        };
        Self {
            kind: format!("urn:p2pnode:problem:{name}").into(),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            hint: hint.into(),
            evidence: BTreeMap::new(),
            headers,
        }
    }

    /// A part of the request that is not understood.
    pub(super) fn malformed(detail: impl Into<Box<str>>) -> Self {
        let hint = "see /v1/openapi.json for what this path takes";
        Self::new(Kind::Malformed, detail, hint)
    }

    /// A part of the request that is understood, and cannot be done.
    pub(super) fn refused(detail: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Refused, detail, NOTHING_CHANGED)
    }

    /// The node's task says nothing.
    pub(super) fn silent(writes: bool) -> Self {
        let hint = if writes {
            "it may have taken effect or still do; read before you repeat it"
        } else {
            "try again, or ask another node"
        };
        Self::new(Kind::Unknown, "the node does not answer", hint)
            .with("outcome", Word::Unknown.text().into())
    }

    /// Neither found nor proven absent.
    pub(super) fn unknown(reason: Option<&str>) -> Self {
        let reason = reason.unwrap_or("too few answered");
        let detail = format!("it may be there or not: {reason}");
        Self::new(Kind::Unknown, detail, "try again, or ask another node")
    }

    /// Proven absent.
    pub(super) fn absent(what: &str) -> Self {
        let detail = format!("there is no {what}, and that is proven");
        Self::new(Kind::Absent, detail, "nothing is to be done")
    }

    /// Adds something that is known.
    pub(super) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.evidence.insert(name.to_owned(), value);
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: HeaderName, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// What a node says of a call that it could not do.
    pub(super) fn failed(failure: &Failure, key: Option<Id>, writes: bool) -> Self {
        let kind = match failure {
            Failure::Refused(_) => Kind::Refused,
            Failure::Full(_) => Kind::Full,
            _ => Kind::Unknown,
        };
        let outcome = outcome_of(failure, writes);
        let hint = match failure {
            Failure::Refused(_) => NOTHING_CHANGED,
            Failure::Full(_) => "delete something, raise --max-store of the nodes, or add nodes",
            Failure::TooFewReplicas { .. } | Failure::NoAnswer { .. } if writes => {
                "read before you repeat it"
            }
            _ => "nothing was changed; try again, or ask another node",
        };
        let mut problem = Self::new(kind, failure.to_string(), hint);
        problem = problem.with("outcome", outcome.into());
        if let Some(key) = key {
            problem = problem.with("key", key.to_string().into());
        }
        problem.evidence.extend(durable_of(failure));
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Strings and numbers are always written.
        let text = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], text).into_response();
        let evidence = self.evidence.iter().filter_map(|(name, value)| {
            let text = value.as_str().map(str::to_owned);
            let text = text.or_else(|| value.as_u64().map(|count| count.to_string()))?;
            Some((header_of(name)?, text))
        });
        for (name, value) in evidence.chain(self.headers) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Describes the responses of one problem.
fn response(kind: Kind) -> (String, RefOr<utoipa::openapi::Response>) {
    let (status, _, title) = kind.parts();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let mut response = ResponseBuilder::new()
        .description(title)
        .content(PROBLEM_JSON, content);
    if kind == Kind::Unknown {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
        let header = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("Seconds"));
        response = response.header("Retry-After", header.build());
    }
    (status.as_str().to_owned(), response.build().into())
}

/// Names a set of problems, for the description of the operations that may have them.
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $($kind:ident)+;)+) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
                [$(Kind::$kind),+].into_iter().map(response).collect()
            }
        }
    )+};
}

problems! {
    /// Every path may have them.
    Usual: Malformed Unauthorized Forbidden Misdirected Unknown;
    /// What reads a key may have, too.
    Reads: Absent Refused;
    /// What looks up a key may have, too.
    Looks: Refused;
    /// What writes.
    Writes: Refused Full TooLarge;
    /// What writes under a condition.
    Conditional: Conflict;
    /// What removes.
    Removes: Absent Refused Full;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_was_not_begun_is_no_unknown_one() {
        let said = |failure: Failure, writes| {
            let problem = Problem::failed(&failure, None, writes);
            (problem.status, problem.evidence["outcome"].clone())
        };
        assert_eq!(said(Failure::NotMember, true), (503, "failed".into()));
        assert_eq!(said(Failure::NotMember, false), (503, "unknown".into()));
        let half = Failure::TooFewReplicas {
            durable: 1,
            replicas: 3,
            needed: 2,
        };
        assert_eq!(said(half.clone(), true), (503, "unknown".into()));
        let problem = Problem::failed(&half, None, true);
        assert_eq!(problem.evidence["replicas_durable"], 1);
        assert!(problem.hint.contains("read before"), "{}", problem.hint);
        let refused = Failure::Refused("no".to_owned());
        assert_eq!(said(refused, true), (422, "failed".into()));
    }
}

//! The headers of answers, and their description: what an answer rests on (`P2p-…`), versions, times.
//!
//! One rule says which response may have which, so that the description has them all.

use axum::http::HeaderName;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, OpenApi, PathItem, RefOr};

/// What evidence is called in documents and in headers, and what it says.
const EVIDENCE: [(&str, &str, &str); 8] = [
    ("key", "p2p-key", "The key's place in the network"),
    (
        "outcome",
        "p2p-outcome",
        "What came of it, as in the document",
    ),
    (
        "replicas_answered",
        "p2p-replicas-answered",
        "Replicas that answered",
    ),
    (
        "replicas_asked",
        "p2p-replicas-asked",
        "Replicas that were asked",
    ),
    (
        "replicas_durable",
        "p2p-replicas-durable",
        "Replicas that hold it durably",
    ),
    ("replicas", "p2p-replicas", "Replicas that there are"),
    (
        "replicas_needed",
        "p2p-replicas-needed",
        "Replicas that must hold it before it is acknowledged",
    ),
    (
        "nodes_reached",
        "p2p-nodes-reached",
        "Nodes that a search without structure has reached",
    ),
];

/// The header that tells this part of the evidence; what has none is in the document alone.
pub(super) fn header_of(name: &str) -> Option<HeaderName> {
    let mut all = EVIDENCE.iter();
    let (_, header, _) = all.find(|(known, ..)| *known == name)?;
    Some(HeaderName::from_static(header))
}

/// Adds to each response of the description the headers that it may have.
pub(super) fn describe(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        let PathItem {
            get,
            put,
            post,
            delete,
            ..
        } = item;
        let operations = [
            ("get", get),
            ("put", put),
            ("post", post),
            ("delete", delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                describe_operation(path, method, operation);
            }
        }
    }
}

fn describe_operation(path: &str, method: &str, operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        for (name, text) in may_have(path, method, status) {
            let text_or_number = ObjectBuilder::new().schema_type(Type::String).build();
            let header = HeaderBuilder::new().schema(Some(text_or_number));
            let header = header.description(Some(text)).build();
            response.headers.insert(name.to_owned(), header.into());
        }
    }
}

/// Headers that a response may have, each with what it says.
fn may_have(path: &str, method: &str, status: &str) -> Vec<(&'static str, &'static str)> {
    let mut names = Vec::new();
    let is_kept = path.starts_with("/v1/kv/") || path.starts_with("/v1/holders/");
    let is_call = is_kept
        || ["/v1/locate/", "/v1/search", "/v1/keys"]
            .iter()
            .any(|it| path.starts_with(it));
    let is_problem = ["404", "412", "422", "503", "507"].contains(&status);
    let is_done = ["200", "201", "304"].contains(&status);
    if (is_call && is_problem) || (is_kept && is_done) {
        names.extend(EVIDENCE.iter().map(|(_, name, text)| (*name, *text)));
    }
    let has_version = (is_done && method != "delete") || status == "412";
    if path.starts_with("/v1/kv/") && has_version {
        names.push(("ETag", "The version, in quotation marks"));
    }
    if status == "401" {
        names.push(("WWW-Authenticate", "Bearer"));
    }
    if path.starts_with("/v1/locate/") && status == "200" {
        names.push(("Server-Timing", "How long the lookup took: lookup;dur=MS"));
    }
    names
}

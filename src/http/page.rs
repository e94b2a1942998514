//! The page at `/`: the network as this node sees it, drawn by the browser.
//!
//! One document holds everything: its style and its script are written into it, so that there is no
//! second request, and the policy below admits exactly these two by their hashes, and nothing else.
//! It holds nothing of the network, and is served without a token: what it then asks for needs one.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use std::sync::LazyLock;

/// Where it is served.
pub(super) const PATH: &str = "/";

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// One module: each file uses the names of those before it.
const SCRIPT: &str = concat!(
    include_str!("page/base.js"),
    include_str!("page/health.js"),
    include_str!("page/wire.js"),
    include_str!("page/places.js"),
    include_str!("page/drawing.js"),
    include_str!("page/moving.js"),
    include_str!("page/lookup.js"),
    include_str!("page/words.js"),
    include_str!("page/table.js"),
    include_str!("page/panels.js"),
    include_str!("page/main.js"),
);

/// The document and its policy.
struct Page {
    text: String,
    policy: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| Page {
    text: FRAME
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT),
    policy: format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    ),
});

/// How a policy names what stands in the document.
fn hash(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}

/// The web page
#[utoipa::path(get, path = "/", operation_id = "page", tag = "node", security(()),
    responses((status = 200, description = "The network, drawn from live data", body = String, content_type = "text/html")))]
pub(super) async fn page() -> Response {
    let page = &*PAGE;
    let mut response = (
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::REFERRER_POLICY, "no-referrer"),
        ],
        page.text.as_str(),
    )
        .into_response();
    if let Ok(policy) = HeaderValue::from_str(&page.policy) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a browser loads, kilobytes, of which it must stay far below.
    const MAX_PAGE_BYTES: usize = 300_000;

    #[test]
    fn the_page_is_whole_and_light() {
        assert!(PAGE.text.len() < MAX_PAGE_BYTES, "{}", PAGE.text.len());
        assert!(!PAGE.text.contains("{{"), "something was left out");
        // A replacement inside the script or the style would not be what was hashed.
        assert!(PAGE.text.contains(SCRIPT) && PAGE.text.contains(STYLE));
        // An end of an element inside it would end it.
        assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
    }

    #[test]
    fn text_of_the_network_is_never_taken_for_markup() {
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!SCRIPT.contains(way), "{way}");
        }
    }
}

//! Who is let in.

use crate::client::Served;
use crate::support::{bare, file_in, run};
use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the tests send.
pub(crate) const TOKEN: &str = "a-token-of-the-tests/0123456789";

/// A file with the token, open to its owner only.
pub(crate) fn token_file(directory: &Path) -> String {
    let path = file_in(directory, "token", format!("{TOKEN}\n").as_bytes());
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("permissions");
    path.to_str().expect("text").to_owned()
}

pub(crate) fn a_token_opens_all_but_health(overlay: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = token_file(directory.path());
    let one = Served::start(overlay, None, &["--http-token-file", &file]);
    let right = format!("Authorization: Bearer {TOKEN}");
    let paths = [
        "/v1/kv/k",
        "/v1/holders/k",
        "/v1/search?text=a",
        "/v1/keys?prefix=a",
        "/v1/locate/k",
        "/v1/status",
        "/v1/peers",
        "/v1/network",
        "/v1/events",
        "/v1/openapi.json",
        "/metrics",
        "/none",
    ];
    for path in paths {
        let refused = one.api.get(path).is(401);
        assert_eq!(refused.has("www-authenticate"), "Bearer");
        for wrong in [
            "Authorization: Bearer another-token-of-the-tests",
            &format!("Authorization: Basic {TOKEN}"),
            &format!("Authorization: Bearer {TOKEN}x"),
            &format!("Authorization: {TOKEN}"),
        ] {
            one.api.ask("GET", path, &[wrong], &[]).is(401);
        }
    }
    one.api.put("/v1/kv/k", "x").is(401);
    one.api.ask("PUT", "/v1/kv/k", &[&right], b"x").is(200);
    let got = one.api.ask("GET", "/v1/kv/k", &[&right], &[]).is(200);
    assert_eq!(got.body, b"x");
    one.api.ask("GET", "/v1/status", &[&right], &[]).is(200);
    // The token decides, whatever name the client knows the node by.
    let lines = [&right, "Host: node.example:4080"];
    one.api.ask("GET", "/v1/status", &lines, &[]).is(200);
    for open in ["/healthz", "/readyz", "/"] {
        assert_eq!(one.api.get(open).status, 200, "{open}");
    }
    let log = one.node.log();
    assert!(!log.contains(TOKEN), "the token is in the log");
}

pub(crate) fn other_addresses_want_a_token(overlay: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let start = |more: &[&str]| {
        let mut command = bare(env!("CARGO_BIN_EXE_p2pnode"));
        command.args(["--overlay", overlay, "--listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(directory.path().join("data"));
        run(command.args(more), None)
    };
    for open in ["0.0.0.0:0", "[::]:0"] {
        let refused = start(&["--http", open]);
        assert!(refused.code == 1 || refused.code == 2, "{refused:?}");
        assert!(refused.stdout.is_empty());
        refused.complains("--http-token-file");
    }
    let unfit = file_in(directory.path(), "short", b"short");
    let path = unfit.to_str().expect("text");
    start(&["--http", "127.0.0.1:0", "--http-token-file", path]).complains("chmod 600");
    std::fs::set_permissions(&unfit, PermissionsExt::from_mode(0o600)).expect("permissions");
    start(&["--http", "127.0.0.1:0", "--http-token-file", path]).complains("token file");
    let file = token_file(directory.path());
    let more = ["--http", "0.0.0.0:0", "--http-token-file", &file];
    let (node, line) = crate::support::Starting::spawn_with(overlay, None, &more).ready_line();
    assert!(line.contains("http=0.0.0.0:"), "{line}");
    drop(node);
}

pub(crate) fn strangers_pages_are_refused(overlay: &str) {
    let one = Served::start(overlay, None, &[]);
    let status = |lines: &[&str], code| {
        one.api.ask("GET", "/v1/status", lines, &[]).is(code);
    };
    status(&["Host: localhost:4080"], 200);
    one.api
        .ask("GET", "/", &["Host: node.example:4080"], &[])
        .is(421);
    status(&["Host: node.example:4080"], 421);
    status(&["Origin: http://site.example"], 403);
    status(&[&format!("Origin: http://{}", one.api.at)], 200);
    status(&["Sec-Fetch-Site: cross-site"], 403);
    let put = ["Origin: http://site.example"];
    one.api.ask("PUT", "/v1/kv/k", &put, b"x").is(403);
    one.api.get("/v1/kv/k").is(404);
}

/// Who sends a head by the byte does not keep a place: it is closed, however steadily he sends.
pub(crate) fn a_head_that_does_not_end_is_given_up(overlay: &str) {
    /// As `src/http/listener.rs` has it, and time for a slow machine.
    const CLOSED_WITHIN: Duration = Duration::from_secs(10 + 15);
    let one = Served::start(overlay, None, &[]);
    let mut stream = TcpStream::connect(one.api.at).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .expect("a time-out");
    let began = Instant::now();
    let mut answer = Vec::new();
    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nX: ");
    loop {
        assert!(began.elapsed() < CLOSED_WITHIN, "it is still open");
        // Far more often than a connection may stand still.
        let sent = stream.write_all(b"a");
        let mut room = [0; 512];
        match stream.read(&mut room) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&room[..count]),
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut) && sent.is_ok() => {}
            Err(_) => break,
        }
    }
    assert!(began.elapsed() > Duration::from_secs(5), "{answer:?}");
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    one.api.get("/healthz");
}

pub(crate) fn only_the_page_may_run_scripts(overlay: &str) {
    let one = Served::start(overlay, None, &[]);
    let policy = |path: &str| {
        let answer = one.api.get(path).is(200);
        assert_eq!(answer.has("x-content-type-options"), "nosniff");
        answer.has("content-security-policy").to_owned()
    };
    let page = policy("/");
    for part in [
        "default-src 'none'; script-src 'sha256-",
        "connect-src 'self';",
        "frame-ancestors 'none'",
    ] {
        assert!(page.contains(part), "{page}");
    }
    assert!(
        !page.contains("unsafe") && !page.contains("script-src 'self'"),
        "{page}"
    );
    one.api
        .put("/v1/kv/page", "<script>alert(1)</script>")
        .is(200);
    for path in ["/v1/kv/page", "/v1/status", "/v1/network"] {
        assert_eq!(
            policy(path),
            "default-src 'none'; frame-ancestors 'none'; sandbox"
        );
    }
}

/// Connections hold no more of heads than there is room for: what is longer is refused, whether it ends
/// or not, and others are served meanwhile.
pub(crate) fn a_head_that_is_too_long_is_refused(overlay: &str) {
    /// Above the 16 KiB of `src/http/listener.rs`, and what the node may have read beyond them.
    const TOO_LONG: usize = 64 << 10;
    let one = Served::start(overlay, None, &[]);
    let padded = |bytes: usize| format!("X-Padding: {}", "x".repeat(bytes));
    one.api
        .ask("GET", "/v1/status", &[&padded(12 << 10)], &[])
        .is(200);
    for ends in [true, false] {
        let mut stream = TcpStream::connect(one.api.at).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a time-out");
        let end = if ends { "\r\n\r\n" } else { "" };
        let head = format!("GET /v1/status HTTP/1.1\r\n{}{end}", padded(TOO_LONG));
        // It may be refused before all of it is written.
        let _ = stream.write_all(head.as_bytes());
        let mut line = [0; 12];
        stream
            .read_exact(&mut line)
            .expect("an answer, and at once");
        assert_eq!(String::from_utf8_lossy(&line), "HTTP/1.1 431");
    }
    one.api.get("/v1/status").is(200);
}

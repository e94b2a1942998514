//! The description of the API: it has every path, and what it says is true.

use crate::access::{TOKEN, token_file};
use crate::client::Served;
use crate::support::bare;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Every path and method that is annotated in the source.
fn annotated() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("src/http") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("text");
        for part in text.split("#[utoipa::path(").skip(1) {
            let (method, rest) = part.split_once(',').expect("a method");
            let path = rest.split('"').nth(1).expect("a path");
            found.push((path.to_owned(), method.to_owned()));
        }
    }
    found
}

pub(crate) fn every_path_is_described(overlay: &str) {
    let one = Served::start(overlay, None, &[]);
    let description = one.api.get("/v1/openapi.json").is(200).json();
    assert!(
        description["openapi"]
            .as_str()
            .is_some_and(|text| text.starts_with("3.1"))
    );
    let mut described = Vec::new();
    for (path, methods) in description["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(operation["summary"].is_string(), "{method} {path}");
            described.push((path.clone(), method.clone()));
        }
    }
    let mut annotated = annotated();
    annotated.sort();
    described.sort();
    assert_eq!(described, annotated);
    // The router has no path beside those that are described.
    let router = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/mod.rs");
    let text = std::fs::read_to_string(router).expect("src/http/mod.rs");
    for other in [".route(", ".nest(", ".merge(", ".route_service("] {
        assert!(
            !text.contains(other),
            "{other} adds a path without a description"
        );
    }
    // Whatever is described is served, and answers what its description knows.
    for (path, method) in described.iter().filter(|(path, _)| path != "/v1/events") {
        let asked = path.replace("{key}", "k");
        let answer = one.api.ask(&method.to_uppercase(), &asked, &[], &[]);
        assert_ne!(answer.status, 405, "{method} {path}");
        let known = &description["paths"][path][method]["responses"];
        let status = answer.status.to_string();
        assert!(known[&status].is_object(), "{method} {path}: {status}");
        if answer.status == 404 {
            assert_eq!(answer.json()["type"], "urn:p2pnode:problem:absent");
        }
    }
}

/// Each header that tells something of the answer is in the description of the response that had it.
pub(crate) fn headers_are_described(overlay: &str) {
    let one = Served::start(overlay, None, &[]);
    let description = one.api.get("/v1/openapi.json").is(200).json();
    let asked: [(&str, &str, &[&str], &[u8]); 11] = [
        ("GET", "/v1/kv/k", &[], b""),
        ("PUT", "/v1/kv/k", &["If-None-Match: *"], b"new"),
        ("PUT", "/v1/kv/k", &[], b"value"),
        ("PUT", "/v1/kv/k", &["If-None-Match: *"], b"late"),
        ("GET", "/v1/kv/k", &[], b""),
        ("GET", "/v1/kv/k", &["If-None-Match: *"], b""),
        ("POST", "/v1/holders/k", &[], b"{}"),
        ("GET", "/v1/holders/k", &[], b""),
        ("GET", "/v1/locate/k", &[], b""),
        ("DELETE", "/v1/holders/k", &[], b""),
        ("DELETE", "/v1/kv/k", &[], b""),
    ];
    let mut seen = 0;
    for (method, path, lines, body) in asked {
        let answer = one.api.ask(method, path, lines, body);
        let described = path.strip_suffix("k").expect("a key").to_owned() + "{key}";
        let operation = &description["paths"][&described][method.to_lowercase()];
        let known = &operation["responses"][answer.status.to_string()]["headers"];
        let known: Vec<String> = known.as_object().map_or(Vec::new(), |all| {
            all.keys().map(|name| name.to_ascii_lowercase()).collect()
        });
        for name in answer.header_names().filter(|name| tells(name)) {
            let status = answer.status;
            assert!(known.contains(&name), "{method} {path}, {status}: {name}");
            seen += 1;
        }
    }
    assert!(seen >= 30, "{seen} headers of {} answers", asked.len());
}

/// Whether a header is more than how the answer is carried.
fn tells(name: &str) -> bool {
    let others = ["etag", "retry-after", "server-timing", "www-authenticate"];
    name.starts_with("p2p-") || others.contains(&name)
}

/// Where `cargo xtask test` installs programs in Python: beside what is built.
fn installed(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    target.expect("a folder").join("python/bin").join(name)
}

pub(crate) fn schemathesis_finds_nothing(overlay: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = token_file(directory.path());
    let one = Served::start(overlay, None, &["--http-token-file", &file]);
    let mut command = bare(installed("schemathesis"));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http");
    // The paths are the same on every overlay: one is looked at closely.
    let (config, examples) = match overlay {
        "chord" => ("schemathesis.toml", "25"),
        "gnutella" => ("schemathesis_unstructured.toml", "8"),
        _ => ("schemathesis.toml", "8"),
    };
    command
        .env("PYTHONPATH", &own)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("--config-file").arg(own.join(config));
    command
        .arg("run")
        .arg(format!("http://{}/v1/openapi.json", one.api.at));
    command.args(["--header", &format!("Authorization: Bearer {TOKEN}")]);
    command.args(["--checks", "all", "--max-examples", examples, "--seed", "1"]);
    command.args(["--request-timeout", "20", "--generation-database", "none"]);
    command.args(["--no-color", "--continue-on-failure"]);
    // A stream without end: every request would last until its time-out. tests/http/events.rs is on it.
    command.args(["--exclude-path", "/v1/events"]);
    // It leaves files in the folder where it runs.
    command.current_dir(directory.path()).stdin(Stdio::null());
    let output = command.output();
    let output = output.unwrap_or_else(|error| {
        panic!("schemathesis does not start ({error}); `cargo xtask test` installs it")
    });
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success(), "{said}\n{wrong}");
    let ran: Value = one.api.ask("GET", "/healthz", &[], &[]).status.into();
    assert_eq!(ran, 200, "it still serves");
}

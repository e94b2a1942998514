//! Finds, in the protocol crates, what a machine must not touch.
//!
//! `clippy.toml` forbids some of it everywhere; here the whole vocabulary is kept out, so that
//! not even a type of it appears.

use crate::code::{has_word, without_comments_and_strings, without_tests};

/// The crates whose code both drivers run.
pub(crate) const PURE: [&str; 7] = [
    "overlay", "chord", "dht", "tracker", "pastry", "gnutella", "swarm",
];

/// Names that have no place in them. Of `std::net`, only addresses are welcome.
const FORBIDDEN: [&str; 26] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
    "tokio",
    "quinn",
    "async",
    "await",
    "Instant",
    "SystemTime",
    "thread_local!",
    "getrandom",
    "OsRng",
    "SysRng",
];

/// Members of `std` that must not come in through `use std::{...}` either.
const FORBIDDEN_MEMBERS: [&str; 5] = ["fs", "thread", "process", "env", "os"];

/// Collections whose order is an accident.
const HASHED: [&str; 2] = ["HashMap", "HashSet"];

/// A comment that begins so, with a reason, lets one file use a hashed collection.
const HASH_REASON: &str = "// Hash order: ";

/// Finds forbidden names in a file of a protocol crate; says nothing of other files and of tests.
pub(crate) fn impurities(path: &str, text: &str) -> Vec<String> {
    if !is_shipped_protocol(path) {
        return Vec::new();
    }
    let code = without_tests(&without_comments_and_strings(text));
    let has_reason = text.lines().any(|line| {
        line.split_once(HASH_REASON)
            .is_some_and(|(_, reason)| !reason.trim().is_empty())
    });
    let mut findings: Vec<String> = grouped_members(&code)
        .map(|member| format!("{path}: `std::{member}`, in a group of imports"))
        .collect();
    for (number, line) in code.lines().enumerate() {
        let place = format!("{path}:{}", number + 1);
        let forbidden = FORBIDDEN.iter().filter(|word| has_word(line, word));
        findings.extend(forbidden.map(|word| format!("{place}: `{word}`")));
        if !has_reason {
            let hashed = HASHED.iter().filter(|word| has_word(line, word));
            findings.extend(hashed.map(|word| {
                format!("{place}: `{word}`; take a BTreeMap, or say `{HASH_REASON}why`")
            }));
        }
    }
    findings
}

fn is_shipped_protocol(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_test = parts.contains(&"tests") || parts.last() == Some(&"tests.rs");
    matches!(parts.as_slice(), [name, "src", ..] if PURE.contains(name)) && !is_test
}

/// Forbidden members in `use std::{a, b::c, d::{e, f}}`.
fn grouped_members(code: &str) -> impl Iterator<Item = &'static str> {
    let mut found = Vec::new();
    for (at, opening) in code.match_indices("use std::{") {
        let mut depth = 1_usize;
        let mut member = String::new();
        for character in code[at + opening.len()..].chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {}
                _ => {
                    if depth == 1 {
                        member.push(character);
                    }
                    continue;
                }
            }
            if depth <= 1 {
                let name = member.trim().split("::").next().unwrap_or_default();
                found.extend(FORBIDDEN_MEMBERS.iter().find(|bad| **bad == name));
                member.clear();
            }
            if depth == 0 {
                break;
            }
        }
    }
    found.into_iter()
}

#[test]
fn impure_code_is_found_in_protocol_crates_only() {
    let bad = [
        "use std::net::UdpSocket;",
        "use std::fs;",
        "std::thread::spawn(run);",
        "tokio::spawn(run());",
        "let now = Instant::now();",
        "let now = SystemTime::now();",
        "use std::collections::HashMap;",
        "use std::{fmt, collections::{BTreeMap, BTreeSet}, thread, mem};",
        "use std::{fs::File, mem};",
        "async fn run() {}",
    ];
    for text in bad {
        let found = impurities("chord/src/a/b.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(impurities("src/runtime/a.rs", text), Vec::<String>::new());
        assert_eq!(impurities("chord/tests/a.rs", text), Vec::<String>::new());
    }
}

#[test]
fn pure_code_comments_strings_and_tests_pass() {
    let good = [
        "use std::net::{IpAddr, SocketAddr};",
        "// tokio\nlet name = \"std::fs\";",
        "use std::{fmt, mem};",
        "#[cfg(test)]\nmod tests { use std::fs; }",
        "// Hash order: looked up by id, never iterated.\nuse std::collections::HashMap;",
    ];
    for text in good {
        assert_eq!(
            impurities("dht/src/a.rs", text),
            Vec::<String>::new(),
            "{text}"
        );
    }
    let no_reason = "// Hash order: \nuse std::collections::HashMap;";
    assert_eq!(impurities("dht/src/a.rs", no_reason).len(), 1);
}

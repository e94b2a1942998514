//! What `p2pctl` says to bad input and to nodes that fail: one clear line, and the exit code of
//! the contract.

mod lone;
mod support;

use lone::{bereaved, lone_node};
use std::ffi::{OsStr, OsString};
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;
use support::{alone, bare, ctl_at, ctl_fed, file_in, run, wait_until};

/// Where nobody listens: only for commands that must fail before they connect.
const NOWHERE: &str = "127.0.0.1:9";

fn refused<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, words: &str) {
    let ran = ctl_at(NOWHERE, args).exits(2);
    assert!(
        ran.stderr.contains(words),
        "no {words:?} in {:?}",
        ran.stderr
    );
    assert!(ran.stdout.is_empty(), "{ran:?}");
}

/// An address at which nobody listens.
fn free_address() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("its address").to_string()
}

#[test]
fn a_key_has_one_byte_to_a_kibibyte() {
    for command in ["put", "get", "insert", "search", "delete", "locate"] {
        let value = (command == "put").then_some("value");
        refused([command, ""].into_iter().chain(value), "1024 bytes");
        let long = "k".repeat(1_025);
        refused([command, &long].into_iter().chain(value), "1024 bytes");
    }
    refused(["get", "--hex", "abc"], "40 hexadecimal digits");
}

#[test]
fn a_value_has_at_most_a_mebibyte() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let long = file_in(temp.path(), "long", &vec![7; (1 << 20) + 1]);
    let arg = long.to_str().expect("text");
    refused(["put", "key", "--file", arg], "1048576 bytes");
    let fed = ctl_fed(NOWHERE, ["put", "key", "-"], &vec![7; (1 << 20) + 1]);
    fed.exits(2).complains("1048576 bytes");
    refused(["put", "key", "--file", "/no/such/file"], "/no/such/file");
}

#[test]
fn a_life_time_has_limits_that_are_said() {
    for time in ["0", "0s", "100y", "100years", "36500days", "1e9", "-1", ""] {
        refused(["put", "key", "value", "--ttl", time], "366days");
        refused(["insert", "key", "--ttl", time], "7days");
    }
    refused(["--timeout", "0", "status"], "time-out");
}

#[test]
fn wrong_use_is_told_in_words_and_in_json() {
    refused(["put", "key", "value", "--frobnicate"], "--frobnicate");
    refused(["fetch", "key"], "fetch");
    refused(["put", "key"], "required");
    refused(
        ["put", "key", "value", "--file", "f"],
        "cannot be used with",
    );
    refused(["get", "key", "--consistency", "most"], "quorum");
    refused(["search"], "KEY");
    refused(["search", "--text", "ub*tu"], "end of a word");
    refused(["insert", "key", "--holder", "nowhere"], "HOST:PORT");
    refused(["bench", "--mix", "all"], "PUTS:GETS");
    for args in [
        &["--json", "get"][..],
        &["--json", "get", ""],
        &["get", "k", "--json", "--x"],
    ] {
        let ran = ctl_at(NOWHERE, args).exits(2);
        let document = ran.document();
        assert!(
            document["error"].is_string() && document["outcome"] == "failed",
            "{document}"
        );
        assert_eq!(document["command"], "get", "{document}");
        assert!(document["hint"].is_string(), "{document}");
    }
    let id = overlay::Id::of(b"k").to_string();
    for args in [
        &["put", "k"][..],
        &["get", "k", "--consistency", "most"],
        &["search", "k", "--text", "words"],
        &["insert", "k", "--text", &"w".repeat(2_000)],
        &["put", "k", "--file", "/no/such/file"],
    ] {
        let all = ["--json"].iter().chain(args);
        let document = ctl_at(NOWHERE, all).exits(2).document();
        assert_eq!(document["key"], id, "{args:?}: {document}");
        assert_eq!(document["key_text"], "k", "{args:?}: {document}");
        assert_eq!(document["hint"], format!("see `p2pctl {} --help`", args[0]));
    }
    ctl_at(NOWHERE, ["--help"]).exits(0);
    ctl_at(NOWHERE, ["--version"]).exits(0);
}

#[test]
fn an_address_that_is_none_is_wrong_use() {
    for node in [
        "nonsense",
        "127.0.0.1",
        "127.0.0.1:0",
        "127.0.0.1:99999",
        "http://x:1",
        "::1:4000",
    ] {
        let ran = ctl_at(node, ["status"]).exits(2);
        assert!(ran.stderr.contains("HOST:PORT"), "{ran:?}");
    }
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    let ran = run(command.env("P2PCTL_NODE", "nonsense").arg("status"), None).exits(2);
    assert!(ran.stderr.contains("HOST:PORT"), "{ran:?}");
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let ran = ctl_at("no-such-host.invalid:4000", ["--timeout", "20s", "status"]).exits(3);
    ran.complains("no-such-host.invalid");
    let ran = ctl_at("no-such-host.invalid:4000", ["--json", "get", "key"]).exits(3);
    let document = ran.document();
    assert_eq!(document["outcome"], "unknown");
    assert_eq!(document["key"].as_str().map(str::len), Some(40));
}

#[test]
fn nobody_listening_is_noticed_at_once() {
    let address = free_address();
    let ran = ctl_at(&address, ["--timeout", "60s", "put", "key", "value"]).exits(3);
    ran.complains("nobody listens at");
    let ran = ctl_at(&address, ["--json", "put", "key", "value"]).exits(3);
    assert_eq!(
        ran.document()["outcome"],
        "failed",
        "nothing was sent, so nothing was changed"
    );
}

#[test]
fn somebody_else_on_the_port_is_a_time_out() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("its address").to_string();
    ctl_at(&address, ["--timeout", "300ms", "status"])
        .exits(3)
        .complains("no answer from");
}

#[test]
fn bytes_come_back_exactly() {
    let _alone = alone();
    let node = lone_node();
    let temp = tempfile::tempdir().expect("a temporary directory");
    let every: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    let samples: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("not text", vec![0xff, 0xfe, 0, b'\n', 0x80]),
        ("newlines", b"\n\n\r\n".to_vec()),
        ("every byte", every),
        ("longest", vec![0xa5; 1 << 20]),
    ];
    for (key, value) in &samples {
        let path = file_in(temp.path(), "value", value);
        node.ctl([
            OsStr::new("put"),
            OsStr::new(key),
            OsStr::new("--file"),
            path.as_os_str(),
        ])
        .exits(0);
        let plain = node.ctl(["get", key]).exits(0);
        assert_eq!(&plain.stdout, value, "{key}");
        let out = temp.path().join("out");
        node.ctl([
            OsStr::new("get"),
            OsStr::new(key),
            OsStr::new("--out"),
            out.as_os_str(),
        ])
        .exits(0);
        assert_eq!(&std::fs::read(&out).expect("the file"), value, "{key}");
        let document = node.json(["get", key]).exits(0).document();
        let encoded = document["value_base64"].as_str().expect("value_base64");
        assert_eq!(&decode_base64(encoded), value, "{key}");
        let fed = ctl_fed(&node.listen.to_string(), ["put", "fed", "-"], value);
        fed.exits(0);
        assert_eq!(
            &node.ctl(["get", "fed"]).exits(0).stdout,
            value,
            "{key} fed"
        );
    }
    let ran = node
        .ctl(["get", "empty", "--out", "/no/such/directory/file"])
        .exits(3);
    ran.complains("/no/such/directory/file");
}

fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .expect("base64")
}

#[test]
fn keys_need_not_be_text_and_ids_are_keys_too() {
    let _alone = alone();
    let node = lone_node();
    let key = OsStr::from_bytes(&[0xff, 0x01, 0xfe]);
    node.ctl([OsStr::new("put"), key, OsStr::new("odd")])
        .exits(0);
    assert_eq!(node.ctl([OsStr::new("get"), key]).exits(0).stdout, b"odd");
    let id = overlay::Id::of(key.as_bytes()).to_string();
    assert_eq!(node.ctl(["get", "--hex", &id]).exits(0).stdout, b"odd");
    let upper = id.to_uppercase();
    let document = node.json(["get", "--hex", &upper]).exits(0).document();
    assert_eq!(document["key"], id, "ids are written in lower case");
    let dashed: [OsString; 4] = ["put".into(), "--".into(), "--key".into(), "--value".into()];
    node.ctl(dashed).exits(0);
    assert_eq!(node.ctl(["get", "--", "--key"]).exits(0).stdout, b"--value");
}

#[test]
fn a_value_with_a_life_time_ends() {
    let _alone = alone();
    let node = lone_node();
    node.ctl(["put", "brief", "life", "--ttl", "1s"]).exits(0);
    wait_until("the value ends", support::SOON, || {
        match node.ctl(["get", "brief"]).code {
            1 => Ok(()),
            code => Err(format!("exit code {code}")),
        }
    });
}

#[test]
fn a_node_that_dies_in_the_middle_is_a_lost_connection() {
    let _alone = alone();
    let node = lone_node();
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    let address = node.listen.to_string();
    command.args([
        "--node",
        &address,
        "--timeout",
        "20s",
        "bench",
        "--duration",
        "15s",
    ]);
    let output = bereaved(node, command.stdout(Stdio::piped()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("was lost"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_node_that_is_stopped_is_a_time_out_and_a_write_is_unknown() {
    let _alone = alone();
    let node = lone_node();
    node.signal("STOP");
    let ran = node
        .json(["--timeout", "500ms", "put", "key", "value"])
        .exits(3);
    assert!(ran.document()["error"].is_string());
    node.signal("CONT");
    wait_until("it answers again", support::SOON, || node.status());
}

#[test]
fn a_version_that_was_printed_is_a_condition() {
    let _alone = alone();
    let node = lone_node();
    let first = node.json(["put", "key", "one", "--if-absent"]).exits(0);
    let first = first.document();
    let version = first["version"].as_str().expect("version").to_owned();
    let ran = node.json(["put", "key", "two", "--if-absent"]).exits(1);
    let conflict = ran.document();
    assert_eq!(
        (&conflict["outcome"], &conflict["version"]),
        (&"conflict".into(), &version.as_str().into()),
        "{conflict}"
    );
    let ran = node.ctl(["put", "key", "two", "--if-version", &version]);
    let said = String::from_utf8_lossy(&ran.exits(0).stdout).into_owned();
    let second = said
        .split("version ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let second = second.expect("a version in the text").to_owned();
    node.ctl(["put", "key", "three", "--if-version", &version])
        .exits(1)
        .complains(&second);
    assert_eq!(
        node.json(["get", "key"]).exits(0).document()["version"],
        *second
    );
    node.ctl(["delete", "key", "--if-version", &version])
        .exits(1)
        .complains("conflict");
    node.ctl(["delete", "key", "--if-version", &second])
        .exits(0);
    let ran = node.json(["put", "key", "x", "--if-version", &second]);
    assert_eq!(ran.exits(1).document()["version"], serde_json::Value::Null);
    refused(["put", "key", "x", "--if-version", "7"], "no version");
}

#[test]
fn a_batch_names_its_file() {
    refused(
        ["put", "key", "value", "--batch", "f"],
        "cannot be used with",
    );
    refused(["put", "--batch", "/no/such/file"], "/no/such/file");
}

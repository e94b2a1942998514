//! What a person may get wrong when starting `p2pnode`: one clear line that says what to do.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of the tests may fail as they may"
)]

mod support;

use p2pnode::tls;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use support::{Node, Ran, alone, bare, run};

/// Runs a node that is not expected to start, on a free port and without HTTP.
fn try_start(data_dir: &Path, args: &[&str]) -> Ran {
    let mut command = bare(env!("CARGO_BIN_EXE_p2pnode"));
    if !args.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    run(
        command
            .args(["--http", "off", "--data-dir"])
            .arg(data_dir)
            .args(args),
        None,
    )
}

/// Asserts a failure of the machine around us: exit code 1 and one line.
#[track_caller]
fn fails(ran: Ran, words: &[&str]) {
    let mut ran = ran.exits(1);
    for word in words {
        ran = ran.complains(word);
    }
}

#[test]
fn a_port_in_use_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(
        try_start(&temp.path().join("data"), &["--listen", &address]),
        &[&address, "in use", "--listen"],
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let ran = try_start(&temp.path().join("data"), &["--listen", "192.0.2.1:4000"]);
    fails(ran, &["192.0.2.1:4000", "--listen"]);
}

#[test]
fn listening_everywhere_needs_an_address_to_tell() {
    let temp = tempfile::tempdir().unwrap();
    let ran = try_start(&temp.path().join("data"), &["--listen", "0.0.0.0:0"]);
    fails(ran, &["0.0.0.0", "--advertise"]);
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let ran = try_start(
        &temp.path().join("data"),
        &["--join", "nobody.invalid:4000"],
    );
    fails(ran, &["nobody.invalid:4000", "does not resolve"]);
    let ran = try_start(&temp.path().join("data"), &["--join", "nonsense"]);
    fails(ran, &["nonsense", "HOST:PORT"]);
}

#[test]
fn joining_where_nobody_is_ends_with_a_reason() {
    let temp = tempfile::tempdir().unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let ran = try_start(&temp.path().join("data"), &["--join", &address]);
    fails(ran, &[&address, "nobody answers"]);
}

#[test]
fn joining_oneself_is_noticed() {
    let temp = tempfile::tempdir().unwrap();
    let free = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let ran = try_start(
        &temp.path().join("data"),
        &["--listen", &free, "--join", &free],
    );
    fails(ran, &[&free, "this node itself"]);
}

#[test]
fn joining_another_overlay_is_noticed() {
    let temp = tempfile::tempdir().unwrap();
    let address = other_overlay(temp.path().join("other"));
    let ran = try_start(&temp.path().join("data"), &["--join", &address]);
    fails(ran, &[&address, "another overlay", "--overlay"]);
}

#[test]
fn joining_a_network_with_other_quorums_is_refused_with_its_own() {
    let _alone = alone();
    let node = Node::start("chord", None);
    let temp = tempfile::tempdir().unwrap();
    let (address, data) = (node.listen.to_string(), temp.path().join("data"));
    let ran = try_start(&data, &["--join", &address, "--write-quorum", "3"]);
    fails(
        ran,
        &[&address, "--replicas 3 --write-quorum 2 --read-quorum 2"],
    );
    node.status().unwrap();
}

#[test]
fn impossible_quorums_are_wrong_use() {
    let temp = tempfile::tempdir().unwrap();
    for (args, words) in [
        (["--replicas", "0"], "--replicas is from 1 to 8"),
        (["--replicas", "9"], "--replicas is from 1 to 8"),
        (["--write-quorum", "4"], "--write-quorum is from 1"),
        (["--read-quorum", "0"], "--read-quorum is from 1"),
    ] {
        try_start(&temp.path().join("data"), &args)
            .exits(2)
            .complains(words);
    }
}

/// Something that speaks QUIC for another overlay, on a thread that lasts as long as the process.
fn other_overlay(key: PathBuf) -> String {
    let (told, listens) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(async {
            let identity = tls::Identity::load_or_create(&key).unwrap();
            let crypto = tls::server_config(&identity, vec![tls::peer_alpn("pastry")]).unwrap();
            let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
            let endpoint = quinn::Endpoint::server(config, ([127, 0, 0, 1], 0).into()).unwrap();
            told.send(endpoint.local_addr().unwrap().to_string())
                .unwrap();
            while let Some(incoming) = endpoint.accept().await {
                let _ = incoming.await;
            }
        });
    });
    listens.recv().unwrap()
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    fails(
        try_start(&below, &[]),
        &[&below.display().to_string(), "--data-dir"],
    );
}

#[test]
fn a_data_directory_in_use_is_named_with_its_process() {
    let _alone = alone();
    let node = Node::start("chord", None);
    let held = node.key_file().parent().unwrap().to_owned();
    fails(try_start(&held, &[]), &["in use", "process", "--data-dir"]);
    node.status().unwrap();
}

#[test]
fn a_node_that_was_killed_starts_again_on_its_directory_and_leaves_no_litter() {
    let _alone = alone();
    let temp = tempfile::tempdir().unwrap();
    let entries = temp.path().join("p2pnode");
    let listed = || -> Vec<String> {
        let names = std::fs::read_dir(&entries).unwrap().flatten();
        names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    };
    let entry_of = |node: &Serving| format!("{}.path", node.listen.replace(':', "_"));
    let first = Serving::start(temp.path());
    assert_eq!(listed(), [entry_of(&first)]);
    let id = first.id.clone();
    first.kill();
    assert_eq!(listed().len(), 1, "a killed node cannot clean up");
    // Another port: the entry of the killed node is not simply written over.
    let again = Serving::start(temp.path());
    assert_eq!(again.id, id, "the key was kept");
    assert_eq!(listed(), [entry_of(&again)]);
    let mut leave = bare(env!("CARGO_BIN_EXE_p2pctl"));
    leave.env("XDG_RUNTIME_DIR", temp.path());
    run(leave.args(["--node", &again.listen, "leave"]), None).exits(0);
    assert!(again.ended().success());
    assert_eq!(listed(), [""; 0]);
}

/// A node whose data and runtime directories are those of one test.
struct Serving {
    id: String,
    listen: String,
    child: Child,
}

impl Serving {
    fn start(directory: &Path) -> Self {
        let mut command = bare(env!("CARGO_BIN_EXE_p2pnode"));
        command.args(["--listen", "127.0.0.1:0", "--http", "off", "--data-dir"]);
        command.arg(directory.join("data"));
        command.env("XDG_RUNTIME_DIR", directory);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let field = |name: &str| {
            let mut fields = line.split_whitespace();
            let found = fields.find_map(|field| field.strip_prefix(name));
            found.unwrap_or_else(|| panic!("{line:?}")).to_owned()
        };
        Self {
            id: field("id="),
            listen: field("listen="),
            child,
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

#[test]
fn a_damaged_store_is_named_and_kept_and_a_missing_one_is_noticed() {
    let _alone = alone();
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("data");
    Serving::start(temp.path()).kill();
    let store = data.join("store");
    let format = store.join("format");
    std::fs::write(&format, "damaged").unwrap();
    fails(
        try_start(&data, &[]),
        &[&store.display().to_string(), "damaged", "move it away"],
    );
    assert_eq!(std::fs::read_to_string(&format).unwrap(), "damaged");
    std::fs::rename(&store, temp.path().join("away")).unwrap();
    let ran = try_start(&data, &["--join", "127.0.0.1:9"]).exits(1);
    for words in ["its store is missing", "put it back"] {
        assert!(
            ran.stderr.contains(words),
            "no {words:?} in {:?}",
            ran.stderr
        );
    }
}

/// A mount point without its disk: what was acknowledged is somewhere, and not absent.
#[test]
fn a_store_that_vanished_proves_no_absence() {
    let _alone = alone();
    let temp = tempfile::tempdir().unwrap();
    let ask = |node: &Serving, args: &[&str]| {
        let mut ctl = bare(env!("CARGO_BIN_EXE_p2pctl"));
        ctl.env("XDG_RUNTIME_DIR", temp.path());
        run(ctl.args(["--node", &node.listen]).args(args), None)
    };
    let node = Serving::start(temp.path());
    ask(&node, &["put", "kept", "value"]).exits(0);
    ask(&node, &["get", "never put"]).exits(1);
    node.kill();
    let store = temp.path().join("data/store");
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::create_dir(&store).unwrap();
    let node = Serving::start(temp.path());
    let ran = ask(&node, &["get", "kept"]).exits(3);
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    assert!(said.contains("unknown"), "{said}");
    node.kill();
}

#[test]
fn a_damaged_key_is_named_and_kept() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("node.key"), "damaged").unwrap();
    fails(
        try_start(&data, &[]),
        &["node.key", "damaged", "move it away"],
    );
    assert_eq!(
        std::fs::read_to_string(data.join("node.key")).unwrap(),
        "damaged"
    );
}

#[test]
fn an_unknown_flag_or_key_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let ran = try_start(&temp.path().join("data"), &["--lisen", "127.0.0.1:0"]).exits(2);
    assert!(
        ran.stderr.contains("--lisen") && ran.stderr.contains("--listen"),
        "{}",
        ran.stderr
    );
    let config = temp.path().join("node.toml");
    std::fs::write(&config, "http = 'off'\nlisen = '127.0.0.1:0'\n").unwrap();
    let path = config.display().to_string();
    try_start(&temp.path().join("data"), &["--config", &path])
        .exits(2)
        .complains("line 2")
        .complains("lisen")
        .complains("`listen`");
    let missing = temp.path().join("missing.toml").display().to_string();
    try_start(&temp.path().join("data"), &["--config", &missing])
        .exits(2)
        .complains(&missing);
    try_start(&temp.path().join("data"), &["--log", "p2pnode=loud"])
        .exits(2)
        .complains("loud");
}

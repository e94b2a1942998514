//! `p2pctl top` on a terminal of its own, beside a network of real nodes.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests are drivers, and a helper of theirs may fail as they may"
)]

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use support::{Node, SOON, Terminal, alone, bare, ctl_at, network, run, settle, wait_until};

/// A terminal in which a plain shell runs.
fn open() -> Terminal {
    Terminal::open(&["env", "PS1=done> ", "sh"], "done>")
}

impl Terminal {
    /// Begins `p2pctl ARGS`.
    fn begins(&self, node: &Node, args: &str) {
        let program = env!("CARGO_BIN_EXE_p2pctl");
        self.types(&format!(
            "clear; {program} --node {} {args}; echo ended with $?",
            node.listen
        ));
        self.presses("Enter");
    }

    /// Whether the shell has the terminal again, as it was: what is typed is shown, and no picture is
    /// left.
    fn is_restored(&self, code: i32) {
        let words = format!("ended with {code}");
        self.shows("the end", |screen| screen.contains(&words));
        assert_eq!(
            self.tmux(&["display-message", "-p", "#{alternate_on}"])
                .trim(),
            "0"
        );
        self.types("echo tal''ks");
        self.presses("Enter");
        let screen = self.shows("the shell", |screen| screen.contains("\ntalks"));
        assert!(screen.contains("echo tal''ks"), "no echo:\n{screen}");
        assert!(!screen.contains("q quit"), "the picture is left:\n{screen}");
    }
}

fn row<'a>(screen: &'a str, node: &str) -> Option<&'a str> {
    // The head names the node by way of which all is seen.
    let mut rows = screen.lines().filter(|line| !line.contains("seen from"));
    rows.find(|line| line.contains(node))
}

#[test]
fn all_nodes_are_shown_and_one_that_is_killed_goes() {
    let _one = alone();
    let mut nodes = network("chord", 4);
    settle(&nodes);
    let addrs: Vec<_> = nodes.iter().map(|node| node.listen.to_string()).collect();
    let terminal = open();
    terminal.begins(&nodes[0], "top --interval 200ms");
    terminal.shows("all nodes", |screen| {
        let is_well = |addr: &String| row(screen, addr).is_some_and(|row| row.contains("settled"));
        screen.contains("4 nodes") && addrs.iter().all(is_well)
    });

    // What happens is shown: operations, and a key that is looked up.
    nodes[1].ctl(["put", "greeting", "hello"]).exits(0);
    terminal.shows("a copy of the value", |screen| {
        addrs
            .iter()
            .filter_map(|addr| row(screen, addr))
            .any(|row| row.contains(" 1 "))
    });
    terminal.types("/greeting");
    terminal.presses("Enter");
    let located = nodes[0].json(["locate", "greeting"]).exits(0).document();
    let root = located["replicas"][0]["addr"].as_str().unwrap();
    terminal.shows("the replicas of the key", |screen| {
        screen.contains("greeting: ")
            && row(screen, "replicas").is_some_and(|row| row.contains(root))
    });
    terminal.presses("Escape");

    let dead = nodes.pop().unwrap();
    let addr = dead.listen.to_string();
    dead.kill();
    // It is unreachable until its neighbours forget it, which may be before the screen is looked at
    // again; how that looks is shown in the unit tests.
    terminal.shows("that it is forgotten", |screen| {
        screen.contains("3 nodes")
            && !screen.contains("unreachable")
            && row(screen, &addr).is_none()
    });

    // The node by way of which all this is seen dies: another one tells.
    let first = nodes.remove(0);
    first.kill();
    terminal.shows("the network by way of another node", |screen| {
        // Both that are left, and not one of them beside the dead one.
        let is_there = |node: &Node| row(screen, &node.listen.to_string()).is_some();
        screen.contains("2 nodes")
            && nodes.iter().all(is_there)
            && !screen.contains(&format!("seen from {}", addrs[0]))
    });
    terminal.presses("Down");
    terminal.presses("Enter");
    terminal.shows("a node in full", |screen| screen.contains("successor 1"));
    terminal.types("q");
    terminal.is_restored(0);
}

#[test]
fn a_signal_and_a_small_terminal_leave_the_terminal_as_it_was() {
    let _one = alone();
    let nodes = network("pastry", 2);
    settle(&nodes);
    let terminal = open();
    terminal.begins(&nodes[0], "top --interval 200ms");
    terminal.shows("the nodes", |screen| screen.contains("2 nodes"));
    terminal.tmux(&["resize-window", "-x", "40", "-y", "8"]);
    terminal.shows("a small picture", |screen| {
        screen.contains("settled") && !screen.contains("operations/s")
    });
    terminal.tmux(&["resize-window", "-x", "120", "-y", "30"]);
    terminal.shows("a large one", |screen| screen.contains("operations/s"));
    let pane = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]);
    // The only child of the shell.
    let children = format!("/proc/{0}/task/{0}/children", pane.trim());
    let child = std::fs::read_to_string(children).unwrap();
    let ended = Command::new("kill").args(["-TERM", child.trim()]).status();
    assert!(ended.unwrap().success());
    terminal.is_restored(0);
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let _one = alone();
    let nodes = network("gnutella", 2);
    let at = nodes[0].listen.to_string();
    wait_until("both know each other", SOON, || {
        let status = nodes[0].status()?;
        (status["peers"] == 1)
            .then_some(())
            .ok_or_else(|| status.to_string())
    });
    ctl_at(&at, ["top"]).exits(2).complains("status --json");
    ctl_at(&at, ["top", "--interval", "1ms"])
        .exits(2)
        .complains("100ms");
    let nobody = ctl_at("127.0.0.1:1", ["top", "--once"]).exits(3);
    nobody.complains("127.0.0.1:1");

    let once = ctl_at(&at, ["top", "--once", "--interval", "100ms"]).exits(0);
    let text = String::from_utf8(once.stdout).unwrap();
    assert!(text.starts_with("gnutella · 2 nodes"), "{text}");
    assert!(
        nodes
            .iter()
            .all(|node| text.contains(&node.listen.to_string())),
        "{text}"
    );
    let once = nodes[0]
        .json(["top", "--once", "--interval", "100ms"])
        .exits(0)
        .document();
    assert_eq!(once["answering"], 2, "{once}");

    // One document a line, until the reader has enough.
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    command.args(["--node", &at, "--json", "top", "--interval", "100ms"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let line = lines.next().unwrap().unwrap();
        let document: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(document["nodes"].as_array().unwrap().len(), 2, "{document}");
    }
    drop(lines);
    let ended = wait_until("the end", SOON, || {
        child
            .try_wait()
            .unwrap()
            .ok_or_else(|| "it still runs".to_owned())
    });
    assert!(ended.success(), "{ended}");
    // The help is one of the manual pages, too.
    let help = run(
        bare(env!("CARGO_BIN_EXE_p2pctl")).args(["top", "--help"]),
        None,
    )
    .exits(0);
    assert!(String::from_utf8_lossy(&help.stdout).contains("--once"));
}

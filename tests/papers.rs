//! What packages carry besides the programs: completions that shells load and that complete, manual
//! pages without a fault, a unit that systemd understands, and what a service manager is told.
//!
//! `cargo xtask test` installs the shells and the checkers.

mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::{Node, SOON, Starting, Terminal, bare, run, wait_until};

/// Runs a program to its end, and gives what it printed on both outputs.
fn ran(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{shown}: {error}; run `cargo xtask test`"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{shown}: {text}");
    text
}

/// The script of a shell for a program, in a file.
fn script(directory: &Path, shell: &str, program: &str) -> String {
    let file = directory.join(format!("{program}.{shell}"));
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    let made = run(
        command.args(["completions", shell, "--program", program]),
        None,
    );
    std::fs::write(&file, made.exits(0).stdout).expect("a file");
    file.to_str().expect("text").to_owned()
}

/// What a shell offers for a line, the last word of which is being typed.
fn offered(directory: &Path, shell: &str, line: &str) -> Vec<String> {
    let program = line.split(' ').next().expect("a program");
    let script = script(directory, shell, program);
    let mut command = Command::new(shell);
    match shell {
        "bash" => command.args(["--norc", "-c"]).arg(format!(
            "source '{script}' && complete -p {program} >&2 && COMP_WORDS=({line}{empty}) &&
             COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )) && COMPREPLY=() &&
             _{program} {program} \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\" &&
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            empty = if line.ends_with(' ') { "''" } else { "" },
        )),
        _ => command
            .args(["--no-config", "-c"])
            .arg(format!("source '{script}'; complete -C '{line}'")),
    };
    let text = ran(command.env("HOME", directory));
    let words = text.lines().filter_map(|line| line.split('\t').next());
    words.map(str::to_owned).collect()
}

#[test]
fn bash_and_fish_complete_commands_flags_and_values() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    for shell in ["bash", "fish"] {
        for (line, expected) in [
            ("p2pctl sta", "status"),
            ("p2pctl get --consi", "--consistency"),
            ("p2pctl get --consistency ", "quorum"),
            ("p2pctl --json torrent ", "make"),
            ("p2pnode --overl", "--overlay"),
            ("p2pnode --overlay p", "pastry"),
            ("p2psim comp", "compare"),
        ] {
            // Its script cannot tell where a command may stand while a value is missing.
            if shell == "fish" && line.starts_with("p2pnode --overlay ") {
                continue;
            }
            let words = offered(temp.path(), shell, line);
            let found = words.iter().any(|word| word == expected);
            assert!(found, "{shell}: {line:?} gives {words:?}");
        }
    }
}

/// A shell on a terminal that has read the scripts, and in whose path programs of these names show
/// what they are called with.
fn typing(directory: &Path, shell: &str) -> Terminal {
    let programs = directory.join("bin");
    std::fs::create_dir_all(&programs).expect("a directory");
    let mut begin = match shell {
        "zsh" => "autoload -Uz compinit && compinit -D -u".to_owned(),
        // Greyed suggestions would stand where what was completed is looked for.
        "fish" => "set -g fish_autosuggestion_enabled 0".to_owned(),
        _ => "true".to_owned(),
    };
    for program in ["p2pctl", "p2pnode", "p2psim"] {
        let stub = programs.join(program);
        std::fs::write(&stub, "#!/bin/sh\nprintf '[%s]' \"$@\"\necho\n").expect("a file");
        std::fs::set_permissions(&stub, Permissions::from_mode(0o755)).expect("its mode");
        begin.push_str(&format!("; source {}", script(directory, shell, program)));
    }
    let home = format!("HOME={}", directory.display());
    let path = std::env::var("PATH").expect("a path");
    let path = format!("PATH={}:{path}", programs.display());
    let mut words = vec!["env", &home, &path, "PS1=typing> ", shell];
    let asks = "function fish_prompt; echo 'typing> '; end";
    words.extend(match shell {
        "zsh" => vec!["-f"],
        "fish" => vec!["--no-config", "-C", asks],
        _ => vec!["--norc", "--noprofile"],
    });
    let terminal = Terminal::open(&words, "typing>");
    terminal.types(&format!("{begin}; clear; echo re'ad'"));
    terminal.presses("Enter");
    terminal.shows("the scripts were read", |screen| {
        screen.lines().any(|line| line.trim() == "read")
    });
    terminal
}

#[test]
fn what_is_typed_is_completed_by_tab_in_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let terminal = typing(temp.path(), shell);
        for (line, expected) in [
            ("p2pctl pu", "[put]"),
            ("p2pctl put --cons", "[put][--consistency]"),
            ("p2pctl get --consistency q", "[get][--consistency][quorum]"),
            ("p2pctl torrent ma", "[torrent][make]"),
            ("p2pnode --overl", "[--overlay]"),
            ("p2psim comp", "[compare]"),
        ] {
            terminal.shows("the prompt", |screen| {
                let last = screen.lines().rfind(|line| !line.trim().is_empty());
                last.is_some_and(|line| line.trim() == "typing>")
            });
            terminal.types(line);
            terminal.presses("Tab");
            terminal.presses("Enter");
            terminal.shows(&format!("{shell} completes {line:?}"), |screen| {
                screen.lines().any(|line| line.trim() == expected)
            });
        }
    }
}

#[test]
fn completions_are_one_document_with_json_and_other_shells_are_wrong_use() {
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    let ran = run(command.args(["--json", "completions", "fish"]), None).exits(0);
    let document = ran.document();
    assert_eq!(document["program"], "p2pctl");
    assert_eq!(document["shell"], "fish");
    assert!(document["script"].is_string(), "{document}");
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    run(command.args(["completions", "tcsh"]), None)
        .exits(2)
        .complains("bash, zsh, fish");
}

#[test]
fn every_command_has_a_manual_page_that_no_checker_complains_of() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let pages = temp.path().join("new/man");
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    command.args(["--json", "man", "--date", "2026-01-31"]);
    let document = run(command.arg(&pages), None).exits(0).document();
    let names: Vec<&str> = document["pages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    for name in [
        "p2pctl.1",
        "p2pctl-top.1",
        "p2pctl-torrent-make.1",
        "p2pnode.8",
        "p2psim.1",
    ] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    for name in &names {
        let page = pages.join(name);
        let lint = ran(Command::new("mandoc")
            .args(["-Tlint", "-W", "warning"])
            .arg(&page));
        assert_eq!(lint, "", "{name}");
        let read = ran(Command::new("mandoc").args(["-Tutf8"]).arg(&page));
        assert!(read.contains("January 31, 2026") || read.contains("2026-01-31"));
    }
    let daemon = std::fs::read_to_string(pages.join("p2pnode.8")).expect("a page");
    for word in ["P2PNODE_DATA_DIR", "/etc/p2pnode/p2pnode.toml", "p2psim"] {
        assert!(daemon.contains(word), "no {word} in {daemon}");
    }
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    run(command.args(["man", "x", "--date", "yesterday"]), None)
        .exits(2)
        .complains("YYYY-MM-DD");
}

#[test]
fn pages_that_cannot_be_written_are_a_failure() {
    let mut command = bare(env!("CARGO_BIN_EXE_p2pctl"));
    let ran = run(command.args(["--json", "man", "/dev/null/man"]), None).exits(3);
    assert_eq!(ran.document()["outcome"], "failed");
}

#[test]
fn a_hang_up_does_not_end_a_node_without_a_tracker() {
    let node = Node::start("chord", None);
    node.signal("HUP");
    // Had the node died of it, it could not say how it is.
    node.status().expect("it still answers");
    node.signal("TERM");
    assert!(node.ended().success());
}

#[test]
fn a_service_manager_is_told_when_the_node_is_ready_and_when_it_stops() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let path = temp.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(SOON)).expect("a time-out");
    let heard = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a message in time");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    let variable = ("NOTIFY_SOCKET", path.to_str().expect("text"));
    let node = Starting::spawn_in("chord", None, &[], &[variable]).ready();
    assert_eq!(heard(), "READY=1");
    node.signal("TERM");
    assert_eq!(heard(), "STOPPING=1");
    assert!(node.ended().success());
}

#[test]
fn the_unit_is_what_systemd_understands() {
    // The unit names programs where packages put them; here they need not be.
    let temp = tempfile::tempdir().expect("a temporary directory");
    let text = std::fs::read_to_string("packaging/p2pnode.service").expect("the unit");
    let here = text.replace("/usr/bin/p2pnode", env!("CARGO_BIN_EXE_p2pnode"));
    assert_ne!(text, here, "the unit starts another program");
    let unit = temp.path().join("p2pnode.service");
    std::fs::write(&unit, here).expect("a file");
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]).arg(&unit);
    assert_eq!(ran(&mut command), "");
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--threshold=20"]);
    let verdict = ran(command.arg(&unit));
    assert!(verdict.contains("OK"), "{verdict}");
}

#[test]
fn the_settings_that_packages_bring_are_understood_and_those_that_they_show_too() {
    let text = std::fs::read_to_string("packaging/p2pnode.toml").expect("the settings");
    let settings = p2pnode::config::NodeArgs::from_toml(&text).expect("settings");
    let data = settings.data_dir.expect("a directory");
    assert_eq!(data, Path::new("/var/lib/p2pnode"));
    // What is shown is a line of its own behind `#`, without a blank.
    let shown: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(char::is_alphabetic) => setting,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let all = p2pnode::config::NodeArgs::from_toml(&shown).expect("what is shown");
    assert!(!all.join.is_empty() && all.advertise.is_some(), "{all:?}");
}

#[test]
fn a_node_reads_the_settings_that_packages_bring() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let mut command = bare(env!("CARGO_BIN_EXE_p2pnode"));
    command.args([
        "--config",
        "packaging/p2pnode.toml",
        "--listen",
        "127.0.0.1:0",
    ]);
    command
        .args(["--http", "off"])
        .arg("--data-dir")
        .arg(temp.path());
    let mut child = command.spawn().expect("p2pnode starts");
    wait_until("the node has its key", SOON, || {
        let there = temp.path().join("node.key").is_file();
        there.then_some(()).ok_or_else(|| "no key".to_owned())
    });
    child.kill().expect("kill");
    child.wait().expect("wait");
}

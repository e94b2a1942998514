//! Real nodes that leave: they go when everything is handed over, however long that takes, and say
//! so when it cannot be.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

mod support;

use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{Ran, alone, bare, ctl_at, wait_until};
use tempfile::TempDir;

/// Records in a network of two nodes that keep each of them once: the busier one has half at least.
const RECORDS: u64 = 20_000;

/// A process on a data directory that outlives it.
struct Life {
    child: Child,
    addr: SocketAddr,
    log: PathBuf,
}

impl Drop for Life {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Life {
    fn start(data: &Path, join: Option<SocketAddr>, more: &[&str]) -> Self {
        use std::io::{BufRead, BufReader};
        let log = data.with_extension("log");
        let mut command: Command = bare(env!("CARGO_BIN_EXE_p2pnode"));
        command
            .args(["--listen", "127.0.0.1:0", "--http", "off"])
            .args(more)
            .arg("--data-dir")
            .arg(data);
        if let Some(addr) = join {
            command.arg("--join").arg(addr.to_string());
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("a log"));
        let mut child = command.spawn().expect("p2pnode starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        let addr = line
            .split_whitespace()
            .find_map(|field| field.strip_prefix("listen="));
        let addr = addr.unwrap_or_else(|| panic!("not ready: {line:?}"));
        let addr = addr.parse().expect("an address");
        Self { child, addr, log }
    }

    fn ctl(&self, args: &[&str]) -> Ran {
        ctl_at(&self.addr.to_string(), args)
    }

    fn status(&self) -> Option<Value> {
        let ran = self.ctl(&["--json", "status"]);
        (ran.code == 0).then(|| ran.document())
    }

    fn values(&self) -> u64 {
        let status = self.status().expect("a status");
        status["values"].as_u64().expect("a number")
    }

    /// Waits for the end; the exit code and what was logged.
    fn ended(mut self, limit: Duration) -> (Option<i32>, String) {
        let status = wait_until("the node ends", limit, || {
            match self.child.try_wait().expect("wait") {
                Some(status) => Ok(status),
                None => Err("it still runs".to_owned()),
            }
        });
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        (status.code(), log)
    }
}

/// Two nodes at this pace that keep each record once; the busier one first.
fn network(temp: &TempDir, rate: &str) -> (Life, Life) {
    let more = ["--replicas", "1", "--repair-rate", rate];
    let first = Life::start(&temp.path().join("1"), None, &more);
    let second = Life::start(&temp.path().join("2"), Some(first.addr), &more);
    for life in [&first, &second] {
        wait_until("both know each other", support::SETTLE, || {
            let status = life.status().ok_or("no status")?;
            let ready = status["settled"] == true && status["peers"] == 1;
            if ready {
                Ok(())
            } else {
                Err(status.to_string())
            }
        });
    }
    let value = "x".repeat(100);
    let lines: String = (0..RECORDS)
        .map(|number| format!("{{\"key\":\"{number}\",\"value\":\"{value}\"}}\n"))
        .collect();
    let node = first.addr.to_string();
    let file = support::file_in(temp.path(), "lines", lines.as_bytes());
    let file = file.to_str().expect("text");
    let ran = ctl_at(&node, ["put", "--batch", file]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let counts = (first.values(), second.values());
    assert_eq!(counts.0 + counts.1, RECORDS, "each record is at one node");
    if counts.0 >= counts.1 {
        (first, second)
    } else {
        (second, first)
    }
}

#[test]
fn a_node_leaves_when_everything_is_handed_over_and_shows_how_far_it_is() {
    let _alone = alone();
    let temp = TempDir::new().expect("a temporary directory");
    let (leaver, other) = network(&temp, "256KiB");
    let (mine, began) = (leaver.values(), Instant::now());
    let node = leaver.addr.to_string();
    let leaving =
        std::thread::spawn(move || ctl_at(&node, ["--json", "--timeout", "20s", "leave"]));
    let (mut last, mut seen) = (0, 0);
    while !leaving.is_finished() {
        std::thread::sleep(Duration::from_millis(300));
        let Some(status) = leaver.status().filter(|status| status["leaving"] == true) else {
            continue;
        };
        let moved = status["moved_records"].as_u64().expect("a number");
        assert!(moved >= last, "{status}");
        seen += u64::from(moved > last);
        last = moved;
        if moved > 0 && moved < mine / 2 {
            let text = leaver.ctl(&["status"]);
            let text = String::from_utf8_lossy(&text.stdout).into_owned();
            let line = text.lines().find(|line| line.starts_with("handing over"));
            let line = line.unwrap_or_else(|| panic!("{text}"));
            assert!(
                line.contains(" of ") && line.contains("handed to 1 node, "),
                "{line}"
            );
        }
    }
    let took = began.elapsed();
    let ran = leaving.join().expect("p2pctl").exits(0);
    assert_eq!(ran.document()["outcome"], "left", "{ran:?}");
    // 625 records a second for 256 KiB: longer than any limit that was there before.
    assert!(
        took > Duration::from_secs(15),
        "{mine} records took {took:?}"
    );
    assert!(seen > 10, "progress was seen {seen} times");
    let (code, log) = leaver.ended(support::SOON);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(other.values(), RECORDS);
    for number in (0..RECORDS).step_by(997) {
        other.ctl(&["get", &number.to_string()]).exits(0);
    }
    println!("{mine} records handed over in {took:?}, progress seen {seen} times");
}

#[test]
fn a_signal_ends_it_within_its_grace_and_what_was_left_is_on_the_disk() {
    let _alone = alone();
    let temp = TempDir::new().expect("a temporary directory");
    let (leaver, other) = network(&temp, "64KiB");
    let (mine, data) = (leaver.values(), leaver.log.with_extension(""));
    let id = leaver.child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &id]).status();
    assert!(killed.expect("kill").success());
    let began = Instant::now();
    let (code, log) = leaver.ended(support::SOON);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("before everything was handed over"), "{log}");
    // Started again, it has what it could not hand over, and both together have everything.
    let again = Life::start(&data, Some(other.addr), &["--replicas", "1"]);
    wait_until("everything is there", support::SETTLE, || {
        for number in (0..RECORDS).step_by(1_999) {
            let ran = again.ctl(&["get", &number.to_string()]);
            if ran.code != 0 {
                return Err(format!("{number} of {mine}: {}", ran.stderr));
            }
        }
        Ok(())
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let _alone = alone();
    let temp = TempDir::new().expect("a temporary directory");
    // It would need far longer than the grace for all that it has.
    let (leaver, _other) = network(&temp, "64KiB");
    let id = leaver.child.id().to_string();
    let tell = || {
        let killed = Command::new("kill").args(["-TERM", &id]).status();
        assert!(killed.expect("kill").success());
    };
    tell();
    wait_until("it leaves", support::SOON, || {
        let status = leaver.status().ok_or("no status")?;
        if status["leaving"] == true {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    tell();
    let (code, log) = leaver.ended(support::SOON);
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("stopped by a second signal"), "{log}");
}

#[test]
fn the_last_node_stays_until_it_is_told_to_end_and_keeps_its_data() {
    let temp = TempDir::new().expect("a temporary directory");
    let data = temp.path().join("data");
    let node = Life::start(&data, None, &[]);
    node.ctl(&["put", "precious", "1"]).exits(0);
    let ran = node.ctl(&["--json", "leave"]).exits(3);
    let document = ran.document();
    assert_eq!(document["outcome"], "failed", "{document}");
    let hint = document["hint"].as_str().expect("a hint");
    assert!(hint.contains("--within 0s"), "{hint}");
    ran.complains("last of its network");
    node.ctl(&["get", "precious"]).exits(0);
    let ran = node.ctl(&["leave", "--within", "0s"]).exits(0);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("stays on its disk"));
    assert_eq!(node.ended(support::SOON).0, Some(0));
    let again = Life::start(&data, None, &[]);
    let ran = again.ctl(&["get", "precious"]).exits(0);
    assert_eq!(ran.stdout, b"1");
}

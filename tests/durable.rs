//! Real nodes keep what they acknowledged: killed all at once, and started again.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::{bare, ctl_at};
use tempfile::TempDir;

/// Nodes of the network.
const NODES: usize = 4;
/// Keys that are written.
const KEYS: usize = 40;

/// A process on a data directory that outlives it.
struct Life {
    child: Child,
    addr: SocketAddr,
}

impl Drop for Life {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(data: &Path, listen: &str, join: Option<SocketAddr>, more: &[&str]) -> Life {
    use std::io::{BufRead, BufReader};
    let mut command: Command = bare(env!("CARGO_BIN_EXE_p2pnode"));
    command
        .args(["--listen", listen, "--http", "off"])
        .args(more);
    command.arg("--data-dir").arg(data);
    if let Some(addr) = join {
        command.arg("--join").arg(addr.to_string());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("p2pnode starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    let addr = line
        .split_whitespace()
        .find_map(|field| field.strip_prefix("listen="));
    let addr = addr.unwrap_or_else(|| panic!("not ready: {line:?}"));
    Life {
        child,
        addr: addr.parse().expect("an address"),
    }
}

#[test]
fn a_network_whose_processes_all_die_at_once_has_everything_when_they_are_back() {
    let _alone = support::alone();
    let temp = TempDir::new().expect("a temporary directory");
    let data = |number: usize| temp.path().join(number.to_string());
    let mut lives = vec![start(&data(0), "127.0.0.1:0", None, &[])];
    let first = lives[0].addr;
    for number in 1..NODES {
        lives.push(start(&data(number), "127.0.0.1:0", Some(first), &[]));
    }
    let addrs: Vec<SocketAddr> = lives.iter().map(|life| life.addr).collect();
    for key in 0..KEYS {
        let node = addrs[key % NODES].to_string();
        ctl_at(
            &node,
            ["put", &format!("key {key}"), &format!("value {key}")],
        )
        .exits(0);
    }
    ctl_at(&addrs[1].to_string(), ["delete", "key 7"]).exits(0);
    // SIGKILL for all of them.
    lives.clear();
    for (number, addr) in addrs.iter().enumerate() {
        let join = (number > 0).then_some(first);
        lives.push(start(&data(number), &addr.to_string(), join, &[]));
    }
    for key in 0..KEYS {
        let node = addrs[(key + 1) % NODES].to_string();
        let name = format!("key {key}");
        support::wait_until("an acknowledged write is found", support::SETTLE, || {
            let ran = ctl_at(&node, ["get", &name]);
            let is_right = if key == 7 {
                ran.stdout.is_empty()
            } else {
                ran.stdout == format!("value {key}").as_bytes()
            };
            if is_right {
                Ok(())
            } else {
                Err(format!("{name}: {ran:?}"))
            }
        });
    }
}

#[test]
fn a_quota_refuses_puts_and_serves_gets_and_deletes() {
    let temp = TempDir::new().expect("a temporary directory");
    let life = start(
        &temp.path().join("data"),
        "127.0.0.1:0",
        None,
        &["--max-store", "2KiB"],
    );
    let node = life.addr.to_string();
    let value = "x".repeat(600);
    ctl_at(&node, ["put", "one", &value]).exits(0);
    ctl_at(&node, ["put", "two", &value]).exits(0);
    ctl_at(&node, ["put", "three", &value]).exits(0);
    let refused = ctl_at(&node, ["put", "four", &value]).exits(3);
    refused.complains("--max-store");
    ctl_at(&node, ["get", "two"]).exits(0);
    ctl_at(&node, ["delete", "two"]).exits(0);
    ctl_at(&node, ["delete", "one"]).exits(0);
    ctl_at(&node, ["put", "four", &value]).exits(0);
}

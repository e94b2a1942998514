//! Nodes that are started again on their data.

use super::{Node, SOON, bare, wait_until};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

impl Node {
    /// Kills it with SIGKILL and starts it again on its data, without a member to join.
    pub(crate) fn kill_and_start_again(mut self, overlay: &str) -> Self {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        self.start_again(overlay, &[])
    }

    /// Ends it with SIGTERM, as a service manager does; says how that went.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.signal("TERM");
        wait_until("the node ends", SOON, || {
            let status = self.child.try_wait().expect("wait");
            status.ok_or_else(|| "it still runs".to_owned())
        })
    }

    /// Starts a node that has ended again on its data, at the address that it had.
    pub(crate) fn start_again(mut self, overlay: &str, join: &[SocketAddr]) -> Self {
        let log = File::create(self.directory.path().join("log")).expect("a log file");
        let mut command = bare(env!("CARGO_BIN_EXE_p2pnode"));
        command.args(["--overlay", overlay, "--http", "off"]);
        command.arg("--listen").arg(self.listen.to_string());
        command.arg("--data-dir").arg(self.data());
        for member in join {
            command.arg("--join").arg(member.to_string());
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        self.child = command.spawn().expect("p2pnode starts");
        let mut stdout = BufReader::new(self.child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout
            .read_line(&mut line)
            .expect("standard output of p2pnode");
        assert!(line.starts_with("ready "), "{line:?}; log: {}", self.log());
        self._stdout = stdout;
        self
    }
}

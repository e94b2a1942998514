//! A terminal of its own, by tmux, for what people use on one.

use super::{SETTLE, wait_until};
use std::process::Command;
use tempfile::TempDir;

/// A terminal of 120 columns and 30 lines, in which a shell runs.
pub(crate) struct Terminal {
    socket: String,
    _home: TempDir,
}

impl Terminal {
    /// Opens it with a shell in it, and waits for its prompt.
    pub(crate) fn open(shell: &[&str], prompt: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let socket = home.path().join("tmux");
        let socket = socket.to_str().expect("text").to_owned();
        let mut command = Command::new("tmux");
        command.args(["-S", &socket, "-f", "/dev/null", "new-session", "-d"]);
        command.args(["-x", "120", "-y", "30"]).args(shell);
        let opened = command.env("TERM", "xterm-256color").status();
        assert!(
            opened.is_ok_and(|code| code.success()),
            "tmux must be installed: `cargo xtask test` sees to it"
        );
        let terminal = Self {
            socket,
            _home: home,
        };
        terminal.shows("the prompt", |screen| screen.contains(prompt));
        terminal
    }

    pub(crate) fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.args(["-S", &self.socket]).args(args).output();
        let output = output.expect("tmux");
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Types a text as it is.
    pub(crate) fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key by its name.
    pub(crate) fn presses(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Waits until it shows that.
    #[track_caller]
    pub(crate) fn shows(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        wait_until(what, SETTLE, || {
            let screen = self.screen();
            if is_so(&screen) {
                Ok(screen)
            } else {
                Err(format!("the screen:\n{screen}"))
            }
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = Command::new("tmux")
            .args(["-S", &self.socket, "kill-server"])
            .status();
    }
}

//! Real clients, each made to find others by its tracker alone.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The programs that are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Aria2,
    Libtorrent,
    Transmission,
}

/// A running client; dropping it ends it.
pub(crate) struct Client {
    child: Child,
    log: std::path::PathBuf,
}

impl Client {
    /// What it has said.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.chars()
            .skip(text.chars().count().saturating_sub(3_000))
            .collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("its address")
        .port()
        .to_string()
}

impl Program {
    /// Starts it on a torrent whose file is, or will be, in `folder`.
    /// With `bootstrap` it begins with that node of the DHT.
    pub(crate) fn start(
        self,
        torrent: &Path,
        folder: &Path,
        bootstrap: Option<SocketAddr>,
    ) -> Client {
        let port = free_port();
        let mut command = match self {
            Self::Aria2 => aria2(torrent, folder, &port, bootstrap),
            Self::Libtorrent => libtorrent(torrent, folder, &port, bootstrap),
            Self::Transmission => transmission(torrent, folder, &port),
        };
        let path = folder.join("client.log");
        let log = File::create(&path).expect("a log file");
        let errors = log.try_clone().expect("the same file");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        // What a client keeps for itself stays in its folder.
        command.env("HOME", folder).env_remove("XDG_CONFIG_HOME");
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{self:?} does not start ({error}); `cargo xtask test` installs it")
        });
        Client { child, log: path }
    }
}

fn aria2(torrent: &Path, folder: &Path, port: &str, bootstrap: Option<SocketAddr>) -> Command {
    let mut command = Command::new("aria2c");
    command.args([
        "--no-conf",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
        "--check-integrity=true",
        "--seed-ratio=0",
        "--allow-overwrite=true",
        "--file-allocation=none",
        "--summary-interval=0",
        "--console-log-level=info",
        // It asks again after this time, if the tracker does not say otherwise.
        "--bt-tracker-interval=2",
    ]);
    command.arg(format!("--listen-port={port}"));
    // Without its DHT, of which it knows no node here, aria2 has no UDP trackers either.
    command.arg("--enable-dht=true");
    command.arg(format!("--dht-listen-port={}", free_port()));
    command.arg("--dht-file-path").arg(folder.join("dht.dat"));
    if let Some(node) = bootstrap {
        command.arg(format!("--dht-entry-point={node}"));
    }
    command.arg("--dir").arg(folder).arg(torrent);
    command
}

fn libtorrent(torrent: &Path, folder: &Path, port: &str, bootstrap: Option<SocketAddr>) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/libtorrent_peer.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).arg(torrent).arg(folder).arg(port);
    command.arg(bootstrap.map_or_else(|| "-".to_owned(), |node| node.to_string()));
    command
}

fn transmission(torrent: &Path, folder: &Path, port: &str) -> Command {
    let settings = r#"{"dht-enabled": false, "lpd-enabled": false, "pex-enabled": false,
        "utp-enabled": false, "bind-address-ipv4": "127.0.0.1", "preallocation": 0}"#;
    let config = folder.join("transmission");
    std::fs::create_dir_all(&config).expect("a folder");
    std::fs::write(config.join("settings.json"), settings).expect("settings");
    let mut command = Command::new("transmission-cli");
    command
        .arg("--config-dir")
        .arg(config)
        .args(["--port", port, "--no-portmap"]);
    command.arg("--download-dir").arg(folder).arg(torrent);
    command
}

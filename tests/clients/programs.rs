//! Real clients, each made to find others by its tracker alone.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The programs that are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Aria2,
    Libtorrent,
    Transmission,
    Rtorrent,
    Qbittorrent,
}

/// Where a client begins.
pub(crate) struct Place<'a> {
    pub(crate) torrent: &'a Path,
    /// Where the file of the torrent is, or will be.
    pub(crate) folder: &'a Path,
    /// Its own address, and that of all others.
    pub(crate) ip: Ipv4Addr,
    /// A node of the DHT to begin with. Without it there is none.
    pub(crate) bootstrap: Option<SocketAddr>,
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
fn free_port(ip: Ipv4Addr) -> String {
    let listener = TcpListener::bind((ip, 0)).expect("a free port");
    let addr = listener.local_addr().expect("its address");
    addr.port().to_string()
}

impl Program {
    /// Starts it.
    pub(crate) fn start(self, place: &Place<'_>) -> Client {
        let port = free_port(place.ip);
        let mut command = match self {
            Self::Aria2 => aria2(place, &port),
            Self::Libtorrent => libtorrent(place, &port),
            Self::Transmission => transmission(place, &port),
            Self::Rtorrent => rtorrent(place, &port),
            Self::Qbittorrent => qbittorrent(place, &port),
        };
        let path = place.folder.join("client.log");
        let log = File::create(&path).expect("a log file");
        let errors = log.try_clone().expect("the same file");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        // What a client keeps for itself stays in its folder.
        command.current_dir(place.folder).env("HOME", place.folder);
        command.env_remove("XDG_CONFIG_HOME").env("TERM", "xterm");
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{self:?} does not start ({error}); `cargo xtask test` installs it")
        });
        Client { child, log: path }
    }
}

fn aria2(place: &Place<'_>, port: &str) -> Command {
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
    command.arg(format!("--dht-listen-port={}", free_port(place.ip)));
    command
        .arg("--dht-file-path")
        .arg(place.folder.join("dht.dat"));
    if let Some(node) = place.bootstrap {
        command.arg(format!("--dht-entry-point={node}"));
    }
    command.arg("--dir").arg(place.folder).arg(place.torrent);
    command
}

fn libtorrent(place: &Place<'_>, port: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/libtorrent_peer.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).arg(place.torrent).arg(place.folder);
    command.arg(format!("{}:{port}", place.ip));
    command.arg(
        place
            .bootstrap
            .map_or_else(|| "-".to_owned(), |node| node.to_string()),
    );
    command
}

fn transmission(place: &Place<'_>, port: &str) -> Command {
    let config = place.folder.join("transmission");
    std::fs::create_dir_all(&config).expect("a folder");
    let settings = format!(
        r#"{{"dht-enabled": {}, "lpd-enabled": false, "pex-enabled": false,
        "utp-enabled": false, "bind-address-ipv4": "{}", "preallocation": 0}}"#,
        place.bootstrap.is_some(),
        place.ip
    );
    std::fs::write(config.join("settings.json"), settings).expect("settings");
    if let Some(node) = place.bootstrap {
        let line = format!("{} {}\n", node.ip(), node.port());
        std::fs::write(config.join("dht.bootstrap"), line).expect("a node");
    }
    let mut command = Command::new("transmission-cli");
    command.arg("--config-dir").arg(config);
    command.args(["--port", port, "--no-portmap"]);
    command.arg("--download-dir").arg(place.folder);
    command.arg(place.torrent);
    command
}

fn rtorrent(place: &Place<'_>, port: &str) -> Command {
    let session = place.folder.join("session");
    std::fs::create_dir_all(&session).expect("a folder");
    let mut lines = vec![
        "system.daemon.set = true".to_owned(),
        format!("network.port_range.set = {port}-{port}"),
        format!("network.bind_address.set = {}", place.ip),
        format!("network.local_address.set = {}", place.ip),
        format!("directory.default.set = {}", place.folder.display()),
        format!("session.path.set = {}", session.display()),
        "protocol.pex.set = no".to_owned(),
        "trackers.use_udp.set = yes".to_owned(),
    ];
    if let Some(node) = place.bootstrap {
        lines.push("dht.mode.set = on".to_owned());
        lines.push(format!("dht.port.set = {}", free_port(place.ip)));
        // Its DHT is not there yet while this is read.
        lines.push(format!("schedule2 = known, 1, 5, \"dht.add_node={node}\""));
    }
    let config = place.folder.join("rtorrent.rc");
    std::fs::write(&config, lines.join("\n") + "\n").expect("settings");
    let mut command = Command::new("rtorrent");
    command.arg("-n").arg("-o");
    command.arg(format!("import={}", config.display()));
    command.arg(place.torrent);
    command
}

/// It takes nodes of the DHT from torrents alone.
fn qbittorrent(place: &Place<'_>, port: &str) -> Command {
    let config = place.folder.join("qBittorrent/config");
    std::fs::create_dir_all(&config).expect("a folder");
    let session = [
        format!("Port={port}"),
        format!("InterfaceAddress={}", place.ip),
        format!("DHTEnabled={}", place.bootstrap.is_some()),
        format!("DefaultSavePath={}", place.folder.display()),
        "LSDEnabled=false".to_owned(),
        "PeXEnabled=false".to_owned(),
        "MultiConnectionsPerIp=true".to_owned(),
        "BTProtocol=TCP".to_owned(),
        // It asks no tracker on a loopback address but at /announce, which is where ours is.
        "SSRFMitigation=false".to_owned(),
    ];
    let session: String = session
        .iter()
        .map(|line| format!("Session\\{line}\n"))
        .collect();
    let settings = format!(
        "[LegalNotice]\nAccepted=true\n[BitTorrent]\n{session}[Preferences]\nWebUI\\Enabled=false\n"
    );
    std::fs::write(config.join("qBittorrent.conf"), settings).expect("settings");
    let mut command = Command::new("qbittorrent-nox");
    let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
    command.arg(option("profile", place.folder));
    command.arg(option("save-path", place.folder));
    command.args(["--add-paused=false", "--skip-dialog=true"]);
    // It ends when this port is taken, though nothing is served there.
    command.arg(format!("--webui-port={}", free_port(place.ip)));
    command.arg(place.torrent);
    command
}

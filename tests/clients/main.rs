//! Real BitTorrent clients share a file through two nodes: the seed announces to one, which is killed
//! before the leech begins, and the leech asks another.

#[path = "../support/mod.rs"]
mod support;

mod programs;
mod raw;
mod torrent;

use programs::Program;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use support::{Node, Starting, alone, settle, wait_until};
use torrent::Shared;

/// How long 20 MB may take between two clients on a busy machine; Transmission announces late, and
/// aria2 asks its tracker again only after a while.
const TRANSFER: Duration = Duration::from_secs(150);
/// How long an announce may take to be known everywhere; the claim is two seconds, the rest is the
/// start of the client and its look at the file.
const ANNOUNCED: Duration = Duration::from_secs(60);

/// A node with its tracker's addresses.
struct Served {
    node: Node,
    http: SocketAddr,
    udp: SocketAddr,
    mainline: SocketAddr,
}

fn serving(join: Option<SocketAddr>) -> Served {
    let more = [
        "--tracker-http",
        "127.0.0.1:0",
        "--tracker-udp",
        "127.0.0.1:0",
        "--mainline",
        "127.0.0.1:0",
    ];
    let (node, line) = Starting::spawn_with("chord", join, &more).ready_line();
    let field = |name: &str| -> SocketAddr {
        let mut fields = line.split_whitespace();
        let found = fields.find_map(|field| field.strip_prefix(name));
        found
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {line}"))
    };
    Served {
        http: field("tracker_http="),
        udp: field("tracker_udp="),
        mainline: field("mainline="),
        node,
    }
}

/// The body of an answer over HTTP.
fn get(at: SocketAddr, target: &str) -> Result<Vec<u8>, String> {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text)?;
        Ok(text)
    };
    let text = ask().map_err(|error| error.to_string())?;
    let end = text
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no answer")?;
    Ok(text[end + 4..].to_vec())
}

/// How many seeds a node knows of.
fn seeds(at: SocketAddr, shared: &Shared) -> Result<i64, String> {
    use tracker::bencode::{Order, Value, read};
    let body = get(at, &format!("/scrape?info_hash={}", shared.escaped_hash()))?;
    let value = read(&body, Order::Sorted).map_err(|error| error.to_string())?;
    let Some(Value::Dict(files)) = value.get(b"files") else {
        return Err("no files".to_owned());
    };
    let first = files
        .first()
        .and_then(|(_, file)| file.get(b"complete")?.int());
    first.ok_or_else(|| "no count".to_owned())
}

fn share(seed: Program, leech: Program, over: &str) {
    let _one = alone();
    let founder = serving(None);
    let join = Some(founder.node.listen);
    let nodes = [founder, serving(join), serving(join), serving(join)];
    let all: Vec<_> = nodes.into_iter().collect();
    let (nodes, trackers): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(|served| (served.node, (served.http, served.udp, served.mainline)))
        .unzip();
    settle(&nodes);
    let url = |number: usize| match (over, trackers[number]) {
        ("http", (http, ..)) => Some(format!("http://{http}/announce")),
        ("udp", (_, udp, _)) => Some(format!("udp://{udp}/announce")),
        _ => None,
    };
    let bootstrap = |number: usize| (over == "dht").then_some(trackers[number].2);
    let shared = Shared::new(u64::from(std::process::id()) << 8 | seed as u64);
    let (from, to) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    shared.store(from.path());
    let giving = seed.start(
        &shared.torrent(from.path(), url(1).as_deref()),
        from.path(),
        bootstrap(1),
    );
    wait_until(
        "the seed is known at another node",
        ANNOUNCED,
        || match seeds(trackers[2].0, &shared)? {
            1.. => Ok(()),
            other => Err(format!("{other} seeds; the client says {}", giving.log())),
        },
    );
    let mut nodes = nodes;
    nodes.remove(1).kill();
    let taking = leech.start(
        &shared.torrent(to.path(), url(2).as_deref()),
        to.path(),
        bootstrap(2),
    );
    wait_until("the file arrives", TRANSFER, || {
        if shared.arrived(to.path()) {
            Ok(())
        } else {
            Err(format!("the leech says {}", taking.log()))
        }
    });
}

#[test]
fn libtorrent_to_aria2_over_http() {
    share(Program::Libtorrent, Program::Aria2, "http");
}

#[test]
fn libtorrent_to_aria2_over_udp() {
    share(Program::Libtorrent, Program::Aria2, "udp");
}

#[test]
fn aria2_to_libtorrent_over_http() {
    share(Program::Aria2, Program::Libtorrent, "http");
}

#[test]
fn aria2_to_libtorrent_over_udp() {
    share(Program::Aria2, Program::Libtorrent, "udp");
}

#[test]
fn transmission_to_libtorrent_over_http() {
    share(Program::Transmission, Program::Libtorrent, "http");
}

/// Transmission passes over peers with loopback addresses, so that it can only be the seed here.
#[test]
fn transmission_to_aria2_over_udp() {
    share(Program::Transmission, Program::Aria2, "udp");
}

#[test]
fn libtorrent_to_aria2_by_dht() {
    share(Program::Libtorrent, Program::Aria2, "dht");
}

#[test]
fn libtorrent_to_libtorrent_by_dht() {
    share(Program::Libtorrent, Program::Libtorrent, "dht");
}

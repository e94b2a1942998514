//! The tracker through its sockets, byte by byte: what it promises, and what it does not put up with.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

use crate::support::{Node, SOON, alone, settle, wait_until};
use crate::{Served, get, serving};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use tracker::bencode::{Order, Value, read};

/// How long it may take until a peer is in the answers of every node, on a machine that is not busy.
const KNOWN_EVERYWHERE: Duration = Duration::from_secs(2);

/// The target of an announce; `number` names the torrent, `port` the client.
fn announce(number: u8, port: u16, left: u32) -> String {
    let hash = format!("%{number:02X}").repeat(20);
    format!(
        "/announce?info_hash={hash}&peer_id=-XX0000-{port:012}&port={port}&left={left}&key={port:x}"
    )
}

/// The ports of the peers in an answer.
fn ports(body: &[u8]) -> Result<Vec<u16>, String> {
    let value = read(body, Order::Sorted).map_err(|error| error.to_string())?;
    if let Some(reason) = value.get(b"failure reason").and_then(Value::bytes) {
        return Err(String::from_utf8_lossy(reason).into_owned());
    }
    let peers = value
        .get(b"peers")
        .and_then(Value::bytes)
        .ok_or("no peers")?;
    let port = |peer: &[u8]| u16::from_be_bytes([peer[4], peer[5]]);
    Ok(peers.chunks_exact(6).map(port).collect())
}

fn four() -> (Vec<Node>, Vec<(SocketAddr, SocketAddr)>) {
    let founder = serving(None);
    let join = Some(founder.node.listen);
    let all = [founder, serving(join), serving(join), serving(join)];
    let each = all.into_iter().map(
        |Served {
             node, http, udp, ..
         }| (node, (http, udp)),
    );
    let (nodes, trackers): (Vec<_>, Vec<_>) = each.unzip();
    settle(&nodes);
    (nodes, trackers)
}

#[test]
fn a_peer_is_in_every_answer_within_two_seconds_and_outlives_its_node() {
    let _one = alone();
    let (mut nodes, trackers) = four();
    let mut took = Vec::new();
    for number in 0..10_u8 {
        let port = 7_000 + u16::from(number);
        let began = Instant::now();
        get(trackers[1].0, &announce(number, port, 0)).expect("an answer");
        for (other, (http, _)) in trackers.iter().enumerate() {
            if other == 1 {
                continue;
            }
            let asker = 8_000 + other as u16;
            wait_until("the peer is found", SOON, || {
                let found = ports(&get(*http, &announce(number, asker, 1))?)?;
                found
                    .contains(&port)
                    .then_some(())
                    .ok_or(format!("{found:?}"))
            });
        }
        took.push(began.elapsed());
    }
    took.sort_unstable();
    println!("found through all other nodes after {took:?}");
    assert!(took[took.len() / 2] < KNOWN_EVERYWHERE, "{took:?}");
    nodes.remove(1).kill();
    for number in 0..10_u8 {
        let port = 7_000 + u16::from(number);
        let found = ports(&get(trackers[3].0, &announce(number, 9_000, 1)).expect("an answer"));
        let found = found.expect("peers");
        assert!(found.contains(&port), "swarm {number} is lost: {found:?}");
    }
}

#[test]
fn requests_are_pipelined_and_connections_stay_open() {
    let _one = alone();
    let served = serving(None);
    let mut stream = TcpStream::connect(served.http).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    let ask = |number: u8| {
        format!(
            "GET {} HTTP/1.1\r\nHost: x\r\n\r\n",
            announce(number, 7_000, 0)
        )
    };
    for _ in 0..3 {
        let all: String = (0..50).map(ask).collect();
        stream.write_all(all.as_bytes()).expect("room");
        let mut text = Vec::new();
        let mut room = [0; 4_096];
        while text
            .windows(15)
            .filter(|part| part == b"HTTP/1.1 200 OK")
            .count()
            < 50
        {
            let count = stream.read(&mut room).expect("an answer");
            assert!(count > 0, "closed after {}", String::from_utf8_lossy(&text));
            text.extend_from_slice(&room[..count]);
        }
    }
}

#[test]
fn a_request_that_never_ends_is_given_up() {
    let _one = alone();
    let served = serving(None);
    // One that is too long.
    let mut stream = TcpStream::connect(served.http).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a time-out");
    let mut answer = Vec::new();
    // It may be closed before all is written.
    let _ = stream.write_all(&vec![b'a'; 1 << 20]);
    let end = stream.read_to_end(&mut answer);
    // Closed in order or not, but closed: the read did not wait in vain.
    let late = end
        .err()
        .filter(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert!(late.is_none(), "still open: {late:?}");
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
        "{}",
        answer.escape_ascii()
    );
    // One that comes byte by byte.
    let mut stream = TcpStream::connect(served.http).expect("a connection");
    let began = Instant::now();
    while stream.write_all(b"G").is_ok() {
        assert!(began.elapsed() < Duration::from_secs(30), "still open");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(
        get(served.http, &announce(1, 7_000, 0)).is_ok(),
        "others are served"
    );
}

#[test]
fn mistakes_are_told_with_status_200() {
    let _one = alone();
    let served = serving(None);
    let mut stream = TcpStream::connect(served.http).expect("a connection");
    write!(stream, "GET /announce?left=-1 HTTP/1.0\r\n\r\n").expect("room");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert!(
        text.ends_with("d14:failure reason26:parameter left is negativee"),
        "{text}"
    );
}

#[test]
fn nothing_is_amplified_and_forged_ids_are_not_answered() {
    let _one = alone();
    let served = serving(None);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(served.udp).expect("an address");
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .expect("a time-out");
    let ask = |datagram: &[u8]| -> Option<Vec<u8>> {
        socket.send(datagram).expect("sent");
        let mut room = [0; 2_048];
        let count = socket.recv(&mut room).ok()?;
        Some(room[..count].to_vec())
    };
    let head =
        |id: u64, action: u32| [&id.to_be_bytes()[..], &action.to_be_bytes(), b"abcd"].concat();
    let connect = ask(&head(0x0417_2710_1980, 0)).expect("an id");
    assert_eq!(connect.len(), 16);
    assert_eq!(connect[..8], *b"\0\0\0\0abcd");
    let id = u64::from_be_bytes(connect[8..].try_into().expect("eight bytes"));
    let announce = |id: u64| {
        let mut datagram = head(id, 1);
        datagram.extend([9; 20]);
        datagram.extend(b"-XX0000-abcdefghijkl");
        datagram.extend([0; 24]);
        datagram.extend([
            0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0x1a, 0xe1,
        ]);
        datagram
    };
    let answer = ask(&announce(id)).expect("an answer");
    assert_eq!(
        (answer.len(), &answer[..8]),
        (20, &b"\0\0\0\x01abcd"[..]),
        "a swarm of one"
    );
    assert_eq!(ask(&announce(id ^ 0x10_0000)), None, "a forged id");
    assert_eq!(
        ask(&head(id, 1)[..16]).map(|answer| answer[3]),
        Some(3),
        "short, but proven"
    );
    assert_eq!(ask(&head(0, 2)), None);
    let mut scrape = head(id, 2);
    scrape.extend(vec![9; 20 * 90]);
    let answer = ask(&scrape).expect("an answer");
    assert_eq!(answer.len(), 8 + 12 * 74);
    assert_eq!(answer[8..12], [0, 0, 0, 1], "one seed");
}

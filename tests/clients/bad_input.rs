//! What hostile clients send, to a node that runs: it says what is wrong, or nothing at all, and goes
//! on serving others.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

use crate::support::{Node, SOON, Starting, alone, wait_until};
use crate::{Served, get, serving};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use tracker::bencode::{Order, Value, read};

/// How long it is listened for an answer that must not come. Should it come late after all, the
/// question after the next one sees it.
const SILENCE: Duration = Duration::from_millis(300);

const PEER_ID: &str = "&peer_id=-XX0000-abcdefghijkl";

pub(crate) fn hash(number: u32) -> String {
    let digits = format!("{number:040X}");
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| format!("%{}", String::from_utf8_lossy(pair)))
        .collect()
}

pub(crate) fn announce(number: u32, more: &str) -> String {
    format!("/announce?info_hash={}{PEER_ID}{more}", hash(number))
}

/// The `failure reason` of an answer; none when it has none.
pub(crate) fn failure(at: SocketAddr, target: &str) -> Option<String> {
    let body = get(at, target).expect("an answer");
    let value = read(&body, Order::Sorted).expect("bencoding");
    let reason = value.get(b"failure reason").and_then(Value::bytes)?;
    Some(String::from_utf8_lossy(reason).into_owned())
}

#[track_caller]
fn still_serves(served: &Served) {
    let good = announce(0xfffff, "&port=7000&left=0");
    assert_eq!(failure(served.http, &good), None, "others are served");
}

#[test]
fn parameters_that_make_no_sense_are_named() {
    let _one = alone();
    let served = serving(None);
    let nineteen = "%11".repeat(19);
    let good = "&port=7000&left=0";
    let wrong = [
        (announce(1, "&left=0&port=0"), "port is 0"),
        (announce(1, "&port=7000"), "left is missing"),
        (format!("/announce?{PEER_ID}{good}"), "info_hash is missing"),
        (
            format!("/announce?info_hash={}{good}", hash(1)),
            "peer_id is missing",
        ),
        (
            announce(1, "&port=1&port=2&left=0"),
            "port is there more than once",
        ),
        (
            announce(1, &format!("{good}{PEER_ID}")),
            "peer_id is there more than once",
        ),
        (
            format!("/announce?info_hash={nineteen}{PEER_ID}{good}"),
            "info_hash has 19 bytes instead of 20",
        ),
        (announce(1, "&port=7000&left=-1"), "left is negative"),
        (
            announce(1, &format!("{good}&uploaded=-7")),
            "uploaded is negative",
        ),
        (
            announce(1, &format!("{good}&downloaded=-7")),
            "downloaded is negative",
        ),
        (
            announce(1, &format!("{good}&event=exploded")),
            "event is none of",
        ),
        (
            announce(1, "&port=65536&left=0"),
            "port is no number in its range",
        ),
        (announce(1, "&port=7000&left=1e9"), "left is no number"),
        (
            announce(1, &format!("{good}&info_hash=%zz")),
            "info_hash is there more",
        ),
        (
            format!("/announce?info_hash=%zz{PEER_ID}{good}"),
            "info_hash has a broken percent escape",
        ),
        ("/".to_owned(), "ask for /announce"),
    ];
    for (target, words) in wrong {
        let reason = failure(served.http, &target).unwrap_or_default();
        assert!(
            reason.contains(words),
            "{target}: {reason:?}, not {words:?}"
        );
    }
    still_serves(&served);
}

#[test]
fn a_scrape_of_ten_thousand_hashes_is_refused_or_cut() {
    let _one = alone();
    let served = serving(None);
    let all = format!(
        "/scrape?{}",
        "&info_hash=aaaaaaaaaaaaaaaaaaaa".repeat(10_000)
    );
    let mut stream = TcpStream::connect(served.http).expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a time-out");
    // It may be closed before all is written.
    let _ = write!(stream, "GET {all} HTTP/1.1\r\n\r\n");
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    assert!(!is_late(end.err()), "still open");
    assert!(answer.len() < 1_024, "{} bytes", answer.len());
    // As many as fit a head, and more than are answered.
    let many = format!("/scrape?{}", "&info_hash=aaaaaaaaaaaaaaaaaaaa".repeat(75));
    let reason = failure(served.http, &many).unwrap_or_default();
    assert!(reason.contains("more than 74"), "{reason:?}");
    // A datagram of 10,000 hashes does not exist; of the largest the first 74 are answered.
    let client = Client::new(served.udp);
    let id = client.connect();
    let scrape = [head(id, 2), vec![9; 20 * 3_000]].concat();
    let answer = client.ask(&scrape);
    assert!(answer.is_none_or(|answer| answer.len() <= 8 + 12 * 74));
    still_serves(&served);
}

fn is_late(error: Option<std::io::Error>) -> bool {
    let late = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    error.is_some_and(|error| late.contains(&error.kind()))
}

/// A client over UDP.
pub(crate) struct Client(UdpSocket);

impl Client {
    pub(crate) fn new(at: SocketAddr) -> Self {
        let local = if at.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let socket = UdpSocket::bind(local).expect("a socket");
        socket.connect(at).expect("an address");
        Self(socket)
    }

    pub(crate) fn wait(&self, patience: Duration) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(patience)).expect("a time-out");
        let mut room = [0; 4_096];
        let count = self.0.recv(&mut room).ok()?;
        Some(room[..count].to_vec())
    }

    pub(crate) fn ask(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        // The system may refuse what is too large.
        self.0.send(datagram).ok()?;
        self.wait(SILENCE)
    }

    pub(crate) fn connect(&self) -> u64 {
        self.0.send(&head(0x0417_2710_1980, 0)).expect("sent");
        let answer = self.wait(SOON).expect("an id");
        u64::from_be_bytes(answer[8..].try_into().expect("eight bytes"))
    }
}

fn head(id: u64, action: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &action.to_be_bytes(), b"abcd"].concat()
}

pub(crate) fn udp_announce(id: u64, event: u32, ip: [u8; 4], port: u16) -> Vec<u8> {
    let mut datagram = head(id, 1);
    datagram.extend([9; 20]);
    datagram.extend(b"-XX0000-abcdefghijkl");
    // It lacks one byte.
    datagram.extend([[0; 8], 1_u64.to_be_bytes(), [0; 8]].concat());
    datagram.extend(event.to_be_bytes());
    datagram.extend(ip);
    datagram.extend(u32::from(port).to_be_bytes());
    datagram.extend(u32::MAX.to_be_bytes());
    datagram.extend(port.to_be_bytes());
    datagram
}

#[test]
fn datagrams_without_a_proven_address_get_no_answer_larger_than_they_are() {
    let _one = alone();
    let served = serving(None);
    let client = Client::new(served.udp);
    let id = client.connect();
    // Ids that nobody was given. No clock of a real node can be moved: that ids get stale after two
    // minutes is tested beside their code; the answer is the same silence.
    for forged in [0, 1, id ^ 1, id.rotate_left(1), !id, u64::MAX] {
        for length in [16, 20, 97, 98, 98 + 2_000] {
            for action in 1..4 {
                let datagram = [head(forged, action), vec![0xff; length - 16]].concat();
                assert_eq!(client.ask_quickly(&datagram), None, "{forged:x} {action}");
            }
        }
    }
    for nonsense in [
        &b""[..],
        b"d",
        &[0; 15],
        &[0xff; 1_400],
        &head(id, 0),
        &head(id, 77),
    ] {
        let answer = client.ask_quickly(nonsense);
        assert!(answer.is_none_or(|answer| answer.len() <= nonsense.len()));
    }
    // What is wrong is said to whoever is there.
    for (datagram, words) in [
        (udp_announce(id, 2, [0; 4], 0), "the port is 0"),
        (udp_announce(id, 99, [0; 4], 7_000), "the event is none of"),
        (head(id, 1), "fewer than 98 bytes"),
        (head(id, 2), "names no torrent"),
    ] {
        client.0.send(&datagram).expect("sent");
        let answer = client.wait(SOON).expect("an answer");
        assert_eq!(answer[3], 3, "{words}");
        assert!(String::from_utf8_lossy(&answer).contains(words), "{words}");
    }
    still_serves(&served);
}

impl Client {
    /// As [`Self::ask`], for a question without an answer among many.
    fn ask_quickly(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.0.send(datagram).ok()?;
        self.wait(Duration::from_millis(5))
    }
}

#[test]
fn an_ipv6_client_that_claims_an_ipv4_address_reads_ipv6_peers() {
    let _one = alone();
    if UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let flags = ["--tracker-udp", "[::1]:0", "--tracker-believe-addresses"];
    let (_node, line) = Starting::spawn_with("chord", None, &flags).ready_line();
    let mut fields = line.split_whitespace();
    let udp = fields.find_map(|field| field.strip_prefix("tracker_udp="));
    let udp = udp.and_then(|text| text.parse().ok()).expect("an address");
    let ask = |ip: [u8; 4], port: u16| {
        let client = Client::new(udp);
        let id = client.connect();
        client.0.send(&udp_announce(id, 2, ip, port)).expect("sent");
        client.wait(SOON).expect("an answer")
    };
    assert_eq!(ask([0; 4], 7_001).len(), 20, "alone");
    // 18 bytes a peer, because the socket is IPv6 (BEP 15), and not the claimed family's none.
    let answer = ask([203, 0, 113, 9], 7_002);
    assert_eq!(answer.len(), 20 + 18, "{answer:?}");
    assert_eq!(answer[20 + 16..], 7_001_u16.to_be_bytes());
    // The claimed address is believed: it is not among the IPv6 peers, and is counted.
    let answer = ask([0; 4], 7_003);
    assert_eq!(answer.len(), 20 + 18, "{answer:?}");
    assert_eq!(answer[12..20], [0, 0, 0, 3, 0, 0, 0, 0], "three leeches");
}

#[test]
fn a_request_that_never_ends_and_a_crowd_from_one_address_are_given_up() {
    let _one = alone();
    let served = serving(None);
    let mut slow = TcpStream::connect(served.http).expect("a connection");
    slow.write_all(b"GET /announce?info_hash=").expect("room");
    // One address takes its places; the next connection is closed without a word.
    let most = p2pnode::tracker::MAX_CONNECTIONS_PER_ADDRESS;
    let crowd: Vec<_> = (1..most)
        .map(|_| TcpStream::connect(served.http).expect("a connection"))
        .collect();
    wait_until("the address is full", SOON, || {
        let mut next = TcpStream::connect(served.http).map_err(|error| error.to_string())?;
        next.set_read_timeout(Some(SILENCE))
            .map_err(|error| error.to_string())?;
        match next.read(&mut [0]) {
            Ok(0) => Ok(()),
            other => Err(format!("it is open: {other:?}")),
        }
    });
    let began = Instant::now();
    slow.set_read_timeout(Some(SOON)).expect("a time-out");
    let end = slow.read(&mut [0]);
    assert!(matches!(end, Ok(0)), "the slow one is open: {end:?}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    drop(crowd);
    wait_until("places are given back", SOON, || {
        get(served.http, &announce(1, "&port=7000&left=0")).map(|_| ())
    });
}

/// Bytes that a process has in memory.
fn resident(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.child.id()));
    let status = status.expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.expect("a size") << 10
}

#[test]
fn a_million_info_hashes_from_one_address_take_bounded_memory() {
    let _one = alone();
    let served = serving(None);
    still_serves(&served);
    let before = resident(&served.node);
    let socket = Client::new(served.udp);
    let id = socket.connect();
    let mut datagram = udp_announce(id, 2, [0; 4], 7_000);
    for number in 0..1_000_000_u32 {
        datagram[16..20].copy_from_slice(&number.to_be_bytes());
        // What does not fit the system's buffer is lost, as in any flood.
        let _ = socket.0.send(&datagram);
    }
    let after = resident(&served.node);
    // Of one address 10,000 swarms at once are taken, with 1 KiB each at the most.
    let grown = after.saturating_sub(before);
    println!("a flood of a million info-hashes: {} MiB more", grown >> 20);
    assert!(grown < 64 << 20, "{grown} bytes");
    let good = announce(0xfffff, "&port=7000&left=0");
    wait_until("others are served again", SOON, || {
        get(served.http, &good).map(|_| ())
    });
}

#[test]
fn messages_of_the_dht_that_are_nested_or_broken_do_no_harm() {
    let _one = alone();
    let served = serving(None);
    let client = Client::new(served.mainline);
    let deep = [b"d1:ad2:id20:".to_vec(), vec![b'l'; 1_400]].concat();
    let closed = [vec![b'l'; 700], vec![b'e'; 700]].concat();
    for wrong in [
        &deep[..],
        &closed,
        b"d1:ad2:id19:aaaaaaaaaaaaaaaaaaae1:q4:ping1:t1:a1:y1:qe",
        b"d1:q4:ping1:t1:a1:y1:qe",
        b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t1:a1:y1:q",
        b"d1:ad2:id999999999999999999999:a",
        b"i-0e",
        b"d1:t1:a1:y1:qe",
    ] {
        let answer = client.ask_quickly(wrong);
        assert!(answer.is_none_or(|answer| answer.len() <= wrong.len()));
    }
    let ping = b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:zz1:y1:qe";
    wait_until("others are served", SOON, || {
        let answer = client.ask(ping).ok_or("no answer")?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        if text.contains("2:zz") {
            Ok(())
        } else {
            Err(text)
        }
    });
}

//! HTTP/1.1: a loop of its own for each connection, over `httparse`.
//!
//! An announce is one short GET with one short answer, and no body; what matters is that thousands of
//! clients that send slowly, or nothing, cost little, and that everything which has come is answered
//! with one write. So a connection is a buffer of bounded size, a deadline, and this loop; hyper,
//! whose parser this is, serves the pages of the node (`src/http`).

use super::service::{Begun, Service, patiently};
use super::spawn;
use std::cell::Cell;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracker::Scope;
use tracker::http::{self, AnnounceReply, Request, RetryIn};

/// Longest head of a request: a scrape of 74 escaped hashes has 5.4 KB.
pub const MAX_HEAD_BYTES: usize = 8 << 10;
/// Most header lines of a request; browsers send some 15, clients three.
const MAX_HEADERS: usize = 48;
/// How long the head of a request may take from its first byte to its last.
pub const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may stay open without a request.
pub const IDLE_PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer may take to be read.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time, each with up to some 20 KB; the next are closed at once.
pub const MAX_CONNECTIONS: usize = 8_192;
/// Answers that are collected before they are written.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// How long accepting pauses when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the runtime ends.
pub(super) async fn serve(service: Rc<Service>, listener: std::net::TcpListener) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the tracker's TCP socket cannot be watched");
            return;
        }
    };
    let open = Rc::new(Cell::new(0_usize));
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "the tracker cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if open.get() >= MAX_CONNECTIONS {
            continue;
        }
        open.set(open.get() + 1);
        // Answers are whole: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let (service, open) = (Rc::clone(&service), Rc::clone(&open));
        spawn(async move {
            attend(&service, stream, client).await;
            open.set(open.get() - 1);
        });
    }
}

/// What the bytes at the beginning of a buffer are.
enum Head {
    /// Not all of a head has come.
    Partial,
    /// A request: its bytes, its target, and whether the connection stays open.
    Whole {
        length: usize,
        target: Vec<u8>,
        stays: bool,
    },
    /// No request that is served, with the status to say so.
    Wrong(&'static str),
}

async fn attend(service: &Service, mut stream: TcpStream, client: SocketAddr) {
    let mut buffer = Vec::with_capacity(2_048);
    let mut out = Vec::with_capacity(1_024);
    loop {
        // Everything that has come is answered, then written at once.
        let mut stays = true;
        while stays && out.len() < MAX_ANSWER_BYTES {
            match head_of(&buffer) {
                Head::Partial => break,
                Head::Whole {
                    length,
                    target,
                    stays: open,
                } => {
                    buffer.drain(..length);
                    stays = open;
                    answer(service, client.ip(), &target, stays, &mut out).await;
                }
                Head::Wrong(status) => {
                    stays = false;
                    respond(&mut out, status, b"", false);
                }
            }
        }
        if !out.is_empty() {
            let written = tokio::time::timeout(WRITE_PATIENCE, stream.write_all(&out)).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
            out.clear();
        }
        if !stays {
            // Lets the answer leave before the connection does.
            let _ = tokio::time::timeout(WRITE_PATIENCE, stream.shutdown()).await;
            return;
        }
        if matches!(head_of(&buffer), Head::Partial) && !read_more(&mut stream, &mut buffer).await {
            return;
        }
    }
}

/// Reads until a head is whole. False when the connection is to be closed.
async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    if buffer.is_empty() {
        let read = tokio::time::timeout(IDLE_PATIENCE, stream.read_buf(buffer)).await;
        if !matches!(read, Ok(Ok(1..))) {
            return false;
        }
    }
    let rest = async {
        while matches!(head_of(buffer), Head::Partial) {
            match stream.read_buf(buffer).await {
                Ok(1..) => {}
                _ => return false,
            }
        }
        true
    };
    tokio::time::timeout(HEAD_PATIENCE, rest)
        .await
        .unwrap_or(false)
}

fn head_of(buffer: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD_BYTES => return Head::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Head::Wrong("431 Request Header Fields Too Large");
        }
        Err(_) => return Head::Wrong("400 Bad Request"),
    };
    if request.method != Some("GET") {
        return Head::Wrong("405 Method Not Allowed");
    }
    let value = |name: &str| {
        let found = request
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value)
    };
    let has_body = value("transfer-encoding").is_some()
        || value("content-length").is_some_and(|length| length.trim_ascii() != b"0");
    if has_body {
        return Head::Wrong("413 Content Too Large");
    }
    let connection = value("connection").unwrap_or_default().to_ascii_lowercase();
    let says = |word: &[u8]| {
        connection
            .split(|byte| *byte == b',')
            .any(|part| part.trim_ascii() == word)
    };
    let stays = match request.version {
        Some(0) => says(b"keep-alive"),
        _ => !says(b"close"),
    };
    let target = request.path.unwrap_or_default().as_bytes().to_vec();
    Head::Whole {
        length,
        target,
        stays,
    }
}

/// Appends a response.
fn respond(out: &mut Vec<u8>, status: &str, body: &[u8], stays: bool) {
    let connection = if stays { "" } else { "Connection: close\r\n" };
    // Writing into memory does not fail.
    let _ = write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{connection}\r\n",
        body.len()
    );
    out.extend_from_slice(body);
}

async fn answer(service: &Service, ip: IpAddr, target: &[u8], stays: bool, out: &mut Vec<u8>) {
    let mut body = Vec::with_capacity(512);
    match http::parse(target) {
        Ok(Request::Announce {
            announce,
            compact,
            passkey,
        }) => match service.begin(ip, passkey.as_deref(), &announce) {
            Ok(begun) => write_announce(service, ip, begun, compact, &mut body).await,
            Err(refusal) => http::write_failure(&mut body, &refusal.to_string(), refusal.retry()),
        },
        Ok(Request::Scrape { hashes, passkey }) => {
            patiently(service.inquire(&hashes, passkey.as_deref())).await;
            let mut files = Vec::with_capacity(hashes.len());
            for hash in hashes {
                // A torrent that is not served is left out, as one that is not known would be.
                if let Ok(counts) = service.scrape(&hash, passkey.as_deref()) {
                    files.push((hash, counts));
                }
            }
            http::write_scrape(&mut body, &mut files);
        }
        Err(error) => http::write_failure(&mut body, &error.to_string(), RetryIn::Unsaid),
    }
    respond(out, "200 OK", &body, stays);
}

async fn write_announce(
    service: &Service,
    ip: IpAddr,
    begun: Begun,
    compact: bool,
    body: &mut Vec<u8>,
) {
    patiently(begun.lookup).await;
    let scope = Scope {
        most: usize::MAX,
        both_families: true,
    };
    service.answer(&begun.entered, scope, |answer, offer| {
        let reply = AnnounceReply {
            interval_s: answer.interval_s,
            min_interval_s: answer.min_interval_s,
            counts: answer.counts,
            peers: &offer.v4,
            peers6: &offer.v6,
            external: ip,
            warning: None,
        };
        http::write_announce(body, &reply, compact);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &[u8]) -> (usize, Vec<u8>, bool) {
        match head_of(text) {
            Head::Whole {
                length,
                target,
                stays,
            } => (length, target, stays),
            _ => panic!("no request: {}", text.escape_ascii()),
        }
    }

    #[test]
    fn connections_stay_open_as_http_says() {
        let (length, target, stays) = whole(b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nGET ");
        assert_eq!((length, target.as_slice(), stays), (30, &b"/a?b"[..], true));
        assert!(!whole(b"GET / HTTP/1.1\r\nconnection: Upgrade, Close\r\n\r\n").2);
        assert!(!whole(b"GET / HTTP/1.0\r\n\r\n").2);
        assert!(whole(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").2);
    }

    #[test]
    fn heads_are_bounded_and_bodies_refused() {
        let wrong = |text: &[u8]| match head_of(text) {
            Head::Wrong(status) => status.get(..3).map(str::to_owned),
            _ => None,
        };
        let endless = [&b"GET /announce?"[..], &vec![b'a'; MAX_HEAD_BYTES]].concat();
        assert!(matches!(
            head_of(&endless[..MAX_HEAD_BYTES - 1]),
            Head::Partial
        ));
        assert_eq!(wrong(&endless).as_deref(), Some("431"));
        let headers = "a: b\r\n".repeat(MAX_HEADERS + 1);
        let many = format!("GET / HTTP/1.1\r\n{headers}\r\n");
        assert_eq!(wrong(many.as_bytes()).as_deref(), Some("431"));
        assert_eq!(wrong(b"POST / HTTP/1.1\r\n\r\n").as_deref(), Some("405"));
        assert_eq!(wrong(b"\0\0\0").as_deref(), Some("400"));
        let body = b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(wrong(body).as_deref(), Some("413"));
    }
}

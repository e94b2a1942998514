//! HTTP/1.1: a loop of its own for each connection, over `httparse`.
//!
//! An announce is one short GET with one short answer, and no body; what matters is that thousands of
//! clients that send slowly, or nothing, cost little, and that everything which has come is answered
//! with one write. So a connection is a buffer of bounded size, a deadline, and this loop; hyper,
//! whose parser this is, serves the pages of the node (`src/http`).

mod connections;
mod head;

pub use connections::{MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS};

use super::service::{Begun, Service, patiently};
use super::spawn;
use connections::{Connections, Seat};
use head::{Head, Whole, head_of};
use std::cell::RefCell;
use std::io::Write;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracker::http::{self, AnnounceReply, Request, RetryIn};
use tracker::proxy::NoClient;
use tracker::{Families, FrontEnd, Scope};

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
    let open = Rc::new(RefCell::new(Connections::default()));
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "the tracker cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let ip = client.ip();
        let seat = match Seat::take(&open, ip, service.proxies.trusts(ip)) {
            Ok(seat) => seat,
            Err(reason) => {
                service.metrics.refuse(FrontEnd::Http, reason);
                continue;
            }
        };
        service.metrics.connections.inc();
        // Answers are whole: waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let service = Rc::clone(&service);
        spawn(async move {
            attend(&service, stream, ip).await;
            service.metrics.connections.dec();
            drop(seat);
        });
    }
}

async fn attend(service: &Service, mut stream: TcpStream, from: IpAddr) {
    let header = service.proxies.header();
    let mut buffer = Vec::with_capacity(2_048);
    let mut out = Vec::with_capacity(1_024);
    loop {
        // Everything that has come is answered, then written at once.
        let mut stays = true;
        while stays && out.len() < MAX_ANSWER_BYTES {
            match head_of(&buffer, header) {
                Head::Partial => break,
                Head::Whole(head) => {
                    buffer.drain(..head.length);
                    let values = head.forwarded.iter().map(Vec::as_slice);
                    let client = service.proxies.client(from, values);
                    stays = head.stays && client.is_ok();
                    answer(service, client, &Whole { stays, ..head }, &mut out).await;
                }
                Head::Wrong(status) => {
                    stays = false;
                    service.metrics.misunderstood(FrontEnd::Http);
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
        if matches!(head_of(&buffer, header), Head::Partial)
            && !read_more(&mut stream, &mut buffer).await
        {
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
        while matches!(head_of(buffer, None), Head::Partial) {
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

async fn answer(
    service: &Service,
    client: Result<IpAddr, NoClient>,
    head: &Whole,
    out: &mut Vec<u8>,
) {
    let mut body = Vec::with_capacity(512);
    let ip = match client {
        Ok(ip) => ip,
        Err(error) => {
            // The proxy's owner is to see it, not the client: it is no answer of a tracker.
            service.metrics.misunderstood(FrontEnd::Http);
            respond(out, "400 Bad Request", error.to_string().as_bytes(), false);
            return;
        }
    };
    match http::parse(&head.target) {
        Ok(Request::Announce {
            announce,
            compact,
            passkey,
        }) => match service.begin(service.now(), ip, passkey.as_deref(), &announce) {
            Ok(begun) => write_announce(service, ip, begun, compact, &mut body).await,
            Err(refusal) => http::write_failure(&mut body, &refusal.to_string(), refusal.retry()),
        },
        Ok(Request::Scrape { hashes, passkey }) => {
            service.metrics.scraped(FrontEnd::Http);
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
        Err(error) => {
            service.metrics.misunderstood(FrontEnd::Http);
            http::write_failure(&mut body, &error.to_string(), RetryIn::Unsaid);
        }
    }
    respond(out, "200 OK", &body, head.stays);
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
        families: Families::Both,
    };
    service.answer(service.now(), &begun.entered, scope, |answer, offer| {
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

//! The load over HTTP: as many connections as announces in flight, each with one at a time.

use super::Load;
use super::clients::{Client, Clients};
use super::meter::Meter;
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use std::cell::{Cell, RefCell};
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

/// Longest answer that is read.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// A connection that fails is made again after this pause.
const PAUSE: Duration = Duration::from_millis(10);

/// What the connections share.
struct Shared {
    tracker: SocketAddr,
    path: String,
    clients: RefCell<Clients>,
    meter: RefCell<Meter>,
    load: Load,
    timeout: Duration,
    /// Announces of the phase so far.
    announced: Cell<u64>,
}

/// How much a phase announces, and how fast.
#[derive(Clone, Copy)]
struct Phase {
    began: Instant,
    most: u64,
    duration: Duration,
    rate: Option<u32>,
    event: &'static str,
}

/// Announces everybody once, then measures.
pub(super) async fn run(
    tracker: SocketAddr,
    path: &str,
    clients: Clients,
    load: Load,
    timeout: Duration,
) -> Result<Meter, String> {
    let reached = tokio::time::timeout(timeout, connect(tracker, None)).await;
    let reached = reached.map_err(|_| format!("no answer within {timeout:?}"))?;
    reached.map_err(|error| format!("cannot connect ({error})"))?;
    let everybody = clients.len() as u64;
    let shared = Rc::new(Shared {
        tracker,
        path: path.to_owned(),
        clients: RefCell::new(clients),
        meter: RefCell::new(Meter::new()?),
        load,
        timeout,
        announced: Cell::new(0),
    });
    let first = Phase {
        began: Instant::now(),
        most: everybody,
        duration: Duration::MAX,
        rate: None,
        event: "&event=started",
    };
    all(&shared, first).await;
    shared.meter.replace(Meter::new()?);
    shared.announced.set(0);
    let second = Phase {
        began: Instant::now(),
        most: u64::MAX,
        duration: load.duration,
        rate: load.rate,
        event: "",
    };
    all(&shared, second).await;
    let mut meter = shared.meter.replace(Meter::new()?);
    meter.elapsed = second.began.elapsed();
    Ok(meter)
}

/// One phase, on all connections.
async fn all(shared: &Rc<Shared>, phase: Phase) {
    let local = LocalSet::new();
    let mut connections = JoinSet::new();
    for number in 0..shared.load.in_flight {
        let shared = Rc::clone(shared);
        connections.spawn_local_on(async move { shared.attend(number, phase).await }, &local);
    }
    local.run_until(connections.join_all()).await;
}

impl Shared {
    /// Announces on one connection, or on one after another, until the phase ends.
    async fn attend(&self, number: usize, phase: Phase) {
        let sources = self.clients.borrow().sources.len().max(1);
        let mut stream = None;
        let (mut question, mut answer) = (Vec::new(), Vec::new());
        while self.may_go_on(phase).await {
            let taken = {
                let mut clients = self.clients.borrow_mut();
                let source = clients.sources.get_mut(number % sources);
                source.and_then(|source| Some((source.ip, source.next()?)))
            };
            let Some((ip, client)) = taken else {
                return;
            };
            self.write(client, phase.event, &mut question);
            let began = Instant::now();
            let asked = self.ask(&mut stream, ip, &question, &mut answer);
            match tokio::time::timeout(self.timeout, asked).await {
                Ok(Ok(Some(peers))) => self.meter.borrow_mut().answer(began.elapsed(), peers),
                Ok(Ok(None)) => self.meter.borrow_mut().error("refused"),
                Ok(Err(_)) => {
                    self.meter.borrow_mut().error("connections that failed");
                    stream = None;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(_) => {
                    self.meter.borrow_mut().error("lost");
                    stream = None;
                }
            }
        }
    }

    /// Waits for its turn; false when the phase is over.
    async fn may_go_on(&self, phase: Phase) -> bool {
        let number = self.announced.get();
        if number >= phase.most || phase.began.elapsed() >= phase.duration {
            return false;
        }
        self.announced.set(number + 1);
        if let Some(rate) = phase.rate {
            let at = Duration::from_secs_f64(number as f64 / f64::from(rate));
            tokio::time::sleep_until(phase.began + at).await;
        }
        true
    }

    fn write(&self, client: Client, event: &str, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.path.as_bytes());
        out.extend_from_slice(b"?info_hash=");
        escape(&self.clients.borrow().hash(client), out);
        out.extend_from_slice(b"&peer_id=");
        out.extend_from_slice(&client.peer_id());
        let connection = if self.load.close {
            "close"
        } else {
            "keep-alive"
        };
        // Writing into memory does not fail.
        let _ = write!(
            out,
            "&port={}&uploaded=0&downloaded=0&left={}&numwant={}&key={:08x}&compact=1{event} HTTP/1.1\r\n\
             Host: {}\r\nUser-Agent: p2pctl\r\nConnection: {connection}\r\n\r\n",
            client.port,
            client.left(),
            self.load.numwant,
            client.number + 1,
            self.tracker
        );
    }

    /// One question and its answer: how many peers; none when it was refused.
    async fn ask(
        &self,
        kept: &mut Option<TcpStream>,
        ip: Option<IpAddr>,
        question: &[u8],
        answer: &mut Vec<u8>,
    ) -> io::Result<Option<usize>> {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => connect(self.tracker, ip).await?,
        };
        stream.write_all(question).await?;
        answer.clear();
        let (body, stays) = loop {
            let read = stream.read_buf(answer).await?;
            match end_of(answer) {
                Some(end) if end.whole <= answer.len() => break (end.body..end.whole, end.stays),
                _ if read == 0 || answer.len() > MAX_ANSWER_BYTES => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                _ => {}
            }
        };
        if stays && !self.load.close {
            *kept = Some(stream);
        }
        Ok(peers_in(answer.get(body).unwrap_or_default()))
    }
}

async fn connect(tracker: SocketAddr, ip: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = match tracker {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(ip) = ip {
        // Ports are unique for each address and tracker then, not for each address alone.
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        socket.bind(SocketAddr::new(ip, 0))?;
    }
    socket.set_nodelay(true)?;
    socket.connect(tracker).await
}

/// Where an answer ends.
struct End {
    body: usize,
    whole: usize,
    stays: bool,
}

/// None when its head is not complete, or says no length.
fn end_of(answer: &[u8]) -> Option<End> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = response.parse(answer).ok()? else {
        return None;
    };
    let value = |name: &str| {
        let mut all = response.headers.iter();
        let found = all.find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let length: usize = value("content-length")?.trim().parse().ok()?;
    let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Some(End {
        body,
        whole: body.checked_add(length)?,
        stays: !closes && response.version == Some(1),
    })
}

/// How many peers an answer in the compact form has; none when it is a refusal.
fn peers_in(body: &[u8]) -> Option<usize> {
    let name = b"5:peers";
    let at = body.windows(name.len()).position(|part| part == name)?;
    let rest = body.get(at + name.len()..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let bytes: usize = std::str::from_utf8(rest.get(..digits)?)
        .ok()?
        .parse()
        .ok()?;
    Some(bytes / 6)
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if byte.is_ascii_alphanumeric() {
            out.push(*byte);
        } else {
            let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_end_where_their_heads_say() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\nd5:peers12:abcdefghijkle";
        let end = end_of(answer).unwrap();
        assert_eq!((end.body, end.whole, end.stays), (39, 60, true));
        assert_eq!(peers_in(&answer[39..]), Some(2));
        assert!(end_of(&answer[..30]).is_none());
        assert!(
            !end_of(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nd")
                .unwrap()
                .stays
        );
        assert_eq!(peers_in(b"d14:failure reason2:noe"), None);
    }

    #[test]
    fn hashes_are_escaped() {
        let mut out = Vec::new();
        escape(b"a\x00\xff9&", &mut out);
        assert_eq!(out, b"a%00%FF9%26");
    }
}

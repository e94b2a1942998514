//! Announces over UDP (BEP 15), as few bytes of a client as that takes.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// What a connect begins with (BEP 15).
const MAGIC: u64 = 0x0417_2710_1980;
/// Actions (BEP 15).
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer before its peers, and of a peer.
const HEAD: usize = 20;
const PEER: usize = 6;

/// What a client says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// Of which torrent.
    pub(super) torrent: u64,
    /// By whom.
    pub(super) client: u32,
    /// Where it takes connections.
    pub(super) port: u16,
    pub(super) seed: bool,
    pub(super) numwant: u32,
}

/// A socket that one tracker knows.
#[derive(Debug)]
pub(super) struct Line {
    socket: UdpSocket,
    connection: u64,
}

impl Line {
    /// To a tracker, from some address of this machine.
    pub(super) fn open(tracker: SocketAddr, from: Ipv4Addr) -> Result<Self, String> {
        let wrong = |why: std::io::Error| format!("{tracker}: {why}");
        let socket = UdpSocket::bind((from, 0)).map_err(wrong)?;
        socket.connect(tracker).map_err(wrong)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(wrong)?;
        let mut line = Self {
            socket,
            connection: 0,
        };
        line.renew()?;
        Ok(line)
    }

    /// A connection id is good for two minutes.
    pub(super) fn renew(&mut self) -> Result<(), String> {
        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.extend(CONNECT.to_be_bytes());
        bytes.extend(u32::MAX.to_be_bytes());
        self.socket.send(&bytes).map_err(|why| why.to_string())?;
        let mut room = [0; 2_048];
        loop {
            let count = self.socket.recv(&mut room).map_err(|why| why.to_string())?;
            // Answers to announces may come first.
            if count == 16 && room.starts_with(&CONNECT.to_be_bytes()) {
                let id = room.get(8..16).and_then(|id| id.try_into().ok());
                self.connection = id.map_or(0, u64::from_be_bytes);
                return Ok(());
            }
        }
    }

    /// Sends an announce.
    pub(super) fn send(&self, said: Said, transaction: u32) -> Result<(), String> {
        let mut bytes = self.connection.to_be_bytes().to_vec();
        bytes.extend(ANNOUNCE.to_be_bytes());
        bytes.extend(transaction.to_be_bytes());
        let mut hash = [0x42; 20];
        // Spread over the ring, as real ones are.
        let mixed = (said.torrent + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (byte, of) in hash.iter_mut().zip(mixed.to_be_bytes()) {
            *byte = of;
        }
        bytes.extend(hash);
        bytes.extend(b"-XX0001-00000000");
        bytes.extend(said.client.to_be_bytes());
        bytes.extend([0; 8]);
        bytes.extend(u64::from(!said.seed).to_be_bytes());
        bytes.extend([0; 8]);
        // No event, no address.
        bytes.extend([0; 8]);
        bytes.extend((said.client + 1).to_be_bytes());
        bytes.extend(said.numwant.to_be_bytes());
        bytes.extend(said.port.to_be_bytes());
        let sent = self.socket.send(&bytes);
        sent.map(|_| ()).map_err(|why| why.to_string())
    }

    /// Counts the answers that are there, without waiting.
    pub(super) fn answers(&self) -> Result<u64, String> {
        let wrong = |why: std::io::Error| why.to_string();
        self.socket.set_nonblocking(true).map_err(wrong)?;
        let (mut count, mut room) = (0, [0; 2_048]);
        let ended = loop {
            match self.socket.recv(&mut room) {
                Ok(length) => count += u64::from(is_answer(&room, length)),
                Err(why) if why.kind() == ErrorKind::WouldBlock => break Ok(count),
                Err(why) => break Err(why.to_string()),
            }
        };
        self.socket.set_nonblocking(false).map_err(wrong)?;
        ended
    }

    /// Announces, and waits for the ports of the peers in the answer.
    pub(super) fn ask(&self, said: Said, transaction: u32) -> Result<Vec<u16>, String> {
        self.send(said, transaction)?;
        let mut room = [0; 2_048];
        loop {
            let length = self.socket.recv(&mut room).map_err(|why| why.to_string())?;
            let is_mine = room.get(4..8) == Some(&transaction.to_be_bytes()[..]);
            if is_mine && is_answer(&room, length) {
                let peers = room.get(HEAD..length).unwrap_or_default();
                let port = |peer: &[u8]| match peer {
                    [.., high, low] => u16::from_be_bytes([*high, *low]),
                    _ => 0,
                };
                return Ok(peers.chunks_exact(PEER).map(port).collect());
            }
            if is_mine {
                let text = room.get(8..length).unwrap_or_default();
                return Err(String::from_utf8_lossy(text).into_owned());
            }
        }
    }
}

fn is_answer(room: &[u8], length: usize) -> bool {
    length >= HEAD && room.starts_with(&ANNOUNCE.to_be_bytes())
}

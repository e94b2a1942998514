//! A file, and a torrent of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tracker::bencode::Writer;

/// Bytes of the file that is shared.
const FILE_BYTES: usize = 20 << 20;
const PIECE_BYTES: usize = 256 << 10;
/// The name of the file.
pub(crate) const NAME: &str = "shared.bin";

/// A file whose content follows from `seed`, and which does not compress.
pub(crate) struct Shared {
    pub(crate) content: Vec<u8>,
    info: Vec<u8>,
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed | 1;
        let mut content = Vec::with_capacity(FILE_BYTES);
        while content.len() < FILE_BYTES {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            content.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        let pieces: Vec<u8> = content
            .chunks(PIECE_BYTES)
            .flat_map(|piece| overlay::Id::of(piece).0)
            .collect();
        let mut info = Vec::new();
        let mut writer = Writer::new(&mut info);
        writer.dict();
        writer.bytes(b"length").count(content.len() as u64);
        writer.bytes(b"name").bytes(NAME.as_bytes());
        writer.bytes(b"piece length").count(PIECE_BYTES as u64);
        writer.bytes(b"pieces").bytes(&pieces).end();
        Self { content, info }
    }

    /// The info-hash, escaped for a URL.
    pub(crate) fn escaped_hash(&self) -> String {
        let hash = overlay::Id::of(&self.info).0;
        hash.iter().map(|byte| format!("%{byte:02X}")).collect()
    }

    /// The link to it that names no tracker.
    pub(crate) fn magnet(&self) -> String {
        format!("magnet:?xt=urn:btih:{}", overlay::Id::of(&self.info))
    }

    /// Writes a torrent, with this tracker or without any, and with a node of the DHT (BEP 5): that
    /// is how qBittorrent learns of one.
    pub(crate) fn torrent(
        &self,
        folder: &Path,
        announce: Option<&str>,
        node: Option<SocketAddr>,
    ) -> PathBuf {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.dict();
        if let Some(url) = announce {
            writer.bytes(b"announce").bytes(url.as_bytes());
        }
        writer.bytes(b"info").raw(&self.info);
        if let Some(node) = node {
            let ip = node.ip().to_string();
            writer.bytes(b"nodes").list().list();
            writer.bytes(ip.as_bytes()).count(node.port().into());
            writer.end().end();
        }
        writer.end();
        let path = folder.join("shared.torrent");
        std::fs::write(&path, out).expect("a torrent");
        path
    }

    /// Writes the file.
    pub(crate) fn store(&self, folder: &Path) {
        std::fs::write(folder.join(NAME), &self.content).expect("the file");
    }

    /// Whether the file is there, whole.
    pub(crate) fn arrived(&self, folder: &Path) -> bool {
        std::fs::read(folder.join(NAME)).is_ok_and(|content| content == self.content)
    }
}

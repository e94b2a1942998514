//! What a client says when it announces, whichever protocol it speaks.

use crate::front_end::FrontEnd;
use crate::ids::{InfoHash, PeerId};
use std::net::IpAddr;
use std::num::NonZeroU16;

/// Longest passkey, in bytes: what a URL's path holds between two slashes in use is 32 to 40.
pub const MAX_PASSKEY_BYTES: usize = 64;

/// Why a client announces (BEP 3; `Paused` by BEP 21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Event {
    /// It does so at intervals.
    #[default]
    Regular,
    /// It has begun.
    Started,
    /// It ends.
    Stopped,
    /// It has just got everything.
    Completed,
    /// It has all that it wants, and not everything: a partial seed.
    Paused,
}

/// One announce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// By which way.
    pub by: FrontEnd,
    /// Of which torrent.
    pub info_hash: InfoHash,
    /// By whom.
    pub peer_id: PeerId,
    /// Where it takes connections; none when it takes none (aria2 leaves the port out then). Such a
    /// client gets an answer and is not listed, for nobody could reach it.
    pub port: Option<NonZeroU16>,
    /// Bytes sent since it started.
    pub uploaded: u64,
    /// Bytes received since it started.
    pub downloaded: u64,
    /// Bytes that it still lacks; 0 is a seed.
    pub left: u64,
    /// Why now.
    pub event: Event,
    /// Recognises the client when its address changes, and over both address families (BEP 7, 15).
    /// None when it sent none, or zero.
    pub key: Option<u32>,
    /// How many peers it wants; none for the tracker's default.
    pub numwant: Option<u32>,
    /// The address that it claims to have: used in attacks, and believed only where configuration
    /// says so.
    pub claimed_ip: Option<IpAddr>,
}

impl Announce {
    /// Whether it has everything.
    #[must_use]
    pub const fn is_seed(&self) -> bool {
        self.left == 0
    }
}

//! What a driver is made with, beside its machine.

use super::Command;
use super::disk::DiskNews;
use super::hosts::HostsFile;
use super::peer::Inbound;
use overlay::Locate;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// What a status says of the process.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProcessInfo {
    pub(super) listen: SocketAddr,
    pub(super) http: Option<SocketAddr>,
}

/// What belongs to the node's data directory.
pub(super) struct Own {
    pub(super) disk: DiskNews,
    pub(super) hosts: HostsFile,
}

/// Where the driver's inputs come from.
pub(crate) struct Sources<M: Locate> {
    pub(crate) urgent: mpsc::Receiver<Inbound<M>>,
    pub(crate) inbox: mpsc::Receiver<Inbound<M>>,
    pub(crate) commands: mpsc::Receiver<Command>,
}

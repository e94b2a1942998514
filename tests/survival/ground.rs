//! Where the nodes of a run live, and whether they can be cut off from each other.

use crate::namespaces::Namespaces;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

/// The port of every node: none that the system gives to others while a node is down.
const PORT: u16 = 4000;

/// Where nodes live.
#[derive(Debug)]
pub(crate) enum Ground {
    /// On addresses of this machine's own network, 127.0.0.0/8, two bytes of which are the run's.
    Loopback([u8; 2]),
    /// In namespaces with addresses of their own.
    Namespaces(Namespaces),
}

impl Ground {
    /// Addresses that no other run on this machine has.
    pub(crate) fn loopback() -> Self {
        let [low, high, ..] = std::process::id().to_le_bytes();
        Self::Loopback([64 | (high & 63), low])
    }

    /// What it is called.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Loopback(_) => "loopback",
            Self::Namespaces(_) => "namespaces",
        }
    }

    /// Makes room for a node.
    pub(crate) fn prepare(&mut self, number: usize) -> io::Result<()> {
        match self {
            Self::Loopback(_) => Ok(()),
            Self::Namespaces(spaces) => spaces.make(number),
        }
    }

    /// The address of a node among its peers.
    pub(crate) fn peer(&self, number: usize) -> SocketAddr {
        match self {
            Self::Loopback([high, low]) => {
                let last = u8::try_from(number + 1).expect("fewer than 255 nodes");
                SocketAddr::from((Ipv4Addr::new(127, *high, *low, last), PORT))
            }
            Self::Namespaces(spaces) => spaces.peer(number),
        }
    }

    /// The address of a node for clients.
    pub(crate) fn reach(&self, number: usize) -> SocketAddr {
        match self {
            Self::Loopback(_) => self.peer(number),
            Self::Namespaces(spaces) => spaces.reach(number),
        }
    }

    /// A program where a node lives, with the flags that tell `p2pnode` its address.
    pub(crate) fn node(&self, number: usize, program: &str) -> Command {
        match self {
            Self::Loopback(_) => {
                let mut command = crate::support::bare(program);
                command.args(["--listen", &self.peer(number).to_string()]);
                command
            }
            Self::Namespaces(spaces) => {
                let mut command = spaces.command(number, program);
                let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
                command.args(["--listen", &any.to_string()]);
                command.args(["--advertise", &self.peer(number).to_string()]);
                command
            }
        }
    }

    /// Whether there can be partitions.
    pub(crate) const fn can_split(&self) -> bool {
        matches!(self, Self::Namespaces(_))
    }

    /// Cuts these nodes off from the others.
    pub(crate) fn cut(&self, numbers: &[usize]) -> io::Result<()> {
        match self {
            Self::Loopback(_) => Err(io::Error::other("one network cannot be cut")),
            Self::Namespaces(spaces) => spaces.cut(numbers),
        }
    }

    /// Ends the partition.
    pub(crate) fn heal(&self) -> io::Result<()> {
        match self {
            Self::Loopback(_) => Ok(()),
            Self::Namespaces(spaces) => spaces.heal(),
        }
    }
}

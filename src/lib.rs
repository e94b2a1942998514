//! A node of a peer-to-peer network that knows who has what, inside of a program.
//!
//! A network of nodes keeps a map from keys to values, and from resources to the peers that hold them,
//! through crashes, joins and leaves. It runs Chord, Pastry or Gnutella ([`Overlay`]) over QUIC. This
//! library is what the programs `p2pnode` and `p2pctl` are made of:
//!
//! - [`Node::builder`] starts a node, on a thread of its own; what `p2pnode` has a flag for, the
//!   [`NodeBuilder`] has a setter for;
//! - a [`Client`] asks one, in this process or over the network: values, holders, searches;
//! - [`Client::events`] is a stream of what happens there;
//! - [`compute`] lets swarms of workers say who computes which piece.
//!
//! ```
//! use p2pnode::Node;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let first = Node::builder().temporary().start().await?;
//! let second = Node::builder().temporary().join(first.addr()).start().await?;
//! for node in [&first, &second] {
//!     node.client().settled().await?;
//! }
//!
//! first.client().put("greeting", "hello, ring").await?;
//! let answer = second.client().get("greeting").await?;
//! assert_eq!(&answer.found().expect("it was stored").bytes[..], b"hello, ring");
//!
//! let holder = "192.0.2.7:6881".parse()?;
//! first.client().insert("ubuntu.iso", holder).text("installation image").await?;
//! let answer = second.client().search("ubuntu.iso").await?;
//! assert_eq!(answer.found().expect("somebody has it")[0].addr, holder);
//!
//! let answer = second.client().search_text("install* image").await?;
//! assert_eq!(answer.found().expect("by its words").hits.len(), 1);
//!
//! let located = first.client().locate("greeting").await?;
//! assert_eq!(located.replicas.len(), 2, "both nodes have it");
//! first.client().delete("greeting").await?;
//! assert!(second.client().get("greeting").await?.is_absent(), "and that is proven");
//!
//! second.shutdown().await;
//! # first.shutdown().await;
//! # Ok(()) }) }
//! ```
//!
//! # What an answer is worth
//! A write is acknowledged when W of N replicas hold it on their disks, and its report says how many
//! do. A read is an [`Answer`]: found, *proven* absent, or unknown with the reason, always with the
//! [`Evidence`]. On Gnutella, which promises less, absence is never proven. That a question could not
//! be asked or answered is a [`CallError`], which says whether something
//! [may have changed](CallError::may_have_changed) nevertheless.
//!
//! # Who runs what
//! A node has a thread of its own for its protocol, and further ones for its disk, HTTP and its
//! tracker. Clients run under the tokio runtime of the program. Everything is logged by way of
//! `tracing`; the program decides where that goes. `examples/embedded.rs` is a whole program.
//!
//! What is not shown here is public for the programs and tests of this package only, and may change at
//! any time.

pub mod client;
pub mod compute;
mod documents;
mod event;
mod feed;
mod node;

#[doc(hidden)]
pub mod command_line;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod control;
#[doc(hidden)]
pub mod crawl;
#[doc(hidden)]
pub mod ctl;
#[doc(hidden)]
pub mod data_dir;
mod datagrams;
#[doc(hidden)]
pub mod demo;
#[doc(hidden)]
pub mod http;
#[doc(hidden)]
pub mod logging;
#[doc(hidden)]
pub mod metrics;
#[doc(hidden)]
pub mod p2psim;
#[doc(hidden)]
pub mod runtime;
#[doc(hidden)]
pub mod service_manager;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod tls;
#[doc(hidden)]
pub mod tracker;
#[doc(hidden)]
pub mod usage;

pub use client::{Answer, CallError, Client, ConnectError, Events, EventsError, Evidence, Key};
pub use client::{Matches, Value};
pub use config::gnutella_flags::{
    ReplicationName as Replication, RoleName as Role, SearchName as SearchWay,
};
pub use config::tracker_flags::{HeaderName, Location, ProxyRange};
pub use config::{ConfigError, OverlayName as Overlay};
pub use control::client::{ClientError, NodeName, ParseNodeNameError};
pub use control::{Copies, Load, StatusReport};
pub use data_dir::DataDirError;
pub use event::{CallLookup, CameTo, Counts, Event, Lookup, Operation, OperationKind, Repair};
pub use http::TokenError;
pub use node::{LeaveError, Node, NodeBuilder};
pub use overlay::{
    ConflictReport, Consistency, Contact, DeleteReport, Failure, HitKind, HolderInfo, Id,
    InsertReport, LocateReport, Movement, Neighbours, Outcome, PeerInfo, PutReport, RingChange,
    RootFound, Status, TextHit, Version,
};
pub use runtime::{StartError, Stopped};
pub use store::OpenError;

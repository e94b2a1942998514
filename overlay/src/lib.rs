//! The words that all overlays share.
//!
//! A protocol here is a [`Machine`]: it takes one input and the time, changes itself, and pushes
//! effects into an [`Outbox`] that its caller owns. This crate holds what every machine speaks of
//! ([`Id`], [`Contact`], [`Time`], [`Record`]), the boundary of an overlay that answers for keys
//! ([`KeyRouter`]), the [lookup] that all of those share, the service that users get
//! ([`Locate`]), and the one place where messages become bytes ([`wire`]).
//!
//! Nothing in this crate does I/O, reads a clock, draws entropy of its own or starts a thread.

mod arc;
mod contact;
mod deadlines;
pub mod failures;
mod id;
mod kinds;
mod locate;
pub mod lookup;
mod machine;
mod memory;
mod neighbours;
pub mod proximity;
mod quorums;
mod record;
mod router;
mod rtt;
mod status;
mod store;
mod tally;
mod time;
pub mod wire;
pub mod words;

pub use arc::Arc;
pub use contact::Contact;
pub use deadlines::Deadlines;
pub use id::{ID_BITS, ID_BYTES, Id, ParseIdError};
pub use locate::{
    ConflictReport, Consistency, DeleteReport, Failure, GetReport, HitKind, HolderInfo,
    InsertReport, Locate, LocateReport, LookupReport, Notice, Outcome, Promise, PutReport, Reply,
    Request, RootFound, SearchReport, TextHit, TextReport,
};
pub use machine::{Cx, Effect, Fault, Input, LoadSeq, Machine, OpId, Outbox, WriteSeq};
pub use memory::MemoryStore;
pub use neighbours::Neighbours;
pub use quorums::{MAX_REPLICAS, QuorumError, Quorums};
pub use record::{
    Condition, Hlc, Item, MAX_ENTRY_BYTES, MAX_HOLDERS_PER_KEY, MAX_KEY_BYTES, MAX_LEASE_S,
    MAX_TEXT_BYTES, MAX_TTL_S, MAX_VALUE_BYTES, ParseVersionError, Record, Slot, Version,
};
pub use router::{
    Claim, Hop, KeyRouter, LookupPurpose, OwnedArc, RingChange, RouterCall, RouterEvent,
};
pub use rtt::{
    INITIAL_TIMEOUT, MAX_MEASURED_PEERS, MAX_TIMEOUT, MIN_TIMEOUT, RttEstimator, RttTable,
};
pub use status::{MAX_MOVEMENTS, Movement, PeerInfo, Purpose, Status, WaitsFor};
pub use store::{Counts, Found, Meta, Store, StoreFull, each_stretch};
pub use tally::{
    FurthestClock, HOP_BOUNDS, Histogram, LOOKUP_BOUNDS_US, LookupTally, Lookups, Misdeeds,
    QueryTally, RepairTally, Tally, UnderWay,
};
pub use time::{Duration, Time, WallMs};

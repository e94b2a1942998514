//! Values and holders, replicated over any [`KeyRouter`](overlay::KeyRouter).
//!
//! [`Dht`] is one [`Machine`](overlay::Machine): the router and the common lookup inside, a store
//! handed in. It offers [`Locate`](overlay::Locate) with the promise `Replicated`.
//!
//! - The node that starts a call is its *origin*. It finds the *root* of the key, and remembers it.
//! - A write goes to the root, which gives it a version, writes it, sends it to the other replicas
//!   and answers when enough of them hold it durably (`coordinate`).
//! - A read goes from the origin to the root and to enough other replicas at once (`reading`).
//! - The root of an arc keeps a `view`: its replicas, how far each is a full copy, and for which
//!   parts of the arc the root itself is known to hold everything that was ever acknowledged.
//!   Only that knowledge turns "nobody has it" into "absent".
//! - Replicas are brought together by comparing fingerprints of ranges (`sync`, `ranges`), after
//!   every change and from time to time; each store keeps the sums for it (`summary`).
//! - Tombstones are collected by roots (`collect`), and what was deleted stays deleted (`horizon`),
//!   across restarts too (`vouched`).
//! - Texts are found by an index whose entries are records of the same kind (`words`).
//! - A record that this node need not hold is handed to its root, then deleted (`strays`).

mod accept;
mod access;
mod arcs;
mod checks;
mod clock;
mod collect;
mod comparison;
mod conditional;
mod config;
mod coordinate;
mod cover;
mod drift;
mod due;
mod durable;
mod earlier;
mod exchange;
mod excuse;
mod farewell;
mod fingerprint;
mod former;
mod full;
mod handover;
mod heard;
mod horizon;
mod items;
mod judge;
mod kept;
mod leases;
mod leave;
mod leavers;
mod locate;
mod lookups;
mod machine;
mod member;
mod membership;
mod message;
mod op;
mod parked;
mod pauses;
mod planted;
mod progress;
mod proof;
mod ranges;
mod read;
mod reading;
mod remembered;
mod renewals;
mod repair;
mod replica;
mod resting;
mod status;
mod strays;
mod summary;
mod sweep;
mod sync;
mod tenure;
mod view;
mod vouched;
mod witnesses;
pub mod words;
mod write;

pub use config::{DhtConfig, LEAST_REPAIR_RATE};
pub use coordinate::MAX_COORDINATED;
pub use cover::MAX_COVERS;
pub use fingerprint::Sum;
pub use leases::MAX_RENEWED_LEASES;
pub use machine::{Dht, DhtTimer};
pub use message::{
    ArcNews, Body, Claim, Confirm, Confirmation, DhtMessage, EntriesSeen, EntrySeen, Evidence,
    Filter, HandOffResult, HolderSeen, Horizon, IndexItem, IndexMany, IndexResult, Intent, Missing,
    PartSum, Position, Proof, RangeAnswer, RangeSum, Read, ReadData, ReadReply, RenewMany,
    RenewResult, Renewal, Replicate, Retire, Retired, Seen, Standing, StoreMessage, SyncAsk,
    SyncCollect, SyncDone, SyncTold, Wanted, Write, WriteResult,
};
pub use op::MAX_OPERATIONS;
pub use overlay::{Counts, Found, MemoryStore, Meta, Store, StoreFull, each_stretch};
#[cfg(feature = "planted-bugs")]
pub use planted::PlantedBug;
pub use reading::OLDER_THAN_SEEN;
pub use repair::CAUGHT_UP_WITHIN;

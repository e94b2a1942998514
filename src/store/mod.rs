//! The store on disk.
//!
//! [`DiskStore`] is the [`dht::Store`] of a node that outlives its process. In memory it keeps
//! what routing and comparing need of each record (the index) and the bodies that
//! are not durable yet or were used recently; all else is in an embedded engine, which two threads
//! of its own work on:
//!
//! - `store-commit` takes everything that waits, commits it as one group with one `fdatasync`, and
//!   reports it durable;
//! - `store-load` reads bodies, also while a commit is under way.
//!
//! | in `store/` | what |
//! |---|---|
//! | `format` | the version of the format, and the node that the store belongs to |
//! | `witness` | the number of the last commit that is durable |
//! | `engine/` | the engine's own files: records, large bodies, the seal, what is vouched for |
//!
//! Nothing damaged is taken for whole: each record has a checksum, the seal counts and digests all
//! of them, and the witness shows when the engine came back with less than was acknowledged.
//! Opening then fails and says what to do; nothing is dropped to make it succeed.

mod bodies;
mod commit;
mod disk;
mod engine;
mod error;
mod format;
mod index;
mod load;
mod metrics;
mod opening;
mod queue;
mod record;
mod recover;
mod seal;
mod settle;
mod shared;
mod space;
mod tables;
mod vouched;

pub use disk::DiskStore;
pub use error::{CloseError, OpenError};
pub use metrics::StoreMetrics;
pub use recover::{Inspection, inspect};

use overlay::Id;

/// Bytes that are left free on the file system, so that tombstones and removals still find room,
/// and the engine can rearrange its files: one of its journals.
pub const RESERVED_BYTES: u64 = 64 << 20;

/// Bytes of recently used bodies in memory: what 16 nodes on one machine may well have.
pub const BODY_CACHE_BYTES: usize = 8 << 20;

/// Bytes of writes that may wait for the disk before new ones are refused: a second or two of a
/// slow disk.
pub const WAITING_BYTES: u64 = 64 << 20;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The node that the store belongs to; another node's store is refused.
    pub node: Id,
    /// Bytes of keys, bodies and their overhead that are taken; none for no limit.
    pub quota: Option<u64>,
    /// Bytes that are kept free on the file system; [`RESERVED_BYTES`] unless a test says else.
    pub reserved: u64,
    /// Bytes of recently used bodies that stay in memory, by default [`BODY_CACHE_BYTES`].
    pub cache: usize,
    /// What is counted.
    pub metrics: StoreMetrics,
}

impl StoreOptions {
    /// The store of this node, without a quota.
    #[must_use]
    pub fn new(node: Id) -> Self {
        Self {
            node,
            quota: None,
            reserved: RESERVED_BYTES,
            cache: BODY_CACHE_BYTES,
            metrics: StoreMetrics::default(),
        }
    }
}

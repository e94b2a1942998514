//! What nodes say to each other about records. Variants and fields are only appended.

pub use crate::comparison::{
    Evidence, Horizon, Missing, PartSum, Proof, RangeAnswer, RangeSum, SyncAsk, SyncCollect,
    SyncDone, SyncTold,
};

mod confirm;
mod index;
mod leaving;
mod reading;
mod renew;
mod standing;

use bytes::Bytes;
pub use confirm::{Claim, Confirm, Confirmation, Retire, Retired};
pub use index::{EntriesSeen, EntrySeen, Filter, IndexItem, IndexMany, IndexResult};
pub use leaving::Intent;
pub(crate) use leaving::MAX_SPARED_ARCS;
use overlay::lookup::RoutingMessage;
use overlay::{Arc, Condition, Consistency, Hlc, Id, Item, Slot, Version, WallMs};
pub use reading::{Body, HolderSeen, Read, ReadData, ReadReply, Seen, Wanted};
pub use renew::{RenewMany, RenewResult, Renewal};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
pub use standing::{ArcNews, Standing};

/// Everything that two nodes of a replicated store say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DhtMessage<P> {
    /// Of the router or the lookup.
    Routing(RoutingMessage<P>),
    /// About records.
    Store(StoreMessage),
}

/// Where a record stands in an arc: by key, then by slot.
pub type Position = (Id, Slot);

/// A message about records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreMessage {
    /// Origin to replica: what do you have?
    Read(Read),
    /// The answer.
    ReadReply(ReadReply),
    /// Origin to root: write this.
    Write(Box<Write>),
    /// Root to origin: the outcome, or that it takes longer.
    WriteReply {
        /// The origin's number of the request.
        req: u64,
        /// The outcome.
        result: WriteResult,
    },
    /// Root to replica: hold this.
    Replicate(Replicate),
    /// Replica to root: these are durable here; the flag says that a live record was there before.
    Replicated {
        /// Numbers of `Replicate` messages.
        #[serde(deserialize_with = "overlay::wire::few")]
        acks: SmallVec<[(u64, bool); 1]>,
    },
    /// Root to replica: are these ranges the same at your side?
    SyncAsk(Box<SyncAsk>),
    /// Replica to root: which are, and how the others differ.
    SyncTold(Box<SyncTold>),
    /// Root to replica: every replica has these; drop them.
    SyncCollect(Box<SyncCollect>),
    /// Root to replica: take these, and send me those.
    SyncItems {
        /// Names the exchange.
        req: u64,
        /// For the replica.
        items: Vec<Item>,
        /// For the root.
        want: Vec<Position>,
        /// What of these is live and not newer is dead: the replica drops it instead.
        dead: Hlc,
    },
    /// The items are durable, and here are those that were wanted.
    SyncItemsReply {
        /// Which exchange.
        req: u64,
        /// For the root.
        items: Vec<Item>,
        /// How many of the wanted positions this answers, from the first.
        handled: u32,
        /// Whether some of the items were left out, for want of room; tombstones never are.
        left_out: bool,
    },
    /// Root to replica: you hold the whole arc now.
    SyncDone(SyncDone),
    /// The replica has noted it.
    SyncDoneAck {
        /// Which.
        req: u64,
    },
    /// Anyone to root: these belong to you.
    HandOff {
        /// Names the hand-over.
        req: u64,
        /// The records.
        items: Vec<Item>,
    },
    /// The answer.
    HandedOff {
        /// Which.
        req: u64,
        /// The outcome.
        result: HandOffResult,
    },
    /// Root to replica: am I still the root, and what do you have there?
    Confirm(Confirm),
    /// The answer.
    Confirmed {
        /// Which question.
        req: u64,
        /// What the replica is to the asking root.
        standing: Confirmation,
        /// The version of the value here, and whether a reader would see it.
        found: Option<(Version, bool)>,
    },
    /// Reader to root: some replica of this value lacks what you have.
    Repair {
        /// The key.
        key: Id,
    },
    /// Inserting node to root: these leases go on.
    RenewMany(RenewMany),
    /// The answer.
    Renewed {
        /// Which.
        req: u64,
        /// The outcome.
        result: RenewResult,
    },
    /// Replica to root: the records are not taken, for the store is full.
    NotReplicated {
        /// Number of the `Replicate` message.
        req: u64,
        /// Why, in words.
        why: String,
    },
    /// Root to a copy under an earlier view: testify under that no more.
    Retire(Retire),
    /// The answer.
    Retired(Retired),
    /// Former root to the present one: I was the root of this until now, and nobody has asked me.
    Tenure {
        /// Which keys.
        arc: Arc,
    },
    /// Publisher to root: these entries of the index are new, go on or end.
    IndexMany(IndexMany),
    /// The answer.
    Indexed {
        /// Which.
        req: u64,
        /// The outcome.
        result: IndexResult,
    },
    /// Reader to root: this replica is no full copy under you, as it says itself.
    NoCopy {
        /// Which key was read.
        key: Id,
        /// The replica.
        replica: Id,
    },
    /// A node that means to leave to its neighbours and to roots that have had it hold records: can
    /// you do without me?
    MayLeave(Intent),
    /// The answer.
    MayLeaveTold {
        /// Which question.
        req: u64,
        /// The arcs of which the root, and those replicas that stay, hold everything that this node
        /// has; none while they do not yet.
        spared: Option<Vec<Arc>>,
    },
    /// A root to those that hold records for it: everything is handed over, and I leave now.
    Gone,
}

overlay::message_kinds!(StoreMessage {
    Read => "store_read",
    ReadReply => "store_read_reply",
    Write => "store_write",
    WriteReply => "store_write_reply",
    Replicate => "store_replicate",
    Replicated => "store_replicated",
    SyncAsk => "store_sync_ask",
    SyncTold => "store_sync_told",
    SyncCollect => "store_sync_collect",
    SyncItems => "store_sync_items",
    SyncItemsReply => "store_sync_items_reply",
    SyncDone => "store_sync_done",
    SyncDoneAck => "store_sync_done_ack",
    HandOff => "store_hand_off",
    HandedOff => "store_handed_off",
    Confirm => "store_confirm",
    Confirmed => "store_confirmed",
    Repair => "store_repair",
    RenewMany => "store_renew_many",
    Renewed => "store_renewed",
    NotReplicated => "store_not_replicated",
    Retire => "store_retire",
    Retired => "store_retired",
    Tenure => "store_tenure",
    IndexMany => "store_index_many",
    Indexed => "store_indexed",
    NoCopy => "store_no_copy",
    MayLeave => "store_may_leave",
    MayLeaveTold => "store_may_leave_told",
    Gone => "store_gone",
});

/// A write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The origin's number of the request.
    pub req: u64,
    /// The origin's number of the write: the same when it asks again.
    pub number: u64,
    /// Where.
    pub key: Id,
    /// Value or holder.
    pub slot: Slot,
    /// What; none deletes.
    pub body: Option<Bytes>,
    /// Seconds to live, by the root's clock.
    pub life_s: Option<u32>,
    /// How many replicas must hold it first.
    pub consistency: Consistency,
    /// The clock value that the origin gives it, later than all that it has seen. A root that knows
    /// nothing newer keeps it, so that two roots that both do the write write the same; none gives
    /// an earlier one, whatever its clock says.
    pub clock: Hlc,
    /// What must be there before; only for a value.
    pub condition: Condition,
    /// When the origin asks elsewhere: a root whose clock shows more has been held up, and does not
    /// begin. Done late, the write would be newer than what was written since.
    pub until: WallMs,
    /// What goes into the record of the words of a value.
    pub text: Option<Bytes>,
    /// Whether a root that knows something newer gives it a later version, instead of saying so: its
    /// origin knows that no other root has begun.
    pub over: bool,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteResult {
    /// The root works on it.
    Taken,
    /// Done.
    Written {
        /// The version it got.
        version: Version,
        /// The end of its life.
        expires: Option<WallMs>,
        /// Replicas that hold it durably.
        durable: u32,
        /// Replicas that were asked to.
        replicas: u32,
        /// Whether something live was there before; none when the root cannot tell.
        existed: Option<bool>,
    },
    /// Too few in time; it may still take effect.
    TooFew {
        /// Replicas that hold it durably.
        durable: u32,
        /// Replicas that were asked to.
        replicas: u32,
        /// Replicas that must.
        needed: u32,
    },
    /// The asked node is not the root.
    NotResponsible,
    /// A limit, in words.
    Refused(String),
    /// The root has too much under way.
    Busy,
    /// The condition does not hold; nothing was changed.
    Conflict {
        /// The version that a reader sees.
        found: Option<Version>,
        /// Replicas that confirmed it, the root included.
        answered: u32,
        /// Replicas of the key.
        replicas: u32,
    },
    /// The root cannot know whether the condition holds; nothing was changed.
    Undecided {
        /// Whether it holds everything that was acknowledged, as far as it knows.
        complete: bool,
        /// Replicas that confirmed that it is the root, itself included.
        answered: u32,
        /// How many must.
        needed: u32,
        /// Copies under earlier views of the arc that have not promised to confirm no other root.
        promises: u32,
    },
    /// Too many of the replicas are full, in words; it may still take effect where it was taken.
    Full(String),
    /// It came after its time; nothing was changed.
    TooLate {
        /// What the clock of the root shows.
        wall: WallMs,
    },
    /// Something newer is there; nothing was changed.
    Overtaken {
        /// The clock value that its origin gave it.
        given: Hlc,
        /// That of the newer one.
        by: Hlc,
    },
}

/// Records for a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicate {
    /// The root's number.
    pub req: u64,
    /// The records.
    pub items: Vec<Item>,
    /// Only if the replica is a full copy under this view of the root, and nobody else has claimed
    /// the keys since.
    pub under: Option<u64>,
    /// The origin of the write and its number there, so that a replica which becomes the root
    /// knows the write when it is asked for it again.
    pub name: Option<(Id, u64)>,
}

/// What became of a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HandOffResult {
    /// Enough replicas hold the records durably.
    Stored,
    /// The asked node is not the root of all of them.
    NotResponsible,
    /// Not now.
    Busy,
}

//! What the user is told of a write that is done.

use super::{Kind, WriteWork};
use overlay::{DeleteReport, Id, InsertReport, Outcome, PutReport, Reply, Slot, Version, WallMs};

/// What the root said about a write that is done.
pub(super) struct Written {
    pub(super) version: Version,
    pub(super) expires: Option<WallMs>,
    pub(super) durable: u32,
    pub(super) replicas: u32,
    pub(super) existed: Option<bool>,
}

impl Written {
    pub(super) fn report(&self, key: Id, write: &WriteWork, wall: WallMs) -> Reply {
        let Self {
            version,
            expires,
            durable,
            replicas,
            existed,
        } = *self;
        match (write.kind, write.slot) {
            (Kind::Delete, _) => Reply::Deleted(DeleteReport {
                key,
                outcome: match existed {
                    Some(true) => Outcome::Found,
                    Some(false) => Outcome::Absent,
                    None => Outcome::Unknown,
                },
                version,
                replicas_durable: durable,
                replicas,
            }),
            (Kind::Insert, Slot::Holder(holder)) => Reply::Inserted(InsertReport {
                key,
                holder,
                version,
                expires_in_s: expires.map_or(0, |end| end.secs_after(wall)),
                replicas_durable: durable,
                replicas,
            }),
            _ => Reply::Put(PutReport {
                key,
                version,
                replicas_durable: durable,
                replicas,
            }),
        }
    }
}

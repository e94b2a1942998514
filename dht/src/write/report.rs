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

/// Why a root could not decide about a condition.
pub(super) fn undecided(complete: bool, (answered, needed): (u32, u32), promises: u32) -> String {
    if !complete {
        "the root of the key is not known to hold everything".to_owned()
    } else if answered < needed || promises == 0 {
        format!("{answered} of {needed} replicas that must confirm it have done so")
    } else {
        let copies = match promises {
            1 => "1 copy",
            _ => &format!("{promises} copies"),
        };
        format!(
            "{copies} of before a change of replicas cannot be asked whether another node decides \
             now; when none answers, this one decides ten minutes after the change"
        )
    }
}

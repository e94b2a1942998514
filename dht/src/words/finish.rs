//! The reads of which a search is made: how they end.

use super::search::PartRead;
use crate::due::Due;
use crate::op::Work;
use crate::{Dht, Store};
use overlay::{Cx, Failure, KeyRouter, Outcome, Reply};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// A read of a node of the index has ended.
    pub(crate) fn finish_part(
        &mut self,
        cx: &mut Cx<'_, Self>,
        number: u64,
        outcome: Outcome,
        reason: Option<String>,
    ) {
        let quorum = self.config.read_quorum;
        let Some(op) = self.ops.remove(&number) else {
            return;
        };
        self.deadlines.clear(Due::Op(number));
        let Work::Read(read) = op.work else { return };
        if let Some(choice) = self.index.publisher.choices.of_read(number) {
            let load = read.parts.load;
            return self.load_told(cx, choice, load);
        }
        let Some(search) = self.index.searches.of_read(number) else {
            return;
        };
        let proven = read.is_proven(&op.replicas, quorum);
        let doubt =
            (!proven).then(|| format!("a part of the index is in doubt: {}", read.progress()));
        let result = match outcome {
            Outcome::Unknown => Err(reason.unwrap_or_else(|| read.progress())),
            Outcome::Found | Outcome::Absent => Ok(PartRead {
                parts: read.parts,
                doubt,
            }),
        };
        self.part_read(cx, (search, number), result);
    }

    /// A read of a node of the index could not be done.
    pub(crate) fn part_failed(&mut self, cx: &mut Cx<'_, Self>, read: (u64, u64), reply: &Reply) {
        let why = match reply {
            Reply::Failed(failure) => failure.to_string(),
            _ => Failure::NotMember.to_string(),
        };
        self.part_read(cx, read, Err(why));
    }
}

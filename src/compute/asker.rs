//! Asking who has computed what, and being told of changes.

use super::block::{Block, PIECES_PER_BLOCK, Work};
use super::link::Link;
use super::{ComputeError, Name, blocks_of, within};
use crate::control::client::NodeName;
use crate::runtime::wall;
use overlay::{Consistency, HolderInfo, Outcome, Reply, Request};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// Most workers of a block that are listed: a key has no more holders.
const MAX_WORKERS: u32 = 1_000;
/// How often it is looked whether something has changed: what is announced is there within a round
/// trip or two, and people and programs that wait do not mind half a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a worker says of pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where it is reached.
    pub worker: SocketAddr,
    /// The pieces, one after another.
    pub pieces: Range<u32>,
    /// What it does with them.
    pub work: Work,
    /// Seconds since it spoke of their block, by the clocks of both machines.
    pub age_s: u64,
}

/// An answer, with its evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What workers say, in order of the pieces, then of the workers.
    pub said: Vec<Said>,
    /// Whether it is proven that there is no more; never on Gnutella, where nothing proves that.
    pub complete: bool,
}

impl Answer {
    /// What the furthest worker has done with a piece.
    #[must_use]
    pub fn of(&self, piece: u32) -> Option<Work> {
        let of_it = self.said.iter().filter(|said| said.pieces.contains(&piece));
        of_it.map(|said| said.work).max()
    }
}

/// Something has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose word it is.
    pub worker: SocketAddr,
    /// The pieces, one after another.
    pub pieces: Range<u32>,
    /// What it does with them now; none when it has given them up, or is gone.
    pub work: Option<Work>,
}

/// What is known of each block: who says what, and when that was written.
type Known = BTreeMap<(u32, SocketAddr), (Block, u64)>;

/// Somebody who asks.
#[derive(Debug)]
pub struct Asker {
    link: Link,
    name: Name,
    pieces: Range<u32>,
    known: Known,
}

impl Asker {
    /// Asks `node` for a range of pieces of a swarm. Nothing is sent yet.
    ///
    /// # Errors
    /// When the name is empty or too long, or the range is.
    pub fn new(
        node: NodeName,
        name: &[u8],
        pieces: Range<u32>,
        timeout: Duration,
    ) -> Result<Self, ComputeError> {
        blocks_of(&pieces)?;
        Ok(Self {
            link: Link::new(node, timeout),
            name: Name::new(name)?,
            pieces,
            known: Known::new(),
        })
    }

    /// Who has computed or works on the pieces, now.
    ///
    /// # Errors
    /// When the node gives no answer.
    pub async fn who(&mut self) -> Result<Answer, ComputeError> {
        let (known, unsure) = self.look().await?;
        let now = wall().0;
        let mut said = Vec::new();
        for ((block, worker), (word, at)) in known {
            for (run, work) in word.runs(within(block, &self.pieces)) {
                said.push(Said {
                    worker,
                    pieces: numbered(block, &run),
                    work,
                    age_s: now.saturating_sub(at) / 1_000,
                });
            }
        }
        Ok(Answer {
            said,
            complete: unsure.is_empty(),
        })
    }

    /// What has changed since the last call; at the first, all that is there. It waits until there
    /// is something, and looks twice a second. Dropped while it waits, it loses nothing: the next
    /// call tells what this one would have.
    ///
    /// A word that is not found counts as taken back only where that is proven.
    ///
    /// # Errors
    /// When the node gives no answer. Called again, it goes on.
    pub async fn changes(&mut self) -> Result<Vec<Change>, ComputeError> {
        loop {
            let (mut found, unsure) = self.look().await?;
            for (place, word) in &self.known {
                if unsure.contains(&place.0) {
                    found.entry(*place).or_insert_with(|| word.clone());
                }
            }
            let changes = changes(&self.known, &found, &self.pieces);
            self.known = found;
            if !changes.is_empty() {
                return Ok(changes);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What is there, and the blocks of which that may not be all.
    async fn look(&mut self) -> Result<(Known, Vec<u32>), ComputeError> {
        let blocks = blocks_of(&self.pieces)?;
        let request = |block| Request::Search {
            key: self.name.key(block),
            limit: MAX_WORKERS,
            consistency: Consistency::Quorum,
        };
        let requests = blocks.clone().map(request).collect();
        let (mut known, mut unsure) = (Known::new(), Vec::new());
        for (block, reply) in blocks.zip(self.link.ask(requests).await?) {
            let Reply::Searched(report) = reply else {
                return Err(ComputeError::Nonsense);
            };
            let is_whole = report.reached.is_none() && report.holders.len() < MAX_WORKERS as usize;
            if report.outcome == Outcome::Unknown || !is_whole {
                unsure.push(block);
            }
            for HolderInfo { addr, text, .. } in report.holders {
                // Anybody may put other holders there.
                if let Some((word, at)) = Block::decode(&text) {
                    known.insert((block, addr), (word, at.0));
                }
            }
        }
        Ok((known, unsure))
    }
}

/// The pieces of a block by their numbers in the swarm.
fn numbered(block: u32, run: &Range<u32>) -> Range<u32> {
    let first = block.saturating_mul(PIECES_PER_BLOCK);
    first.saturating_add(run.start)..first.saturating_add(run.end)
}

fn changes(before: &Known, now: &Known, pieces: &Range<u32>) -> Vec<Change> {
    let nothing = (Block::default(), 0);
    let gone = before.keys().filter(|place| !now.contains_key(place));
    let mut changes = Vec::new();
    for place in now.keys().chain(gone) {
        let (block, worker) = *place;
        let was = &before.get(place).unwrap_or(&nothing).0;
        let is = &now.get(place).unwrap_or(&nothing).0;
        for (run, work) in is.differences(was, within(block, pieces)) {
            changes.push(Change {
                worker,
                pieces: numbered(block, &run),
                work,
            });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_runs_of_what_is_said_anew_or_no_more() {
        let worker = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let word = |pieces: Range<u32>, work| {
            let mut block = Block::default();
            block.set(pieces, Some(work));
            (block, 0)
        };
        let before = Known::from([
            ((1, worker(1)), word(0..4, Work::Computing)),
            ((1, worker(2)), word(8..9, Work::Computed)),
        ]);
        let now = Known::from([((1, worker(1)), word(2..4, Work::Computed))]);
        let change = |port, pieces, work| Change {
            worker: worker(port),
            pieces,
            work,
        };
        assert_eq!(
            changes(&before, &now, &(0..10_000)),
            [
                change(1, 2_048..2_050, None),
                change(1, 2_050..2_052, Some(Work::Computed)),
                change(2, 2_056..2_057, None),
            ]
        );
        assert_eq!(changes(&now, &now, &(0..10_000)), []);
        assert_eq!(changes(&before, &now, &(0..2_048)), []);
    }
}

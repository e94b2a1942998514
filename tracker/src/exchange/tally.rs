//! How many clients a swarm has, for somebody who has no table of it: a list of torrents, say.

use super::distinct::Distinct;
use super::gather::MAX_AHEAD_MS;
use super::summary::Summary;
use crate::ids::InfoHash;
use crate::table::{Counts, MAX_PEERS_PER_SWARM};
use overlay::{HolderInfo, WallMs};

/// The clients that all holders of a swarm tell of, each once as far as the samples tell. As nodes
/// do, it believes no summary from the future, no publisher more clients than a table holds, and
/// takes a holder without a summary for a client that has not everything.
#[must_use]
pub fn tally(hash: InfoHash, holders: &[HolderInfo], wall: WallMs) -> Counts {
    let mut all = Distinct::new(hash);
    for holder in holders {
        let Some(summary) = Summary::decode(&holder.text) else {
            all.add_by_hand(holder.addr);
            continue;
        };
        if summary.at.0 <= wall.0.saturating_add(MAX_AHEAD_MS) {
            let counts = summary.counts.at_most(MAX_PEERS_PER_SWARM as u64);
            // After what time clients are overdue is its node's affair.
            all.add(counts, &summary.peers, u32::MAX);
        }
    }
    all.elsewhere()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Heard;
    use std::net::SocketAddr;

    const HASH: InfoHash = InfoHash([1; 20]);

    fn holder(number: u8, at: u64, counts: Counts, peers: &[(u8, bool)]) -> HolderInfo {
        let addr = |number: u8| SocketAddr::from(([10, 0, 0, number], 6881));
        let peers = peers.iter().map(|(number, seed)| Heard {
            addr: addr(*number),
            seed: *seed,
            paused: false,
            age_ms: 0,
            place: 0,
        });
        let summary = Summary {
            at: WallMs(at),
            counts,
            place: None,
            peers: peers.collect(),
        };
        HolderInfo {
            addr: addr(number),
            text: summary.encode(1_000),
            expires_in_s: 9,
        }
    }

    #[test]
    fn clients_of_two_nodes_count_once_and_the_future_does_not() {
        let counts = |complete, incomplete| Counts {
            complete,
            incomplete,
            ..Counts::default()
        };
        let now = WallMs(1_000_000);
        let mut holders = vec![
            holder(200, 1, counts(2, 1), &[(1, true), (2, true), (3, false)]),
            holder(201, 2, counts(1, 5), &[(1, true), (4, false)]),
            holder(202, now.0 + MAX_AHEAD_MS + 1, counts(9, 9), &[]),
        ];
        holders.push(HolderInfo {
            text: "by hand".to_owned(),
            ..holders[0].clone()
        });
        let all = tally(HASH, &holders, now);
        assert_eq!((all.complete, all.incomplete), (2, 7));
        let liar = holder(203, 1, counts(u64::from(u32::MAX), 0), &[]);
        assert_eq!(
            tally(HASH, &[liar], now).complete,
            MAX_PEERS_PER_SWARM as u64
        );
        assert_eq!(tally(HASH, &[], now), Counts::default());
    }
}

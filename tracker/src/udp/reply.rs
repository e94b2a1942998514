//! Writing datagrams.

use crate::http::MAX_SCRAPE_HASHES;
use crate::table::Counts;

/// Most bytes of an answer: what fits the smallest packet of IPv6 (1,280) with its headers, so that
/// no answer is cut into fragments.
const MAX_ANSWER_BYTES: usize = 1_232;
/// Bytes before the peers of an announce.
const ANNOUNCE_HEAD_BYTES: usize = 20;
/// Longest error text: no answer to an announce of 98 bytes is longer than that itself.
const MAX_ERROR_BYTES: usize = 80;

const _: () = assert!(8 + 12 * MAX_SCRAPE_HASHES <= MAX_ANSWER_BYTES);

/// What goes before the peers in the answer to an announce.
#[derive(Clone, Copy, Debug)]
pub struct AnnounceHead {
    /// Names the question.
    pub transaction: u32,
    /// Seconds until the client is to announce again.
    pub interval_s: u32,
    /// How many there are.
    pub counts: Counts,
}

/// How many peers of `stride` bytes one answer holds.
#[must_use]
pub const fn peers_that_fit(stride: usize) -> usize {
    (MAX_ANSWER_BYTES - ANNOUNCE_HEAD_BYTES) / stride
}

/// Answers a connect: exactly 16 bytes.
pub fn write_connect(out: &mut Vec<u8>, transaction: u32, connection: u64) {
    out.extend(0_u32.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out.extend(connection.to_be_bytes());
}

/// Answers an announce. The peers are of the address family of the datagram: 6 bytes each, or 18.
pub fn write_announce(out: &mut Vec<u8>, head: AnnounceHead, peers: &[u8]) {
    out.extend(1_u32.to_be_bytes());
    out.extend(head.transaction.to_be_bytes());
    out.extend(head.interval_s.to_be_bytes());
    out.extend(clamped(head.counts.incomplete).to_be_bytes());
    out.extend(clamped(head.counts.complete).to_be_bytes());
    out.extend_from_slice(peers);
}

/// Answers a scrape, in the order of the question.
pub fn write_scrape(out: &mut Vec<u8>, transaction: u32, counts: impl Iterator<Item = Counts>) {
    out.extend(2_u32.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    for counts in counts.take(MAX_SCRAPE_HASHES) {
        out.extend(clamped(counts.complete).to_be_bytes());
        out.extend(clamped(counts.downloaded).to_be_bytes());
        out.extend(clamped(counts.incomplete).to_be_bytes());
    }
}

/// Says why there is no answer.
pub fn write_error(out: &mut Vec<u8>, transaction: u32, reason: &str) {
    out.extend(3_u32.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out.extend(reason.bytes().take(MAX_ERROR_BYTES));
}

/// Clients read these fields as signed.
fn clamped(number: u64) -> u32 {
    u32::try_from(number)
        .unwrap_or(u32::MAX)
        .min(i32::MAX as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact() {
        let counts = Counts {
            complete: 1,
            incomplete: u64::MAX,
            downloaders: 1,
            downloaded: 4,
        };
        let mut out = Vec::new();
        write_connect(&mut out, 7, 8);
        assert_eq!(out.len(), 16);
        out.clear();
        let head = AnnounceHead {
            transaction: 7,
            interval_s: 1_800,
            counts,
        };
        write_announce(&mut out, head, &[9; 12]);
        assert_eq!(out.len(), 32);
        assert_eq!(out[..12], [0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 7, 8]);
        assert_eq!(out[12..20], [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1]);
        out.clear();
        write_scrape(&mut out, 7, std::iter::repeat_n(counts, 10_000));
        assert_eq!(out.len(), 8 + 12 * MAX_SCRAPE_HASHES);
        out.clear();
        write_error(&mut out, 7, &"x".repeat(500));
        assert!(out.len() <= 98);
        assert!(peers_that_fit(6) >= 74 && peers_that_fit(18) >= 60);
    }
}

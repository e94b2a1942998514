//! The figures of Stoica et al., "Chord: A Scalable Peer-to-Peer Lookup Protocol for Internet
//! Applications" (IEEE/ACM Transactions on Networking, 2003) that the experiments repeat.

/// One column of the table of lookups after many nodes fail at once (1000 nodes, 20 successors,
/// stabilisation stopped, 10,000 lookups).
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The fraction that fails, in percent.
    pub percent: u32,
    /// Mean path length.
    pub hops: f64,
    /// Mean number of time-outs.
    pub timeouts: f64,
}

const fn failure(percent: u32, hops: f64, timeouts: f64) -> Failure {
    Failure {
        percent,
        hops,
        timeouts,
    }
}

/// The table of lookups after many nodes fail at once.
pub const FAILURES: [Failure; 6] = [
    failure(0, 3.84, 0.0),
    failure(10, 4.03, 0.60),
    failure(20, 4.22, 1.17),
    failure(30, 4.44, 2.02),
    failure(40, 4.69, 3.23),
    failure(50, 5.09, 5.10),
];

/// Rates of joins, and of leaves, a second, with failures per 10,000 lookups (about 1000 nodes,
/// 20 successors, stabilising every 15 to 45 s, one lookup a second).
pub const CHURN: [(f64, u32); 8] = [
    (0.05, 0),
    (0.10, 0),
    (0.15, 2),
    (0.20, 5),
    (0.25, 6),
    (0.30, 8),
    (0.35, 16),
    (0.40, 15),
];

/// Simulated minutes in which one lookup a second makes 10,000.
pub const CHURN_MINUTES: u64 = 167;

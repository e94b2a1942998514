//! The settings of the replicated store.

use overlay::{Duration, MAX_REPLICAS, Quorums};

/// How the store replicates and how long it waits.
#[derive(Clone, Debug)]
pub struct DhtConfig {
    /// Replicas of each record, N. Default 3.
    pub replicas: usize,
    /// Replicas that must hold a write durably before it is acknowledged, W. Default 2; in a
    /// smaller replica set all of its members.
    pub write_quorum: usize,
    /// Replicas that must answer a read, R. Default 2: R + W > N, so that a read sees the newest
    /// acknowledged write.
    pub read_quorum: usize,
    /// How long a call may take before its user gets an answer in any case. Default 8 s.
    pub op_timeout: Duration,
    /// How long a root waits for its replicas before it reports too few. Default 4 s: half of
    /// `op_timeout`, so that the report reaches the user.
    pub write_timeout: Duration,
    /// How often a root compares each replica with itself when nothing happens. Default 30 s. Where
    /// nothing differs that is one round trip, however many records there are.
    pub anti_entropy: Duration,
    /// How long a tombstone is kept at least, in seconds; it is collected once every replica has it,
    /// too. A node that was away for longer than this does not bring deleted keys back, and may lose
    /// what only it had. Must be longer than clocks differ. Default 24 h.
    pub tombstone_grace_s: u64,
    /// After how long a root that took over an arc, and found too few of the replicas before it to
    /// know that it has everything, takes what is missing for lost. Until then a key that nobody
    /// has is reported as unknown there. Default 10 minutes: longer than a machine needs to start
    /// again with its disk.
    pub presume_lost: Duration,
    /// How long leaving may take, handing data over included. Default 20 s.
    pub leave_timeout: Duration,
}

impl Default for DhtConfig {
    fn default() -> Self {
        Self {
            replicas: 3,
            write_quorum: 2,
            read_quorum: 2,
            op_timeout: Duration::from_secs(8),
            write_timeout: Duration::from_secs(4),
            anti_entropy: Duration::from_secs(30),
            tombstone_grace_s: 24 * 3600,
            presume_lost: Duration::from_secs(600),
            leave_timeout: Duration::from_secs(20),
        }
    }
}

impl DhtConfig {
    /// The same with N, W and R of a network.
    #[must_use]
    pub fn with_quorums(self, quorums: Quorums) -> Self {
        Self {
            replicas: quorums.replicas.into(),
            write_quorum: quorums.write.into(),
            read_quorum: quorums.read.into(),
            ..self
        }
    }

    /// The settings with every impossible value moved to the nearest possible one.
    #[must_use]
    pub(crate) fn sane(mut self) -> Self {
        self.replicas = self.replicas.clamp(1, MAX_REPLICAS.into());
        self.write_quorum = self.write_quorum.clamp(1, self.replicas);
        self.read_quorum = self.read_quorum.clamp(1, self.replicas);
        self.anti_entropy = self.anti_entropy.max(Duration::from_secs(1));
        self
    }
}

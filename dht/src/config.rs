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
    /// what only it had. Must be longer than clocks differ, and
    /// than `presume_lost` and handing over after a partition take together. Default 24 h.
    pub tombstone_grace_s: u64,
    /// After how long a root that took over an arc, and found too few of the replicas before it to
    /// know that it has everything, takes what is missing for lost. Until then a key that nobody
    /// has is reported as unknown there. Default 10 minutes: longer than a machine needs to start
    /// again with its disk.
    pub presume_lost: Duration,
    /// Bytes of records a second that are exchanged in the background with one peer, both
    /// directions together. At least [`LEAST_REPAIR_RATE`]. Default 4 MiB: a third of a link of
    /// 100 Mbit/s, so that users' messages find room, and 14 GB in an hour.
    pub repair_bytes_per_s: u64,
    /// The same in records. Each costs a write and a share of a flush on one side, about 20 µs.
    /// Default 10,000, so that a repair takes a fifth of a core there.
    pub repair_records_per_s: u64,
    /// A bug to be found by a test. Default none.
    #[cfg(feature = "planted-bugs")]
    pub planted: Option<crate::PlantedBug>,
}

/// The least rate, in bytes a second, at which records may be set to move: slower than 64 KiB a
/// second one large value takes longer than its receiver waits for news of it.
pub const LEAST_REPAIR_RATE: u64 = 64 << 10;

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
            repair_bytes_per_s: 4 << 20,
            repair_records_per_s: 10_000,
            #[cfg(feature = "planted-bugs")]
            planted: None,
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

    /// The same with another pace for what moves in the background, in bytes a second; records keep
    /// their proportion to it.
    #[must_use]
    pub fn with_repair_rate(self, bytes_per_s: u64) -> Self {
        let usual = Self::default();
        let records = bytes_per_s.saturating_mul(usual.repair_records_per_s);
        Self {
            repair_bytes_per_s: bytes_per_s,
            repair_records_per_s: records / usual.repair_bytes_per_s,
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
        self.repair_bytes_per_s = self.repair_bytes_per_s.max(LEAST_REPAIR_RATE);
        self.repair_records_per_s = self.repair_records_per_s.max(1);
        self
    }
}

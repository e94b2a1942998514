//! The flags of the experiment with the tracker.

use super::{Fraction, Overlay, Seeds};
use clap::Args;

/// Most nodes that one client announces to.
pub const MAX_HOMES: usize = 4;

/// `p2psim tracker`.
#[derive(Args, Clone, Debug)]
pub struct TrackerArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes at the start; for each that crashes another joins, or the same comes back.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(3..=1_000))]
    pub nodes: u64,
    /// Swarms; the first is the largest, and that of rank r has about a r-th of its clients.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub swarms: u64,
    /// Clients in all swarms, all the time.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=4_000_000))]
    pub peers: u64,
    /// Nodes that each client announces to.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=MAX_HOMES as i64))]
    pub homes: u8,
    /// Time between two announces of a client; it expires after half of that more.
    #[arg(long, value_name = "TIME", default_value = "2m")]
    pub interval: humantime::Duration,
    /// Mean time that a client stays, in intervals; one in three vanishes without a word.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub session: u32,
    /// Length of the run in intervals; in the first of them the clients come.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub intervals: u32,
    /// Mean number of nodes that crash in an interval.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub crashes: f64,
    /// This fraction of the messages between nodes is lost.
    #[arg(long, default_value = "0.01")]
    pub loss: Fraction,
    /// The seeds to run, the last one excluded.
    #[arg(long, value_name = "FROM..TO", default_value = "0..10")]
    pub seeds: Seeds,
    /// Seeds that run at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub jobs: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl TrackerArgs {
    /// The command that replays one seed.
    #[must_use]
    pub fn replay(&self, seed: u64) -> String {
        format!(
            "p2psim tracker --overlay {} --nodes {} --swarms {} --peers {} --homes {} --interval {} --session {} --intervals {} --crashes {} --loss {} --seeds {seed}..{}",
            self.overlay,
            self.nodes,
            self.swarms,
            self.peers,
            self.homes,
            self.interval.to_string().replace(' ', ""),
            self.session,
            self.intervals,
            self.crashes,
            self.loss,
            seed + 1
        )
    }
}

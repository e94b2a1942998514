//! The flags of the experiments that search.

use super::Overlay;
use clap::Args;
use std::path::PathBuf;

/// `p2psim words`.
#[derive(Args, Clone, Debug)]
pub struct WordsArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes in the network.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(3..=10_000))]
    pub nodes: u64,
    /// Texts of eight words each; a million takes about 5 GB of memory.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub texts: u64,
    /// Words that there are; that of rank r is r times as rare as the first.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(8..=10_000_000))]
    pub vocabulary: u64,
    /// Queries of one, two and three words of a random text, in turn.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub queries: u64,
    /// Most results of a query.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(overlay::words::MAX_TEXT_RESULTS)))]
    pub limit: u32,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Measured round-trip times in milliseconds, a square matrix; otherwise 50 ms one way.
    #[arg(long, value_name = "FILE")]
    pub latency: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `p2psim search`.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// Nodes in the network.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub nodes: u64,
    /// Searches for each way and item.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub searches: u64,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `p2psim compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// Nodes in the network.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(16..=1_000_000))]
    pub nodes: u64,
    /// Searches for each of two resources, and inserts; where searches flood, fewer of them in
    /// large networks.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub searches: u64,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Measure 100 to 100,000 nodes too, and draw the costs as an SVG picture.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

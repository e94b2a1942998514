//! The command line of `p2psim`.

mod searches;
mod swarms;

use super::nearest::NearestArgs;
use super::repair::RepairArgs;
use clap::{Args, Parser, Subcommand};
use overlay::MAX_REPLICAS;
pub use searches::{CompareArgs, SearchArgs, WordsArgs};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
pub use swarms::{MAX_HOMES, TrackerArgs};

/// Most nodes that a run may have at the start: what an address in 10.0.0.0/8 can name, with room
/// for those that join later.
const MAX_START_NODES: u64 = 8_000_000;
/// Longest run of the churn experiment, in minutes: a week.
const MAX_MINUTES: u64 = 7 * 24 * 60;

/// Runs the protocol machines in a deterministic world. The same seed gives the same result on
/// every machine.
#[derive(Debug, Parser)]
#[command(
    name = "p2psim",
    version,
    after_help = "Exit codes: 0 all right, 1 a check failed, 2 wrong use."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub experiment: Experiment,
}

/// The experiments.
#[derive(Debug, Subcommand)]
pub enum Experiment {
    /// Look random keys up in a network that starts with correct tables.
    Lookup(LookupArgs),
    /// Look keys up while nodes join and crash all the time.
    Churn(ChurnArgs),
    /// Store and find while the network loses, copies, delays and splits, and nodes come and go.
    Faults(FaultsArgs),
    /// Let nodes die at the same instant and never return: what is lost, and how soon the rest is
    /// repaired.
    Loss(LossArgs),
    /// Let a tenth of a large network die at once: the way of lookups before, right after and after
    /// repair, and what repair costs.
    Repair(RepairArgs),
    /// Which of a key's replicas is reached first, on measured latencies: by the way of a lookup,
    /// and by a read.
    Nearest(NearestArgs),
    /// Search by words in a large index: what a query costs, and how evenly it is spread.
    Words(WordsArgs),
    /// Search an unstructured network, Gnutella, in each way that there is: messages, delays, success.
    Search(SearchArgs),
    /// Compare the techniques to find who has what: flat Gnutella, a directory, full replication,
    /// super-peers, Chord, Pastry.
    Compare(CompareArgs),
    /// Announce to the trackers of a network while nodes crash and join: who is missing, who is offered
    /// too long, whether totals are right, and what the busiest node has to do.
    Tracker(TrackerArgs),
    /// Run an experiment described in a TOML file: `experiment = "lookup"`, and the flags' names
    /// as keys.
    Run {
        /// The file.
        scenario: PathBuf,
    },
}

/// The overlays of this build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlay {
    /// Chord in Zave's corrected form.
    #[default]
    Chord,
    /// Pastry with MSPastry's and Bamboo's rules.
    Pastry,
}

impl FromStr for Overlay {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "chord" => Ok(Self::Chord),
            "pastry" => Ok(Self::Pastry),
            "gnutella" => Err(
                "this experiment does not simulate gnutella, which has no owners of keys; use --overlay chord or pastry, or p2psim search".to_owned(),
            ),
            _ => Err("no such overlay; use --overlay chord or pastry".to_owned()),
        }
    }
}

impl fmt::Display for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chord => "chord",
            Self::Pastry => "pastry",
        })
    }
}

/// A probability, given as a fraction and kept in parts of a million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fraction {
    /// Parts of a million.
    pub parts_per_million: u32,
}

impl Fraction {
    /// This fraction of a number, rounded.
    #[must_use]
    pub const fn of(self, number: usize) -> usize {
        ((number as u128 * self.parts_per_million as u128 + 500_000) / 1_000_000) as usize
    }
}

impl FromStr for Fraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fraction: f64 = text
            .parse()
            .map_err(|_| "give a number such as 0.3".to_owned())?;
        if !(0.0..=0.99).contains(&fraction) {
            return Err("give a number from 0 to 0.99".to_owned());
        }
        Ok(Self {
            parts_per_million: (fraction * 1e6 + 0.5) as u32,
        })
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.parts_per_million) / 1e6)
    }
}

/// Seeds from one number up to, and without, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The first.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give two numbers such as 0..100; the second is not run itself".to_owned();
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let seeds = Self {
            from: from.parse().map_err(|_| wrong())?,
            to: to.parse().map_err(|_| wrong())?,
        };
        if seeds.from < seeds.to {
            Ok(seeds)
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

/// Events a second, of a Poisson process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Mean distance in microseconds; none when it never happens.
    pub mean_us: Option<u64>,
    /// As given.
    pub per_second: f64,
}

impl Rate {
    /// So many a second.
    #[must_use]
    pub fn per_second(rate: f64) -> Self {
        Self {
            mean_us: (rate > 0.0).then(|| (1e6 / rate + 0.5) as u64),
            per_second: rate,
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rate: f64 = text
            .parse()
            .map_err(|_| "give a number such as 0.2".to_owned())?;
        if !(0.0..=1_000.0).contains(&rate) {
            return Err("give a number from 0 to 1000".to_owned());
        }
        Ok(Self::per_second(rate))
    }
}

/// `p2psim lookup`.
#[derive(Args, Clone, Debug)]
pub struct LookupArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes in the network.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=MAX_START_NODES))]
    pub nodes: u64,
    /// Lookups of random keys from random nodes.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub lookups: u64,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// This fraction of the nodes dies at once, and nothing repairs.
    #[arg(long, default_value_t)]
    pub fail: Fraction,
    /// Entries in each node's successor list, for Chord.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub successors: u64,
    /// Choose the entries of the tables by round-trip time.
    #[arg(long)]
    pub proximity: bool,
    /// Let the nodes join one after another and maintain their tables for so long, as 30m, instead
    /// of giving them correct ones; they go on while keys are looked up.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["fail", "paper"])]
    pub grow: Option<humantime::Duration>,
    /// Measured round-trip times in milliseconds, a square matrix; otherwise 50 ms one way.
    #[arg(long, value_name = "FILE")]
    pub latency: Option<PathBuf>,
    /// Ask hop by hop from the origin instead of letting the hops forward.
    #[arg(long)]
    pub iterative: bool,
    /// Run the failure table of the Chord paper (0 to 50 % dead) and print it beside the paper's.
    #[arg(long, conflicts_with_all = ["fail", "json"])]
    pub paper: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `p2psim churn`.
#[derive(Args, Clone, Debug)]
pub struct ChurnArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes at the start, and about as many all the time.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub nodes: u64,
    /// Joins a second in the whole network, and as many crashes.
    #[arg(long, default_value = "0.2", value_name = "R")]
    pub joins_per_s: Rate,
    /// Let half of the sessions be shorter than this, as 60m or 84s, instead of giving the rate of
    /// joins; the nodes maintain their tables as shipped, and not as in the Chord paper.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["joins_per_s", "paper"])]
    pub session_median: Option<humantime::Duration>,
    /// Length of the run in simulated minutes; one lookup a second is made on average.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=MAX_MINUTES))]
    pub minutes: u64,
    /// Decides everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Entries in each node's successor list, for Chord; otherwise 20 as in the Chord paper, or with
    /// `--session-median` 8 as shipped.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub successors: Option<u64>,
    /// Measured round-trip times in milliseconds, a square matrix; otherwise 50 ms one way.
    #[arg(long, value_name = "FILE")]
    pub latency: Option<PathBuf>,
    /// Run the eight rates of the Chord paper, 167 minutes each, and print them beside the paper's.
    #[arg(long, conflicts_with_all = ["joins_per_s", "minutes", "json"])]
    pub paper: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl ChurnArgs {
    /// Entries in each node's successor list.
    #[must_use]
    pub fn list_length(&self) -> u64 {
        let usual = if self.session_median.is_some() { 8 } else { 20 };
        self.successors.unwrap_or(usual)
    }

    /// Joins a second, and as many crashes.
    #[must_use]
    pub fn rate(&self) -> Rate {
        // Sessions are exponentially distributed: their mean is their median over ln 2.
        let per_second = |median: humantime::Duration| {
            self.nodes as f64 * std::f64::consts::LN_2 / median.as_secs_f64().max(1.0)
        };
        self.session_median.map_or(self.joins_per_s, |median| {
            Rate::per_second(per_second(median))
        })
    }
}

/// `p2psim faults`.
#[derive(Args, Clone, Debug)]
pub struct FaultsArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes that the network grows to, from one; otherwise each seed chooses, from 3 to 16.
    #[arg(long, value_parser = clap::value_parser!(u64).range(3..=1_000))]
    pub nodes: Option<u64>,
    /// The seeds to run, the last one excluded.
    #[arg(long, value_name = "FROM..TO", default_value = "0..20")]
    pub seeds: Seeds,
    /// Seeds that run at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub jobs: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `p2psim loss`.
#[derive(Args, Clone, Debug)]
pub struct LossArgs {
    /// The overlay.
    #[arg(long, default_value_t)]
    pub overlay: Overlay,
    /// Nodes in the network.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(3..=1_000))]
    pub nodes: u64,
    /// Values that are put before.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub keys: u64,
    /// Bytes of a value.
    #[arg(long, value_name = "B", default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=65_536))]
    pub value_size: u64,
    /// How many nodes die at once; each number is an experiment of its own.
    #[arg(long, value_name = "D,…", value_delimiter = ',', default_value = "1,2,3", value_parser = clap::value_parser!(u64).range(1..=998))]
    pub dead: Vec<u64>,
    /// The seeds to run for each number, the last one excluded.
    #[arg(long, value_name = "FROM..TO", default_value = "0..100")]
    pub seeds: Seeds,
    /// Replicas of each record; a write and a read take more than half of them.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_REPLICAS)))]
    pub replicas: u8,
    /// Measured round-trip times in milliseconds, a square matrix; otherwise 50 ms one way.
    #[arg(long, value_name = "FILE")]
    pub latency: Option<PathBuf>,
    /// Runs that go on at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub jobs: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

//! The command line of `p2pctl`.

use super::bench::BenchArgs;
use super::papers::{CompletionsArgs, ManArgs};
use super::parse;
use super::swarm::SwarmArgs;
use super::top::TopArgs;
use super::torrent::TorrentArgs;
use crate::control::client::NodeName;
use clap::{Args, Parser, Subcommand, ValueEnum};
use overlay::{Consistency, Version};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long an answer is waited for unless told otherwise.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long `leave` waits without any progress unless told otherwise: a peer that died is noticed
/// within seconds, and then others take its place.
pub(super) const DEFAULT_LEAVE_TIMEOUT: Duration = Duration::from_secs(120);

/// Ask a node of the network: store, find, list, locate, administer, measure.
///
/// Exit codes: 0 done or found, 1 proven absent or a condition that does not hold, 2 wrong use, 3 unknown or failed.
#[derive(Debug, Parser)]
#[command(
    name = "p2pctl",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct CtlArgs {
    /// The node to ask
    #[arg(
        long,
        global = true,
        env = "P2PCTL_NODE",
        default_value = "127.0.0.1:4000",
        value_name = "HOST:PORT"
    )]
    pub(super) node: NodeName,

    /// Print exactly one JSON document on standard output
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// How long to wait for an answer; for leave, without any progress [default: 10s, for leave 2m]
    #[arg(long, global = true, value_name = "TIME", value_parser = parse::timeout)]
    pub(super) timeout: Option<Duration>,

    /// The key to prove for administration; without it the key of a node on this machine is found
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,

    /// What to do
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Store a value under a key
    Put(PutArgs),
    /// Read the value of a key; without --out and --json its bytes go to standard output as they are
    Get(GetArgs),
    /// Say that a peer holds a resource; the node asked renews the lease until it is deleted
    Insert(InsertArgs),
    /// List the holders of a resource, or find holders and values by words or by how keys begin
    Search(SearchArgs),
    /// Delete a value, or one holder of a resource
    ///
    /// Exit code 0 when it was there and also when the node could not tell: the deletion holds on
    /// as many replicas as it says. 1 when it is proven that there was nothing to delete.
    Delete(DeleteArgs),
    /// Show the replica set of a key and the way of the lookup
    Locate(LocateArgs),
    /// Show how the node is
    Status,
    /// List the peers in the node's tables, or all nodes of the network for Prometheus
    Peers(PeersArgs),
    /// Show all nodes of the network, live: health, rates, latencies, repairs
    ///
    /// Every node that any node knows is asked, again and again. With --json one document a line.
    Top(TopArgs),
    /// Let the node hand its data over, leave the network and end (needs the node's key)
    ///
    /// It takes as long as it needs to; how far it is is shown on a terminal, and by status. The
    /// last node of a network stays, because nobody could take its data.
    Leave(LeaveArgs),
    /// Put load on nodes and measure it
    Bench(BenchArgs),
    /// Make torrent files, store them and get them back; search --text lists them
    Torrent(TorrentArgs),
    /// Show how the tracker of the node would answer a BitTorrent client
    Swarm(SwarmArgs),
    /// Print the script that lets a shell complete command lines: source <(p2pctl completions bash)
    Completions(CompletionsArgs),
    /// Write the manual pages of p2pctl, p2pnode and p2psim to a directory
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(super) struct PeersArgs {
    /// Walk the network from this node, and print where all its nodes serve metrics, as a list of
    /// targets for file_sd_configs
    #[arg(long)]
    pub(super) prometheus: bool,

    /// Write the list to this file, whose name ends in .json. Nodes that it had and that are silent
    /// now stay for a day, so that alerts tell of them
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(super) out: Option<PathBuf>,

    /// Drop the silent nodes from the file
    #[arg(long, requires = "out")]
    pub(super) forget: bool,
}

#[derive(Debug, Args)]
pub(super) struct LeaveArgs {
    /// End after this time even if not everything is handed over, 0s to 1day; also sets the end of a
    /// leave that is under way. 0s ends the last node of a network too: its data stays on its disk
    #[arg(long, value_name = "TIME", value_parser = parse::within)]
    pub(super) within: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// The key: 1 to 1024 bytes, of which the SHA-1 is taken
    #[arg(value_name = "KEY")]
    pub(super) name: OsString,

    /// KEY is an id of 40 hexadecimal digits, taken as it is
    #[arg(long)]
    pub(super) hex: bool,
}

/// A condition is decided by the replica set: the node that is responsible for the key asks as many
/// replicas as must hold a write whether it still is the one, and only then judges. Exit code 1 when
/// the condition does not hold (the version found is told), 3 when that cannot be known now; nothing
/// was changed in both cases. Its limits: while responsibility for the key moves, an ordinary put or
/// delete that another node acknowledges at the same moment may be missed; so may one of which all
/// replicas have been gone for ten minutes; and a conditional put that ends without an answer may
/// still appear.
#[derive(Debug, Args)]
pub(super) struct PutArgs {
    /// The key: 1 to 1024 bytes, of which the SHA-1 is taken
    #[arg(value_name = "KEY", required_unless_present = "batch")]
    pub(super) name: Option<OsString>,

    /// KEY is an id of 40 hexadecimal digits, taken as it is
    #[arg(long)]
    pub(super) hex: bool,

    /// The value, at most 1 MiB; - reads standard input
    #[arg(
        required_unless_present_any = ["file", "batch"],
        conflicts_with = "file",
        allow_negative_numbers = true
    )]
    pub(super) value: Option<OsString>,

    /// Take the value from this file
    #[arg(long, value_name = "F")]
    pub(super) file: Option<PathBuf>,

    /// Let the value end after this time, 1s to 366days; without it, it lives until deleted
    #[arg(long, value_name = "TIME", value_parser = parse::ttl, allow_negative_numbers = true)]
    pub(super) ttl: Option<u32>,

    /// Only if this version is there, as put and get print it
    #[arg(long, value_name = "V", conflicts_with_all = ["if_absent", "batch"])]
    pub(super) if_version: Option<Version>,

    /// Only if there is no value, or it was deleted, or has ended
    #[arg(long)]
    pub(super) if_absent: bool,

    /// Words to find it by, at most 1 KiB and 64 different ones
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(super) text: String,

    /// Let search --prefix find it by the beginning of its key
    #[arg(long, conflicts_with = "hex")]
    pub(super) indexed: bool,

    /// Put every line of a file of JSON lines {"key", "value" or "value_base64", "ttl", "text"}; -
    /// reads standard input. One outcome for each line, in order; the exit code is the worst one's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "value", "file"])]
    pub(super) batch: Option<PathBuf>,

    /// How many replicas must hold it durably before the answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) consistency: Wanted,
}

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    #[command(flatten)]
    pub(super) key: KeyArgs,

    /// Write the value to this file
    #[arg(long, value_name = "F")]
    pub(super) out: Option<PathBuf>,

    /// Take nothing older than this version, which put, get or delete has printed: then the answer
    /// is unknown (exit code 3) rather than a step back, through whichever node
    #[arg(long, value_name = "V")]
    pub(super) at_least: Option<Version>,

    /// How many replicas must answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) consistency: Wanted,
}

#[derive(Debug, Args)]
pub(super) struct InsertArgs {
    /// The key: 1 to 1024 bytes, of which the SHA-1 is taken
    #[arg(value_name = "KEY", required_unless_present = "batch")]
    pub(super) name: Option<OsString>,

    /// KEY is an id of 40 hexadecimal digits, taken as it is
    #[arg(long)]
    pub(super) hex: bool,

    /// Who holds the resource [default: the node that is asked]
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) holder: Option<NodeName>,

    /// Length of the lease, 1s to 7days
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse::lease, allow_negative_numbers = true)]
    pub(super) ttl: u32,

    /// Words to find it by, at most 1 KiB and 64 different ones
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub(super) text: String,

    /// Let search --prefix find it by the beginning of its key
    #[arg(long, conflicts_with = "hex")]
    pub(super) indexed: bool,

    /// Insert every line of a file of JSON lines {"key", "holder", "ttl", "text"}, of which the last
    /// three may be missing; a holder is IP:PORT. - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub(super) batch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// The key: 1 to 1024 bytes, of which the SHA-1 is taken
    #[arg(value_name = "KEY", required_unless_present_any = ["text", "prefix"])]
    pub(super) name: Option<OsString>,

    /// KEY is an id of 40 hexadecimal digits, taken as it is
    #[arg(long)]
    pub(super) hex: bool,

    /// Find holders and values whose texts have all of these words; a * at the end of a word lets
    /// it go on: ubun*. Case and accents do not matter
    #[arg(long, value_name = "WORDS", conflicts_with_all = ["name", "hex"])]
    pub(super) text: Option<String>,

    /// Find what was stored with --indexed by the beginning of its key
    #[arg(long, value_name = "KEY-PREFIX", conflicts_with_all = ["name", "hex", "text"])]
    pub(super) prefix: Option<OsString>,

    /// Most results to list; by words or beginnings 1000 at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,

    /// How many replicas must answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) consistency: Wanted,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    pub(super) key: KeyArgs,

    /// Remove this holder instead of the value
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) holder: Option<NodeName>,

    /// Only if this version of the value is there, as put and get print it; see put --help
    #[arg(long, value_name = "V", conflicts_with = "holder")]
    pub(super) if_version: Option<Version>,

    /// How many replicas must hold the deletion durably before the answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) consistency: Wanted,
}

#[derive(Debug, Args)]
pub(super) struct LocateArgs {
    #[command(flatten)]
    pub(super) key: KeyArgs,

    /// Let the node ask hop by hop, instead of letting the hops forward
    #[arg(long)]
    pub(super) iterative: bool,
}

/// [`Consistency`] as it is written on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Wanted {
    /// The root alone
    One,
    /// A majority: 2 of 3
    #[default]
    Quorum,
    /// Every replica
    All,
}

impl From<Wanted> for Consistency {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::One => Self::One,
            Wanted::Quorum => Self::Quorum,
            Wanted::All => Self::All,
        }
    }
}

impl Command {
    /// The command's name, as it was written.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Get(_) => "get",
            Self::Insert(_) => "insert",
            Self::Search(_) => "search",
            Self::Delete(_) => "delete",
            Self::Locate(_) => "locate",
            Self::Status => "status",
            Self::Peers(_) => "peers",
            Self::Top(_) => "top",
            Self::Leave(_) => "leave",
            Self::Bench(_) => "bench",
            Self::Torrent(args) => args.command.name(),
            Self::Swarm(args) => args.command.name(),
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }

    /// Whether an answer that does not come leaves open whether something was changed.
    pub(super) const fn writes(&self) -> bool {
        match self {
            Self::Put(_) | Self::Insert(_) | Self::Delete(_) | Self::Leave(_) | Self::Man(_) => {
                true
            }
            Self::Torrent(args) => args.command.writes(),
            _ => false,
        }
    }
}

//! The commands on torrent files: making one, storing its metainfo under its info-hash, and getting it
//! back. Searches by words list what was stored, with magnet links ([`listing`]).

pub(super) mod listing;
mod make;
mod progress;
mod store;
mod tree;

use super::args::Wanted;
use super::output::Answer;
use super::parse;
use super::{Asking, CtlError, Document};
use crate::documents::torrents::hex;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct TorrentArgs {
    #[command(subcommand)]
    pub(super) command: TorrentCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum TorrentCommand {
    /// Make a torrent file of a file or a folder; no node is asked
    Make(MakeArgs),
    /// Store a torrent file under its info-hash, found by its name and the names of its files
    ///
    /// The files themselves stay where they are: only the torrent file is stored. One of version 1
    /// and 2 is stored under both of its hashes.
    Add(AddArgs),
    /// Get the torrent file of an info-hash; it is taken only if it has that hash
    Get(FetchArgs),
}

#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    /// The file or folder that is to be shared
    pub(super) path: PathBuf,

    /// A tracker, http://, https:// or udp://; may be given several times, the best first
    #[arg(long, value_name = "URL", value_parser = tracker_url)]
    pub(super) announce: Vec<String>,

    /// Write the torrent to this file [default: the name of PATH and .torrent, unless it exists]
    #[arg(long, value_name = "F")]
    pub(super) out: Option<PathBuf>,

    /// For all clients (BEP 3); the default
    #[arg(long, group = "kind")]
    pub(super) v1: bool,

    /// For clients of version 2 alone (BEP 52)
    #[arg(long, group = "kind")]
    pub(super) v2: bool,

    /// For both: clients of either version share one set of files
    #[arg(long, group = "kind")]
    pub(super) hybrid: bool,

    /// Clients may find each other only through the trackers (BEP 27)
    #[arg(long, requires = "announce")]
    pub(super) private: bool,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The torrent file, at most 1 MiB
    #[arg(value_name = "FILE.torrent")]
    pub(super) file: PathBuf,

    /// Let it end after this time, 1s to 366days; without it, it lives until deleted
    #[arg(long, value_name = "TIME", value_parser = parse::ttl, allow_negative_numbers = true)]
    pub(super) ttl: Option<u32>,

    /// How many replicas must hold it durably before the answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) consistency: Wanted,
}

#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    /// 40 hexadecimal digits, or the 64 of version 2
    #[arg(value_name = "INFOHASH", value_parser = store::wanted_hash)]
    pub(super) hash: store::WantedHash,

    /// Write the torrent to this file; without it and --json it goes to standard output
    #[arg(long, value_name = "F")]
    pub(super) out: Option<PathBuf>,

    /// How many replicas must answer
    #[arg(long, value_enum, default_value_t)]
    pub(super) consistency: Wanted,
}

impl TorrentCommand {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Make(_) => "torrent make",
            Self::Add(_) => "torrent add",
            Self::Get(_) => "torrent get",
        }
    }

    pub(super) const fn writes(&self) -> bool {
        !matches!(self, Self::Get(_))
    }
}

pub(super) async fn run(
    asking: Asking,
    args: TorrentArgs,
    context: &mut Document,
    json: bool,
) -> Result<Answer, CtlError> {
    match args.command {
        TorrentCommand::Make(args) => make::make(&args, context, json),
        TorrentCommand::Add(args) => store::add(asking, args, context).await,
        TorrentCommand::Get(args) => store::get(asking, args, context).await,
    }
}

/// A tracker that clients know how to ask.
fn tracker_url(text: &str) -> Result<String, String> {
    let known = ["http://", "https://", "udp://"];
    let rest = known.iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err(
            "a tracker is http://, https:// or udp:// and an address; give one such as \
             http://192.0.2.1:6969/announce"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trackers_have_a_scheme_and_an_address() {
        for text in ["http://a/announce", "udp://[::1]:1", "https://a"] {
            assert_eq!(tracker_url(text).as_deref(), Ok(text));
        }
        for text in ["", "http://", "a:80", "ftp://a", "http://a b"] {
            let said = tracker_url(text).unwrap_err();
            assert!(said.contains("give one such as"), "{text}: {said}");
        }
    }
}

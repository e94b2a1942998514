//! The load generator for trackers, ours or any other: clients that announce, over UDP or HTTP.
//!
//! A number of torrents, of which the second is half as popular as the first, the third a third (Zipf's
//! law); a number of clients, each in one torrent. All announce once so that swarms are as large as
//! they will be; then they announce again and again, and that is measured. Every answer is checked.
//!
//! It shares its machine with the tracker, so it is lean: one thread, and over UDP many datagrams with
//! one system call. Many datagrams for one address could be handed to the system as one; that is not
//! done, for the tracker would receive them as one, which it never does from its clients.

mod clients;
mod http;
mod meter;
mod target;
mod udp;

use super::super::output::{Answer, Exit};
use super::super::{CtlError, parse};
use clap::Args;
use clients::Clients;
use meter::Meter;
use serde_json::{Map, json};
use std::time::Duration;
use target::Target;

/// Most clients: each takes 16 bytes here, and must be told apart by address and port.
const MAX_CLIENTS: u32 = 10_000_000;
/// Most announces in flight: their numbers have 16 bits.
const MAX_IN_FLIGHT: u32 = 32_768;
/// Most peers that clients ask for: libtorrent's 200, and room to be impolite.
const MAX_NUMWANT: u32 = 1_000;

/// The arguments of `p2pctl bench tracker`.
#[derive(Debug, Args)]
pub(super) struct TrackerArgs {
    /// The tracker: udp://IP:PORT, or http://IP:PORT/announce
    #[arg(value_name = "URL")]
    target: Target,

    /// Torrents; the n-th is the n-th part as popular as the first
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CLIENTS)))]
    torrents: u32,

    /// Clients, each in one torrent; they announce once before anything is measured
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CLIENTS)))]
    peers: u32,

    /// Peers that an announce asks for
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_NUMWANT)))]
    numwant: u32,

    /// Announces in flight; over HTTP as many connections
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_IN_FLIGHT)))]
    in_flight: u32,

    /// How long is measured
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse::load_time)]
    duration: Duration,

    /// Announces a second [default: as many as the tracker answers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// Over HTTP: a new connection for each announce
    #[arg(long)]
    close: bool,

    /// Chooses torrents and the order of the clients
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// Announce nothing, but print the info-hashes, for a tracker that serves only those on a list
    #[arg(long)]
    print_torrents: bool,
}

/// How much, and how long.
#[derive(Clone, Copy, Debug)]
struct Load {
    in_flight: usize,
    numwant: u32,
    rate: Option<u32>,
    close: bool,
    duration: Duration,
}

/// Runs and reports.
pub(super) async fn run(args: TrackerArgs, timeout: Duration) -> Result<Answer, CtlError> {
    let mut clients = Clients::new(&args, args.target.sources());
    if args.print_torrents {
        return Ok(hashes(&clients));
    }
    let load = Load {
        in_flight: args.in_flight as usize,
        numwant: args.numwant,
        rate: args.rate,
        close: args.close,
        duration: args.duration,
    };
    let measured = match &args.target {
        Target::Udp(tracker) => udp::run(*tracker, &mut clients, load, timeout),
        Target::Http { tracker, path } => http::run(*tracker, path, clients, load, timeout).await,
    };
    let meter = measured.map_err(|why| CtlError::Local(format!("{}: {why}", args.target)))?;
    Ok(answer(&args, &meter))
}

fn hashes(clients: &Clients) -> Answer {
    let all: Vec<String> = clients.hashes().map(|hash| hash.to_string()).collect();
    let mut json = Map::new();
    json.insert("info_hashes".to_owned(), json!(all));
    json.insert("outcome".to_owned(), json!("done"));
    Answer::new(Exit::Done, json, all.join("\n"))
}

fn answer(args: &TrackerArgs, meter: &Meter) -> Answer {
    let failed = meter.answered() == 0 || meter.errors() > 0;
    let mut json = Map::new();
    json.insert("tracker".to_owned(), json!(args.target.to_string()));
    json.insert("torrents".to_owned(), json!(args.torrents));
    json.insert("peers".to_owned(), json!(args.peers));
    json.insert("numwant".to_owned(), json!(args.numwant));
    json.insert("in_flight".to_owned(), json!(args.in_flight));
    json.insert("close".to_owned(), json!(args.close));
    json.insert("rate".to_owned(), json!(args.rate));
    json.append(&mut meter.json());
    let (exit, outcome) = if failed {
        json.insert("error".to_owned(), json!("some announces failed"));
        (Exit::Unknown, "failed")
    } else {
        (Exit::Done, "done")
    };
    json.insert("outcome".to_owned(), json!(outcome));
    let head = format!(
        "{}: {} torrents, {} clients, {} peers wanted, {} in flight",
        args.target, args.torrents, args.peers, args.numwant, args.in_flight
    );
    Answer::new(exit, json, format!("{head}\n{}", meter.text()))
}

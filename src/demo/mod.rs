//! `p2pnode demo`: a network of real processes on this machine that stores real files, loses two
//! nodes without warning, and still finds everything.

mod corpus;
mod network;
mod pass;
mod progress;
mod report;
mod ring;

use crate::control::client::Connector;
use crate::control::proof;
use clap::Args;
use corpus::Corpus;
use network::Network;
use progress::Progress;
use report::Report;
use ring::Rest;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Most nodes of a demo: each is a process.
const MAX_NODES: u16 = 64;
/// Replicas of a record; killing more nodes at once than all but one of them may lose data.
const REPLICAS: u16 = 3;
/// How long the ring may take to form, and to heal.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// The arguments of `p2pnode demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// The overlay
    #[arg(long, default_value = "chord", value_parser = ["chord", "pastry", "gnutella"])]
    pub overlay: String,

    /// Number of nodes, each a process of its own
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_NODES)))]
    pub nodes: u16,

    /// What to store: a directory (a key for each file), or a text file (a key for each line)
    /// [default: the tracked source files of this directory]
    #[arg(long, value_name = "DIR|FILE")]
    pub data: Option<PathBuf>,

    /// Keep the network up, and print what to try
    #[arg(long)]
    pub stay: bool,

    /// How many nodes to kill with SIGKILL, at most 2, the replicas being 3
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(0..i64::from(REPLICAS)))]
    pub kill: u16,

    /// Print the result as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Why the demo could not be carried through.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct DemoError(String);

/// Runs the demo. Exit code 0 only if nothing was missing or wrong; 2 for wrong use, 3 otherwise.
#[must_use]
pub fn run(args: DemoArgs) -> ExitCode {
    // One survivor cannot tell whether the others died or it was cut off, and serves nobody.
    if args.kill > 0 && args.nodes < args.kill.saturating_add(2) {
        eprintln!(
            "p2pnode demo: {} nodes cannot lose {}; raise --nodes",
            args.nodes, args.kill
        );
        return ExitCode::from(2);
    }
    let corpus = match Corpus::collect(args.data.as_deref()) {
        Ok(corpus) if corpus.items.is_empty() => {
            eprintln!("p2pnode demo: no file to store was found; name a directory with --data DIR");
            return ExitCode::from(2);
        }
        Ok(corpus) => corpus,
        Err(error) => {
            eprintln!("p2pnode demo: {error}; name a directory or a text file with --data");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("p2pnode demo: cannot start the runtime: {error}");
            return ExitCode::from(3);
        }
    };
    let result = runtime.block_on(show(&args, &corpus));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            eprintln!("p2pnode demo: {error}");
            ExitCode::from(3)
        }
    }
}

/// The whole demo, and the network after it as long as it is wanted; whether nothing was missing
/// or wrong.
async fn show(args: &DemoArgs, corpus: &Corpus) -> Result<bool, DemoError> {
    // Whatever ends first: a network that is dropped ends all of its processes.
    let (right, network) = tokio::select! {
        result = play(args, corpus) => result?,
        signal = stopped() => {
            return Err(DemoError(format!("stopped by {signal}; all nodes are ended")));
        }
    };
    if args.stay {
        eprintln!("{}", network.what_to_try(&corpus.items));
        eprintln!("the network stays up until Ctrl-C");
        stopped().await;
    }
    network.stop().await;
    Ok(right)
}

/// What the nodes form.
fn formed_as(args: &DemoArgs) -> String {
    match args.overlay.as_str() {
        "gnutella" => format!("{} nodes with their links", args.nodes),
        _ => format!("a ring of {} with correct neighbours", args.nodes),
    }
}

/// Stores, reads, kills and reads again.
async fn play(args: &DemoArgs, corpus: &Corpus) -> Result<(bool, Network), DemoError> {
    let config = proof::anonymous().map_err(|error| DemoError(error.to_string()))?;
    let mut connector = Connector::new(config);
    let progress = Progress::new();

    let forming = progress.step(&format!("starting {} {} nodes", args.nodes, args.overlay));
    let mut network = Network::start(&args.overlay, args.nodes).await?;
    let formed = ring::settle(&mut connector, &network, Rest::Copies, SETTLE_LIMIT).await?;
    forming.done(&formed_as(args));

    let mut sessions = pass::connect(&mut connector, &network).await?;
    let bar = progress.bar("storing", corpus.items.len());
    let stored = pass::store(&mut sessions, &corpus.items, &bar).await?;
    bar.done(&format!(
        "{} of {} keys stored",
        stored.right,
        corpus.items.len()
    ));
    let bar = progress.bar("reading", corpus.items.len());
    let before = pass::read(&mut sessions, &corpus.items, &bar).await?;
    bar.done(&format!(
        "{} of {} found through another node",
        before.right,
        corpus.items.len()
    ));

    // A copy that is still under way when its only source is killed would be lost by any protocol.
    ring::settle(&mut connector, &network, Rest::Copies, SETTLE_LIMIT).await?;
    let killing = progress.step(&format!("killing {} nodes with SIGKILL", args.kill));
    let killed = network.kill(args.kill).await?;
    pass::drop_sessions_of(&mut sessions, &killed);
    let healed = ring::settle(&mut connector, &network, Rest::Neighbours, SETTLE_LIMIT).await?;
    killing.done(&format!("killed {}; the ring healed", killed.len()));

    let bar = progress.bar("reading again", corpus.items.len());
    let after = pass::read(&mut sessions, &corpus.items, &bar).await?;
    bar.done(&format!(
        "{} of {} found through the survivors",
        after.right,
        corpus.items.len()
    ));
    pass::close(sessions).await;

    let report = Report {
        args,
        corpus,
        formed,
        healed,
        killed: killed.len(),
        stored,
        before,
        after,
    };
    let right = report.all_right();
    let text = if args.json {
        report.json()
    } else {
        report.text()
    };
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(DemoError(format!(
            "the result cannot be written to standard output: {error}"
        ))),
        _ => Ok((right, network)),
    }
}

/// Ends at Ctrl-C or SIGTERM.
async fn stopped() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return "Ctrl-C";
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    }
}

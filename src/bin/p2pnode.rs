//! `p2pnode`: a node of the network.

use chord::{Chord, ChordConfig};
use clap::Parser;
use dht::{Dht, DhtConfig};
use gnutella::Gnutella;
use overlay::lookup::LookupConfig;
use overlay::{Contact, KeyRouter, Locate};
use p2pnode::command_line::{Cli, Command};
use p2pnode::config::{NodeArgs, OverlayName, Settings};
use p2pnode::demo;
use p2pnode::runtime::{Node, NodeHandle, Site, StartError, Stopped};
use p2pnode::service_manager;
use p2pnode::store::DiskStore;
use p2pnode::usage;
use pastry::{Pastry, PastryConfig};
use std::io::Write;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code for a node that could not start or did not end well.
const FAILED: u8 = 1;
/// Exit code for wrong use.
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if usage::is_help(&error) => error.exit(),
        Err(error) => {
            let line = usage::one_line(&error);
            complain(&format!("{line}; see p2pnode --help"));
            return ExitCode::from(WRONG_USE);
        }
    };
    match cli.command {
        Some(Command::Demo(args)) => demo::run(args),
        None => serve(cli.node),
    }
}

/// Says one line on standard error; standard error may be closed.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "p2pnode: {text}");
}

fn serve(args: NodeArgs) -> ExitCode {
    let settings = match args.settle() {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(WRONG_USE);
        }
    };
    if let Err(error) = p2pnode::logging::start(settings.log_format, &settings.log) {
        complain(&error.to_string());
        return ExitCode::from(WRONG_USE);
    }
    match start(&settings) {
        Ok((node, overlay)) => attend(node, overlay),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(FAILED)
        }
    }
}

/// The one place that knows the overlays by name.
fn start(settings: &Settings) -> Result<(NodeHandle, &'static str), StartError> {
    if let Some(warning) = settings.node.quorums.warning() {
        tracing::warn!("{warning}");
    }
    match settings.overlay {
        OverlayName::Chord => launch(settings, |me| Chord::new(me, ChordConfig::default())),
        OverlayName::Pastry => launch(settings, |me| Pastry::new(me, PastryConfig::default())),
        OverlayName::Gnutella => launch_gnutella(settings),
    }
}

/// Starts a node that stores on disk, over the router that `route` makes.
fn launch<R>(
    settings: &Settings,
    route: impl FnOnce(Contact) -> R + Send + 'static,
) -> Result<(NodeHandle, &'static str), StartError>
where
    R: KeyRouter + Send + 'static,
    R::Message: Sync,
    R::Timer: Sync,
{
    let max_store = settings.node.max_store;
    let mut config = DhtConfig::default().with_quorums(settings.node.quorums);
    if let Some(rate) = settings.node.repair_rate {
        config = config.with_repair_rate(rate);
    }
    let build = move |site: Site| {
        let store = site.open_store(max_store)?;
        let router = route(site.me);
        Ok(Dht::new(router, store, config, LookupConfig::default()))
    };
    let node = Node::start(&settings.node, build)?;
    Ok((node, R::NAME))
}

/// Starts a node of the unstructured overlay, which keeps its records itself.
fn launch_gnutella(settings: &Settings) -> Result<(NodeHandle, &'static str), StartError> {
    let (max_store, config) = (settings.node.max_store, settings.gnutella.clone());
    let build = move |site: Site| {
        let store = site.open_store(max_store)?;
        Ok(Gnutella::new(site.me, store, config, &site.hosts))
    };
    let node = Node::start(&settings.node, build)?;
    Ok((node, Gnutella::<DiskStore>::OVERLAY))
}

/// Says that the node serves.
fn announce(node: &NodeHandle, overlay: &str) {
    let http = node
        .http()
        .map_or_else(|| "off".to_owned(), |address| address.to_string());
    let (id, listen) = (node.contact().id, node.listen());
    let mut more = String::new();
    for (name, address) in [
        ("tracker_http", node.tracker_http()),
        ("tracker_udp", node.tracker_udp()),
        ("mainline", node.mainline()),
    ] {
        if let Some(address) = address {
            more += &format!(" {name}={address}");
        }
    }
    // Nobody may be reading; that is no reason to stop.
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(
        stdout,
        "ready id={id} overlay={overlay} listen={listen} http={http}{more}"
    );
    let _ = stdout.flush();
    service_manager::ready();
}

/// Waits for the end of the node.
fn attend(node: NodeHandle, overlay: &str) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot wait for signals: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    runtime.block_on(until_end(node, overlay))
}

async fn until_end(mut node: NodeHandle, overlay: &str) -> ExitCode {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        complain("cannot wait for signals");
        return ExitCode::from(FAILED);
    };
    // Only now: who was told may send a signal at once.
    announce(&node, overlay);
    let mut leaving = false;
    loop {
        tokio::select! {
            stopped = node.ended() => {
                return exit_of(&stopped);
            }
            // The tracker reads its lists again. Without one there is nothing to read, and that is
            // no reason to die of the signal.
            Some(()) = hangup.recv() => {}
            () = any(&mut terminate, &mut interrupt) => {
                if leaving {
                    complain("stopped by a second signal before everything was handed over");
                    std::process::exit(i32::from(FAILED));
                }
                leaving = true;
                service_manager::stopping();
                node.leave().await;
            }
        }
    }
}

/// The exit code for an end, and the line that goes with it.
fn exit_of(stopped: &Stopped) -> ExitCode {
    match stopped {
        Stopped::Orderly => ExitCode::SUCCESS,
        Stopped::Incomplete(why) => {
            complain(&why.to_string());
            ExitCode::from(FAILED)
        }
        Stopped::DiskFailed(why) => {
            complain(why);
            ExitCode::from(FAILED)
        }
        // The panic has been printed.
        Stopped::Panicked => ExitCode::from(FAILED),
    }
}

async fn any(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Failure;

    #[test]
    fn only_an_orderly_end_is_a_success() {
        let left_behind = Failure::NotHandedOver {
            values: 12,
            holders: 3,
        };
        let line = left_behind.to_string();
        assert!(line.contains("12 values and 3 holders"), "{line}");
        let code = |stopped| format!("{:?}", exit_of(&stopped));
        assert_eq!(code(Stopped::Orderly), format!("{:?}", ExitCode::SUCCESS));
        let failed = format!("{:?}", ExitCode::from(1));
        assert_eq!(code(Stopped::Incomplete(left_behind)), failed);
        assert_eq!(code(Stopped::Panicked), failed);
    }
}

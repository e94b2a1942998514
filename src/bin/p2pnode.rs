//! `p2pnode`: a node of the network.

use clap::Parser;
use p2pnode::command_line::{Cli, Command};
use p2pnode::config::NodeArgs;
use p2pnode::{Node, Stopped, demo, service_manager, usage};
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
    runtime.block_on(async {
        match Node::start(settings).await {
            Ok(node) => until_end(node).await,
            Err(error) => {
                complain(&error.to_string());
                ExitCode::from(FAILED)
            }
        }
    })
}

/// Says that the node serves.
fn announce(node: &Node) {
    let http = node
        .http()
        .map_or_else(|| "off".to_owned(), |address| address.to_string());
    let (id, overlay, listen) = (node.id(), node.overlay(), node.listen());
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
async fn until_end(mut node: Node) -> ExitCode {
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
    announce(&node);
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
                node.stop().await;
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

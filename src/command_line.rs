//! The command line of `p2pnode`.

use crate::config::NodeArgs;
use crate::demo::DemoArgs;
use clap::{Parser, Subcommand};

/// A node that knows who has what, together with all others of its network.
#[derive(Debug, Parser)]
#[command(name = "p2pnode", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of running a node.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How the node runs.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// What `p2pnode` does besides running a node.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a network of several nodes on this machine at work
    Demo(DemoArgs),
}

//! `p2pctl`: a person's hand on a node of the network.

use std::process::ExitCode;

fn main() -> ExitCode {
    p2pnode::ctl::run(std::env::args_os())
}

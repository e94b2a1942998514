//! `p2psim`: the protocol machines in a deterministic world.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(p2pnode::p2psim::main(std::env::args_os()))
}

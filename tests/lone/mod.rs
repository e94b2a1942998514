//! A node alone, and a command that is under way when it dies.

use crate::support::{Node, SOON, settle, wait_until};
use std::process::{Command, Output, Stdio};

pub(crate) fn lone_node() -> Node {
    let node = Node::start("chord", None);
    settle(std::slice::from_ref(&node));
    node
}

/// Runs a command that stores, and kills its node when the first value is there; gives what the
/// command said. Its standard output goes where the command says.
pub(crate) fn bereaved(node: Node, command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("p2pctl starts");
    wait_until("values arrive", SOON, || {
        match node.status()?["values"].as_u64() {
            Some(0) | None => Err("no value yet".to_owned()),
            Some(_) => Ok(()),
        }
    });
    node.kill();
    child.wait_with_output().expect("p2pctl ends")
}

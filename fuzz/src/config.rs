//! The configuration file of a node, and the scenarios of the simulator.

use p2pnode::config::NodeArgs;
use p2pnode::p2psim::scenario;

/// Takes the bytes for the text of either.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(reason) = NodeArgs::from_toml(text) {
        assert_eq!(reason.lines().count(), 1, "not one line: {reason:?}");
    }
    if let Err(error) = scenario::parse(text) {
        assert!(!error.to_string().is_empty());
    }
}

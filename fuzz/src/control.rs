//! The control protocol, both directions.

use p2pnode::control::{ControlReply, ControlRequest};

/// Takes the bytes for a request and for a reply.
pub fn run(bytes: &[u8]) {
    crate::round_trip::<ControlRequest>(bytes);
    crate::round_trip::<ControlReply>(bytes);
}

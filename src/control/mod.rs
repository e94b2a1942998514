//! The control protocol: a person's or a program's hand on a node.
//!
//! [`message`] is what travels, [`local`] how a client finds the key of a node on the same
//! machine, [`server`] the node's side, [`explained`] what it says of
//! how its tracker would answer.

pub mod client;
mod clients;
pub mod explained;
mod follow;
pub mod local;
pub mod message;
pub mod proof;
pub mod server;
pub mod session;
pub mod window;

pub(crate) use clients::Clients;
pub use message::{
    CONTROL_ALPN, ControlBody, ControlReply, ControlRequest, Copies, Load, MAX_CONTROL_FRAME_BYTES,
    MAX_CONTROL_IN_FLIGHT, MAX_CONTROL_STREAMS, ReplyBody, StatusReport,
};

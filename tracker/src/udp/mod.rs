//! The tracker protocol over UDP: BEP 15, with the options of BEP 41.
//!
//! [`parse`] reads a datagram, [`ConnectionIds`] gives out and checks connection ids without
//! remembering any, and the replies are written into a buffer of the caller. No reply to a datagram
//! without a valid id is longer than that datagram: whoever forges his address gains nothing.

mod connection;
mod reply;
mod request;

pub use connection::{ConnectionIds, ID_VALID_S};
pub use reply::{
    AnnounceHead, peers_that_fit, write_announce, write_connect, write_error, write_scrape,
};
pub use request::{MAX_OPTIONS, Request, RequestError, parse};

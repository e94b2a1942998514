//! The tracker protocol over HTTP: BEP 3, 7, 21, 23, 24, 31 and 48.
//!
//! [`parse`] takes the target of a request, path and query; the replies are bodies. Errors travel
//! with status 200, because clients take other statuses for a dead tracker.

mod percent;
mod query;
mod reply;

pub use query::{MAX_SCRAPE_HASHES, Request, RequestError, parse};
pub use reply::{
    AnnounceReply, RetryIn, STRIDE_V4, STRIDE_V6, write_announce, write_failure, write_scrape,
};

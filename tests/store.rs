//! The store on disk, from outside: it behaves like the one in memory, loses nothing that it
//! reported durable, and says what is wrong with it.

#![allow(clippy::disallowed_methods, reason = "tests wait by the real clock")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "store/crash.rs"]
mod crash;
#[path = "store/damage.rs"]
mod damage;
#[path = "store/failing.rs"]
mod failing;
#[path = "store/full.rs"]
mod full;
#[path = "store/groups.rs"]
mod groups;
#[path = "store/handle.rs"]
mod handle;
#[path = "store/killed.rs"]
mod killed;
#[path = "store/model.rs"]
mod model;
#[path = "store/start.rs"]
mod start;

//! The store on disk, from outside: it behaves like the one in memory, loses nothing that it
//! reported durable, and says what is wrong with it.

#![allow(
    clippy::disallowed_methods,
    reason = "tests wait and measure by the real clock"
)]

#[path = "store/crash.rs"]
mod crash;
#[path = "store/damage.rs"]
mod damage;
#[path = "store/full.rs"]
mod full;
#[path = "store/groups.rs"]
mod groups;
#[path = "store/handle.rs"]
mod handle;
#[path = "store/model.rs"]
mod model;

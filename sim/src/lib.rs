//! A deterministic world for any [`Machine`](overlay::Machine).
//!
//! One seed decides everything that happens: the delays, the losses, the crashes that a harness
//! draws, and the entropy of every node. The same seed gives the same [trace hash](TraceHash)
//! in every process and on every platform, so a failure is replayed by its seed. The crate knows
//! no overlay: what a correct answer or a correct state is, the harness says with an [`Oracle`]
//! and with [`Invariant`]s.
//!
//! A harness builds a [`World`], adds machines, and steps it. It keeps its own plan (joins,
//! crashes, calls) in an [`Agenda`]:
//!
//! ```text
//! while let Some(due) = agenda.next_at() {
//!     world.advance(due)?;                  // stops early when a node has told its user something
//!     for event in world.take_events() { … }
//!     while let Some(action) = agenda.pop_due(world.now()) { … }
//! }
//! ```

mod agenda;
mod config;
mod counters;
mod dice;
mod faults;
mod invariant;
mod latency;
mod network;
mod oracle;
mod queue;
mod report;
mod run;
mod slot;
mod trace;
mod world;

pub use agenda::Agenda;
pub use config::{Config, EPOCH};
pub use counters::{Counters, MAX_KINDS};
pub use dice::Dice;
pub use faults::{Chance, Faults};
pub use invariant::{Invariant, Violation};
pub use latency::{Latency, Matrix, MatrixError};
pub use oracle::{Oracle, Ownership, Verdict};
pub use report::{Distribution, Summary, Table, peak_memory_bytes};
pub use slot::{Clock, Load};
pub use trace::{Trace, TraceHash};
pub use world::{Crashed, Label, MAX_NODES, Told, World, address_of, index_of};

#[cfg(test)]
mod tests;

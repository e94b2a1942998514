//! Chord in the form that Zave proved correct: the machine that keeps the ring.
//!
//! Chord (Stoica et al., ToN 2003) places nodes and keys on one circle; a key belongs to the first
//! node at or after it. As published the protocol is not correct: the ring can be mis-ordered,
//! split or broken (Zave, CCR 2012). This crate follows the version of Zave, "Reasoning about
//! identifier spaces: how to make Chord correct" (arXiv 1610.01140).
//!
//! [`Chord`] is a [`KeyRouter`](overlay::KeyRouter): it keeps successors, predecessor and fingers,
//! and says who comes next on the way to a key. The lookup itself is shared by all routers and
//! lives in [`overlay::lookup`]; this machine asks for one with
//! [`RouterEvent::Lookup`](overlay::RouterEvent::Lookup).
//!
//! One module for each phase: [`ring`] is the state with its transitions and nothing else (a test
//! explores them exhaustively); `join`, `stabilize`, `rectify`, `fingers`, `lookup`, `leave`,
//! `bootstrap` and `reunite` exchange the messages around it; [`tables`] builds the state of large
//! networks directly; [`invariants`] says what must hold in every state.
//!
//! # What is promised
//!
//! Zave's theorem speaks of networks that always have at least r + 1 *principals* (members that
//! nobody's successor list skips) and in which no failure takes a member's last live successor.
//! Then there is always exactly one ordered ring, every other member is connected to it, and
//! stabilisation alone repairs everything else. Smaller networks, and members that lost everybody,
//! are outside the theorem: the module [`bootstrap`] says what holds there.

pub mod bootstrap;
pub mod cession;
mod cheapest;
mod config;
mod copied;
mod fingers;
pub mod invariants;
mod join;
mod leave;
mod lookup;
mod message;
mod near;
mod node;
mod planted;
mod rectify;
pub mod reunite;
pub mod ring;
mod slots;
mod stabilize;
mod step;
pub mod tables;
mod tend;
mod ticker;

pub use config::{ChordConfig, MAX_SUCCESSORS, Period};
pub use copied::MAX_TOLD_FINGERS;
pub use fingers::Finger;
pub use join::{MAX_JOIN_LOOKUPS, MAX_JOIN_QUERIES};
pub use message::{ChordMessage, ChordTimer};
pub use near::{ALTERNATES, PARTS};
pub use node::Chord;
#[cfg(feature = "planted-bugs")]
pub use planted::PlantedBug;
pub use rectify::MAX_NOTIFIED;
pub use ring::Ring;
pub use step::MAX_PENDING;

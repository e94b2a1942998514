//! Why calls fail.

use crate::Id;
use serde::{Deserialize, Serialize};

/// Why a call could not be done. What was asked may still take effect where that is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The node is in no network.
    #[error(
        "this node is not in a network (it is joining, cut off, or leaving); try again, or ask another node"
    )]
    NotMember,
    /// The node could not join.
    #[error("could not join: {0}")]
    JoinFailed(String),
    /// The root of the key was not found.
    #[error("the root of key {key} was not found: {reason}; nothing was changed, try again")]
    NoRoute {
        /// The key.
        key: Id,
        /// Why.
        reason: String,
    },
    /// Fewer replicas than needed made the write durable in time.
    #[error(
        "{durable} of {replicas} replicas hold the write durably, {needed} are needed; it may still appear, so read before you try again"
    )]
    TooFewReplicas {
        /// Replicas that hold it.
        durable: u32,
        /// Replicas asked.
        replicas: u32,
        /// Replicas needed.
        needed: u32,
    },
    /// The root did not answer in time.
    #[error("no answer from the root of key {key}; a write may still take effect, try again")]
    NoAnswer {
        /// The key.
        key: Id,
    },
    /// A field of the request is beyond its limit.
    #[error("{0}")]
    Refused(String),
    /// The node has too many calls under way.
    #[error("the node has {0} calls under way, its limit; try again later")]
    Busy(usize),
    /// The node left before it had handed everything over.
    #[error(
        "the node left before everything was handed over: not all new replicas of the {values} values and {holders} holders that it held confirmed them; the other replicas repair that by themselves as long as they live"
    )]
    NotHandedOver {
        /// Values that it held.
        values: u64,
        /// Holders that it held.
        holders: u64,
    },
    /// The replica set cannot say now what is there.
    #[error(
        "unknown whether the condition holds for key {key}: {reason}; nothing was changed, try again"
    )]
    Undecided {
        /// The key.
        key: Id,
        /// Why.
        reason: String,
    },
    /// Too many replicas of the key are full. Reads and deletes are served.
    #[error("{0}")]
    Full(String),
    /// A node that was to leave is the last one.
    #[error(
        "this node is the last of its network, and nobody can take over the {values} values and {holders} holders that it holds; it stays, and nothing was changed"
    )]
    LastNode {
        /// Values that it holds.
        values: u64,
        /// Holders that it holds.
        holders: u64,
    },
}

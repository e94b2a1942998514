//! What a node says that means to leave.

use serde::{Deserialize, Serialize};

/// Most arcs that a root says it can do without a node for; what lies in others the node hands over
/// record by record. A root has one arc for each set of replicas: a few, and a few more during
/// changes.
pub(crate) const MAX_SPARED_ARCS: usize = 64;

/// A node means to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The number of the question.
    pub req: u64,
    /// Whether nothing else keeps it.
    pub ready: bool,
    /// Whether it has held records for the node that it asks; else it only says that it leaves.
    pub copies: bool,
}

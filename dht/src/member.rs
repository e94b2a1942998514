//! The other nodes that a root brings together with itself: its replicas, and nodes that may know
//! something while it does not know whether it holds everything.

use crate::message::Evidence;
use crate::sync::Walk;
use overlay::{Contact, Time, WaitsFor};

/// A replica as its root sees it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) contact: Contact,
    /// Whether it is a replica, or only asked for what it knows.
    pub(crate) replica: bool,
    /// Whether it has confirmed that it is a full copy under this view.
    pub(crate) covered: bool,
    /// Whether its records have been compared with ours under this view.
    pub(crate) compared: bool,
    /// What it knew before it was compared.
    pub(crate) evidence: Vec<Evidence>,
    /// The comparison under way.
    pub(crate) walk: Option<Box<Walk>>,
    /// When the last comparison that succeeded under this view began: it has what the root had then.
    pub(crate) since: Option<Time>,
    /// When this root had taken in what it has, where it is a witness that means to leave.
    pub(crate) taken_in: Option<Time>,
    /// When the next one begins.
    pub(crate) next_at: Time,
    /// Whose store had no room for all in the last comparison, if one had none.
    pub(crate) no_room: Option<WaitsFor>,
    /// Comparisons in a row that ended without success, or without proof.
    pub(crate) failures: u32,
    /// Comparisons with the complete view that succeeded.
    pub(crate) repeats: u32,
}

impl Member {
    pub(crate) const fn new(contact: Contact, replica: bool, now: Time) -> Self {
        Self {
            contact,
            replica,
            covered: false,
            compared: false,
            evidence: Vec::new(),
            walk: None,
            since: None,
            taken_in: None,
            next_at: now,
            no_room: None,
            failures: 0,
            repeats: 0,
        }
    }
}

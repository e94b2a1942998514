//! Questions that wait for an answer: sending them, sending them again, and giving up.
//!
//! MSPastry's rule: nobody is declared dead who was not probed. Time-outs come from measured round
//! trips (Bamboo, section 4.2), and are doubled with every second try.

use crate::message::PastryMessage;
use crate::node::Pastry;
use overlay::{Contact, Cx, Deadlines, Duration, Id, Time};
use std::collections::BTreeMap;

/// Most questions under way. Our choice: a joining node asks 16 leaves and measures the nodes of
/// its rows, [`MAX_MEASURED`](crate::upkeep::MAX_MEASURED) at most; beyond this candidates wait
/// for the next exchange.
pub const MAX_PROBES: usize = 256;
/// Longest wait for one answer; as in [`overlay::RttTable`].
const MAX_WAIT: Duration = Duration::from_secs(3);
/// Tries for an entry of the routing table: a wrong verdict costs a slot its nearest node, no more.
const ENTRY_TRIES: u32 = 2;
/// Tries for a leaf that a trusted neighbour found dead.
const HINTED_TRIES: u32 = 2;

/// Why a question is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The regular exchange with a leaf.
    Exchange,
    /// A leaf was silent: is it alive? `hinted`: a neighbour has found it dead.
    Check { hinted: bool },
    /// Somebody listed this node, and it may belong into the leaf set.
    Candidate,
    /// A joining node looks who is around its place.
    Learn,
    /// A joining node asks to be listed.
    Enter,
    /// How far is this node?
    Measure,
    /// Is this entry of the routing table alive?
    CheckEntry,
    /// What does this node have in these rows?
    Rows { first: u8, last: u8 },
    /// Does this node have somebody for an empty slot of this row?
    Fill { row: u8 },
    /// Whom does this node have near it?
    Nearby,
    /// Is this lost contact back?
    Lost,
    /// A node that is cut off asks somebody it knew.
    Rejoin,
}

impl Purpose {
    /// Whether the question carries leaf sets.
    pub(crate) const fn is_exchange(self) -> bool {
        matches!(
            self,
            Self::Exchange | Self::Candidate | Self::Learn | Self::Enter | Self::Rejoin
        )
    }

    /// Whether its failure is a verdict on a leaf.
    const fn judges_leaf(self) -> bool {
        matches!(
            self,
            Self::Exchange | Self::Check { .. } | Self::Candidate | Self::Enter
        )
    }
}

/// A question that is out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) contact: Contact,
    pub(crate) purpose: Purpose,
    tries: u32,
    sent: Time,
}

/// The questions that are out.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    by_token: BTreeMap<u64, Probe>,
    pub(crate) deadlines: Deadlines<u64>,
}

impl Probes {
    /// The purposes for which a node is being asked.
    pub(crate) fn to(&self, id: Id) -> impl Iterator<Item = Purpose> {
        let of_node = move |probe: &&Probe| probe.contact.id == id;
        self.by_token
            .values()
            .filter(of_node)
            .map(|probe| probe.purpose)
    }

    /// How many questions with such a purpose are out.
    pub(crate) fn count(&self, wanted: impl Fn(Purpose) -> bool) -> usize {
        self.by_token
            .values()
            .filter(|probe| wanted(probe.purpose))
            .count()
    }

    /// Questions that are out.
    pub(crate) fn len(&self) -> usize {
        self.by_token.len()
    }

    pub(crate) fn clear(&mut self) {
        for token in self.by_token.keys() {
            self.deadlines.clear(*token);
        }
        self.by_token.clear();
    }
}

impl Pastry {
    /// Asks a node, unless it is being asked the same already, or too many questions are out.
    pub(crate) fn probe(&mut self, cx: &mut Cx<'_, Self>, contact: Contact, purpose: Purpose) {
        let same = |asked: Purpose| {
            asked == purpose
                || asked.judges_leaf()
                    && purpose.judges_leaf()
                    && asked.is_exchange() >= purpose.is_exchange()
        };
        if contact.id == self.me.id
            || self.probes.len() >= MAX_PROBES
            || self.probes.to(contact.id).any(same)
        {
            return;
        }
        let token = self.token();
        let probe = Probe {
            contact,
            purpose,
            tries: 0,
            sent: cx.now,
        };
        self.send_probe(cx, token, probe);
    }

    fn send_probe(&mut self, cx: &mut Cx<'_, Self>, token: u64, mut probe: Probe) {
        probe.sent = cx.now;
        let message = match probe.purpose {
            Purpose::Rows { first, last } => PastryMessage::AskRows { token, first, last },
            Purpose::Fill { row } => PastryMessage::AskRows {
                token,
                first: row,
                last: row,
            },
            Purpose::Nearby => PastryMessage::AskNearby { token },
            purpose if purpose.is_exchange() => PastryMessage::Exchange {
                token,
                leaves: self.my_leaves(),
            },
            _ => PastryMessage::Ping {
                token,
                standing: self.standing(),
            },
        };
        cx.send(probe.contact, message);
        let wait = self
            .rtt
            .timeout(probe.contact.id)
            .max(self.config.min_timeout)
            .times(1 << (probe.tries / 2).min(8))
            .min(MAX_WAIT);
        self.probes.deadlines.set(token, cx.now + wait);
        self.probes.by_token.insert(token, probe);
    }

    /// Takes the question that an answer with this token ends, if it is out.
    pub(crate) fn answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        token: u64,
    ) -> Option<Probe> {
        let of_sender = |probe: &Probe| probe.contact.id == from.id;
        if !self.probes.by_token.get(&token).is_some_and(of_sender) {
            return None;
        }
        let probe = self.probes.by_token.remove(&token)?;
        self.probes.deadlines.clear(token);
        if probe.tries == 0 {
            // Of a question that was repeated nobody knows which try the answer belongs to.
            let rtt = cx.now.since(probe.sent);
            self.measured(from.id, rtt, cx.now);
            self.nearby.measured(from, rtt, self.config.neighbourhood);
        }
        Some(probe)
    }

    /// The timer of the questions fired.
    pub(crate) fn probes_due(&mut self, cx: &mut Cx<'_, Self>) {
        self.probes.deadlines.fired(cx.now);
        while let Some(token) = self.probes.deadlines.pop_due(cx.now) {
            self.failed_try(cx, token);
        }
    }

    /// A peer cannot be reached: one question has no answer. That of a leaf's life comes first, then
    /// the oldest. Were each report to fail all questions, each would be sent again and reported
    /// again, and their number would grow with every round.
    pub(crate) fn probes_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        let asked = self.probes.by_token.iter();
        let of_peer = asked.filter(|(_, probe)| probe.contact.id == peer.id);
        let first = of_peer.min_by_key(|(token, probe)| {
            let is_other = !probe.purpose.judges_leaf();
            (is_other, probe.sent, **token)
        });
        if let Some((&token, _)) = first {
            self.probes.deadlines.clear(token);
            self.failed_try(cx, token);
        }
    }

    fn allowed_tries(&self, purpose: Purpose) -> u32 {
        let tries = self.config.tries.max(1);
        match purpose {
            Purpose::Check { hinted: true } => HINTED_TRIES.min(tries),
            Purpose::CheckEntry | Purpose::Rows { .. } | Purpose::Fill { .. } | Purpose::Nearby => {
                ENTRY_TRIES
            }
            Purpose::Measure | Purpose::Lost => 1,
            Purpose::Exchange | Purpose::Check { .. } if self.leaves.members().len() == 1 => {
                tries * crate::solitude::LAST_LEAF_ROUNDS
            }
            _ => tries,
        }
    }

    fn failed_try(&mut self, cx: &mut Cx<'_, Self>, token: u64) {
        let Some(mut probe) = self.probes.by_token.remove(&token) else {
            return;
        };
        probe.tries += 1;
        if probe.tries < self.allowed_tries(probe.purpose) {
            self.send_probe(cx, token, probe);
        } else {
            self.probe_failed(cx, &probe);
        }
    }

    /// Nobody answered.
    fn probe_failed(&mut self, cx: &mut Cx<'_, Self>, probe: &Probe) {
        let contact = probe.contact;
        match probe.purpose {
            purpose if purpose.judges_leaf() && self.leaves.contains(contact.id) => {
                let hinted = purpose == Purpose::Check { hinted: true };
                self.declare_dead(cx, contact, hinted);
            }
            Purpose::Candidate | Purpose::Learn | Purpose::Enter => {
                self.lost.shun(contact.id, cx.now);
            }
            Purpose::CheckEntry | Purpose::Measure => self.entry_gone(cx, contact),
            Purpose::Rejoin => self.rejoin_later(cx),
            _ => {}
        }
        self.join_progress(cx);
    }
}

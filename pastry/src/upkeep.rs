//! The routing table: filling it, finding nearer nodes for it, and noticing dead ones.
//!
//! A round of upkeep asks one entry for its row, and measures whoever is new there: a constant
//! cost, whatever the size of the network. Entries that gave no sign of life for the period that
//! the measured failure rate allows are probed; every acknowledged hop of a lookup is one.

use crate::message::{MAX_ROW_NODES, PastryMessage, PastryTimer};
use crate::node::Pastry;
use crate::point::{POINT_BITS, Point};
use crate::probe::{Probe, Purpose};
use crate::table::Entry;
use crate::ticker::jittered;
use overlay::failures::SHORTEST_PERIOD;
use overlay::{Contact, Cx, Duration, Time};

/// Most nodes measured after one answer, and most that a joining node measures altogether.
pub const MAX_MEASURED: usize = 128;
/// Most nodes of the neighbourhood set that are told to a joining node.
const NEARBY_TOLD: usize = 16;
/// How many times the shortest pause there may be between two rounds of looking for nearer entries
/// while none are found: with the default every 16 minutes (MSPastry: 20).
const MOST_PATIENT: u64 = 16;
/// Of how many of the nearest nodes one is asked for a row.
const NEAREST_ASKED: usize = 4;
/// Most entries probed in one round; the rest waits for the next.
const MAX_CHECKED: usize = 32;

impl Pastry {
    /// Arms the timer of the upkeep, unless it is armed.
    pub(crate) fn arm_upkeep(&mut self, cx: &mut Cx<'_, Self>) {
        if self.ticker.upkeep_armed || !self.config.maintain {
            return;
        }
        self.ticker.upkeep_armed = true;
        let wait = self
            .config
            .upkeep
            .min(Duration(self.probe_period(cx.now).0 / 4));
        let delay = jittered(cx.rng, wait.max(SHORTEST_PERIOD));
        cx.arm(cx.now + delay, PastryTimer::Upkeep);
    }

    /// How long an entry may stay silent before it is probed.
    fn probe_period(&self, now: Time) -> Duration {
        // Of the hops of a lookup, about one for each full row, the last goes to a leaf.
        let full = 3 * ((1_usize << self.config.bits()) - 1) / 4;
        let is_full = |row: &u8| self.table.row(*row).count() >= full;
        let hops = (0..=self.table.last_row()).take_while(is_full).count() as f64;
        self.failures
            .period(hops, self.config.target_loss, self.watched(), now)
    }

    /// How many nodes are probed, so that their deaths are noticed: leaves, and entries that are
    /// none.
    fn watched(&self) -> usize {
        let entries = self.table.entries().iter();
        let others = entries.filter(|entry| !self.leaves.contains(entry.contact().id));
        self.leaves.members().len() + others.count()
    }

    /// One round.
    pub(crate) fn upkeep(&mut self, cx: &mut Cx<'_, Self>) {
        self.ticker.upkeep_armed = false;
        if !self.is_active() || self.table.entries().is_empty() {
            // A node that enters a network, or is found by others, arms it again.
            return;
        }
        let longest = self.config.upkeep.times(MOST_PATIENT);
        if self.search.is_due(cx.now, (SHORTEST_PERIOD, longest)) {
            self.ask_a_row(cx);
        }
        let period = self.probe_period(cx.now);
        let silent: Vec<Contact> = self
            .table
            .entries()
            .iter()
            .filter(|entry| cx.now.since(entry.peer.heard) >= period)
            .map(Entry::contact)
            .take(MAX_CHECKED)
            .collect();
        for contact in silent {
            if !self.leaves.contains(contact.id) {
                self.probe(cx, contact, Purpose::CheckEntry);
            }
        }
        self.arm_upkeep(cx);
    }

    /// Asks somebody for its nodes in a random row: the nearest node that has this row in common
    /// with us, since what is near to it is near to us too, or now and then any entry of the row.
    fn ask_a_row(&mut self, cx: &mut Cx<'_, Self>) {
        let rows = u64::from(self.table.last_row()) + 1;
        let row = (cx.rng.next_u64() % rows) as u8;
        let turn = cx.rng.next_u64();
        let helper = if turn.is_multiple_of(4) {
            let entries: Vec<Contact> = self.table.row(row).map(Entry::contact).collect();
            let at = (turn / 4).checked_rem(entries.len() as u64);
            at.and_then(|at| entries.get(at as usize).copied())
        } else {
            self.near_with_row(row, turn / 4)
        };
        if let Some(helper) = helper {
            let purpose = Purpose::Rows {
                first: row,
                last: row,
            };
            self.probe(cx, helper, purpose);
        }
    }

    /// One of the nearest few nodes that share the digits before a row.
    fn near_with_row(&self, row: u8, turn: u64) -> Option<Contact> {
        let bits = self.config.bits();
        let me = Point::of(self.me.id);
        let entries = self.table.entries().iter();
        let measured = entries.filter_map(|entry| Some((entry.peer.rtt?, entry.peer.contact)));
        let of_row =
            |contact: &Contact| me.shared_digits(Point::of(contact.id), bits) >= u32::from(row);
        let mut near: Vec<(Duration, Contact)> = measured
            .chain(self.nearby.measurements())
            .filter(|(_, contact)| of_row(contact))
            .collect();
        near.sort_unstable();
        near.dedup_by_key(|(_, contact)| contact.id);
        near.truncate(NEAREST_ASKED);
        let at = turn.checked_rem(near.len() as u64)?;
        near.get(at as usize).map(|(_, contact)| *contact)
    }

    /// Tells everybody in the routing table and the neighbourhood set that this node is there
    /// (Middleware 2001, section 2.4: it "transmits a copy of its resulting state" to them). The
    /// leaves know it.
    pub(crate) fn announce(&self, cx: &mut Cx<'_, Self>) {
        let entries = self.table.entries().iter();
        let entries = entries.map(|entry| (entry.contact(), entry.peer.rtt));
        let near = self.nearby.measurements();
        let near = near.map(|(rtt, contact)| (contact, Some(rtt)));
        let mut told: Vec<(Contact, Option<Duration>)> = entries.chain(near).collect();
        told.sort_unstable();
        told.dedup_by_key(|(contact, _)| contact.id);
        for (contact, rtt) in told {
            if !self.leaves.contains(contact.id) {
                let rtt_us = rtt.map(Duration::as_micros);
                cx.send(contact, PastryMessage::Announce { rtt_us });
            }
        }
    }

    /// A new member has told how far it is: when that is nearer than what we have, we measure it.
    pub(crate) fn on_announce(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        rtt_us: Option<u64>,
    ) {
        self.heard(cx, from, crate::Standing::Active);
        let slot = self.table.slot_of(from.id);
        let known = slot
            .and_then(|slot| self.table.get(slot))
            .and_then(|entry| entry.peer.rtt);
        let is_nearer = rtt_us
            .zip(known)
            .is_some_and(|(new, old)| new < old.as_micros());
        if is_nearer && self.config.proximity && self.is_active() {
            self.probe(cx, from, Purpose::Measure);
        }
    }

    /// The nodes of some rows, for a peer: without itself. This node is not among them, in whose
    /// table it has no place; the peer hears it by the answer.
    pub(crate) fn rows_for(&self, asker: Contact, first: u8, last: u8) -> Vec<Contact> {
        if !self.is_active() {
            return Vec::new();
        }
        let mut nodes: Vec<Contact> = self
            .table
            .entries()
            .iter()
            .filter(|entry| (first..=last).contains(&entry.row))
            .map(Entry::contact)
            .filter(|contact| contact.id != asker.id)
            .collect();
        nodes.truncate(MAX_ROW_NODES);
        nodes
    }

    /// Rows that a peer told: whoever is new is measured.
    pub(crate) fn learnt_rows(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        probe: &Probe,
        nodes: &[Contact],
    ) {
        let fills = matches!(probe.purpose, Purpose::Fill { .. });
        // A node that is no member has nothing to tell, and must not be listed for it.
        if (fills || matches!(probe.purpose, Purpose::Rows { .. })) && !nodes.is_empty() {
            self.heard(cx, from, crate::Standing::Active);
            self.measure_new(cx, nodes, !fills);
        }
        self.join_progress(cx);
    }

    /// Measures the nodes that would fill empty slots, and those that may be `nearer` than whom the
    /// table has.
    fn measure_new(&mut self, cx: &mut Cx<'_, Self>, nodes: &[Contact], nearer: bool) {
        for contact in nodes.iter().take(MAX_ROW_NODES) {
            let under_way = self.probes.count(|purpose| purpose == Purpose::Measure);
            if under_way >= MAX_MEASURED {
                return;
            }
            let is_new = contact.id != self.me.id
                && self.table.entry_of(contact.id).is_none()
                && !self.lost.is_shunned(contact.id, cx.now);
            let is_of_use = self.table.lacks(contact.id)
                || nearer && self.config.proximity && self.rtt.get(contact.id).is_none();
            if is_new && is_of_use {
                self.probe(cx, *contact, Purpose::Measure);
            }
        }
    }

    /// An entry, or a candidate for one, did not answer.
    pub(crate) fn entry_gone(&mut self, cx: &mut Cx<'_, Self>, contact: Contact) {
        self.lost.shun(contact.id, cx.now);
        self.nearby.remove(contact.id);
        let Some(slot) = self.table.slot_of(contact.id) else {
            return;
        };
        if !self.table.remove(contact.id) {
            return;
        }
        if self.leaves.contains(contact.id) {
            // Its death counts when it is no leaf any more.
            self.probe(cx, contact, Purpose::Check { hinted: false });
        } else {
            self.failures.note(cx.now);
        }
        // Somebody in the same row may know another node for the slot; as in the paper, section
        // 2.4, "Routing table repair", but once, and the rest is periodic.
        let (row, _) = slot;
        let next = self.table.row(row).next().map(Entry::contact);
        if let Some(helper) = next {
            self.probe(cx, helper, Purpose::Fill { row });
        }
    }

    /// Whom a joining node may find near itself, when it finds us near.
    pub(crate) fn nearby_for(&self, asker: Contact) -> Vec<Contact> {
        let others = |contact: &Contact| contact.id != asker.id;
        let mut nodes: Vec<Contact> = self
            .nearby
            .contacts()
            .filter(others)
            .take(NEARBY_TOLD)
            .collect();
        if nodes.is_empty() {
            nodes.extend(
                self.leaves
                    .members()
                    .iter()
                    .copied()
                    .filter(|known| others(known)),
            );
            nodes.truncate(NEARBY_TOLD);
        }
        nodes
    }

    /// The rows that a node on the way to `key` contributes: from those that the node before it
    /// shares with the key, to those that it shares itself.
    pub(crate) fn rows_of_hop(&self, before: u8, hop: Contact) -> (u8, u8) {
        let bits = self.config.bits();
        let shared = Point::of(hop.id).shared_digits(Point::of(self.me.id), bits);
        let last = shared.min(POINT_BITS / bits - 1) as u8;
        (before.min(last), last)
    }
}

//! A network over time: what its nodes say now, and what that comes to a second since the picture
//! before.

use crate::control::{Load, StatusReport};
use crate::crawl::{Found, NetworkView, Unreachable};
use overlay::{Contact, Id};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// Pictures of which the sums are kept for the curves: as many as a wide terminal has columns.
const MAX_HISTORY: usize = 256;

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// Others know it, and it does not answer here.
    Unreachable,
    /// It answers, and is in no network.
    CutOff,
    /// It hands over and leaves.
    Leaving,
    /// Copies that it answers for are not complete.
    Copying,
    /// Everything that it answers for is complete and copied.
    Settled,
}

impl Health {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::CutOff => "cut off",
            Self::Leaving => "leaving",
            Self::Copying => "copying",
            Self::Settled => "settled",
        }
    }
}

/// What a node does a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    /// Calls of its users that it answered.
    pub(super) operations_per_s: f64,
    /// Those that failed.
    pub(super) failed_per_s: f64,
    /// Messages with peers, in both directions.
    pub(super) messages_per_s: f64,
    /// Records moved in the background.
    pub(super) moved_per_s: f64,
    /// What a call took on average; none when there was none.
    #[serde(skip)]
    pub(super) latency: Option<Duration>,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) contact: Contact,
    pub(super) health: Health,
    /// What it says of itself, unless it is silent.
    pub(super) report: Option<Box<StatusReport>>,
    /// How long the answer took.
    pub(super) rtt: Option<Duration>,
    /// Records still to be moved, as far as is known.
    pub(super) to_move: u64,
    /// Unknown in the first picture, and where a node tells nothing of it.
    pub(super) rates: Option<Rates>,
    /// Of a silent node: how many know it, and why it is silent.
    pub(super) silence: Option<(usize, String)>,
}

impl Row {
    fn answering(found: Found, rates: Option<Rates>) -> Self {
        let status = &found.report.status;
        // Saturating, here and below: another node may claim anything.
        let to_move = status.moving.iter().fold(0_u64, |sum, each| {
            sum.saturating_add(each.records.saturating_sub(each.moved))
        });
        let health = match (status.member, status.leaving, status.settled) {
            (false, _, _) => Health::CutOff,
            (_, true, _) => Health::Leaving,
            (_, _, false) => Health::Copying,
            _ => Health::Settled,
        };
        Self {
            contact: status.me,
            health,
            to_move,
            rtt: found.rtt,
            rates,
            silence: None,
            report: Some(found.report),
        }
    }

    fn silent(node: Unreachable) -> Self {
        Self {
            contact: node.contact,
            health: Health::Unreachable,
            report: None,
            rtt: None,
            to_move: 0,
            rates: None,
            silence: Some((node.known_by, node.why.to_string())),
        }
    }
}

/// The network as a whole.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Totals {
    pub(super) overlay: String,
    /// Nodes that answer.
    pub(super) answering: usize,
    pub(super) unreachable: usize,
    pub(super) cut_off: usize,
    /// Values, holders and entries of the index, each copy counted.
    pub(super) copies: u64,
    pub(super) stored_bytes: u64,
    /// Records still to be moved.
    pub(super) to_move: u64,
    /// Whether the picture is not whole: too many nodes, too long lists, or no time to ask all.
    pub(super) truncated: bool,
    #[serde(flatten)]
    pub(super) rates: Option<Rates>,
}

/// What was counted when a node was last seen.
#[derive(Clone, Copy, Debug)]
struct Counted {
    uptime_s: u64,
    load: Option<Load>,
    moved: u64,
}

impl From<&StatusReport> for Counted {
    fn from(report: &StatusReport) -> Self {
        Self {
            uptime_s: report.uptime_s,
            load: report.load,
            moved: report.status.moved_records,
        }
    }
}

impl Counted {
    /// What was counted from `before` on; all of it where the node was started anew.
    fn since(&self, before: &Self, seconds: f64) -> Option<Rates> {
        let (now, zero) = (self.load?, Load::default());
        let was_restarted = self.uptime_s < before.uptime_s;
        let (then, moved) = if was_restarted {
            (zero, 0)
        } else {
            (before.load.unwrap_or(zero), before.moved)
        };
        let grown = |now: u64, then: u64| now.saturating_sub(then) as f64;
        let operations = grown(now.operations, then.operations);
        let took_us = grown(now.operations_us, then.operations_us);
        let messages =
            grown(now.messages_in, then.messages_in) + grown(now.messages_out, then.messages_out);
        Some(Rates {
            operations_per_s: operations / seconds,
            failed_per_s: grown(now.failed, then.failed) / seconds,
            messages_per_s: messages / seconds,
            moved_per_s: grown(self.moved, moved) / seconds,
            latency: (operations > 0.0)
                .then(|| Duration::from_secs_f64(took_us / operations / 1e6)),
        })
    }
}

/// The sums of some pictures, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) operations: VecDeque<u64>,
    pub(super) latency_us: VecDeque<u64>,
    pub(super) messages: VecDeque<u64>,
    pub(super) moved: VecDeque<u64>,
}

impl History {
    fn push(&mut self, rates: &Rates) {
        let whole = |rate: f64| rate.round() as u64;
        let latency = rates.latency.unwrap_or_default().as_micros();
        for (curve, value) in [
            (&mut self.operations, whole(rates.operations_per_s)),
            (
                &mut self.latency_us,
                u64::try_from(latency).unwrap_or(u64::MAX),
            ),
            (&mut self.messages, whole(rates.messages_per_s)),
            (&mut self.moved, whole(rates.moved_per_s)),
        ] {
            if curve.len() == MAX_HISTORY {
                curve.pop_front();
            }
            curve.push_back(value);
        }
    }
}

/// What is known of a network.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// By id.
    pub(super) rows: Vec<Row>,
    pub(super) totals: Totals,
    pub(super) history: History,
    counted: BTreeMap<Id, Counted>,
    at: Option<Instant>,
}

impl Model {
    /// Takes a picture that was finished at `at`.
    pub(super) fn take(&mut self, view: NetworkView, at: Instant) {
        let seconds = self.at.map(|before| (at - before).as_secs_f64());
        let seconds = seconds.filter(|seconds| *seconds > 0.0);
        let mut counted = BTreeMap::new();
        let mut rows: Vec<Row> = Vec::with_capacity(view.nodes.len() + view.unreachable.len());
        for (id, found) in view.nodes {
            let now = Counted::from(&*found.report);
            let before = self.counted.get(&id);
            let rates = before.zip(seconds);
            let rates = rates.and_then(|(before, seconds)| now.since(before, seconds));
            counted.insert(id, now);
            rows.push(Row::answering(found, rates));
        }
        rows.extend(view.unreachable.into_values().map(Row::silent));
        rows.sort_by_key(|row| row.contact.id);
        self.totals = totals(&rows, view.truncated);
        if let Some(rates) = &self.totals.rates {
            self.history.push(rates);
        }
        (self.rows, self.counted, self.at) = (rows, counted, Some(at));
    }
}

fn totals(rows: &[Row], truncated: bool) -> Totals {
    let mut totals = Totals {
        truncated,
        ..Totals::default()
    };
    let mut sum: Option<Rates> = None;
    // Of all operations, each average with the weight of its node.
    let mut took_s = 0.0;
    for row in rows {
        match row.health {
            Health::Unreachable => totals.unreachable += 1,
            Health::CutOff => totals.cut_off += 1,
            _ => {}
        }
        totals.to_move = totals.to_move.saturating_add(row.to_move);
        if let Some(report) = &row.report {
            let status = &report.status;
            totals.answering += 1;
            for records in [status.values, status.holders, status.entries] {
                totals.copies = totals.copies.saturating_add(records);
            }
            totals.stored_bytes = totals.stored_bytes.saturating_add(status.stored_bytes);
            if totals.overlay.is_empty() {
                totals.overlay.clone_from(&status.overlay);
            }
        }
        if let Some(rates) = &row.rates {
            let sum = sum.get_or_insert_default();
            sum.operations_per_s += rates.operations_per_s;
            sum.failed_per_s += rates.failed_per_s;
            sum.messages_per_s += rates.messages_per_s;
            // Whoever gives a record and whoever takes it both count it.
            sum.moved_per_s += rates.moved_per_s / 2.0;
            let latency = rates.latency.unwrap_or_default();
            took_s += latency.as_secs_f64() * rates.operations_per_s;
        }
    }
    if let Some(rates) = &mut sum
        && rates.operations_per_s > 0.0
    {
        rates.latency = Duration::try_from_secs_f64(took_s / rates.operations_per_s).ok();
    }
    totals.rates = sum;
    totals
}

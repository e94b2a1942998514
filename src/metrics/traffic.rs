//! Messages of peers and their bytes, by kind. The kinds are those of the overlay that runs, numbered
//! from zero. Counting one is two additions in memory that nobody else looks at; they are handed over
//! when somebody asks.

use super::Metrics;
use super::register::counters;
use crate::control::Load;
use prometheus::core::Collector;
use prometheus::local::LocalIntCounter;
use prometheus::{IntCounterVec, Registry};

/// The families.
#[derive(Debug)]
pub(super) struct Families {
    messages_in: IntCounterVec,
    bytes_in: IntCounterVec,
    messages_out: IntCounterVec,
    bytes_out: IntCounterVec,
}

impl Families {
    pub(super) fn new(all: &Registry) -> Self {
        let of = |name, help| counters(all, name, help, &["kind"]);
        Self {
            messages_in: of("messages_in_total", "Messages received from peers, by kind"),
            bytes_in: of(
                "bytes_in_total",
                "Bytes of messages received from peers, by kind, before encryption",
            ),
            messages_out: of("messages_out_total", "Messages queued for peers, by kind"),
            bytes_out: of(
                "bytes_out_total",
                "Bytes of messages queued for peers, by kind, before encryption",
            ),
        }
    }
}

/// The counters of one direction, by the number of the kind.
#[derive(Debug)]
pub(crate) struct Traffic(Vec<(LocalIntCounter, LocalIntCounter)>);

impl Traffic {
    fn new(kinds: &[&'static str], messages: &IntCounterVec, bytes: &IntCounterVec) -> Self {
        let of = |kind: &&'static str| {
            (
                messages.with_label_values(&[*kind]).local(),
                bytes.with_label_values(&[*kind]).local(),
            )
        };
        Self(kinds.iter().map(of).collect())
    }

    /// Counts a message.
    pub(crate) fn count(&self, kind: usize, bytes: usize) {
        if let Some((messages, all_bytes)) = self.0.get(kind) {
            messages.inc();
            all_bytes.inc_by(bytes as u64);
        }
    }

    /// Hands over what was counted since the last time.
    pub(crate) fn flush(&self) {
        for (messages, bytes) in &self.0 {
            messages.flush();
            bytes.flush();
        }
    }
}

fn sum_of(counters: &IntCounterVec) -> u64 {
    let families = counters.collect();
    let all = families.iter().flat_map(|family| family.get_metric());
    all.map(|one| one.get_counter().get_value() as u64).sum()
}

impl Metrics {
    /// Messages that came from peers, of all kinds, as of the last report.
    #[must_use]
    pub fn messages_in(&self) -> u64 {
        sum_of(&self.traffic.messages_in)
    }

    /// What a status tells of all this, as of the last report.
    #[must_use]
    pub fn load(&self) -> Load {
        let mut load = Load {
            messages_in: self.messages_in(),
            messages_out: sum_of(&self.traffic.messages_out),
            ..Load::default()
        };
        self.operations.add_to(&mut load);
        load
    }

    /// The counters of what comes in, for these kinds.
    pub(crate) fn received(&self, kinds: &[&'static str]) -> Traffic {
        Traffic::new(kinds, &self.traffic.messages_in, &self.traffic.bytes_in)
    }

    /// The counters of what goes out, for these kinds.
    pub(crate) fn sent(&self, kinds: &[&'static str]) -> Traffic {
        Traffic::new(kinds, &self.traffic.messages_out, &self.traffic.bytes_out)
    }
}

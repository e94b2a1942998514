//! What the tracker counts, in the words of Prometheus. All labels are words of this program: nothing
//! that a client sends becomes one.

use crate::metrics::{Level, Queues};
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use std::sync::{Arc, Mutex, PoisonError};
use tracker::{FrontEnd, WAYS, Ways};

/// Why connections over HTTP are closed at once.
const OF_CONNECTIONS: [&str; 2] = ["connections", "address_connections"];

/// The counters of one front-end, looked up once.
#[derive(Clone, Debug)]
struct Counters {
    answered: IntCounter,
    refused: IntCounter,
    scrapes: IntCounter,
    errors: IntCounter,
}

/// Counters of a tracker; clones count together.
#[derive(Clone, Debug)]
pub struct TrackerMetrics {
    announces: IntCounterVec,
    scrapes: IntCounterVec,
    errors: IntCounterVec,
    refused: IntCounterVec,
    counters: [Counters; 3],
    /// Swarms that are known, empty ones included.
    pub swarms: IntGauge,
    /// Peers in them, those that other nodes told of included.
    pub peers: IntGauge,
    /// Peers by the way of their last announce.
    way_peers: IntGaugeVec,
    /// Swarms that have a peer that came so.
    way_swarms: IntGaugeVec,
    /// Connections over HTTP that are open.
    pub connections: IntGauge,
    /// Datagrams whose connection id was forged or too old.
    pub unproven: IntCounter,
    /// Times that the lists were read again, by outcome.
    pub reloads: IntCounterVec,
    /// What its queues and tables held last; empty while there is no tracker.
    queues: Arc<Mutex<Vec<(&'static str, Level)>>>,
}

impl Default for TrackerMetrics {
    fn default() -> Self {
        let announces = counters(
            "announces_total",
            "Announces by front-end, and whether they were answered or refused.",
            &["front_end", "outcome"],
        );
        let scrapes = counters("scrapes_total", "Scrapes by front-end.", &["front_end"]);
        let errors = counters(
            "errors_total",
            "Requests that were not understood, by front-end.",
            &["front_end"],
        );
        let counters_of = FrontEnd::ALL.map(FrontEnd::word).map(|word| Counters {
            answered: announces.with_label_values(&[word, "answered"]),
            refused: announces.with_label_values(&[word, "refused"]),
            scrapes: scrapes.with_label_values(&[word]),
            errors: errors.with_label_values(&[word]),
        });
        let why = "Announces and connections that were refused, by front-end and reason.";
        let refused = counters("refused_total", why, &["front_end", "reason"]);
        let reasons = tracker::Refusal::ALL.map(tracker::Refusal::word);
        for word in FrontEnd::ALL.map(FrontEnd::word) {
            for reason in reasons {
                refused.with_label_values(&[word, reason]);
            }
        }
        for reason in OF_CONNECTIONS {
            refused.with_label_values(&["http", reason]);
        }
        let often = "Times that the lists were read again, by outcome.";
        let reloads = counters("reloads_total", often, &["outcome"]);
        for outcome in ["done", "failed"] {
            reloads.with_label_values(&[outcome]);
        }
        Self {
            announces,
            scrapes,
            errors,
            refused,
            counters: counters_of,
            swarms: gauge("swarms", "Swarms that are known, empty ones included."),
            peers: gauge(
                "peers",
                "Peers in all swarms, as far as is known here. A client is one peer however it came, by several front-ends too: announces have them apart.",
            ),
            way_peers: ways(
                "front_end_peers",
                "Peers by the front-end of their last announce; `overlay` are those that other nodes tell of, and those that have not announced since this node was started. As of the last sweep of all: a quarter of the expiry ago at most.",
            ),
            way_swarms: ways(
                "front_end_swarms",
                "Swarms that have a peer which came so, as of the same sweep; one swarm may be at several.",
            ),
            connections: gauge("connections", "Connections over HTTP that are open."),
            unproven: counter(
                "unproven_total",
                "Datagrams that were not answered: their connection id was forged or too old.",
            ),
            reloads,
            queues: Arc::default(),
        }
    }
}

impl TrackerMetrics {
    /// All of them, to be registered.
    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.announces.clone()),
            Box::new(self.scrapes.clone()),
            Box::new(self.errors.clone()),
            Box::new(self.refused.clone()),
            Box::new(self.swarms.clone()),
            Box::new(self.peers.clone()),
            Box::new(self.way_peers.clone()),
            Box::new(self.way_swarms.clone()),
            Box::new(self.connections.clone()),
            Box::new(self.unproven.clone()),
            Box::new(self.reloads.clone()),
        ]
    }

    /// Takes over what its queues and tables hold.
    pub(super) fn show_queues(&self, levels: impl IntoIterator<Item = (&'static str, Level)>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.clear();
        queues.extend(levels);
    }

    /// Shows what they held last among all queues of the node.
    pub(crate) fn show(&self, all: &Queues) {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, level) in queues.iter() {
            all.set(name, *level);
        }
    }

    /// Takes over how many came by which way.
    pub(super) fn show_ways(&self, ways: &Ways) {
        let counts = WAYS.iter().zip(ways.peers).zip(ways.swarms);
        for ((way, peers), swarms) in counts {
            let set = |gauges: &IntGaugeVec, count: usize| {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                gauges.with_label_values(&[*way]).set(count);
            };
            set(&self.way_peers, peers);
            set(&self.way_swarms, swarms);
        }
    }

    /// Counts an announce, and why it was refused if it was.
    pub fn announced(&self, by: FrontEnd, refusal: Option<tracker::Refusal>) {
        let Some(counters) = self.of(by) else { return };
        match refusal {
            None => counters.answered.inc(),
            Some(refusal) => {
                counters.refused.inc();
                self.refuse(by, refusal.word());
            }
        }
    }

    /// Counts a scrape.
    pub fn scraped(&self, by: FrontEnd) {
        if let Some(counters) = self.of(by) {
            counters.scrapes.inc();
        }
    }

    /// Counts a request that was not understood.
    pub fn misunderstood(&self, by: FrontEnd) {
        if let Some(counters) = self.of(by) {
            counters.errors.inc();
        }
    }

    /// Counts what was refused for one of this program's reasons.
    pub fn refuse(&self, by: FrontEnd, reason: &'static str) {
        self.refused.with_label_values(&[by.word(), reason]).inc();
    }

    fn of(&self, by: FrontEnd) -> Option<&Counters> {
        let place = FrontEnd::ALL.iter().position(|one| *one == by)?;
        self.counters.get(place)
    }
}

/// Makes metrics under the tracker's prefix. The names are constants, so that it cannot fail; a
/// mistake shows in the first test that starts.
#[allow(clippy::expect_used)]
mod make {
    use super::*;

    fn options(name: &str, help: &str) -> Opts {
        Opts::new(format!("p2p_tracker_{name}"), help)
    }

    pub(super) fn counter(name: &str, help: &str) -> IntCounter {
        IntCounter::with_opts(options(name, help)).expect("a valid name")
    }

    pub(super) fn gauge(name: &str, help: &str) -> IntGauge {
        IntGauge::with_opts(options(name, help)).expect("a valid name")
    }

    /// One for each way, from the start.
    pub(super) fn ways(name: &str, help: &str) -> IntGaugeVec {
        let made = IntGaugeVec::new(options(name, help), &["front_end"]).expect("a valid name");
        for way in WAYS {
            made.with_label_values(&[way]);
        }
        made
    }

    pub(super) fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        IntCounterVec::new(options(name, help), labels).expect("a valid name")
    }
}
use make::{counter, counters, gauge, ways};

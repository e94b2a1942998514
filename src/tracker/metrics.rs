//! What the tracker counts, in the words of Prometheus. All labels are words of this program: nothing
//! that a client sends becomes one.

use crate::metrics::{Level, Queues};
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};
use std::sync::{Arc, Mutex, PoisonError};

/// Why connections over HTTP are closed at once.
const OF_CONNECTIONS: [&str; 2] = ["connections", "address_connections"];

/// By which way a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEnd {
    /// HTTP.
    Http,
    /// UDP.
    Udp,
    /// BitTorrent's DHT.
    Mainline,
}

impl FrontEnd {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Http, "http"),
        (Self::Udp, "udp"),
        (Self::Mainline, "mainline"),
    ];
}

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
        let counters_of = FrontEnd::ALL.map(|(_, word)| Counters {
            answered: announces.with_label_values(&[word, "answered"]),
            refused: announces.with_label_values(&[word, "refused"]),
            scrapes: scrapes.with_label_values(&[word]),
            errors: errors.with_label_values(&[word]),
        });
        let why = "Announces and connections that were refused, by front-end and reason.";
        let refused = counters("refused_total", why, &["front_end", "reason"]);
        let reasons = tracker::Refusal::ALL.map(tracker::Refusal::word);
        for (_, word) in FrontEnd::ALL {
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
        let known = FrontEnd::ALL.iter().find(|(front_end, _)| *front_end == by);
        if let Some((_, word)) = known {
            self.refused.with_label_values(&[*word, reason]).inc();
        }
    }

    fn of(&self, by: FrontEnd) -> Option<&Counters> {
        let place = FrontEnd::ALL
            .iter()
            .position(|(front_end, _)| *front_end == by)?;
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

    pub(super) fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        IntCounterVec::new(options(name, help), labels).expect("a valid name")
    }
}
use make::{counter, counters, gauge};

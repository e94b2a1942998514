//! Metrics under the common prefix. The names are constants and distinct, so that neither making nor
//! registering one can fail; a mistake shows in the first test that starts.

#![allow(clippy::expect_used, reason = "names and bounds are constants")]

use prometheus::core::Collector;
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("p2p_{name}"), help)
}

fn keep<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    registry
        .register(Box::new(collector.clone()))
        .expect("names are distinct");
    collector
}

pub(super) fn all(registry: &Registry, collectors: Vec<Box<dyn Collector>>) {
    for collector in collectors {
        registry.register(collector).expect("names are distinct");
    }
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    let made = IntCounter::with_opts(options(name, help));
    keep(registry, made.expect("a valid name"))
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let made = IntGauge::with_opts(options(name, help));
    keep(registry, made.expect("a valid name"))
}

pub(super) fn seconds(registry: &Registry, name: &str, help: &str) -> Gauge {
    let made = Gauge::with_opts(options(name, help));
    keep(registry, made.expect("a valid name"))
}

pub(super) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> IntCounterVec {
    let made = IntCounterVec::new(options(name, help), labels);
    keep(registry, made.expect("a valid name"))
}

/// Counters with one label, each value of which is there from the start: what has not happened yet is
/// zero, and not unknown.
pub(super) fn counters_of(
    registry: &Registry,
    name: &str,
    help: &str,
    (label, values): (&str, &[&str]),
) -> IntCounterVec {
    let made = counters(registry, name, help, &[label]);
    for value in values {
        made.with_label_values(&[*value]);
    }
    made
}

/// A gauge that is one, and whose labels say what runs here.
pub(super) fn info(registry: &Registry) -> IntGaugeVec {
    let help = "The program, its overlay and its quorums; always 1";
    let labels = [
        "version",
        "overlay",
        "replicas",
        "write_quorum",
        "read_quorum",
    ];
    let made = IntGaugeVec::new(options("build_info", help), &labels);
    keep(registry, made.expect("a valid name"))
}

pub(super) fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    (label, values): (&str, &[&str]),
) -> IntGaugeVec {
    let made = IntGaugeVec::new(options(name, help), &[label]);
    let made = keep(registry, made.expect("a valid name"));
    for value in values {
        made.with_label_values(&[*value]);
    }
    made
}

pub(super) fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    label: &str,
    bounds: &[f64],
) -> HistogramVec {
    let options = HistogramOpts::new(format!("p2p_{name}"), help).buckets(bounds.to_vec());
    let made = HistogramVec::new(options, &[label]);
    keep(registry, made.expect("a valid name"))
}

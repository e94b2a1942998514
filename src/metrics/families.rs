//! Families of metrics that are made when they are asked for, out of numbers that are kept elsewhere.

use overlay::Histogram;
use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};

/// One sample: the value of its label, where it has one, and the number.
pub(super) type Sample<'a> = (&'a str, f64);

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut made = MetricFamily::default();
    made.set_name(format!("p2p_{name}"));
    made.set_help(help.to_owned());
    made.set_field_type(kind);
    made.set_metric(metrics);
    made
}

fn labelled(label: Option<&str>, value: &str) -> Metric {
    let pairs = label.map(|name| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    });
    Metric::from_label(pairs.into_iter().collect())
}

fn counting(label: Option<&str>, (value, number): Sample<'_>) -> Metric {
    let mut counter = proto::Counter::default();
    counter.set_value(number);
    let mut metric = labelled(label, value);
    metric.set_counter(counter);
    metric
}

fn showing(label: Option<&str>, (value, number): Sample<'_>) -> Metric {
    let mut gauge = proto::Gauge::default();
    gauge.set_value(number);
    let mut metric = labelled(label, value);
    metric.set_gauge(gauge);
    metric
}

pub(super) fn counter(name: &str, help: &str, number: f64) -> MetricFamily {
    let metrics = vec![counting(None, ("", number))];
    family(name, help, MetricType::COUNTER, metrics)
}

pub(super) fn gauge(name: &str, help: &str, number: f64) -> MetricFamily {
    let metrics = vec![showing(None, ("", number))];
    family(name, help, MetricType::GAUGE, metrics)
}

pub(super) fn counters(
    name: &str,
    help: &str,
    label: &str,
    samples: &[Sample<'_>],
) -> MetricFamily {
    let metrics = samples.iter().map(|one| counting(Some(label), *one));
    family(name, help, MetricType::COUNTER, metrics.collect())
}

pub(super) fn gauges(name: &str, help: &str, label: &str, samples: &[Sample<'_>]) -> MetricFamily {
    let metrics = samples.iter().map(|one| showing(Some(label), *one));
    family(name, help, MetricType::GAUGE, metrics.collect())
}

/// Histograms of one family, whose numbers are so many to the base unit.
pub(super) fn histograms(
    name: &str,
    help: &str,
    label: &str,
    samples: &[(&str, &Histogram)],
    per_unit: f64,
) -> MetricFamily {
    let bucket = |(bound, count): (u64, u64)| {
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(bound as f64 / per_unit);
        bucket.set_cumulative_count(count);
        bucket
    };
    let one = |(value, numbers): &(&str, &Histogram)| {
        let mut histogram = proto::Histogram::default();
        histogram.set_sample_count(numbers.count());
        histogram.set_sample_sum(numbers.sum() as f64 / per_unit);
        histogram.set_bucket(numbers.cumulated().map(bucket).collect());
        let mut metric = labelled(Some(label), value);
        metric.set_histogram(histogram);
        metric
    };
    let metrics = samples.iter().map(one).collect();
    family(name, help, MetricType::HISTOGRAM, metrics)
}

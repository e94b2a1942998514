//! Metrics, dashboards and alerts: real nodes, a real Prometheus that scrapes them, and Grafana's own
//! types of dashboards.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod expressions;
mod files;
mod metrics;
mod nodes;
mod prometheus;
mod queues;
mod targets;

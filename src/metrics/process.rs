//! What the process takes of its machine, read when somebody asks.

use super::families::{counter, gauge};
use prometheus::proto::MetricFamily;
use rustix::time::{ClockId, clock_gettime};

/// Processor, memory and clock.
pub(super) fn families() -> Vec<MetricFamily> {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let cpu_s = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
    let wall_s = crate::runtime::wall().0 as f64 / 1e3;
    let mut all = vec![
        counter(
            "process_cpu_seconds_total",
            "Processor time of the process",
            cpu_s,
        ),
        gauge(
            "clock_timestamp_seconds",
            "What the clock of this machine shows, since 1970: to be compared with that of Prometheus",
            wall_s,
        ),
    ];
    if let Some(bytes) = resident_bytes() {
        let help = "Memory of the process that is in use";
        all.push(gauge("process_resident_memory_bytes", help, bytes));
    }
    all
}

/// The second number of `statm`: pages that are in memory.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some((pages * rustix::param::page_size() as u64) as f64)
}

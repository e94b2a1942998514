//! How long a scrape of a node with many records takes, how large it is, and what it costs.

use super::metrics::{Sums, get};
use super::network::{Network, clock};
use super::{Flags, Place};

/// Nodes of the network: each has every record.
const NODES: usize = 3;
/// Scrapes that are measured together.
const SCRAPES: u32 = 200;
/// Seconds between two scrapes, as in dashboards/prometheus.yml.
const EVERY_S: f64 = 15.0;

pub(super) fn measure(flags: &Flags, place: Place) -> Result<(), String> {
    let network = Network::start(place, flags.nodes.unwrap_or(NODES))?;
    let count = flags.records.to_string();
    eprintln!("putting {count} values of 100 bytes");
    network.ctl(&["bench", "--keys", &count, "--mix", "0:100", "--ops", "1000"])?;
    let node = network.nodes.first().ok_or("no node")?;
    let values = Sums::of([node])?.get("p2p_values");
    let page = get(node.http, "/metrics")?;
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    let cpu = || Sums::of([node]).map(|sums| sums.get("p2p_process_cpu_seconds_total"));
    let before = cpu()?;
    let mut took = Vec::new();
    for _ in 0..SCRAPES {
        let began = clock();
        get(node.http, "/metrics")?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let each = (cpu()? - before) / f64::from(SCRAPES);
    took.sort_unstable_by(f64::total_cmp);
    let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or(0.0);
    println!("one node of {} with {values} values", network.nodes.len());
    println!("a scrape: {} bytes, {series} series", page.len());
    println!("it takes {:.2} ms (p50), {:.2} ms (p99)", at(50), at(99));
    println!(
        "processor: {:.2} ms each, {:.4} % of a core at one in {EVERY_S} s",
        each * 1e3,
        each / EVERY_S * 100.0
    );
    Ok(())
}

//! How soon a node with many records serves again after it was killed, and what they take of its
//! memory.

use super::network::{Network, Node};
use super::{Flags, Place};

pub(super) fn measure(flags: &Flags, place: Place) -> Result<(), String> {
    let mut network = Network::start(place, 1)?;
    let records = flags.records;
    let memory = |network: &Network| network.nodes.first().map_or(0.0, Node::memory_mib);
    let empty = memory(&network);
    eprintln!("putting {records} values of 100 bytes");
    let count = records.to_string();
    network.ctl(&["bench", "--keys", &count, "--mix", "0:100", "--ops", "1000"])?;
    let full = memory(&network);
    println!("one node with {records} values of 100 bytes");
    println!("memory: {empty:.0} MiB empty, {full:.0} MiB after the last put");
    for _ in 0..flags.rounds {
        let ready = network.restart(0)?;
        let values = network.sums()?.get("p2p_values");
        let now = memory(&network);
        println!(
            "killed and started again: ready after {:.2} s with {values} values; {now:.0} MiB, {:.0} bytes a record",
            ready.as_secs_f64(),
            (now - empty) * f64::from(1 << 20) / records as f64
        );
    }
    Ok(())
}

//! `cargo xtask figures`: what the store and the tracker do on this machine, measured with real processes.
//!
//! Each figure starts a network of its own in a temporary directory, on free ports, loads it with
//! `p2pctl` and reads the nodes' own metrics. The network is gone at the end.

mod announces;
mod groups;
mod leases;
mod metrics;
mod network;
mod repair;
mod scrape;
mod start;
mod swarms;
mod tracker;

use crate::steps::{cargo, root, step};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Measure the store and the tracker with real processes on this machine.

Usage: cargo xtask figures groups|repair|leases|start|scrape|tracker|swarms [FLAGS]

  groups   How puts a second and the size of a commit grow with the puts in flight (16 nodes)
             --in-flight C,…    [1,4,16,64,256]
             --rounds N         Repeat each, and show the fastest [3]
  repair   One node is killed and never returns: the time until every record has three replicas
           again, and what was sent for it
             --records N        Records of each node, about [100000]
  leases   CPU of a network that renews the leases of one node, over one lease
             --leases N         [100000]
             --lease SECONDS    [1800]
  start    A node with many records is killed: the time until it serves again, and its memory
             --records N        [100000]
             --rounds N         [3]
  scrape   A node with many records: how long a scrape of its metrics takes, and its size
             --records N        [100000]
  tracker  Announces a second by UDP and HTTP, pinned to one core with the load on another; side by
           side with opentracker and aquatic_udp, those that are in the PATH
             --seconds N        Of each measurement [10]
             --rounds N         Each tracker in turn, and the fastest of each is shown [3]

  swarms   One tracker of many nodes at 1,000 announces a second: traffic between them for an announce,
           and how soon a client of one node is found through each other one
             --seconds N        Of each of two rounds, at least [10]

  --nodes N    [16; leases: 4; scrape: 3; swarms: 8]
  --bin DIR    The programs to measure; otherwise the release build is made and taken
  --data DIR   Where the nodes keep their data, for instance /dev/shm to leave the disk out
               [the folder for temporary files]

Other load on the machine changes every figure: measure on a quiet one.
";

/// Where a network lives.
#[derive(Debug)]
struct Place {
    /// Its programs.
    bin: PathBuf,
    /// Its data, in a folder of their own.
    data: PathBuf,
}

/// What the flags say.
#[derive(Debug, PartialEq, Eq)]
struct Flags {
    bin: Option<PathBuf>,
    data: Option<PathBuf>,
    nodes: Option<usize>,
    in_flight: Vec<u64>,
    rounds: u64,
    records: u64,
    leases: u64,
    lease_s: u64,
    seconds: u64,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            bin: None,
            data: None,
            nodes: None,
            in_flight: vec![1, 4, 16, 64, 256],
            rounds: 3,
            records: 100_000,
            leases: 100_000,
            lease_s: 1_800,
            seconds: 10,
        }
    }
}

impl Flags {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                let next = words.next();
                next.ok_or_else(|| format!("`{word}` needs a value; see --help"))
            };
            match word.as_str() {
                "--bin" => flags.bin = Some(PathBuf::from(value()?)),
                "--data" => flags.data = Some(PathBuf::from(value()?)),
                "--nodes" => flags.nodes = Some(number(value()?)? as usize),
                "--rounds" => flags.rounds = number(value()?)?,
                "--records" => flags.records = number(value()?)?,
                "--leases" => flags.leases = number(value()?)?,
                "--seconds" => flags.seconds = number(value()?)?,
                "--lease" => flags.lease_s = number(value()?)?,
                "--in-flight" => {
                    let all = value()?.split(',').map(number);
                    flags.in_flight = all.collect::<Result<_, _>>()?;
                }
                unknown => return Err(format!("unknown flag `{unknown}`; see --help")),
            }
        }
        Ok(flags)
    }
}

fn number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`{text}` is no number above 0"))
}

/// Runs the verb.
pub(crate) fn run(words: &[String]) -> Result<bool, String> {
    let Some((figure, words)) = words.split_first() else {
        return Err(
            "name a figure: groups, repair, leases, start, tracker or swarms; see --help"
                .to_owned(),
        );
    };
    let measure = match figure.as_str() {
        "groups" => groups::measure,
        "repair" => repair::measure,
        "leases" => leases::measure,
        "start" => start::measure,
        "scrape" => scrape::measure,
        "tracker" => tracker::measure,
        "swarms" => swarms::measure,
        unknown => return Err(format!("no figure `{unknown}`; see --help")),
    };
    let flags = Flags::parse(words)?;
    let bin = match &flags.bin {
        Some(bin) => bin.clone(),
        None if step("release build", cargo(&["build", "--release", "--bins"]))? => {
            root().join("target/release")
        }
        None => return Ok(false),
    };
    measure(
        &flags,
        Place {
            bin,
            data: flags.data.clone().unwrap_or_else(std::env::temp_dir),
        },
    )?;
    Ok(true)
}

/// Lets time pass.
fn pause(length: Duration) {
    std::thread::sleep(length);
}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn flags_say_what_is_wrong() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Flags::parse(&words)
        };
        assert_eq!(parse(""), Ok(Flags::default()));
        let flags = parse("--in-flight 1,64 --nodes 3").unwrap();
        assert_eq!((flags.in_flight, flags.nodes), (vec![1, 64], Some(3)));
        assert!(parse("--nodes").unwrap_err().contains("needs a value"));
        assert!(parse("--rounds 0").unwrap_err().contains("above 0"));
        assert!(parse("--round 1").unwrap_err().contains("unknown flag"));
    }
}

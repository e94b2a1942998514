//! What it costs that all nodes are one tracker, and how soon a client of one is found by all.

use super::announces::{Line, Said};
use super::metrics::Sums;
use super::network::{Network, clock};
use super::{Flags, Place, pause};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Nodes of the network unless told otherwise.
const NODES: usize = 8;
/// Announces a second, of all nodes together.
const RATE: u64 = 1_000;
/// Torrents of Zipf popularity.
const TORRENTS: usize = 10_000;
/// How long the network is watched without clients, to compare.
const IDLE: Duration = Duration::from_secs(20);
/// How often a client is announced to one node and sought at all others.
const SOUGHT: u32 = 100;
/// The seeker's torrents, beyond those of the load.
const FIRST_SOUGHT: u64 = 1 << 32;
/// How often it is looked whether it is there.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Where the seekers take connections: they are clients, too.
const FIRST_SEEKER: u16 = 6_000;
/// What is not found by then is a failure.
const FOUND_WITHIN: Duration = Duration::from_secs(20);
/// A connection id is used for less than a minute (BEP 15).
const RENEW_EVERY: Duration = Duration::from_secs(50);
/// Ports of clients begin here, and so many each source address has.
const FIRST_PORT: u64 = 10_000;
const PORTS: u64 = 50_000;

pub(super) fn measure(flags: &Flags, place: Place) -> Result<(), String> {
    let count = flags.nodes.unwrap_or(NODES);
    let words = ["--tracker-udp", "127.0.0.1:0", "--announce-rate", "0"];
    let network = Network::start_with(place, count, &words)?;
    let trackers: Vec<SocketAddr> = network
        .nodes
        .iter()
        .filter_map(|node| node.tracker)
        .collect();
    if trackers.len() != count {
        return Err("not every node is a tracker".to_owned());
    }
    let before = network.sums()?;
    pause(IDLE);
    let idle = Traffic::of(&network.sums()?, &before).over(IDLE);
    println!(
        "{count} nodes, {RATE} announces a second over them, {TORRENTS} torrents of Zipf popularity; \
         without clients the nodes send {:.0} messages and {:.0} bytes a second",
        idle.messages, idle.bytes
    );
    let length = Duration::from_secs(flags.seconds.max(1));
    for (round, what) in ["all of them new clients", "the same clients again"]
        .iter()
        .enumerate()
    {
        let before = network.sums()?;
        let began = clock();
        let (announces, found) = load(&trackers, length, round as u32)?;
        let elapsed = began.elapsed();
        let all = Traffic::of(&network.sums()?, &before);
        let per = |all: f64, idle: f64| (all - idle * elapsed.as_secs_f64()) / announces as f64;
        println!(
            "{what}: {announces} answered in {:.0} s; between the nodes {:.2} messages and {:.0} bytes \
             an announce beyond that",
            elapsed.as_secs_f64(),
            per(all.messages, idle.messages),
            per(all.bytes, idle.bytes)
        );
        println!(
            "  a client is found through each other node after p50 {} ms, p99 {} ms, at most {} ms ({} times)",
            part_of(&found, 50),
            part_of(&found, 99),
            part_of(&found, 100),
            found.len()
        );
    }
    Ok(())
}

/// What nodes sent each other.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    messages: f64,
    bytes: f64,
}

impl Traffic {
    fn of(after: &Sums, before: &Sums) -> Self {
        Self {
            messages: after.since(before, "p2p_messages_out_total"),
            bytes: after.since(before, "p2p_bytes_out_total"),
        }
    }

    fn over(self, length: Duration) -> Self {
        let seconds = length.as_secs_f64();
        Self {
            messages: self.messages / seconds,
            bytes: self.bytes / seconds,
        }
    }
}

/// The number that so many in a hundred do not exceed, of sorted ones, in milliseconds.
fn part_of(sorted: &[Duration], percent: usize) -> u128 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).map_or(0, Duration::as_millis)
}

/// Announces at all trackers while a client is sought, and for so long at least; gives how many were
/// answered, and after what time clients were found.
fn load(
    trackers: &[SocketAddr],
    length: Duration,
    round: u32,
) -> Result<(u64, Vec<Duration>), String> {
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ends = &ends;
        let all = (0..trackers.len() as u64).zip(trackers);
        let loads: Vec<_> = all
            .map(|(number, tracker)| {
                let count = trackers.len() as u64;
                scope.spawn(move || announce(*tracker, (number, count), ends))
            })
            .collect();
        let began = clock();
        let found = seek(trackers, round);
        pause(length.saturating_sub(began.elapsed()));
        ends.store(true, Ordering::Relaxed);
        let mut answered = 0;
        for load in loads {
            answered += load.join().map_err(|_| "a load panicked")??;
        }
        let mut found = found?;
        found.sort_unstable();
        Ok((answered, found))
    })
}

/// The load of one tracker; gives how many announces were answered.
fn announce(
    tracker: SocketAddr,
    (number, count): (u64, u64),
    ends: &AtomicBool,
) -> Result<u64, String> {
    // One in so many is a torrent at random, by its weight.
    let weights: Vec<u64> = (1..=TORRENTS as u64)
        .scan(0, |sum, rank| {
            *sum += (1 << 32) / rank;
            Some(*sum)
        })
        .collect();
    let all = weights.last().copied().unwrap_or(1);
    let from = Ipv4Addr::new(127, 0, 1, number as u8 + 1);
    let mut line = Line::open(tracker, from)?;
    let (began, mut renewed, mut sent, mut answered) = (clock(), clock(), 0_u64, 0);
    while !ends.load(Ordering::Relaxed) {
        if renewed.elapsed() > RENEW_EVERY {
            renewed = clock();
            line.renew()?;
        }
        let due = began.elapsed().as_millis() as u64 * RATE / count / 1_000;
        while sent < due {
            // Mixed, so that each client has its torrent whenever it comes.
            let mixed = (sent * count + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let at = (u128::from(mixed) * u128::from(all)) >> 64;
            let said = Said {
                torrent: weights.partition_point(|sum| u128::from(*sum) <= at) as u64,
                client: (sent * count + number) as u32,
                port: (FIRST_PORT + sent % PORTS) as u16,
                seed: sent.is_multiple_of(4),
                numwant: 50,
            };
            line.send(said, sent as u32)?;
            sent += 1;
        }
        answered += line.answers()?;
        pause(Duration::from_millis(1));
    }
    pause(Duration::from_secs(1));
    Ok(answered + line.answers()?)
}

/// Announces clients of new torrents to one tracker each, and looks for them at all others.
fn seek(trackers: &[SocketAddr], round: u32) -> Result<Vec<Duration>, String> {
    let mut lines = Vec::new();
    for tracker in trackers {
        lines.push(Line::open(*tracker, Ipv4Addr::LOCALHOST)?);
    }
    let (mut found, mut renewed) = (Vec::new(), clock());
    for number in 0..SOUGHT {
        if renewed.elapsed() > RENEW_EVERY / 2 {
            renewed = clock();
            for line in &mut lines {
                line.renew()?;
            }
        }
        let said = Said {
            torrent: FIRST_SOUGHT + u64::from(round * SOUGHT + number),
            client: u32::MAX / 2 + round * SOUGHT + number,
            port: 7_000 + number as u16,
            seed: true,
            numwant: 50,
        };
        let home = number as usize % lines.len().max(1);
        let began = clock();
        if let Some(line) = lines.get(home) {
            line.ask(said, number)?;
        }
        let times = std::thread::scope(|scope| {
            let others = lines.iter().enumerate().filter(|(at, _)| *at != home);
            let seekers: Vec<_> = others
                .map(|(at, line)| scope.spawn(move || look(line, at as u16, said, began)))
                .collect();
            let join = |seeker: std::thread::ScopedJoinHandle<'_, _>| {
                seeker.join().map_err(|_| "a seeker panicked".to_owned())?
            };
            seekers
                .into_iter()
                .map(join)
                .collect::<Result<Vec<_>, String>>()
        })?;
        found.extend(times);
    }
    Ok(found)
}

/// Asks one tracker until it knows the client.
fn look(line: &Line, number: u16, sought: Said, began: Instant) -> Result<Duration, String> {
    let asker = Said {
        client: u32::MAX - 1 - u32::from(number),
        port: FIRST_SEEKER + number,
        seed: false,
        ..sought
    };
    for transaction in 0.. {
        if line.ask(asker, transaction)?.contains(&sought.port) {
            return Ok(began.elapsed());
        }
        if began.elapsed() > FOUND_WITHIN {
            break;
        }
        pause(LOOK_EVERY);
    }
    Err(format!(
        "a client is not found within {} s",
        FOUND_WITHIN.as_secs()
    ))
}

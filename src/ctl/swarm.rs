//! The command swarm explain: how an answer of the tracker to somebody would come about.

use super::commands::complete;
use super::output::{Answer, aligned, count_of, outcome_word};
use super::{Asking, CtlError, Document, wrong_answer};
use crate::control::explained::Explained;
use crate::control::{ControlBody, ReplyBody};
use clap::{Args, Subcommand};
use overlay::Outcome;
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use tracker::InfoHash;
use tracker::explain::{Explanation, Given, LeftOut, Placed, Why};

#[derive(Debug, Args)]
pub(super) struct SwarmArgs {
    #[command(subcommand)]
    pub(super) command: SwarmCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SwarmCommand {
    /// Show how the node's tracker would answer a client at an address: who is offered, and why
    ///
    /// A client that is listed in the swarm is answered as what it is, seed or not; any other as one
    /// that downloads. Nothing is changed. Exit code 1 when it is proven that the swarm has no peers.
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The info-hash, 40 hexadecimal digits
    #[arg(value_name = "INFOHASH")]
    hash: InfoHash,

    /// The address of the client that would announce; without a port, of one that is not listed
    #[arg(long = "for", value_name = "IP[:PORT]", value_parser = asker)]
    addr: SocketAddr,
}

fn asker(text: &str) -> Result<SocketAddr, String> {
    let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    let wrong =
        |_| format!("{text:?} is no address; write for instance 192.0.2.1 or 192.0.2.1:6881");
    text.parse().or_else(|_| bare()).map_err(wrong)
}

pub(super) async fn run(
    asking: Asking,
    args: SwarmArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let SwarmCommand::Explain(ExplainArgs { hash, addr }) = args.command;
    context.insert("info_hash".to_owned(), hash.to_string().into());
    context.insert("for".to_owned(), addr.to_string().into());
    let mut session = asking.open().await?;
    let body = ControlBody::Explain {
        info_hash: hash.into(),
        addr,
    };
    let reply = asking.ask(&mut session, body).await;
    let node = session.addr();
    session.close().await;
    let ReplyBody::Explained(explained) = reply? else {
        return Err(wrong_answer(node));
    };
    let json = complete(context, document(&explained));
    let text = text(hash, addr, &explained);
    Ok(Answer::new(explained.outcome().into(), json, text))
}

fn document(explained: &Explained) -> serde_json::Value {
    let Explanation {
        known,
        counts: [seeders, leechers, completed],
        own,
        listed_as_seed,
        place,
        peers,
        looked_at,
        left_out,
        offered,
    } = &explained.explanation;
    let tally = Tally::of(offered);
    json!({
        "outcome": outcome_word(explained.outcome()), "known": known,
        "seeders": seeders, "leechers": leechers, "completed": completed,
        "own": { "seeders": own[0], "leechers": own[1], "completed": own[2] },
        "publishers": {
            "outcome": outcome_word(explained.publishers.outcome),
            "nodes": explained.publishers.nodes,
            "replicas_answered": explained.publishers.answered,
            "replicas_asked": explained.publishers.asked,
        },
        "refusal": explained.refusal,
        "listed": listed_as_seed.is_some(), "as_seed": listed_as_seed.unwrap_or(false),
        "place": place.as_ref().map(|placed| &placed.place),
        "place_rule": place.as_ref().map(|placed| if placed.range.is_some() { "locations" } else { "location" }),
        "place_range": place.as_ref().and_then(|placed| placed.range),
        "peers": peers, "looked_at": looked_at,
        "left_out": {
            "asker": left_out.asker, "expired": left_out.expired, "seeds": left_out.seeds,
            "partial_seeds": left_out.partial_seeds, "other_family": left_out.other_family,
        },
        "chosen": {
            "everybody": tally.everybody, "preferred": tally.preferred, "near": tally.near,
            "random": tally.random, "seeds": tally.seeds,
        },
        "offered": offered.iter().map(given_json).collect::<Vec<_>>(),
    })
}

fn given_json(given: &Given) -> serde_json::Value {
    let (why, shared) = match given.why {
        Why::Everybody => ("everybody", None),
        Why::Preferred => ("preferred", None),
        Why::Near(shared) => ("near", Some(shared)),
        Why::Random => ("random", None),
    };
    json!({
        "addr": given.addr, "seed": given.seed, "place": given.place, "why": why,
        "shared_parts": shared,
    })
}

/// How many were chosen in which way.
#[derive(Default)]
struct Tally {
    everybody: u64,
    preferred: u64,
    near: u64,
    random: u64,
    seeds: u64,
}

impl Tally {
    fn of(offered: &[Given]) -> Self {
        let mut tally = Self::default();
        for given in offered {
            match given.why {
                Why::Everybody => tally.everybody += 1,
                Why::Preferred => tally.preferred += 1,
                Why::Near(_) => tally.near += 1,
                Why::Random => tally.random += 1,
            }
            tally.seeds += u64::from(given.seed);
        }
        tally
    }
}

fn text(hash: InfoHash, addr: SocketAddr, explained: &Explained) -> String {
    let given = &explained.explanation;
    let first = match explained.outcome() {
        Outcome::Found if given.peers == 0 => "found: other nodes have peers that this one has not heard of yet".to_owned(),
        Outcome::Found => format!("found: {} listed here", count_of(given.peers, "peer")),
        Outcome::Absent => "absent: it is proven that nobody is in this swarm".to_owned(),
        Outcome::Unknown => "unknown: no peer is listed here, and too few nodes answered to prove that there is none".to_owned(),
    };
    let mut rows = vec![("swarm".to_owned(), hash.to_string())];
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    if let Some(refusal) = &explained.refusal {
        row(
            "refused",
            format!("an announce would get no peers: {refusal}"),
        );
    }
    let [seeders, leechers, completed] = given.counts;
    let of = |[seeders, leechers, completed]: [u64; 3]| {
        let (seeders, leechers) = (count_of(seeders, "seeder"), count_of(leechers, "leecher"));
        format!("{seeders}, {leechers}, {completed} completed")
    };
    row("counts", of([seeders, leechers, completed]));
    row(
        "own",
        format!(
            "{} announced here; the rest is what other nodes say",
            of(given.own)
        ),
    );
    let publishers = &explained.publishers;
    row(
        "nodes",
        format!(
            "{}: {} with clients, {} of {} replicas answered",
            outcome_word(publishers.outcome),
            count_of(publishers.nodes.into(), "node"),
            publishers.answered,
            publishers.asked,
        ),
    );
    let role = match given.listed_as_seed {
        Some(true) => "listed as a seed, and answered as one",
        Some(false) => "listed as one that downloads, and answered so",
        None => "not listed, and answered as one that downloads",
    };
    row("asker", format!("{addr}, {role}"));
    row("place", place_text(given.place.as_ref()));
    row(
        "left out",
        left_out_text(&given.left_out, given.peers, given.looked_at),
    );
    row("offered", offered_text(&given.offered));
    let table = peers_text(&given.offered);
    [first, aligned(&rows), table]
        .join("\n")
        .trim_end()
        .to_owned()
}

fn place_text(placed: Option<&Placed>) -> String {
    match placed {
        None => "not known: neither --locations nor --location says it, so nearness does not count"
            .to_owned(),
        Some(Placed { place, range: None }) => {
            format!("{place}, by --location: no line of --locations covers the address")
        }
        Some(Placed {
            place,
            range: Some((first, last)),
        }) => format!("{place}, by --locations, which says so of {first} to {last}"),
    }
}

fn left_out_text(out: &LeftOut, peers: u64, looked_at: u64) -> String {
    let parts = [
        (out.asker, "the asker itself"),
        (out.expired, "expired"),
        (out.seeds, "seeds, for a seed"),
        (out.partial_seeds, "partial seeds, for a seed"),
        (out.other_family, "of the other address family, over UDP"),
    ];
    let said = parts.iter().filter(|(count, _)| *count > 0);
    let mut said: Vec<_> = said.map(|(count, why)| format!("{count} {why}")).collect();
    if said.is_empty() {
        said.push("nobody".to_owned());
    }
    let said = said.join("; ");
    if looked_at < peers {
        return format!("{said} (of the {looked_at} that were looked at)");
    }
    said
}

fn offered_text(offered: &[Given]) -> String {
    let tally = Tally::of(offered);
    let parts = [
        (tally.everybody, "because there are no more"),
        (tally.preferred, "of most use"),
        (tally.near, "by nearness"),
        (tally.random, "at random"),
    ];
    let said = parts.iter().filter(|(count, _)| *count > 0);
    let said: Vec<_> = said.map(|(count, why)| format!("{count} {why}")).collect();
    let all = count_of(offered.len() as u64, "peer");
    if said.is_empty() {
        return all;
    }
    format!(
        "{all}, {}: {}",
        count_of(tally.seeds, "seed"),
        said.join(", ")
    )
}

/// A line for each peer, in columns.
fn peers_text(offered: &[Given]) -> String {
    let cells = offered.iter().map(|given| {
        let role = if given.seed { "seed" } else { "leech" };
        let why = match given.why {
            Why::Everybody => "no more are there".to_owned(),
            Why::Preferred => "of most use".to_owned(),
            Why::Near(shared) => format!("near: {} the same", count_of(shared.into(), "part")),
            Why::Random => "at random".to_owned(),
        };
        let place = given.place.clone().unwrap_or_else(|| "-".to_owned());
        [given.addr.to_string(), role.to_owned(), place, why]
    });
    let cells: Vec<_> = cells.collect();
    let width = |at: usize| {
        cells
            .iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (addr, place) = (width(0), width(2));
    let lines = cells
        .iter()
        .map(|[at, role, where_, why]| format!("  {at:addr$}  {role:5}  {where_:place$}  {why}"));
    lines.collect::<Vec<_>>().join("\n")
}

impl SwarmCommand {
    /// The command's name, as it was written.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Explain(_) => "swarm explain",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::explained::Publishers;

    fn explained(peers: u64, outcome: Outcome) -> Explained {
        let given = |addr: &str, why| Given {
            addr: addr.parse().expect("an address"),
            seed: true,
            place: Some("dc1".to_owned()),
            why,
        };
        Explained {
            explanation: Explanation {
                known: peers > 0,
                peers,
                looked_at: peers,
                offered: vec![
                    given("192.0.2.1:1", Why::Near(1)),
                    given("192.0.2.100:6881", Why::Random),
                ],
                ..Explanation::default()
            },
            refusal: None,
            publishers: Publishers {
                outcome,
                ..Publishers::UNKNOWN
            },
        }
    }

    #[test]
    fn nobody_is_said_only_when_it_is_proven() {
        let of = |peers, outcome| explained(peers, outcome).outcome();
        assert_eq!(of(0, Outcome::Absent), Outcome::Absent);
        assert_eq!(of(0, Outcome::Unknown), Outcome::Unknown);
        assert_eq!(of(3, Outcome::Unknown), Outcome::Found);
        let addr = "192.0.2.9:1".parse().expect("an address");
        let said = text(InfoHash::default(), addr, &explained(0, Outcome::Unknown));
        assert!(said.starts_with("unknown: "), "{said}");
    }

    #[test]
    fn the_columns_of_peers_line_up() {
        let table = peers_text(&explained(3, Outcome::Found).explanation.offered);
        let columns: Vec<_> = table.lines().map(|line| line.find("dc1")).collect();
        assert_eq!(columns.len(), 2);
        assert_eq!(columns[0], columns[1], "{table}");
    }
}

//! `p2pctl peers --prometheus`: all nodes of the network that serve metrics, as a file from which
//! Prometheus takes what to scrape (`file_sd_configs`).

use super::args::PeersArgs;
use super::output::{Answer, Exit, count_of};
use super::{Asking, CtlError, proof};
use crate::control::StatusReport;
use crate::crawl::{Crawler, NetworkView};
use overlay::Contact;
use serde::Serialize;
use serde_json::{Map, json};
use std::net::SocketAddr;
use std::path::Path;

/// One entry of the file.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Group {
    targets: Vec<String>,
    labels: Labels,
}

/// What is known of targets before they are asked.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Labels {
    overlay: String,
}

/// What became of the nodes.
#[derive(Debug, Default)]
struct Targets {
    all: Vec<SocketAddr>,
    /// Who is left out, and why.
    left_out: Vec<(Contact, String)>,
}

pub(super) async fn write(asking: Asking, args: &PeersArgs) -> Result<Answer, CtlError> {
    let session = asking.open().await?;
    let first = session.addr();
    session.close().await;
    let config = proof::anonymous().map_err(|error| CtlError::Local(error.to_string()))?;
    let view = Crawler::new(config).crawl(first).await?;
    let targets = targets(&view, first);
    let overlay = view.nodes.values().next();
    let overlay = overlay.map_or_else(String::new, |found| found.report.status.overlay.clone());
    let groups = [Group {
        targets: targets.all.iter().map(ToString::to_string).collect(),
        labels: Labels { overlay },
    }];
    // Strings are always written.
    let mut file = serde_json::to_vec_pretty(&groups).unwrap_or_default();
    file.push(b'\n');
    let mut lines: Vec<String> = targets
        .left_out
        .iter()
        .map(|(contact, why)| format!("left out: {contact}: {why}"))
        .collect();
    if view.truncated {
        let most = crate::crawl::MAX_NODES;
        lines.push(format!(
            "the network has more than {most} nodes: the others are not in the list"
        ));
    }
    lines.push(format!(
        "{} to scrape",
        count_of(targets.all.len() as u64, "node")
    ));
    let left_out = targets.left_out.iter();
    let left_out = left_out.map(|(contact, why)| {
        json!({ "id": contact.id.to_string(), "addr": contact.addr.to_string(), "why": why })
    });
    let mut document = Map::new();
    document.insert("groups".to_owned(), json!(groups));
    document.insert("left_out".to_owned(), left_out.collect());
    document.insert("truncated".to_owned(), view.truncated.into());
    let mut answer = Answer::new(Exit::Done, document, lines.join("\n"));
    match &args.out {
        Some(path) => replace(path, &file)?,
        None => answer.raw = Some(file.into()),
    }
    Ok(answer)
}

/// Who is to be scraped. The node that was asked at `first` tells of its own machine.
fn targets(view: &NetworkView, first: SocketAddr) -> Targets {
    let mut made = Targets::default();
    for found in view.nodes.values() {
        let report = &*found.report;
        match target(report, first) {
            Ok(addr) => made.all.push(addr),
            Err(why) => made.left_out.push((report.status.me, why)),
        }
    }
    for missing in view.unreachable.values() {
        made.left_out
            .push((missing.contact, missing.why.to_string()));
    }
    made.all.sort_unstable();
    made
}

/// Where a node serves metrics, as it is reached from here.
fn target(report: &StatusReport, first: SocketAddr) -> Result<SocketAddr, String> {
    let Some(http) = report.http else {
        return Err("it serves no HTTP; start it without --http off".to_owned());
    };
    let own = report.status.me.addr;
    if http.ip().is_unspecified() {
        return Ok(SocketAddr::new(own.ip(), http.port()));
    }
    let is_here = own.ip().is_loopback() || own == first || report.listen == first;
    if http.ip().is_loopback() && !is_here {
        return Err(format!(
            "it serves HTTP to its own machine only, at {http}; start it with --http and another address, and --http-token-file"
        ));
    }
    Ok(http)
}

/// Writes the file at once: Prometheus reads it as soon as it changes, and must not see half of it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), CtlError> {
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    if !is_json {
        let why = "Prometheus takes JSON from files whose names end in .json; name another one with --out";
        return Err(CtlError::WrongUse(format!("{}: {why}", path.display())));
    }
    let unfinished = path.with_extension(format!("json.{}", std::process::id()));
    let written =
        std::fs::write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, path));
    written.map_err(|error| {
        // Nobody reads what is unfinished.
        let _ = std::fs::remove_file(&unfinished);
        CtlError::Local(format!(
            "cannot write {}: {error}; name another file with --out",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Id, Neighbours, Promise, Status};

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn report(me: &str, http: Option<&str>) -> StatusReport {
        let me = Contact {
            id: Id::of(me.as_bytes()),
            addr: addr(me),
        };
        let neighbours = Neighbours::Ring {
            predecessor: None,
            successors: Vec::new(),
            fingers: Vec::new(),
        };
        StatusReport {
            status: Status {
                me,
                overlay: "chord".to_owned(),
                member: true,
                promise: Promise::Replicated,
                peers: 0,
                values: 0,
                holders: 0,
                entries: 0,
                stored_bytes: 0,
                renewed_leases: 0,
                clocks_refused: 0,
                settled: true,
                neighbours,
                leaving: false,
                moving: Vec::new(),
                moved_records: 0,
                moved_bytes: 0,
            },
            listen: me.addr,
            http: http.map(addr),
            uptime_s: 1,
            connections: 0,
            version: String::new(),
            load: None,
            copies: None,
        }
    }

    #[test]
    fn a_node_is_scraped_where_it_can_be_reached_from_here() {
        let asked = addr("192.0.2.1:4000");
        let of = |me, http| target(&report(me, http), asked).map_err(|_| ());
        let far = "192.0.2.9:4000";
        assert_eq!(of(far, None), Err(()), "no HTTP");
        assert_eq!(of(far, Some("127.0.0.1:4080")), Err(()), "another machine");
        let own = of("192.0.2.1:4000", Some("127.0.0.1:4080"));
        assert_eq!(own, Ok(addr("127.0.0.1:4080")), "the node that was asked");
        let near = of("127.0.0.1:4001", Some("127.0.0.1:4081"));
        assert_eq!(near, Ok(addr("127.0.0.1:4081")));
        assert_eq!(of(far, Some("0.0.0.0:4080")), Ok(addr("192.0.2.9:4080")));
        assert_eq!(of(far, Some("192.0.2.9:80")), Ok(addr("192.0.2.9:80")));
    }
}

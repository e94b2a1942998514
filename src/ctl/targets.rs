//! `p2pctl peers --prometheus`: all nodes of the network that serve metrics, as a file from which
//! Prometheus takes what to scrape (`file_sd_configs`).

use super::args::PeersArgs;
use super::output::{Answer, Exit, count_of};
use super::{Asking, CtlError, proof};
use crate::crawl::{Crawler, NetworkView};
use overlay::Contact;
use serde::Serialize;
use serde_json::{Map, json};
use std::net::{IpAddr, SocketAddr, UdpSocket};
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

/// Who is to be scraped, as seen from the node that was asked at `first`.
fn targets(view: &NetworkView, first: SocketAddr) -> Targets {
    let mut made = Targets::default();
    for found in view.nodes.values() {
        let at = found.at.unwrap_or(first);
        match target(found.report.http, at, is_own_address(at.ip())) {
            Ok(addr) => made.all.push(addr),
            Err(why) => made.left_out.push((found.report.status.me, why)),
        }
    }
    for missing in view.unreachable.values() {
        made.left_out
            .push((missing.contact, missing.why.to_string()));
    }
    made.all.sort_unstable();
    made
}

/// Where the node that was dialled at `at` serves metrics, as it is reached from here.
///
/// A node may claim anything, and Prometheus may bring a token to whatever is in the list: no other
/// host is named than the one that was dialled, and this machine only where it was.
fn target(http: Option<SocketAddr>, at: SocketAddr, is_here: bool) -> Result<SocketAddr, String> {
    let Some(http) = http else {
        return Err("it serves no HTTP; start it without --http off".to_owned());
    };
    let (claimed, dialled) = (http.ip().to_canonical(), at.ip().to_canonical());
    if claimed.is_unspecified() {
        return Ok(SocketAddr::new(dialled, http.port()));
    }
    if claimed == dialled || claimed.is_loopback() && is_here {
        return Ok(http);
    }
    if claimed.is_loopback() {
        return Err(format!(
            "it serves HTTP to its own machine only, at {http}; start it with --http and another address, and --http-token-file"
        ));
    }
    Err(format!(
        "it says that it serves HTTP at {http}, and was reached at {dialled}: a token is not to go to another host; start it with --http {}",
        SocketAddr::new(dialled, http.port())
    ))
}

/// Whether an address is one of this machine's own: only those can be bound.
fn is_own_address(addr: IpAddr) -> bool {
    addr.to_canonical().is_loopback() || UdpSocket::bind((addr, 0)).is_ok()
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

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_node_is_scraped_where_it_can_be_reached_from_here() {
        let of = |at, http: Option<&str>, is_here| {
            target(http.map(addr), addr(at), is_here).map_err(|_| ())
        };
        let far = "192.0.2.9:4000";
        assert_eq!(of(far, None, false), Err(()), "no HTTP");
        let own = Some("127.0.0.1:4080");
        assert_eq!(of(far, own, false), Err(()), "another machine");
        let here = of("192.0.2.1:4000", own, true);
        assert_eq!(here, Ok(addr("127.0.0.1:4080")), "an address of this one");
        assert_eq!(of("127.0.0.1:4001", own, true), Ok(addr("127.0.0.1:4080")));
        let any = Some("0.0.0.0:4080");
        assert_eq!(of(far, any, false), Ok(addr("192.0.2.9:4080")));
        let same = Some("192.0.2.9:80");
        assert_eq!(of(far, same, false), Ok(addr("192.0.2.9:80")));
        let mapped = Some("[::ffff:192.0.2.9]:80");
        assert!(of(far, mapped, false).is_ok(), "the same address");
    }

    /// Whoever claims another host's address would be brought the token of all.
    #[test]
    fn no_other_host_is_scraped_than_the_one_that_was_dialled() {
        for claimed in ["198.51.100.5:4080", "[2001:db8::1]:80", "192.0.2.10:4000"] {
            for is_here in [true, false] {
                let made = target(Some(addr(claimed)), addr("192.0.2.9:4000"), is_here);
                let why = made.unwrap_err();
                assert!(why.contains(claimed) && why.contains("--http"), "{why}");
            }
        }
        assert!(is_own_address(addr("127.0.0.1:1").ip()));
        assert!(!is_own_address(addr("192.0.2.9:1").ip()), "for documents");
    }
}

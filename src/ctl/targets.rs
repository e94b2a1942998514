//! `p2pctl peers --prometheus`: all nodes of the network that serve metrics, as a file from which
//! Prometheus takes what to scrape (`file_sd_configs`).

mod list;

use super::args::PeersArgs;
use super::output::{Answer, Exit, count_of};
use super::{Asking, CtlError, proof};
use crate::crawl::{Crawler, NetworkView};
use list::{Group, Kept};
use overlay::Contact;
use serde_json::{Map, json};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// What became of the nodes.
#[derive(Debug, Default)]
struct Targets {
    all: Vec<SocketAddr>,
    /// Who is left out, and why.
    left_out: Vec<(Contact, String)>,
}

pub(super) async fn write(asking: Asking, args: &PeersArgs) -> Result<Answer, CtlError> {
    let old = match &args.out {
        Some(path) => {
            list::check_name(path)?;
            match args.forget {
                true => Vec::new(),
                false => list::read(path)?,
            }
        }
        None => Vec::new(),
    };
    let session = asking.open().await?;
    let first = session.addr();
    session.close().await;
    let config = proof::anonymous().map_err(|error| CtlError::Local(error.to_string()))?;
    let view = Crawler::new(config).crawl(first).await?;
    let targets = targets(&view, first);
    let overlay = view.nodes.values().next();
    let overlay = overlay.map_or("", |found| found.report.status.overlay.as_str());
    let now_s = crate::runtime::wall().0 / 1_000;
    let (groups, kept) = list::groups(overlay, &targets.all, &old, now_s);
    // Strings are always written.
    let mut file = serde_json::to_vec_pretty(&groups).unwrap_or_default();
    file.push(b'\n');
    let mut answer = answer(&view, &targets, &groups, &kept);
    match &args.out {
        Some(path) => list::replace(path, &file)?,
        None => answer.raw = Some(file.into()),
    }
    Ok(answer)
}

fn answer(view: &NetworkView, targets: &Targets, groups: &[Group], kept: &[Kept]) -> Answer {
    let left_out = targets.left_out.iter();
    let mut lines: Vec<String> = left_out
        .map(|(contact, why)| format!("left out: {contact}: {why}"))
        .collect();
    lines.extend(kept.iter().map(|Kept { target, silent_s }| {
        let since = humantime::format_duration(Duration::from_secs(*silent_s));
        format!("kept: {target}: silent for {since}; it stays for a day, or until --forget")
    }));
    if view.truncated {
        let most = crate::crawl::MAX_NODES;
        lines.push(format!(
            "the list is not whole: the network has more than {most} nodes, or took too long to answer"
        ));
    }
    lines.push(format!(
        "{} to scrape",
        count_of((targets.all.len() + kept.len()) as u64, "node")
    ));
    let left_out = targets.left_out.iter();
    let left_out = left_out.map(|(contact, why)| {
        json!({ "id": contact.id.to_string(), "addr": contact.addr.to_string(), "why": why })
    });
    let mut document = Map::new();
    document.insert("groups".to_owned(), json!(groups));
    document.insert("left_out".to_owned(), left_out.collect());
    document.insert("kept".to_owned(), json!(kept));
    document.insert("truncated".to_owned(), view.truncated.into());
    Answer::new(Exit::Done, document, lines.join("\n"))
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

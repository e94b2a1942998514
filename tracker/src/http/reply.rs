//! Writing the bodies of replies.

use crate::bencode::Writer;
use crate::ids::InfoHash;
use crate::table::Counts;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of an IPv4 peer in the compact form: address and port (BEP 23).
pub const STRIDE_V4: usize = 6;
/// Bytes of an IPv6 peer (BEP 7).
pub const STRIDE_V6: usize = 18;

/// What the answer to an announce says.
#[derive(Clone, Debug)]
pub struct AnnounceReply<'a> {
    /// Seconds until the client is to announce again.
    pub interval_s: u32,
    /// Seconds before which it must not.
    pub min_interval_s: u32,
    /// How many there are.
    pub counts: Counts,
    /// IPv4 peers, 6 bytes each.
    pub peers: &'a [u8],
    /// IPv6 peers, 18 bytes each.
    pub peers6: &'a [u8],
    /// The address that the tracker sees (BEP 24).
    pub external: IpAddr,
    /// What a person should read.
    pub warning: Option<&'a str>,
}

/// When a request that failed may be tried again (BEP 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryIn {
    /// The client decides.
    Unsaid,
    /// After so many minutes.
    Minutes(u32),
    /// Never: nothing that time could mend.
    Never,
}

/// Writes the answer to an announce: one dictionary, and nothing after it.
///
/// Deviation: peers in the long form have no `peer id`, whatever `no_peer_id` says. Keeping the ids
/// would double the memory of a peer for clients that do not exist any more.
pub fn write_announce(out: &mut Vec<u8>, reply: &AnnounceReply<'_>, compact: bool) {
    let mut writer = Writer::new(out);
    writer.dict();
    writer.bytes(b"complete").count(reply.counts.complete);
    writer.bytes(b"downloaded").count(reply.counts.downloaded);
    writer.bytes(b"external ip");
    match reply.external.to_canonical() {
        IpAddr::V4(ip) => writer.bytes(&ip.octets()),
        IpAddr::V6(ip) => writer.bytes(&ip.octets()),
    };
    writer.bytes(b"incomplete").count(reply.counts.incomplete);
    writer.bytes(b"interval").count(reply.interval_s.into());
    writer
        .bytes(b"min interval")
        .count(reply.min_interval_s.into());
    writer.bytes(b"peers");
    if compact {
        writer.bytes(reply.peers);
        if !reply.peers6.is_empty() {
            writer.bytes(b"peers6").bytes(reply.peers6);
        }
    } else {
        writer.list();
        reply
            .peers
            .chunks_exact(STRIDE_V4)
            .for_each(|peer| long_form(&mut writer, peer));
        reply
            .peers6
            .chunks_exact(STRIDE_V6)
            .for_each(|peer| long_form(&mut writer, peer));
        writer.end();
    }
    if let Some(warning) = reply.warning {
        writer.bytes(b"warning message").bytes(warning.as_bytes());
    }
    writer.end();
}

/// A peer as a dictionary (BEP 3).
fn long_form(writer: &mut Writer<'_>, peer: &[u8]) {
    let Some((ip, &[high, low])) = peer.split_last_chunk::<2>() else {
        return;
    };
    let ip = if let Ok(octets) = <[u8; 4]>::try_from(ip) {
        IpAddr::V4(Ipv4Addr::from(octets))
    } else if let Ok(octets) = <[u8; 16]>::try_from(ip) {
        IpAddr::V6(Ipv6Addr::from(octets))
    } else {
        return;
    };
    writer.dict().bytes(b"ip").bytes(ip.to_string().as_bytes());
    let port = u16::from_be_bytes([high, low]);
    writer.bytes(b"port").count(port.into()).end();
}

/// Writes the answer to a scrape (BEP 48, with `downloaders` of BEP 21). A hash that was asked for
/// twice is answered once.
pub fn write_scrape(out: &mut Vec<u8>, files: &mut Vec<(InfoHash, Counts)>) {
    files.sort_by_key(|(hash, _)| *hash);
    files.dedup_by_key(|(hash, _)| *hash);
    let mut writer = Writer::new(out);
    writer.dict().bytes(b"files").dict();
    for (hash, counts) in files {
        writer.bytes(&hash.0).dict();
        writer.bytes(b"complete").count(counts.complete);
        writer.bytes(b"downloaded").count(counts.downloaded);
        writer.bytes(b"downloaders").count(counts.downloaders);
        writer.bytes(b"incomplete").count(counts.incomplete);
        writer.end();
    }
    writer.end().end();
}

/// Writes the answer to a request that cannot be served.
pub fn write_failure(out: &mut Vec<u8>, reason: &str, retry: RetryIn) {
    let mut writer = Writer::new(out);
    writer
        .dict()
        .bytes(b"failure reason")
        .bytes(reason.as_bytes());
    match retry {
        RetryIn::Unsaid => {}
        RetryIn::Minutes(minutes) => {
            // A string, as the examples of BEP 31 have it.
            writer
                .bytes(b"retry in")
                .bytes(minutes.max(1).to_string().as_bytes());
        }
        RetryIn::Never => {
            writer.bytes(b"retry in").bytes(b"never");
        }
    }
    writer.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bencode::{Order, Value, read};

    fn reply() -> AnnounceReply<'static> {
        AnnounceReply {
            interval_s: 1_800,
            min_interval_s: 300,
            counts: Counts {
                complete: 3,
                incomplete: 2,
                downloaders: 1,
                downloaded: 9,
            },
            peers: &[127, 0, 0, 1, 0x1a, 0xe1],
            peers6: &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80],
            external: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
            warning: None,
        }
    }

    #[test]
    fn an_answer_is_one_canonical_dictionary() {
        let mut out = Vec::new();
        write_announce(&mut out, &reply(), true);
        let value = read(&out, Order::Sorted).unwrap();
        let number = |key: &[u8]| value.get(key).and_then(Value::int);
        assert_eq!(number(b"complete"), Some(3));
        assert_eq!(number(b"incomplete"), Some(2));
        assert_eq!(number(b"downloaded"), Some(9));
        assert_eq!(number(b"interval"), Some(1_800));
        assert_eq!(number(b"min interval"), Some(300));
        let bytes = |key: &[u8]| value.get(key).and_then(Value::bytes);
        assert_eq!(bytes(b"peers").map(<[u8]>::len), Some(STRIDE_V4));
        assert_eq!(bytes(b"peers6").map(<[u8]>::len), Some(STRIDE_V6));
        assert_eq!(bytes(b"external ip"), Some(&[192, 0, 2, 7][..]));
    }

    #[test]
    fn the_long_form_lists_both_families() {
        let mut out = Vec::new();
        let warning = AnnounceReply {
            warning: Some("soon full"),
            ..reply()
        };
        write_announce(&mut out, &warning, false);
        let value = read(&out, Order::Sorted).unwrap();
        let peers = value.get(b"peers").and_then(Value::list).unwrap();
        let ips: Vec<_> = peers
            .iter()
            .filter_map(|peer| peer.get(b"ip")?.bytes())
            .collect();
        assert_eq!(ips, [&b"127.0.0.1"[..], b"::1"]);
        assert_eq!(peers[1].get(b"port").and_then(Value::int), Some(80));
        assert!(value.get(b"warning message").is_some());
    }

    #[test]
    fn a_swarm_without_peers_has_an_empty_list() {
        let mut out = Vec::new();
        let empty = AnnounceReply {
            peers: &[],
            peers6: &[],
            ..reply()
        };
        write_announce(&mut out, &empty, true);
        let value = read(&out, Order::Sorted).unwrap();
        assert_eq!(value.get(b"peers").and_then(Value::bytes), Some(&b""[..]));
        assert_eq!(value.get(b"peers6"), None);
    }

    #[test]
    fn scrapes_are_sorted_and_failures_say_when_to_try_again() {
        let mut out = Vec::new();
        let (low, high) = (InfoHash([1; 20]), InfoHash([2; 20]));
        let counts = reply().counts;
        write_scrape(
            &mut out,
            &mut vec![(high, counts), (low, counts), (high, counts)],
        );
        let value = read(&out, Order::Sorted).unwrap();
        let file = value
            .get(b"files")
            .and_then(|files| files.get(&low.0))
            .unwrap();
        assert_eq!(file.get(b"downloaders").and_then(Value::int), Some(1));
        out.clear();
        write_failure(&mut out, "full", RetryIn::Minutes(0));
        assert_eq!(out, b"d14:failure reason4:full8:retry in1:1e");
        out.clear();
        write_failure(&mut out, "no", RetryIn::Never);
        assert_eq!(out, b"d14:failure reason2:no8:retry in5:nevere");
    }
}

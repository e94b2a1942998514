//! Targets as real clients write them, and every way to write them wrong.

use super::*;

const HASH: &str = "%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";

fn target(more: &str) -> String {
    format!("/announce?info_hash={HASH}&peer_id=-TR4000-abcdefghijkl&port=6881&left=7{more}")
}

fn announced(target: &str) -> Announce {
    match parse(target.as_bytes()) {
        Ok(Request::Announce { announce, .. }) => announce,
        other => panic!("{other:?}"),
    }
}

fn fails(target: &str) -> RequestError {
    parse(target.as_bytes()).expect_err(target)
}

#[test]
fn an_announce_of_transmission_is_read() {
    let text = target(
        "&uploaded=1&downloaded=2&numwant=80&key=6F5A0E1B&compact=1&supportcrypto=1&event=started",
    );
    let announce = announced(&text);
    assert_eq!(announce.info_hash.0[..3], [0x12, 0x34, 0x56]);
    assert_eq!(announce.peer_id.0, *b"-TR4000-abcdefghijkl");
    assert_eq!(announce.port.map(NonZeroU16::get), Some(6881));
    assert_eq!(
        (announce.uploaded, announce.downloaded, announce.left),
        (1, 2, 7)
    );
    assert_eq!(announce.event, Event::Started);
    assert_eq!(announce.key, Some(0x6f5a_0e1b));
    assert_eq!(announce.numwant, Some(80));
    assert!(!announce.is_seed());
}

#[test]
fn aria2_may_leave_the_port_out() {
    let text = format!("/announce?info_hash={HASH}&peer_id=A2-1-36-0-%00bcdefghij&left=0");
    let announce = announced(&text);
    assert_eq!(announce.port, None);
    assert!(announce.is_seed());
}

#[test]
fn passkeys_are_before_or_after() {
    let key = |target: String| match parse(target.as_bytes()) {
        Ok(Request::Announce { passkey, .. } | Request::Scrape { passkey, .. }) => passkey,
        Err(error) => panic!("{error}"),
    };
    let plain = target("");
    assert_eq!(key(plain.clone()), None);
    assert_eq!(key(format!("/secret{plain}")), Some(b"secret".to_vec()));
    let after = plain.replace("/announce", "/announce/secret");
    assert_eq!(key(after), Some(b"secret".to_vec()));
    assert_eq!(
        key(format!("/secret/scrape?info_hash={HASH}")),
        Some(b"secret".to_vec())
    );
}

#[test]
fn each_mistake_has_its_own_error_that_names_the_parameter() {
    let cases = [
        ("/", RequestError::Path),
        ("announce", RequestError::Path),
        ("/a/b/announce", RequestError::Path),
        ("//announce", RequestError::Passkey),
        ("/announce", RequestError::Missing("left")),
        ("/announce?left=1", RequestError::Missing("info_hash")),
        ("/scrape", RequestError::Missing("info_hash")),
    ];
    for (text, error) in cases {
        assert_eq!(fails(text), error, "{text}");
    }
    let more = [
        ("&left=8", RequestError::Repeated("left")),
        ("&port=1", RequestError::Repeated("port")),
        (
            "&event=paused&event=paused",
            RequestError::Repeated("event"),
        ),
        ("&uploaded=-1", RequestError::Negative("uploaded")),
        ("&downloaded=x", RequestError::Number("downloaded")),
        (
            "&uploaded=18446744073709551616",
            RequestError::Number("uploaded"),
        ),
        (
            "&uploaded=999999999999999999999",
            RequestError::Number("uploaded"),
        ),
        ("&numwant=+1", RequestError::Number("numwant")),
        ("&event=begun", RequestError::Event),
    ];
    for (text, error) in more {
        let said = fails(&target(text));
        assert_eq!(said, error, "{text}");
    }
    let hash = RequestError::Length {
        name: "info_hash",
        length: 19,
    };
    let short = target("").replace(HASH, "1234567890123456789");
    assert_eq!(fails(&short), hash);
    assert!(hash.to_string().contains("info_hash has 19 bytes"));
    assert_eq!(
        fails(&target("").replace(HASH, "%1")),
        RequestError::Escape("info_hash")
    );
    assert_eq!(
        fails(&target("").replace("6881", "0")),
        RequestError::PortZero
    );
    assert_eq!(
        fails(&target("").replace("6881", "65536")),
        RequestError::Number("port")
    );
    assert_eq!(
        fails(&target("").replace("left=7", "left=-7")),
        RequestError::Negative("left")
    );
}

#[test]
fn numwant_may_be_negative_and_addresses_may_be_names() {
    assert_eq!(announced(&target("&numwant=-1")).numwant, None);
    assert_eq!(
        announced(&target("&numwant=99999999999")).numwant,
        Some(u32::MAX)
    );
    assert_eq!(announced(&target("&ip=example.org")).claimed_ip, None);
    let claimed = announced(&target("&ipv6=2001%3Adb8%3A%3A1")).claimed_ip;
    assert_eq!(claimed, "2001:db8::1".parse().ok());
}

#[test]
fn libtorrent_names_each_of_its_global_addresses() {
    let text = target(
        "&uploaded=0&downloaded=0&corrupt=0&key=9D4C0E21&event=started&numwant=200&compact=1\
         &no_peer_id=1&supportcrypto=1&redundant=0&ipv4=192.0.2.1&ipv4=192.0.2.2\
         &ipv6=2001%3Adb8%3A%3A1&ipv6=2001%3Adb8%3A%3A2&ipv6=2001%3Adb8%3A1%3A%3A1",
    );
    let announce = announced(&text);
    assert_eq!(announce.claimed_ip, "192.0.2.1".parse().ok(), "the first");
    assert_eq!(announce.event, Event::Started);
    let both = announced(&target("&ip=192.0.2.1&ip=192.0.2.2&ipv6=2001:db8::1"));
    assert_eq!(both.claimed_ip, "192.0.2.1".parse().ok());
    assert_eq!(
        fails(&target("&ipv6=::1&ipv6=::2&key=1&key=2")),
        RequestError::Repeated("key")
    );
}

#[test]
fn keys_that_are_no_number_still_tell_clients_apart() {
    let key = |text: &str| announced(&target(text)).key;
    assert_eq!(key("&key=0"), None);
    assert_eq!(key(""), None);
    assert_ne!(key("&key=zebra"), key("&key=zebrb"));
    assert!(key("&key=zebra").is_some());
}

#[test]
fn a_scrape_of_ten_thousand_hashes_is_refused() {
    let ask = |count: usize| format!("/scrape?{}", format!("info_hash={HASH}&").repeat(count));
    assert_eq!(fails(&ask(10_000)), RequestError::TooManyHashes);
    match parse(ask(MAX_SCRAPE_HASHES).as_bytes()) {
        Ok(Request::Scrape { hashes, .. }) => assert_eq!(hashes.len(), MAX_SCRAPE_HASHES),
        other => panic!("{other:?}"),
    }
}

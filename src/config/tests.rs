//! What flags, environment and files come to.

use super::*;

fn with_file(text: &str, mut args: NodeArgs) -> Result<Settings, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    args.config = Some(file.path().to_owned());
    args.settle()
}

#[test]
fn flags_go_over_the_file_and_the_file_over_defaults() {
    let args = NodeArgs {
        listen: Some("127.0.0.1:1".parse().unwrap()),
        ..Default::default()
    };
    let text = "listen = '127.0.0.1:2'\nhttp = 'off'\njoin = ['a:1', 'b:2']\nlog-format = 'json'";
    let settings = with_file(text, args).unwrap();
    assert_eq!(settings.node.listen.port(), 1);
    assert_eq!(settings.node.http, None);
    assert_eq!(settings.node.join, ["a:1", "b:2"]);
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.log, "info");
}

#[test]
fn quorums_are_checked_and_follow_the_number_of_replicas() {
    let settings = with_file("replicas = 1", NodeArgs::default()).unwrap();
    let Quorums { write, read, .. } = settings.node.quorums;
    assert_eq!((write, read), (1, 1));
    let args = NodeArgs {
        write_quorum: Some(4),
        ..Default::default()
    };
    let text = with_file("replicas = 3", args).unwrap_err().to_string();
    assert!(text.contains("--write-quorum"), "{text}");
}

#[test]
fn an_unknown_key_is_named_with_the_known_ones() {
    let error = with_file("overlay = 'chord'\nlisten-on = 1", NodeArgs::default()).unwrap_err();
    let text = error.to_string();
    for part in ["line 2", "listen-on", "`listen`", "`data-dir`"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn sizes_come_from_the_file_too() {
    let settings = with_file("max-store = '2MiB'", NodeArgs::default()).unwrap();
    assert_eq!(settings.node.max_store, Some(2 << 20));
    let settings = with_file("repair-rate = '1MiB'", NodeArgs::default()).unwrap();
    assert_eq!(settings.node.repair_rate, Some(1 << 20));
    assert!(parse_rate("63KiB").unwrap_err().contains("64KiB"));
}

#[test]
fn a_wrong_value_is_named() {
    let text = with_file("http = 'yes'", NodeArgs::default())
        .unwrap_err()
        .to_string();
    assert!(text.contains("line 1") && text.contains("yes"), "{text}");
}

#[test]
fn the_tracker_is_off_until_it_is_given_an_address() {
    let settings = with_file("", NodeArgs::default()).unwrap();
    assert_eq!(settings.node.tracker.http, None);
    assert_eq!(settings.node.tracker.udp, None);
    let text = "tracker-http = '127.0.0.1:6969'\ntracker-udp = '127.0.0.1:6969'";
    let settings = with_file(text, NodeArgs::default()).unwrap();
    assert_eq!(settings.node.tracker.http, "127.0.0.1:6969".parse().ok());
    assert_eq!(settings.node.tracker.udp, settings.node.tracker.http);
}

#[test]
fn gotorrents_intervals_can_be_said() {
    let text = "announce-interval = '10s'\npeer-expiry = '10500ms'\ndefault-numwant = 3";
    let config = with_file(text, NodeArgs::default())
        .unwrap()
        .node
        .tracker
        .config;
    assert_eq!(
        (config.interval_ms, config.expiry_ms, config.default_numwant),
        (10_000, 10_500, 3)
    );
    // Without an expiry of its own, half as long again as the interval.
    let config = with_file("announce-interval = '10s'", NodeArgs::default()).unwrap();
    assert_eq!(config.node.tracker.config.expiry_ms, 15_000);
    // Clients are told whole seconds.
    for (interval, expiry_ms) in [("500ms", 1_500), ("1500ms", 3_000)] {
        let text = format!("announce-interval = '{interval}'");
        let config = with_file(&text, NodeArgs::default()).unwrap();
        assert_eq!(config.node.tracker.config.expiry_ms, expiry_ms);
    }
    for (interval, expiry, least) in [("500ms", "750ms", "1000ms"), ("10s", "9900ms", "10000ms")] {
        let text = format!("announce-interval = '{interval}'\npeer-expiry = '{expiry}'");
        let error = with_file(&text, NodeArgs::default())
            .unwrap_err()
            .to_string();
        let words = format!("set peer-expiry to {least} or more");
        assert!(error.contains(&words), "{error}");
    }
    let text = "announce-interval = '10s'\npeer-expiry = '10s'";
    assert!(
        with_file(text, NodeArgs::default()).is_ok(),
        "the assignment's"
    );
    for wrong in ["'10'", "'0s'", "'8days'", "10"] {
        let text = format!("peer-expiry = {wrong}");
        assert!(with_file(&text, NodeArgs::default()).is_err(), "{wrong}");
    }
}

#[test]
fn a_location_is_read_from_the_file_and_a_wrong_one_is_named() {
    let settings = with_file("location = 'dc1/rack7'", NodeArgs::default()).unwrap();
    let location = settings.node.tracker.config.location;
    assert_eq!(
        location.map(|place| place.to_string()).as_deref(),
        Some("dc1/rack7")
    );
    for wrong in ["", "dc1//rack7", "/dc1", "dc 1", "a/b/c/d/e/f/g/h/i"] {
        let text = with_file(&format!("location = '{wrong}'"), NodeArgs::default());
        let text = text.unwrap_err().to_string();
        assert!(text.contains("is no place; write up to 8 parts"), "{text}");
    }
}

#[test]
fn proxies_are_believed_only_with_a_header_and_an_address() {
    let text = "tracker-proxy-header = 'X-Forwarded-For'\ntracker-trusted-proxy = ['10.0.0.0/8']";
    let settings = with_file(text, NodeArgs::default()).unwrap();
    let proxies = settings.node.tracker.proxies;
    assert_eq!(proxies.header(), Some("x-forwarded-for"));
    assert!(proxies.trusts("10.1.2.3".parse().unwrap()));
    for half in text.lines() {
        let error = with_file(half, NodeArgs::default()).unwrap_err();
        assert!(error.to_string().contains("belong together"), "{error}");
    }
    for wrong in [
        "tracker-proxy-header = 'a b'",
        "tracker-trusted-proxy = ['10.0.0.1/8']",
    ] {
        assert!(with_file(wrong, NodeArgs::default()).is_err(), "{wrong}");
    }
    assert!(!settings.node.tracker.config.believe_addresses);
}

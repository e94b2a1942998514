//! Every decoder, with whatever: it never panics, and what is written is read back.

use proptest::prelude::*;
use tracker::bencode::{Order, Writer, read, read_prefix};
use tracker::metainfo::{Description, Metainfo};
use tracker::place::Places;
use tracker::{http, krpc, rules, udp};

/// Bencoded values, some levels deep.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let string = prop::collection::vec(any::<u8>(), 0..20);
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| written(|writer| {
            writer.int(number);
        })),
        string.clone().prop_map(|bytes| written(|writer| {
            writer.bytes(&bytes);
        })),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| [
                &b"l"[..],
                &items.concat(),
                b"e"
            ]
            .concat()),
            prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..9), inner, 0..6)
                .prop_map(|entries| {
                    let mut out = b"d".to_vec();
                    for (key, value) in entries {
                        Writer::new(&mut out).bytes(&key);
                        out.extend(value);
                    }
                    out.push(b'e');
                    out
                }),
        ]
    })
}

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out));
    out
}

/// Text that looks like the target of a request now and then.
fn target() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"/announce?".to_vec()),
        Just(b"/scrape?".to_vec()),
        Just(b"&info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A".to_vec()),
        Just(b"&peer_id=-TR4000-abcdefghijkl".to_vec()),
        Just(b"&left=".to_vec()),
        Just(b"&event=".to_vec()),
        Just(b"&port=".to_vec()),
        Just(b"%".to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn bencoded_documents_are_read_back_exactly(bytes in document()) {
        let value = read(&bytes, Order::Sorted).expect("canonical");
        let mut again = Vec::new();
        value.write(&mut again);
        prop_assert_eq!(&again, &bytes);
        // What is cut off or goes on is no document.
        for end in 0..bytes.len() {
            prop_assert!(read(&bytes[..end], Order::Sorted).is_err());
        }
        let more = [&bytes[..], b"0:"].concat();
        prop_assert!(read(&more, Order::Sorted).is_err());
        let (prefix, rest) = read_prefix(&more, Order::Sorted).expect("a document in front");
        prop_assert_eq!((prefix, rest), (value, &b"0:"[..]));
    }

    #[test]
    fn what_is_read_is_canonical(bytes in prop::collection::vec(prop_oneof![Just(b'd'), Just(b'l'), Just(b'e'), Just(b'i'), Just(b'1'), Just(b'0'), Just(b':'), any::<u8>()], 0..40)) {
        if let Ok(value) = read(&bytes, Order::Sorted) {
            let mut again = Vec::new();
            value.write(&mut again);
            prop_assert_eq!(again, bytes);
        } else {
            let _ = read(&bytes, Order::Any);
        }
    }

    #[test]
    fn targets_of_any_kind_do_no_harm(target in target()) {
        let _ = http::parse(&target);
    }

    #[test]
    fn datagrams_of_any_kind_do_no_harm(
        action in 0_u8..5,
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = udp::parse(&bytes);
        if let Some(head) = bytes.get_mut(8..12) {
            head.copy_from_slice(&[0, 0, 0, action]);
        }
        if let Some(event) = bytes.get_mut(80..84) {
            event.copy_from_slice(&[0, 0, 0, action]);
        }
        let _ = udp::parse(&bytes);
    }

    #[test]
    fn messages_items_and_torrents_of_any_kind_do_no_harm(
        fields in document(),
        name in prop_oneof![Just("ping"), Just("get_peers"), Just("announce_peer"), Just("get"), Just("put"), Just("sample_infohashes")],
        place in 0_usize..1_000,
        byte in any::<u8>(),
    ) {
        let mut question = b"d1:a".to_vec();
        question.extend(&fields);
        question.extend(format!("1:q{}:{name}1:t2:zz1:y1:qe", name.len()).bytes());
        let mut torrent = b"d4:info".to_vec();
        torrent.extend(&fields);
        torrent.push(b'e');
        for mut bytes in [fields, question, torrent] {
            for _ in 0..2 {
                let _ = (krpc::parse(&bytes), Metainfo::parse(&bytes));
                if let Some(item) = krpc::decode_item(&bytes) {
                    prop_assert_eq!(krpc::decode_item(&item.encode()), Some(item));
                }
                let _ = Description::decode(&String::from_utf8_lossy(&bytes));
                let place = place % bytes.len();
                bytes[place] = byte;
            }
        }
    }

    #[test]
    fn lists_and_tables_of_any_kind_do_no_harm(text in "[ -~\\n]{0,60}") {
        let _ = (Places::parse(&text), Places::parse(&format!("{{{text}")));
        let _ = (rules::parse_hashes(&text), rules::parse_clients(&text));
        let _ = rules::parse_passkeys(&text);
    }
}

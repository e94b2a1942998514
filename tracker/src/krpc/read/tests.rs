//! The packets of BEP 5, and every way to write them wrong.

use super::*;
use proptest::prelude::*;

fn written(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out);
    out
}

fn asks(query: Query) -> Message {
    Message {
        transaction: b"aa".to_vec(),
        version: None,
        seen_at: None,
        read_only: false,
        body: Body::Query {
            id: *b"abcdefghij0123456789",
            query,
            want: Want::default(),
        },
    }
}

#[test]
fn the_packets_of_bep_5_are_read_and_written() {
    let target = *b"mnopqrstuvwxyz123456";
    for (packet, query) in [
        (&b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"[..], Query::Ping),
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
            Query::FindNode { target },
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
            Query::GetPeers { info_hash: InfoHash(target), noseed: false },
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234566:noseedi1ee1:q9:get_peers1:t2:aa1:y1:qe",
            Query::GetPeers { info_hash: InfoHash(target), noseed: true },
        ),
    ] {
        assert_eq!(parse(packet), Ok(asks(query.clone())));
        assert_eq!(written(&asks(query)), packet);
    }
    let announce = b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe";
    let expected = asks(Query::AnnouncePeer {
        info_hash: InfoHash(target),
        port: None,
        token: b"aoeusnth".to_vec(),
        seed: false,
    });
    assert_eq!(parse(announce), Ok(expected));
    let peers = b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re";
    let Ok(Message {
        body: Body::Reply(reply),
        ..
    }) = parse(peers)
    else {
        panic!("no reply");
    };
    assert_eq!(reply.values.len(), 2);
    assert_eq!(reply.token.as_deref(), Some(&b"aoeusnth"[..]));
    let error = b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee";
    assert_eq!(written(&parse(error).unwrap()), error);
}

#[test]
fn questions_that_make_no_sense_are_answered_with_their_code() {
    let code = |packet: &[u8]| match parse(packet) {
        Err(KrpcError::Query {
            transaction, code, ..
        }) => {
            assert_eq!(transaction, b"aa");
            code
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(code(b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe"), 203);
    assert_eq!(code(b"d1:q4:ping1:t2:aa1:y1:qe"), 203);
    assert_eq!(
        code(b"d1:ad2:id20:abcdefghij0123456789e1:q4:pong1:t2:aa1:y1:qe"),
        204
    );
    let put = |more: &str| format!("d1:ad2:id20:abcdefghij0123456789{more}e1:q3:put1:t2:aa1:y1:qe");
    let large = format!("5:token1:x1:v1100:{}", "a".repeat(1_100));
    assert_eq!(code(put(&large).as_bytes()), 205);
    let salt = format!(
        "1:k32:{}4:salt65:{}5:token1:x1:v1:a",
        "k".repeat(32),
        "s".repeat(65)
    );
    assert_eq!(code(put(&salt).as_bytes()), 207);
}

#[test]
fn deep_nesting_and_long_datagrams_are_no_messages() {
    let deep = [vec![b'l'; 700], vec![b'e'; 700]].concat();
    assert_eq!(parse(&deep), Err(KrpcError::Bencode(Malformed::TooDeep)));
    let hidden = [&b"d1:ad2:id"[..], &deep, b"e1:q4:ping1:t2:aa1:y1:qe"].concat();
    assert_eq!(parse(&hidden), Err(KrpcError::Bencode(Malformed::TooDeep)));
    assert!(matches!(
        parse(&vec![b'd'; 2_000]),
        Err(KrpcError::Message(_))
    ));
    let long = format!("d1:t100:{}1:y1:qe", "t".repeat(100));
    assert!(matches!(parse(long.as_bytes()), Err(KrpcError::Message(_))));
}

fn addr() -> impl Strategy<Value = SocketAddr> {
    (any::<[u8; 4]>(), 1_u16..).prop_map(|(ip, port)| SocketAddr::new(IpAddr::from(ip), port))
}

fn addr6() -> impl Strategy<Value = SocketAddr> {
    (any::<[u8; 16]>(), 1_u16..).prop_map(|(ip, port)| SocketAddr::new(IpAddr::from(ip), port))
}

fn an_item() -> impl Strategy<Value = Item> {
    let value = prop_oneof![
        Just(b"12:Hello World!".to_vec()),
        Just(b"d1:ai1e1:blee".to_vec())
    ];
    prop_oneof![
        value.clone().prop_map(|value| Item::Immutable { value }),
        (value, any::<[u8; 32]>(), 0..i64::MAX, any::<[u8; 32]>()).prop_map(
            |(value, key, seq, half)| Item::Mutable {
                value,
                key,
                salt: Vec::new(),
                seq,
                signature: [half, half].concat().try_into().unwrap(),
            }
        ),
    ]
}

fn query_strategy() -> impl Strategy<Value = Query> {
    let id = || any::<NodeId>();
    let token = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        Just(Query::Ping),
        id().prop_map(|target| Query::FindNode { target }),
        (id(), any::<bool>()).prop_map(|(hash, noseed)| Query::GetPeers {
            info_hash: InfoHash(hash),
            noseed,
        }),
        id().prop_map(|target| Query::SampleInfohashes { target }),
        (id(), any::<Option<i64>>())
            .prop_map(|(target, newer_than)| Query::Get { target, newer_than }),
        (
            id(),
            prop::option::of(1_u16..),
            token.clone(),
            any::<bool>()
        )
            .prop_map(|(hash, port, token, seed)| Query::AnnouncePeer {
                info_hash: InfoHash(hash),
                port,
                token,
                seed,
            }),
        (an_item(), any::<Option<i64>>(), token).prop_map(|(item, cas, token)| Query::Put {
            item: Box::new(item),
            cas,
            token,
        }),
    ]
}

fn reply_strategy() -> impl Strategy<Value = Reply> {
    let nodes = prop::option::of(prop::collection::vec((any::<NodeId>(), addr()), 0..9));
    let nodes6 = prop::option::of(prop::collection::vec((any::<NodeId>(), addr6()), 0..9));
    let values = prop::collection::vec(prop_oneof![addr(), addr6()], 0..20);
    let samples = prop::option::of(prop::collection::vec(
        any::<NodeId>().prop_map(InfoHash),
        0..9,
    ));
    let token = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    (
        any::<NodeId>(),
        nodes,
        nodes6,
        values,
        token,
        prop::option::of(an_item()),
        samples,
    )
        .prop_map(|(id, nodes, nodes6, values, token, item, samples)| Reply {
            id,
            nodes,
            nodes6,
            values,
            token,
            item: item.map(Box::new),
            seq: None,
            interval_s: samples.as_ref().map(|_| 60),
            num: samples.as_ref().map(|samples| samples.len() as i64),
            samples,
        })
}

proptest! {
    #[test]
    fn messages_are_read_back(
        transaction in prop::collection::vec(any::<u8>(), 0..MAX_TRANSACTION_BYTES),
        query in query_strategy(),
        reply in reply_strategy(),
        (n4, n6, read_only) in any::<(bool, bool, bool)>(),
        seen_at in prop::option::of(addr()),
    ) {
        let id = [7; 20];
        let bodies = [
            Body::Query { id, query, want: Want { n4, n6 } },
            Body::Reply(Box::new(reply)),
            Body::Error { code: 201, text: "x".to_owned() },
        ];
        for body in bodies {
            let message = Message {
                transaction: transaction.clone(),
                version: Some(b"P2\0\x01".to_vec()),
                seen_at,
                read_only,
                body,
            };
            let bytes = written(&message);
            prop_assert!(read(&bytes, Order::Sorted).is_ok(), "keys are sorted");
            if bytes.len() <= MAX_DATAGRAM_BYTES {
                prop_assert_eq!(parse(&bytes), Ok(message));
            }
        }
    }

    #[test]
    fn datagrams_of_any_kind_do_no_harm(
        query in query_strategy(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let _ = parse(&noise);
        let mut bytes = written(&asks(query));
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = parse(&bytes);
    }
}

#[test]
fn a_failure_is_cut_to_the_length_of_its_question() {
    let failure = |text: &str| Message {
        transaction: b"aa".to_vec(),
        version: None,
        seen_at: None,
        read_only: false,
        body: Body::Error {
            code: 203,
            text: text.to_owned(),
        },
    };
    let (mut least, mut whole) = (Vec::new(), Vec::new());
    failure("").write(&mut least);
    failure("the token is wr\u{f6}ng").write(&mut whole);
    for most in 0..whole.len() + 2 {
        let mut out = b"before".to_vec();
        let fits = failure("the token is wr\u{f6}ng").write_within(most, &mut out);
        let written = out.split_off(6);
        assert_eq!(out, b"before");
        assert!(written.len() <= most && fits != written.is_empty());
        assert_eq!(fits, most >= least.len(), "{most}");
        match parse(&written).map(|message| message.body) {
            Ok(Body::Error { code, text }) => {
                assert_eq!(code, 203);
                assert!("the token is wr\u{f6}ng".starts_with(&text));
            }
            other => assert!(!fits, "{other:?}"),
        }
    }
    let reply = Message {
        body: Body::Reply(Box::default()),
        ..failure("")
    };
    assert!(
        !reply.write_within(10, &mut Vec::new()),
        "an answer is not cut"
    );
}

//! The wire: what is encoded is decoded, and nothing that is not a message ever panics.

use overlay::lookup::{LookupId, LookupMessage, RoutingMessage};
use overlay::wire::{DecodeError, MAX_MESSAGE_BYTES, decode, encode};
use overlay::{Contact, Hlc, Id, Item, Record, Slot, Version, WallMs};
use proptest::prelude::*;
use smallvec::SmallVec;

type Message = RoutingMessage<Item>;

fn item(body: Option<Vec<u8>>, wall: u64, holder: bool) -> Item {
    let addr = "[2001:db8::1]:4000".parse().expect("an address");
    Item {
        key: Id::of(b"key"),
        slot: if holder {
            Slot::Holder(addr)
        } else {
            Slot::Value
        },
        record: Record {
            version: Version {
                clock: Hlc::at(WallMs(wall)),
                writer: Id::of(b"writer"),
            },
            body: body.map(Into::into),
            expires: holder.then_some(WallMs(wall)),
        },
    }
}

proptest! {
    #[test]
    fn items_come_back(body in any::<Option<Vec<u8>>>(), wall in 0_u64..1 << 47, holder: bool) {
        let message = Message::Router(item(body, wall, holder));
        prop_assert_eq!(decode::<Message>(&encode(&message)), Ok(message));
    }

    #[test]
    fn garbage_is_an_error_or_a_message(bytes in any::<Vec<u8>>()) {
        // Whatever decodes must encode to the same bytes or to a shorter form of them.
        if let Ok(message) = decode::<Message>(&bytes) {
            prop_assert!(encode(&message).len() <= bytes.len());
        }
    }

    #[test]
    fn a_truncated_message_is_an_error(cut in 0_usize..40) {
        let bytes = encode(&Message::Router(item(Some(vec![7; 40]), 1, false)));
        prop_assert!(decode::<Message>(&bytes[..bytes.len() - 1 - cut]).is_err());
    }
}

#[test]
fn bytes_after_a_message_are_an_error() {
    let mut bytes = encode(&Message::Lookup(LookupMessage::Taken { hop: 5 }));
    bytes.push(0);
    assert!(matches!(
        decode::<Message>(&bytes),
        Err(DecodeError::Malformed(_))
    ));
}

#[test]
fn a_length_that_promises_too_much_allocates_nothing() {
    // A body that claims 2^60 bytes: the decoder's limit refuses it before it makes room.
    let mut bytes = encode(&Message::Router(item(Some(Vec::new()), 1, false)));
    let at = bytes.len() - 2;
    bytes.splice(at..=at, [253, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    assert!(decode::<Message>(&bytes).is_err());
    assert_eq!(
        decode::<Message>(&vec![0; MAX_MESSAGE_BYTES + 1]),
        Err(DecodeError::TooLong(MAX_MESSAGE_BYTES + 1))
    );
}

#[test]
fn a_list_that_promises_too_much_is_read_before_room_is_made() {
    // Found by fuzzing: `SmallVec` made room for the promised number before it read anything, and
    // said so when there was none. Where there was, 13 bytes took 64 GiB.
    let message = RoutingMessage::<Item>::Lookup(LookupMessage::DeadEnd {
        lookup: LookupId(1),
        timeouts: 0,
        avoid: SmallVec::new(),
    });
    let mut bytes = encode(&message);
    assert_eq!(decode::<Message>(&bytes), Ok(message));
    bytes.pop();
    bytes.extend([253, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    let error = decode::<Message>(&bytes).unwrap_err().to_string();
    assert!(error.contains("UnexpectedEnd"), "{error}");
}

#[test]
fn a_small_message_is_small() {
    let addr = "127.0.0.1:4000".parse().expect("an address");
    let contact = Contact {
        id: Id::of(b"node"),
        addr,
    };
    assert_eq!(
        encode(&contact).len(),
        21 + 1 + 4 + 3,
        "id with its length, family, address, port"
    );
}

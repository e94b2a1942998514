//! How a record is written: its place as the engine's key, the rest with a checksum as the value.
//!
//! A place is the id, a tag and the address if it is of a holder, so that places sort as bytes as they do
//! as values. A record is a checksum, the version, the end, the length and the body.

use bytes::Bytes;
use dht::Meta;
use overlay::{Hlc, Id, MAX_VALUE_BYTES, Slot, Version, WallMs};
use smallvec::SmallVec;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use xxhash_rust::xxh3::Xxh3;

/// Where a record belongs.
pub(super) type Place = (Id, Slot);

/// The engine's key of a place; on the stack for values and IPv4 holders.
pub(super) type PlaceBytes = SmallVec<[u8; 48]>;

/// Longest body that is written with its record. Longer ones are kept apart, so that opening a
/// store does not read them.
pub(super) const INLINE_BODY_BYTES: u32 = 256;

/// What a record costs beside its body: key, header, and the engine's share for both.
pub(super) const RECORD_OVERHEAD_BYTES: u64 = 96;

const CHECKSUM_BYTES: usize = 8;
const ID_BYTES: usize = 20;

const TAG_VALUE: u8 = 0;
const TAG_V4: u8 = 4;
const TAG_V6: u8 = 6;
const TAG_TEXT: u8 = 8;
const TAG_ENTRY: u8 = 9;

const HAS_BODY: u8 = 1;
const HAS_END: u8 = 2;

/// What is wrong with bytes that should be a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    /// The checksum is another one.
    #[error("the checksum is wrong")]
    Checksum,
    /// The bytes have the right checksum and make no sense.
    #[error("the bytes are no record")]
    Shape,
}

/// The engine's key of a place.
pub(super) fn encode_place(place: Place) -> PlaceBytes {
    let mut bytes = PlaceBytes::from_slice(&place.0.0);
    match place.1 {
        Slot::Value => bytes.push(TAG_VALUE),
        Slot::Text => bytes.push(TAG_TEXT),
        Slot::Entry => bytes.push(TAG_ENTRY),
        Slot::Holder(SocketAddr::V4(addr)) => {
            bytes.push(TAG_V4);
            bytes.extend_from_slice(&addr.ip().octets());
            bytes.extend_from_slice(&addr.port().to_be_bytes());
        }
        Slot::Holder(SocketAddr::V6(addr)) => {
            bytes.push(TAG_V6);
            bytes.extend_from_slice(&addr.ip().octets());
            bytes.extend_from_slice(&addr.port().to_be_bytes());
            bytes.extend_from_slice(&addr.flowinfo().to_be_bytes());
            bytes.extend_from_slice(&addr.scope_id().to_be_bytes());
        }
    }
    bytes
}

/// The place of an engine's key.
pub(super) fn decode_place(bytes: &[u8]) -> Result<Place, Malformed> {
    let mut reader = Reader(bytes);
    let key = Id(reader.array()?);
    let slot = match reader.array::<1>()? {
        [TAG_VALUE] => Slot::Value,
        [TAG_TEXT] => Slot::Text,
        [TAG_ENTRY] => Slot::Entry,
        [TAG_V4] => {
            let ip = Ipv4Addr::from(reader.array::<4>()?);
            let port = u16::from_be_bytes(reader.array()?);
            Slot::Holder(SocketAddrV4::new(ip, port).into())
        }
        [TAG_V6] => {
            let ip = Ipv6Addr::from(reader.array::<16>()?);
            let port = u16::from_be_bytes(reader.array()?);
            let flow = u32::from_be_bytes(reader.array()?);
            let scope = u32::from_be_bytes(reader.array()?);
            Slot::Holder(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => return Err(Malformed::Shape),
    };
    reader.end()?;
    Ok((key, slot))
}

/// A record with as much of its body as belongs to it here.
pub(super) fn encode_record(place: &[u8], meta: &Meta, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 + body.len());
    bytes.extend_from_slice(&[0; CHECKSUM_BYTES]);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    bytes.push(flag(meta.length.is_some(), HAS_BODY) | flag(meta.expires.is_some(), HAS_END));
    bytes.extend_from_slice(&meta.version.clock.0.to_le_bytes());
    bytes.extend_from_slice(&meta.version.writer.0);
    if let Some(end) = meta.expires {
        bytes.extend_from_slice(&end.0.to_le_bytes());
    }
    if let Some(length) = meta.length {
        bytes.extend_from_slice(&length.to_le_bytes());
    }
    bytes.extend_from_slice(body);
    let (field, rest) = bytes.split_at_mut(CHECKSUM_BYTES);
    field.copy_from_slice(&checksum(place, rest).to_le_bytes());
    bytes
}

/// The record of a place: what is known of it, and the body as far as it was written here.
pub(super) fn decode_record(place: &[u8], bytes: &[u8]) -> Result<(Meta, Bytes), Malformed> {
    let mut reader = Reader(bytes);
    let sum = u64::from_le_bytes(reader.array()?);
    if checksum(place, reader.0) != sum {
        return Err(Malformed::Checksum);
    }
    let [flags] = reader.array()?;
    if flags & !(HAS_BODY | HAS_END) != 0 {
        return Err(Malformed::Shape);
    }
    let clock = Hlc(u64::from_le_bytes(reader.array()?));
    let writer = Id(reader.array::<ID_BYTES>()?);
    let expires = match flags & HAS_END {
        0 => None,
        _ => Some(WallMs(u64::from_le_bytes(reader.array()?))),
    };
    let length = match flags & HAS_BODY {
        0 => None,
        _ => Some(u32::from_le_bytes(reader.array()?)),
    };
    let body = reader.0;
    let whole = length.unwrap_or(0) as usize;
    if whole > MAX_VALUE_BYTES || !(body.is_empty() || body.len() == whole) {
        return Err(Malformed::Shape);
    }
    let version = Version { clock, writer };
    let meta = Meta {
        version,
        expires,
        length,
    };
    Ok((meta, Bytes::copy_from_slice(body)))
}

/// Whether the body of such a record is kept apart from it.
pub(super) fn is_apart(meta: &Meta) -> bool {
    meta.length.is_some_and(|length| length > INLINE_BODY_BYTES)
}

fn checksum(place: &[u8], rest: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(place);
    hasher.update(rest);
    hasher.digest()
}

/// Bytes that are taken from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Shape)?;
        self.0 = rest;
        Ok(*taken)
    }

    const fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Shape)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots() -> impl Strategy<Value = Slot> {
        prop_oneof![
            Just(Slot::Value),
            Just(Slot::Text),
            Just(Slot::Entry),
            (any::<u32>(), any::<u16>())
                .prop_map(|(ip, port)| Slot::Holder(SocketAddr::from((Ipv4Addr::from(ip), port)))),
            (any::<u128>(), any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
                |(ip, port, flow, scope)| Slot::Holder(
                    SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope).into()
                )
            ),
        ]
    }

    fn places() -> impl Strategy<Value = Place> {
        (0u64..4, slots()).prop_map(|(key, slot)| (Id::from_u64(key), slot))
    }

    fn metas() -> impl Strategy<Value = Meta> {
        let length = proptest::option::of(0u32..300);
        (
            any::<u64>(),
            any::<u64>(),
            proptest::option::of(any::<u64>()),
            length,
        )
            .prop_map(|(clock, writer, end, length)| Meta {
                version: Version {
                    clock: Hlc(clock),
                    writer: Id::from_u64(writer),
                },
                expires: end.map(WallMs),
                length,
            })
    }

    proptest! {
        #[test]
        fn places_come_back_and_keep_their_order(one in places(), two in places()) {
            let (first, second) = (encode_place(one), encode_place(two));
            prop_assert_eq!(decode_place(&first), Ok(one));
            prop_assert_eq!(one.cmp(&two), first.cmp(&second));
        }

        #[test]
        fn records_come_back(place in places(), meta in metas()) {
            let place = encode_place(place);
            let body = vec![7; meta.length.unwrap_or(0) as usize];
            let bytes = encode_record(&place, &meta, &body);
            prop_assert_eq!(decode_record(&place, &bytes), Ok((meta, Bytes::from(body))));
        }

        #[test]
        fn a_flipped_bit_is_found(place in places(), meta in metas(), at in any::<usize>()) {
            let place = encode_place(place);
            let mut bytes = encode_record(&place, &meta, b"");
            let bit = at % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode_record(&place, &bytes), Err(Malformed::Checksum));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode_place(&bytes);
            let _ = decode_record(b"", &bytes);
        }
    }

    #[test]
    fn a_record_in_another_place_is_refused() {
        let meta = Meta {
            version: Version::default(),
            expires: None,
            length: None,
        };
        let bytes = encode_record(b"here", &meta, b"");
        assert_eq!(decode_record(b"there", &bytes), Err(Malformed::Checksum));
    }
}

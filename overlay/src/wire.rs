//! The one place where messages become bytes and bytes become messages.
//!
//! The format is bincode 2 in its standard configuration (variable-length integers, little
//! endian). Enum variants are only ever appended. A length limit is checked before anything is
//! decoded, and the decoder itself may not allocate more than that limit.

use serde::de::{DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use smallvec::{Array, SmallVec};
use std::fmt;
use std::marker::PhantomData;

/// The longest message that is sent or accepted: the largest value (1 MiB) with room for the
/// fields around it, or a page of many small records.
pub const MAX_MESSAGE_BYTES: usize = 1 << 21;

/// A message above this size gets a stream of its own, so that it does not hold up the small
/// ones; below it, sharing a stream costs a third of the processor time.
pub const MAX_FRAME_BYTES: usize = 16 << 10;

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("a message of {0} bytes is longer than the limit of {MAX_MESSAGE_BYTES}")]
    TooLong(usize),
    /// Not a message of the expected type, or with bytes left over.
    #[error("the bytes are not a message: {0}")]
    Malformed(String),
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_MESSAGE_BYTES>()
}

/// Appends the encoding of `message` to `buffer`.
///
/// # Panics
/// Never for the project's own message types: all of them encode.
#[allow(clippy::expect_used)]
pub fn encode_into<T: Serialize>(message: &T, buffer: &mut Vec<u8>) {
    bincode::serde::encode_into_std_write(message, buffer, config())
        .expect("a message type of the project encodes into memory");
}

/// The encoding of `message`.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut buffer = Vec::with_capacity(128);
    encode_into(message, &mut buffer);
    buffer
}

/// Decodes exactly one message from all of `bytes`.
///
/// # Errors
/// When the bytes are too long, are not a message, or go on after it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let (message, used) = decode_first(bytes)?;
    if used != bytes.len() {
        let left = bytes.len() - used;
        return Err(DecodeError::Malformed(format!(
            "{left} bytes follow the message"
        )));
    }
    Ok(message)
}

/// Decodes the message with which `bytes` begin, and says how many of them it took: what makes
/// arbitrary messages out of arbitrary bytes. What comes from a peer goes through [`decode`].
///
/// # Errors
/// When the bytes do not begin with a message.
pub fn decode_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    bincode::serde::decode_from_slice(bytes, config())
        .map_err(|error| DecodeError::Malformed(error.to_string()))
}

/// Decodes a [`SmallVec`] without making room for as many items as the message promises: its own
/// decoder would do that, 64 GiB for 13 bytes, where that of `Vec` stops at 1 MiB. To be named with
/// `#[serde(deserialize_with = "…")]` by each such field of a message.
///
/// # Errors
/// When the bytes are not a list of such items.
pub fn few<'de, D: Deserializer<'de>, A: Array>(from: D) -> Result<SmallVec<A>, D::Error>
where
    A::Item: Deserialize<'de>,
{
    from.deserialize_seq(Few(PhantomData))
}

/// Decodes what is there, or nothing: for a field that was appended to what is the last of a message,
/// where a node of before sends nothing. To be named as [`few`] is.
///
/// # Errors
/// Never.
pub fn if_said<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(T::deserialize(from).unwrap_or_default())
}

/// Takes items as they come.
struct Few<A>(PhantomData<A>);

impl<'de, A: Array> Visitor<'de> for Few<A>
where
    A::Item: Deserialize<'de>,
{
    type Value = SmallVec<A>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
        let mut list = SmallVec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

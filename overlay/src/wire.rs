//! The one place where messages become bytes and bytes become messages.
//!
//! The format is bincode 2 in its standard configuration (variable-length integers, little
//! endian). Enum variants are only ever appended. A length limit is checked before anything is
//! decoded, and the decoder itself may not allocate more than that limit.

use serde::{Serialize, de::DeserializeOwned};

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
    let (message, used) = bincode::serde::decode_from_slice(bytes, config())
        .map_err(|error| DecodeError::Malformed(error.to_string()))?;
    if used != bytes.len() {
        let left = bytes.len() - used;
        return Err(DecodeError::Malformed(format!(
            "{left} bytes follow the message"
        )));
    }
    Ok(message)
}

//! What a request asks for, parsed once: keys, queries and bodies.

use super::problem::{Kind, Problem};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use overlay::words::Words;
use overlay::{Consistency, Id, MAX_KEY_BYTES, MAX_TEXT_BYTES, MAX_VALUE_BYTES};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

/// How many replicas must take part before the answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wanted {
    /// The root alone.
    One,
    /// A majority: 2 of 3.
    #[default]
    Quorum,
    /// Every replica.
    All,
}

impl From<Wanted> for Consistency {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::One => Self::One,
            Wanted::Quorum => Self::Quorum,
            Wanted::All => Self::All,
        }
    }
}

/// The key in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "it describes the last part of a path")]
pub(super) struct KeyPath {
    /// 1 to 1,024 bytes, percent-encoded, `/` as `%2F`, of which the SHA-1 is taken; with `hex` 40
    /// hexadecimal digits, taken as they are.
    #[param(min_length = 1)]
    key: String,
}

/// IP and port.
#[derive(ToSchema)]
#[schema(
    pattern = "^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|\\[(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:(:[0-9a-fA-F]{1,4}){1,6}|:((:[0-9a-fA-F]{1,4}){1,7}|:))\\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})$",
    example = "127.0.0.1:9000"
)]
#[allow(dead_code, reason = "it describes how an address is written")]
pub(super) struct AddressText(String);

/// Bytes as they are.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "it describes the body of a value")]
pub(super) struct Octets(Vec<u8>);

/// The bytes of the key in a path.
#[derive(Clone, Debug)]
pub(super) struct Named(Vec<u8>);

/// A key, and its bytes unless it was given as a point.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: Id,
    bytes: Option<Bytes>,
}

impl Key {
    /// The bytes to find it by, when that is wanted.
    pub(super) fn indexed(&self, wanted: bool) -> Result<Option<Bytes>, Problem> {
        match &self.bytes {
            None if wanted => Err(Problem::refused(
                "a key that is given in hexadecimal digits cannot be indexed: its bytes are not known",
            )),
            bytes => Ok(bytes.clone().filter(|_| wanted)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let path = parts.uri.path();
        let last = path.rsplit_once('/').map_or(path, |(_, last)| last);
        let wrong =
            || Problem::malformed("a % in the key is not followed by two hexadecimal digits");
        decode(last).map(Self).ok_or_else(wrong)
    }
}

/// Percent-decodes (RFC 3986, section 2.1); none when an escape is broken.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let byte = if *first == b'%' {
            let (pair, after) = tail.split_at_checked(2)?;
            rest = after;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(*pair.first()?)?, digit(*pair.last()?)?);
            u8::try_from(high << 4 | low).ok()?
        } else {
            *first
        };
        decoded.push(byte);
    }
    Some(decoded)
}

impl Named {
    /// The key that it stands for.
    pub(super) fn key(self, hex: bool) -> Result<Key, Problem> {
        if hex {
            let text = std::str::from_utf8(&self.0).unwrap_or("?");
            let id = text.parse::<Id>();
            return id
                .map(|id| Key { id, bytes: None })
                .map_err(|error| Problem::refused(error.to_string()));
        }
        if self.0.is_empty() || self.0.len() > MAX_KEY_BYTES {
            let length = self.0.len();
            return Err(Problem::refused(format!(
                "a key has 1 to {MAX_KEY_BYTES} bytes, and this one has {length}"
            )));
        }
        Ok(Key {
            id: Id::of(&self.0),
            bytes: Some(self.0.into()),
        })
    }
}

/// A query: all of it is understood, or the request is refused.
#[derive(Clone, Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync + Send, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::malformed(error.body_text()))?;
        Ok(Self(asked))
    }
}

/// A body of bounded length.
#[derive(Clone, Debug)]
pub(super) struct Body(pub(super) Bytes);

impl<S: Sync + Send> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|error: BytesRejection| {
            if error.status() != StatusCode::PAYLOAD_TOO_LARGE {
                return Problem::malformed(error.body_text());
            }
            Problem::new(
                Kind::TooLarge,
                format!("a value has at most {MAX_VALUE_BYTES} bytes (1 MiB)"),
                "split it, and put the pieces under keys of their own",
            )
        })
    }
}

/// Checks the words that a holder or a value is to be found by.
pub(super) fn check_text(text: &str) -> Result<(), Problem> {
    if text.len() > MAX_TEXT_BYTES {
        let length = text.len();
        return Err(Problem::refused(format!(
            "a text has at most {MAX_TEXT_BYTES} bytes, and this one has {length}"
        )));
    }
    Words::parse(text)
        .map(|_| ())
        .map_err(|error| Problem::refused(error.to_string()))
}

/// Refuses a number outside its limits.
pub(super) fn within(name: &str, number: u32, most: u32) -> Result<u32, Problem> {
    if (1..=most).contains(&number) {
        Ok(number)
    } else {
        let text = format!("{name} is a number from 1 to {most}, not {number}");
        Err(Problem::malformed(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_any_bytes() {
        assert_eq!(decode("a%2Fb%ff+"), Some(b"a/b\xff+".to_vec()));
        for broken in ["%", "%1", "a%g1", "%%%", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
        let named = |text: &str| Named(text.as_bytes().to_vec());
        assert_eq!(named("k").key(false).unwrap().id, Id::of(b"k"));
        let id = Id::of(b"k");
        assert_eq!(named(&id.to_string()).key(true).unwrap().id, id);
        assert!(named("k").key(true).is_err());
        assert!(named(&"k".repeat(MAX_KEY_BYTES + 1)).key(false).is_err());
    }
}

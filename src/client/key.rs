//! What values and holders are stored under.

use super::CallError;
use bytes::Bytes;
use overlay::{Id, MAX_KEY_BYTES};

/// A key: a name of 1 to 1,024 bytes, of which the SHA-1 is the place in the network, or such a place
/// itself.
///
/// Everything that takes a key takes text, bytes, or an [`Id`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(Inner);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Inner {
    Name(Bytes),
    Point(Id),
}

impl Key {
    /// The place of the key in the network.
    #[must_use]
    pub fn id(&self) -> Id {
        match &self.0 {
            Inner::Name(name) => Id::of(name),
            Inner::Point(id) => *id,
        }
    }

    /// The place, if the key can be one.
    pub(super) fn checked(&self) -> Result<Id, CallError> {
        match &self.0 {
            Inner::Name(name) if name.is_empty() || name.len() > MAX_KEY_BYTES => {
                Err(CallError::Refused(format!(
                    "a key has 1 to {MAX_KEY_BYTES} bytes, and this one has {}",
                    name.len()
                )))
            }
            _ => Ok(self.id()),
        }
    }

    /// The bytes by whose beginning it is to be found, when that is wanted.
    pub(super) fn indexed(&self, wanted: bool) -> Result<Option<Bytes>, CallError> {
        match &self.0 {
            Inner::Point(_) if wanted => Err(CallError::Refused(
                "a key that is given as an id cannot be indexed: its bytes are not known"
                    .to_owned(),
            )),
            Inner::Name(name) if wanted => Ok(Some(name.clone())),
            _ => Ok(None),
        }
    }
}

impl From<Id> for Key {
    fn from(id: Id) -> Self {
        Self(Inner::Point(id))
    }
}

impl From<Bytes> for Key {
    fn from(name: Bytes) -> Self {
        Self(Inner::Name(name))
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Bytes::copy_from_slice(name.as_bytes()).into()
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Bytes::from(name).into()
    }
}

impl From<&[u8]> for Key {
    fn from(name: &[u8]) -> Self {
        Bytes::copy_from_slice(name).into()
    }
}

impl From<Vec<u8>> for Key {
    fn from(name: Vec<u8>) -> Self {
        Bytes::from(name).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hashed_and_ids_are_taken_as_they_are() {
        let id = Id::of(b"k");
        assert_eq!(Key::from("k").id(), id);
        assert_eq!(Key::from(id).checked().unwrap(), id);
        assert_eq!(
            Key::from("k").indexed(true).unwrap().as_deref(),
            Some(&b"k"[..])
        );
        assert_eq!(Key::from(id).indexed(false).unwrap(), None);
    }

    #[test]
    fn what_is_no_key_is_refused_before_it_is_sent() {
        for wrong in [String::new(), "k".repeat(MAX_KEY_BYTES + 1)] {
            let error = Key::from(wrong).checked().unwrap_err();
            assert!(matches!(error, CallError::Refused(_)), "{error}");
            assert!(!error.may_have_changed());
        }
        assert!(Key::from(Id::of(b"k")).indexed(true).is_err());
    }
}

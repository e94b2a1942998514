//! Items that the DHT stores (BEP 44): by their hash, or by a key that signs them.
//!
//! Verifying an Ed25519 signature is the driver's: it has a cryptographic library, and this crate
//! needs none.

use super::NodeId;
use crate::bencode::Writer;

/// Longest value, as it is bencoded (BEP 44).
pub const MAX_VALUE_BYTES: usize = 1_000;
/// Longest salt (BEP 44).
pub const MAX_SALT_BYTES: usize = 64;

/// Whether this key made this signature of these bytes, by Ed25519.
pub type Verify = dyn Fn(&[u8; 32], &[u8], &[u8; 64]) -> bool;

/// An item. `value` is one bencoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Its key is the SHA-1 of the value.
    Immutable {
        /// The value.
        value: Vec<u8>,
    },
    /// Its key is the SHA-1 of the public key and the salt.
    Mutable {
        /// The value.
        value: Vec<u8>,
        /// Who may change it.
        key: [u8; 32],
        /// Tells items of one key apart; not in answers.
        salt: Vec<u8>,
        /// Grows with each change.
        seq: i64,
        /// Of the salt, the number and the value.
        signature: [u8; 64],
    },
}

/// Why an item is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The value is too long.
    #[error("the value has more than {MAX_VALUE_BYTES} bytes")]
    ValueTooBig,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// The salt is too long.
    #[error("the salt has more than {MAX_SALT_BYTES} bytes")]
    SaltTooBig,
    /// Somebody else has changed it.
    #[error("the present sequence number is another one")]
    Cas,
    /// What is stored is newer.
    #[error("the sequence number is less than the present one")]
    Older,
}

impl ItemError {
    /// The code that BEP 44 gives it.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::ValueTooBig => 205,
            Self::Signature => 206,
            Self::SaltTooBig => 207,
            Self::Cas => 301,
            Self::Older => 302,
        }
    }
}

impl Item {
    /// Where it is stored.
    #[must_use]
    pub fn target(&self) -> NodeId {
        match self {
            Self::Immutable { value } => overlay::Id::of(value).0,
            Self::Mutable { key, salt, .. } => overlay::Id::of(&[&key[..], salt].concat()).0,
        }
    }

    /// Its bencoded value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        match self {
            Self::Immutable { value } | Self::Mutable { value, .. } => value,
        }
    }

    /// Who may change it.
    #[must_use]
    pub const fn public_key(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Immutable { .. } => None,
            Self::Mutable { key, .. } => Some(key),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn seq(&self) -> Option<i64> {
        match self {
            Self::Immutable { .. } => None,
            Self::Mutable { seq, .. } => Some(*seq),
        }
    }

    /// Whether it may be stored at all: sizes, and the signature as `verify` says.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(&self, verify: &Verify) -> Result<(), ItemError> {
        if self.value().len() > MAX_VALUE_BYTES {
            return Err(ItemError::ValueTooBig);
        }
        let Self::Mutable {
            key,
            salt,
            signature,
            ..
        } = self
        else {
            return Ok(());
        };
        if salt.len() > MAX_SALT_BYTES {
            return Err(ItemError::SaltTooBig);
        }
        if verify(key, &self.signed(), signature) {
            Ok(())
        } else {
            Err(ItemError::Signature)
        }
    }

    /// Whether it may replace the item that is stored under its key.
    ///
    /// # Errors
    /// When `cas` is not the present number, or what is stored is newer.
    pub fn check_against(&self, stored: &Self, cas: Option<i64>) -> Result<(), ItemError> {
        let (Some(new), Some(old)) = (self.seq(), stored.seq()) else {
            // Under one hash there is one value.
            return Ok(());
        };
        if cas.is_some_and(|expected| expected != old) {
            return Err(ItemError::Cas);
        }
        // The same again only prolongs its life.
        if new < old || (new == old && self.value() != stored.value()) {
            return Err(ItemError::Older);
        }
        Ok(())
    }

    /// The item as one bencoded dictionary, to be kept; [`decode_item`](super::decode_item) reads it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.dict();
        self.write_fields(&mut writer, None, None);
        writer.end();
        out
    }

    /// What is signed: salt, number and value, as they are bencoded in a dictionary.
    fn signed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Self::Mutable {
            value, salt, seq, ..
        } = self
        {
            let mut writer = Writer::new(&mut out);
            if !salt.is_empty() {
                writer.bytes(b"salt").bytes(salt);
            }
            writer.bytes(b"seq").int(*seq).bytes(b"v");
            out.extend_from_slice(value);
        }
        out
    }

    /// The fields of a question or an answer, in their order. In an answer `k` has been written, and
    /// the salt is left out.
    pub(super) fn write_fields(
        &self,
        writer: &mut Writer<'_>,
        token: Option<&[u8]>,
        in_answer: Option<()>,
    ) {
        if let Self::Mutable {
            key,
            salt,
            seq,
            signature,
            ..
        } = self
        {
            if in_answer.is_none() {
                writer.bytes(b"k").bytes(key);
                if !salt.is_empty() {
                    writer.bytes(b"salt").bytes(salt);
                }
            }
            writer
                .bytes(b"seq")
                .int(*seq)
                .bytes(b"sig")
                .bytes(signature);
        }
        if let Some(token) = token {
            writer.bytes(b"token").bytes(token);
        }
        writer.bytes(b"v").raw(self.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::hex_pair;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let bytes: Vec<u8> = text.as_bytes().chunks(2).filter_map(hex_pair).collect();
        bytes.try_into().unwrap()
    }

    fn vector(salt: &str, signature: &str) -> Item {
        Item::Mutable {
            value: b"12:Hello World!".to_vec(),
            key: hex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548"),
            salt: salt.as_bytes().to_vec(),
            seq: 1,
            signature: hex(signature),
        }
    }

    /// What is given to be verified.
    fn signed_text(item: &Item) -> String {
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let sink = std::rc::Rc::clone(&seen);
        let checked = item.check(&move |_, bytes, _| {
            sink.borrow_mut().extend_from_slice(bytes);
            true
        });
        assert_eq!(checked, Ok(()));
        String::from_utf8(seen.take()).unwrap()
    }

    #[test]
    fn the_test_vectors_of_bep_44_hold() {
        let plain = vector(
            "",
            "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
             1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
        );
        assert_eq!(signed_text(&plain), "3:seqi1e1:v12:Hello World!");
        assert_eq!(
            plain.target(),
            hex("4a533d47ec9c7d95b1ad75f576cffc641853b750")
        );
        let salted = vector(
            "foobar",
            "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
             df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
        );
        assert_eq!(
            signed_text(&salted),
            "4:salt6:foobar3:seqi1e1:v12:Hello World!"
        );
        assert_eq!(
            salted.target(),
            hex("411eba73b6f087ca51a3795d9c8c938d365e32c1")
        );
        let immutable = Item::Immutable {
            value: b"12:Hello World!".to_vec(),
        };
        assert_eq!(
            immutable.target(),
            hex("e5f96f6f38320f0f33959cb4d3d656452117aadb")
        );
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_code() {
        let Item::Mutable {
            value,
            key,
            salt,
            seq,
            signature,
        } = vector("", &"00".repeat(64))
        else {
            panic!("not mutable");
        };
        let wrong = Item::Mutable {
            value: value.clone(),
            key,
            salt,
            seq,
            signature,
        };
        assert_eq!(wrong.check(&|_, _, _| false), Err(ItemError::Signature));
        assert_eq!(ItemError::Signature.code(), 206);
        let salted = Item::Mutable {
            value,
            key,
            salt: vec![0; 65],
            seq,
            signature,
        };
        assert_eq!(salted.check(&|_, _, _| false), Err(ItemError::SaltTooBig));
        let large = Item::Immutable {
            value: vec![b'x'; MAX_VALUE_BYTES + 1],
        };
        assert_eq!(large.check(&|_, _, _| false), Err(ItemError::ValueTooBig));
    }

    #[test]
    fn numbers_only_grow() {
        let of = |value: &[u8], seq| Item::Mutable {
            value: value.to_vec(),
            key: [0; 32],
            salt: Vec::new(),
            seq,
            signature: [0; 64],
        };
        let stored = of(b"1:a", 5);
        assert_eq!(of(b"1:b", 6).check_against(&stored, None), Ok(()));
        assert_eq!(of(b"1:b", 6).check_against(&stored, Some(5)), Ok(()));
        assert_eq!(
            of(b"1:b", 6).check_against(&stored, Some(4)),
            Err(ItemError::Cas)
        );
        assert_eq!(of(b"1:a", 5).check_against(&stored, None), Ok(()));
        assert_eq!(
            of(b"1:b", 5).check_against(&stored, None),
            Err(ItemError::Older)
        );
        assert_eq!(
            of(b"1:b", 4).check_against(&stored, None),
            Err(ItemError::Older)
        );
    }
}

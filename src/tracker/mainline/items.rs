//! Items of BEP 44 as values of the overlay.

use crate::tracker::service::Service;
use crate::tracker::sharing::call;
use overlay::{Condition, Consistency, Id, Outcome, Reply, Request, Version};
use tracker::krpc::item::{Item, ItemError};
use tracker::krpc::{self, NodeId};

/// How long an item lives without being put again (BEP 44: two hours).
const TTL_S: u32 = 2 * 3_600;
/// The general failure, and that of the server (BEP 5).
const SERVER_ERROR: i64 = 202;
/// Keeps items away from the keys that users choose: a target is a SHA-1 like any other.
const PREFIX: &[u8] = b"bep44 ";

fn key_of(target: &NodeId) -> Id {
    Id::of(&[PREFIX, target].concat())
}

/// Whether this key made this signature.
fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key);
    key.verify(message, signature).is_ok()
}

/// What is stored under a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// An item that belongs there, and its version in the overlay.
    Item(Box<Item>, Version),
    /// Something else: values can be written by others than this code.
    Foreign(Version),
    /// Nothing; that is proven.
    Nothing,
    /// That could not be found out; for people.
    Unknown(String),
}

impl Stored {
    /// What a read has found under a target.
    fn of(reply: Reply, target: &NodeId) -> Self {
        let report = match reply {
            Reply::Got(report) => report,
            Reply::Failed(failure) => return Self::Unknown(failure.to_string()),
            other => return Self::Unknown(format!("the answer to a read is {other:?}")),
        };
        let Some((value, version)) = report.value.zip(report.version) else {
            return match report.outcome {
                Outcome::Absent => Self::Nothing,
                _ => Self::Unknown(report.reason.unwrap_or_else(|| "no answer".to_owned())),
            };
        };
        let item = krpc::decode_item(&value);
        let is_right = |item: &Item| item.target() == *target && item.check(&is_signed).is_ok();
        match item.filter(is_right) {
            Some(item) => Self::Item(Box::new(item), version),
            None => Self::Foreign(version),
        }
    }

    /// On what condition an item that may change is written: that nobody else has written meanwhile
    /// what this node did not see.
    fn condition_for(&self, item: &Item, cas: Option<i64>) -> Result<Condition, (i64, String)> {
        match self {
            Self::Item(stored, version) => {
                item.check_against(stored, cas).map_err(say)?;
                Ok(Condition::Version(*version))
            }
            Self::Foreign(version) => Ok(Condition::Version(*version)),
            Self::Nothing => Ok(Condition::Absent),
            Self::Unknown(why) => Err((
                SERVER_ERROR,
                format!(
                    "what is stored could not be read, so nothing was changed; try again: {why}"
                ),
            )),
        }
    }
}

/// A failure as it is told.
fn say(error: ItemError) -> (i64, String) {
    (error.code(), error.to_string())
}

/// What is stored under a target.
pub(super) async fn get(service: &Service, target: &NodeId) -> Stored {
    let request = Request::Get {
        key: key_of(target),
        consistency: Consistency::Quorum,
        at_least: None,
    };
    Stored::of(call(service, request).await, target)
}

/// Stores an item, if it may be stored. The failure is a code and a text.
pub(super) async fn put(
    service: &Service,
    item: &Item,
    cas: Option<i64>,
) -> Result<(), (i64, String)> {
    item.check(&is_signed).map_err(say)?;
    let target = item.target();
    let condition = match item.seq() {
        // Under one hash there is one value.
        None => Condition::Always,
        Some(_) => get(service, &target).await.condition_for(item, cas)?,
    };
    let request = Request::Put {
        key: key_of(&target),
        value: item.encode().into(),
        ttl_s: Some(TTL_S),
        consistency: Consistency::Quorum,
        condition,
        text: String::new(),
        indexed: None,
    };
    match call(service, request).await {
        Reply::Put(_) => Ok(()),
        Reply::Conflict(_) => Err(say(ItemError::Cas)),
        Reply::Failed(failure) => Err((SERVER_ERROR, failure.to_string())),
        _ => Err((SERVER_ERROR, "the item could not be stored".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Failure, GetReport};

    const SIGNED: &str = "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
                          1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01";

    fn item(salt: &str, signature: &str) -> Item {
        Item::Mutable {
            value: b"12:Hello World!".to_vec(),
            key: hex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548"),
            salt: salt.as_bytes().to_vec(),
            seq: 1,
            signature: hex(signature),
        }
    }

    fn version() -> Version {
        Version::default()
    }

    /// What a read says of an item's target that found this.
    fn read(outcome: Outcome, value: Option<Vec<u8>>) -> Stored {
        let target = item("", SIGNED).target();
        let report = GetReport {
            key: key_of(&target),
            outcome,
            version: value.as_ref().map(|_| version()),
            value: value.map(Into::into),
            replicas_answered: 1,
            replicas_asked: 3,
            reason: Some("two are silent".to_owned()),
            reached: None,
        };
        Stored::of(Reply::Got(report), &target)
    }

    #[test]
    fn only_proven_absence_lets_a_first_item_in_and_nothing_is_written_over_unseen() {
        let new = item("", SIGNED);
        let condition = |stored: &Stored| stored.condition_for(&new, None);
        let nothing = read(Outcome::Absent, None);
        assert_eq!(nothing, Stored::Nothing);
        // Of two that come first at the same time one finds the other's.
        assert_eq!(condition(&nothing), Ok(Condition::Absent));
        let present = read(Outcome::Found, Some(new.encode()));
        assert_eq!(condition(&present), Ok(Condition::Version(version())));
        assert_eq!(
            present.condition_for(&new, Some(7)),
            Err(say(ItemError::Cas))
        );
        let foreign = read(Outcome::Found, Some(b"something else".to_vec()));
        assert_eq!(foreign, Stored::Foreign(version()));
        assert_eq!(condition(&foreign), Ok(Condition::Version(version())));
        let forged = read(Outcome::Found, Some(item("", &"00".repeat(64)).encode()));
        assert_eq!(forged, Stored::Foreign(version()));
        let unknown = read(Outcome::Unknown, None);
        let (code, text) = condition(&unknown).expect_err("it may be there");
        assert!(code == 202 && text.contains("two are silent"), "{text}");
        let failed = Stored::of(Reply::Failed(Failure::NotMember), &new.target());
        assert_eq!(condition(&failed).map_err(|(code, _)| code), Err(202));
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn the_signatures_of_bep_44_are_verified() {
        let salted = "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
                      df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08";
        assert_eq!(item("", SIGNED).check(&is_signed), Ok(()));
        assert_eq!(item("foobar", salted).check(&is_signed), Ok(()));
        assert!(item("foobaz", salted).check(&is_signed).is_err());
    }
}

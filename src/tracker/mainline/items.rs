//! Items of BEP 44 as values of the overlay.

use crate::tracker::service::Service;
use crate::tracker::sharing::call;
use overlay::{Condition, Consistency, Id, Reply, Request, Version};
use tracker::krpc::{self, NodeId, item::Item};

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

/// The item under a target, and its version in the overlay.
pub(super) async fn get(service: &Service, target: &NodeId) -> Option<(Item, Version)> {
    let request = Request::Get {
        key: key_of(target),
        consistency: Consistency::Quorum,
        at_least: None,
    };
    let Reply::Got(report) = call(service, request).await else {
        return None;
    };
    let item = krpc::decode_item(&report.value?)?;
    // Values can be written by others than this code.
    let genuine = item.target() == *target && item.check(&is_signed).is_ok();
    genuine.then_some(item).zip(report.version)
}

/// Stores an item, if it may be stored. The failure is a code and a text.
pub(super) async fn put(
    service: &Service,
    item: &Item,
    cas: Option<i64>,
) -> Result<(), (i64, String)> {
    let say = |error: krpc::item::ItemError| (error.code(), error.to_string());
    item.check(&is_signed).map_err(say)?;
    let target = item.target();
    let condition = match get(service, &target).await {
        None => Condition::Always,
        Some((stored, version)) => {
            item.check_against(&stored, cas).map_err(say)?;
            // Nobody else may have changed it meanwhile.
            Condition::Version(version)
        }
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
        Reply::Conflict(_) => Err(say(krpc::item::ItemError::Cas)),
        Reply::Failed(failure) => Err((SERVER_ERROR, failure.to_string())),
        _ => Err((SERVER_ERROR, "the item could not be stored".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn the_signatures_of_bep_44_are_verified() {
        let item = |salt: &str, signature: &str| Item::Mutable {
            value: b"12:Hello World!".to_vec(),
            key: hex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548"),
            salt: salt.as_bytes().to_vec(),
            seq: 1,
            signature: hex(signature),
        };
        let plain = "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
                     1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01";
        let salted = "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
                      df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08";
        assert_eq!(item("", plain).check(&is_signed), Ok(()));
        assert_eq!(item("foobar", salted).check(&is_signed), Ok(()));
        assert!(item("foobaz", salted).check(&is_signed).is_err());
    }
}

//! Nodes, keys and calls by number.

use bytes::Bytes;
use overlay::{Condition, Consistency, Contact, Id, Request};
use std::net::SocketAddr;

/// Node `number`: spread over the circle by its hash.
pub fn contact(number: u64) -> Contact {
    let addr = SocketAddr::from(([127, 0, 0, 1], 4000 + number as u16));
    Contact {
        id: Id::of(format!("node {number}").as_bytes()),
        addr,
    }
}

pub fn key(number: u64) -> Id {
    Id::of(format!("key {number}").as_bytes())
}

pub fn put(key: Id, value: &[u8]) -> Request {
    let value = Bytes::copy_from_slice(value);
    Request::Put {
        key,
        value,
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
        text: String::new(),
        indexed: None,
    }
}

/// A put that is done only if `condition` holds.
pub fn put_if(key: Id, value: &[u8], condition: Condition) -> Request {
    Request::Put {
        key,
        value: Bytes::copy_from_slice(value),
        ttl_s: None,
        consistency: Consistency::Quorum,
        condition,
        text: String::new(),
        indexed: None,
    }
}

pub fn get(key: Id) -> Request {
    Request::Get {
        key,
        consistency: Consistency::Quorum,
        at_least: None,
    }
}

pub fn holder(number: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 1_000 + number))
}

pub fn insert(key: Id, holder: SocketAddr, lease_s: u32, text: &str) -> Request {
    Request::Insert {
        key,
        holder,
        lease_s,
        text: text.to_owned(),
        indexed: None,
    }
}

pub fn search(key: Id, limit: u32) -> Request {
    Request::Search {
        key,
        limit,
        consistency: Consistency::Quorum,
    }
}

pub fn delete(key: Id, holder: Option<SocketAddr>) -> Request {
    Request::Delete {
        key,
        holder,
        consistency: Consistency::Quorum,
        condition: Condition::Always,
    }
}

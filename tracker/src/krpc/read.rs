//! Reading datagrams.

use super::NodeId;
use super::item::Item;
use super::message::{Body, Message, Nodes, Query, Reply, Want};
use crate::bencode::{Malformed, Order, Value, read};
use crate::ids::InfoHash;
use std::net::{IpAddr, SocketAddr};

/// Longest datagram that is read: BEP 32 allows 1,024 bytes, answers with many peers come with more,
/// and none is longer than an Ethernet frame.
pub const MAX_DATAGRAM_BYTES: usize = 1_500;
/// Longest transaction id: two to four bytes are in use, and it is repeated in the answer.
pub const MAX_TRANSACTION_BYTES: usize = 32;
/// Longest token that is taken along.
const MAX_TOKEN_BYTES: usize = 64;
/// Longest name of a program.
const MAX_VERSION_BYTES: usize = 16;
/// Longest text of a failure that is kept.
const MAX_TEXT_BYTES: usize = 200;
/// Most nodes of one answer that are taken: it should hold eight.
pub const MAX_NODES: usize = 32;
/// Most peers of one answer that are taken: as many as fit the datagram.
pub const MAX_VALUES_IN_REPLY: usize = 256;
/// Most samples of one answer that are taken.
pub const MAX_SAMPLES: usize = 64;

/// Why a datagram is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KrpcError {
    /// No bencoded value.
    #[error("no bencoded message: {0}")]
    Bencode(#[from] Malformed),
    /// Not a message at all: no answer.
    #[error("not a message: {0}")]
    Message(&'static str),
    /// A question that makes no sense. It is answered with this code and text.
    #[error("{text}")]
    Query {
        /// To be repeated in the answer.
        transaction: Vec<u8>,
        /// 203, 204, 205 or 207.
        code: i64,
        /// What is wrong.
        text: &'static str,
    },
}

/// What is wrong with a question: code and text.
type Wrong = (i64, &'static str);

const fn wrong(text: &'static str) -> Wrong {
    (203, text)
}

/// Reads a datagram.
///
/// # Errors
/// When it is no message. Keys may be in any order, since some programs do not sort them, but none may
/// be there twice.
pub fn parse(datagram: &[u8]) -> Result<Message, KrpcError> {
    let not = KrpcError::Message;
    if datagram.len() > MAX_DATAGRAM_BYTES {
        return Err(not("it is too long"));
    }
    let value = read(datagram, Order::Any)?;
    let bytes = |key: &[u8]| value.get(key).and_then(Value::bytes);
    let transaction = bytes(b"t")
        .filter(|id| id.len() <= MAX_TRANSACTION_BYTES)
        .ok_or(not("no transaction id"))?;
    let body = match bytes(b"y") {
        Some(b"q") => query(&value).map_err(|(code, text)| KrpcError::Query {
            transaction: transaction.to_vec(),
            code,
            text,
        })?,
        Some(b"r") => {
            let fields = value.get(b"r").ok_or(not("an answer without its fields"))?;
            Body::Reply(Box::new(
                reply(fields).ok_or(not("an answer with wrong fields"))?,
            ))
        }
        Some(b"e") => error(&value).ok_or(not("a failure without code and text"))?,
        _ => return Err(not("neither question nor answer")),
    };
    Ok(Message {
        transaction: transaction.to_vec(),
        version: bytes(b"v")
            .filter(|name| name.len() <= MAX_VERSION_BYTES)
            .map(<[u8]>::to_vec),
        seen_at: bytes(b"ip").and_then(address),
        read_only: value.get(b"ro").and_then(Value::int) == Some(1),
        body,
    })
}

/// Reads what [`Item::encode`] wrote.
#[must_use]
pub fn decode_item(bytes: &[u8]) -> Option<Item> {
    item(&read(bytes, Order::Sorted).ok()?).ok()
}

fn query(message: &Value<'_>) -> Result<Body, Wrong> {
    let fields = message.get(b"a").ok_or(wrong("arguments are missing"))?;
    let id = hash(fields, b"id").ok_or(wrong("argument id is not 20 bytes"))?;
    let target = || hash(fields, b"target").ok_or(wrong("argument target is not 20 bytes"));
    let info_hash = || {
        let found = hash(fields, b"info_hash").map(InfoHash);
        found.ok_or(wrong("argument info_hash is not 20 bytes"))
    };
    let int = |key: &[u8]| fields.get(key).and_then(Value::int);
    let name = message.get(b"q").and_then(Value::bytes);
    let query = match name.ok_or(wrong("the question has no name"))? {
        b"ping" => Query::Ping,
        b"find_node" => Query::FindNode { target: target()? },
        b"get_peers" => Query::GetPeers {
            info_hash: info_hash()?,
            noseed: int(b"noseed") == Some(1),
        },
        b"announce_peer" => Query::AnnouncePeer {
            info_hash: info_hash()?,
            port: if int(b"implied_port").unwrap_or(0) != 0 {
                None
            } else {
                let port = int(b"port").and_then(|port| u16::try_from(port).ok());
                let port = port.filter(|port| *port != 0);
                Some(port.ok_or(wrong("argument port is no port"))?)
            },
            token: token(fields)?,
            seed: int(b"seed") == Some(1),
        },
        b"get" => Query::Get {
            target: target()?,
            newer_than: int(b"seq"),
        },
        b"put" => Query::Put {
            item: Box::new(item(fields)?),
            cas: int(b"cas"),
            token: token(fields)?,
        },
        b"sample_infohashes" => Query::SampleInfohashes { target: target()? },
        _ => return Err((204, "this question is not known here")),
    };
    let wants = |family: &[u8]| {
        let list = fields
            .get(b"want")
            .and_then(Value::list)
            .unwrap_or_default();
        list.iter().any(|value| value.bytes() == Some(family))
    };
    let want = Want {
        n4: wants(b"n4"),
        n6: wants(b"n6"),
    };
    Ok(Body::Query { id, query, want })
}

fn token(fields: &Value<'_>) -> Result<Vec<u8>, Wrong> {
    let token = fields.get(b"token").and_then(Value::bytes);
    let token = token.filter(|token| token.len() <= MAX_TOKEN_BYTES);
    token
        .map(<[u8]>::to_vec)
        .ok_or(wrong("argument token is missing or too long"))
}

fn item(fields: &Value<'_>) -> Result<Item, Wrong> {
    let mut value = Vec::new();
    fields
        .get(b"v")
        .ok_or(wrong("argument v is missing"))?
        .write(&mut value);
    if value.len() > super::item::MAX_VALUE_BYTES {
        return Err((205, "argument v is too big"));
    }
    let Some(key) = fields.get(b"k") else {
        return Ok(Item::Immutable { value });
    };
    let salt = fields
        .get(b"salt")
        .and_then(Value::bytes)
        .unwrap_or_default();
    if salt.len() > super::item::MAX_SALT_BYTES {
        return Err((207, "argument salt is too big"));
    }
    let fixed = |value: &Value<'_>| value.bytes().map(<[u8]>::to_vec);
    let key = fixed(key).and_then(|key| key.try_into().ok());
    let signature = fields
        .get(b"sig")
        .and_then(fixed)
        .and_then(|bytes| bytes.try_into().ok());
    let seq = fields
        .get(b"seq")
        .and_then(Value::int)
        .filter(|seq| *seq >= 0);
    Ok(Item::Mutable {
        value,
        key: key.ok_or(wrong("argument k is not 32 bytes"))?,
        salt: salt.to_vec(),
        seq: seq.ok_or(wrong("argument seq is missing or negative"))?,
        signature: signature.ok_or((206, "argument sig is not 64 bytes"))?,
    })
}

fn reply(fields: &Value<'_>) -> Option<Reply> {
    let bytes = |key: &[u8]| fields.get(key).and_then(Value::bytes);
    let int = |key: &[u8]| fields.get(key).and_then(Value::int);
    let values = fields
        .get(b"values")
        .and_then(Value::list)
        .unwrap_or_default();
    let values = values.iter().take(MAX_VALUES_IN_REPLY);
    let token = bytes(b"token").filter(|token| token.len() <= MAX_TOKEN_BYTES);
    let item = match fields.get(b"v") {
        Some(_) => Some(Box::new(item(fields).ok()?)),
        None => None,
    };
    let samples = bytes(b"samples").map(|samples| {
        let hashes = samples.chunks_exact(20).take(MAX_SAMPLES);
        hashes
            .filter_map(|hash| hash.try_into().ok().map(InfoHash))
            .collect()
    });
    Some(Reply {
        id: hash(fields, b"id")?,
        nodes: bytes(b"nodes").map(nodes::<6>),
        nodes6: bytes(b"nodes6").map(nodes::<18>),
        values: values.filter_map(|value| address(value.bytes()?)).collect(),
        token: token.map(<[u8]>::to_vec),
        seq: int(b"seq").filter(|_| item.is_none()),
        item,
        samples,
        interval_s: int(b"interval"),
        num: int(b"num"),
    })
}

fn error(message: &Value<'_>) -> Option<Body> {
    let [code, text, ..] = message.get(b"e")?.list()? else {
        return None;
    };
    let text = String::from_utf8_lossy(text.bytes()?);
    Some(Body::Error {
        code: code.int()?,
        text: text.chars().take(MAX_TEXT_BYTES).collect(),
    })
}

fn hash(fields: &Value<'_>, key: &[u8]) -> Option<NodeId> {
    fields.get(key)?.bytes()?.try_into().ok()
}

/// An address with a port that one can send to.
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    let port = u16::from_be_bytes(*port);
    (port != 0).then(|| SocketAddr::new(ip, port))
}

/// Nodes whose addresses take `STRIDE` bytes.
fn nodes<const STRIDE: usize>(bytes: &[u8]) -> Nodes {
    let each = bytes.chunks_exact(20 + STRIDE).take(MAX_NODES);
    let parsed = each.filter_map(|node| {
        let (id, addr) = node.split_first_chunk::<20>()?;
        Some((*id, address(addr)?))
    });
    parsed.collect()
}

#[cfg(test)]
mod tests;

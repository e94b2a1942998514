//! Reading the target of a request: path and query.

use super::percent::decode;
use crate::announce::{Announce, Event, MAX_PASSKEY_BYTES};
use crate::front_end::FrontEnd;
use crate::ids::{HASH_BYTES, InfoHash, PeerId};
use std::net::IpAddr;
use std::num::NonZeroU16;

/// Most info-hashes in one scrape: as many as BEP 15 allows over UDP.
pub const MAX_SCRAPE_HASHES: usize = 74;
/// Longest value that is decoded of any parameter but the hashes: an IPv6 address or a key.
const MAX_VALUE_BYTES: usize = 64;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `/announce`
    Announce {
        /// What it says.
        announce: Announce,
        /// Whether it can read peers as bytes (BEP 23). It can unless it says that it cannot.
        compact: bool,
        /// The path's passkey, `/PASSKEY/announce` or `/announce/PASSKEY`.
        passkey: Option<Vec<u8>>,
    },
    /// `/scrape` (BEP 48), of at most [`MAX_SCRAPE_HASHES`].
    Scrape {
        /// Of which torrents; at least one.
        hashes: Vec<InfoHash>,
        /// The path's passkey.
        passkey: Option<Vec<u8>>,
    },
}

/// What is wrong with a request. The text goes to the client as its `failure reason`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Neither announce nor scrape.
    #[error("this is a tracker: ask for /announce or /scrape")]
    Path,
    /// A parameter that must be there is not.
    #[error("parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter is there more than once, and which is meant cannot be known.
    #[error("parameter {0} is there more than once")]
    Repeated(&'static str),
    /// A hash or a peer id has another length.
    #[error("parameter {name} has {length} bytes instead of 20")]
    Length {
        /// Which.
        name: &'static str,
        /// Its bytes.
        length: usize,
    },
    /// The value is broken percent-encoding.
    #[error("parameter {0} has a broken percent escape")]
    Escape(&'static str),
    /// The value is no number, or too large.
    #[error("parameter {0} is no number in its range")]
    Number(&'static str),
    /// A counter is negative.
    #[error("parameter {0} is negative")]
    Negative(&'static str),
    /// Port 0 is no port.
    #[error("parameter port is 0; leave it out if you take no connections")]
    PortZero,
    /// An event that no BEP knows.
    #[error("parameter event is none of started, stopped, completed and paused")]
    Event,
    /// An address that is none.
    #[error("parameter {0} is no IP address")]
    Address(&'static str),
    /// Too many hashes.
    #[error("a scrape names more than {MAX_SCRAPE_HASHES} torrents; ask in parts")]
    TooManyHashes,
    /// The passkey is empty or too long.
    #[error("the passkey in the path is empty or too long")]
    Passkey,
}

/// Reads the target of a request, as it is in the request line.
///
/// # Errors
/// When it is no announce or scrape that makes sense; the error names the parameter.
pub fn parse(target: &[u8]) -> Result<Request, RequestError> {
    let end = target.iter().position(|byte| *byte == b'?');
    let (path, query) = target.split_at(end.unwrap_or(target.len()));
    let query = query.get(1..).unwrap_or_default();
    let (is_announce, passkey) = action(path)?;
    if is_announce {
        let (announce, compact) = announce(query)?;
        Ok(Request::Announce {
            announce,
            compact,
            passkey,
        })
    } else {
        let hashes = scrape(query)?;
        Ok(Request::Scrape { hashes, passkey })
    }
}

/// Whether the path is an announce, and its passkey.
fn action(path: &[u8]) -> Result<(bool, Option<Vec<u8>>), RequestError> {
    let mut parts = path.split(|byte| *byte == b'/');
    let (before, first, second, more) = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(b""), Some(first), None) = (before, first, more) else {
        return Err(RequestError::Path);
    };
    let is_announce = |part: &[u8]| match part {
        b"announce" => Some(true),
        b"scrape" => Some(false),
        _ => None,
    };
    let key = |part: &[u8]| {
        let is_key = (1..=MAX_PASSKEY_BYTES).contains(&part.len());
        is_key.then(|| part.to_vec()).ok_or(RequestError::Passkey)
    };
    match (is_announce(first), second) {
        (Some(announce), None) => Ok((announce, None)),
        (Some(announce), Some(passkey)) => Ok((announce, Some(key(passkey)?))),
        (None, Some(action)) => {
            let announce = is_announce(action).ok_or(RequestError::Path)?;
            Ok((announce, Some(key(first)?)))
        }
        (None, None) => Err(RequestError::Path),
    }
}

/// The pairs of a query, undecoded.
fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let end = pair.iter().position(|byte| *byte == b'=');
            let (name, value) = pair.split_at(end.unwrap_or(pair.len()));
            (name, value.get(1..).unwrap_or_default())
        })
}

/// The parameters of an announce that are read, by place in [`Params`].
const NAMES: [&str; 13] = [
    "info_hash",
    "peer_id",
    "port",
    "uploaded",
    "downloaded",
    "left",
    "event",
    "key",
    "numwant",
    "compact",
    "ip",
    "ipv4",
    "ipv6",
];

/// Those of them that may be there more than once: libtorrent sends `ipv6=` for each of its global
/// addresses. The first counts.
const REPEATED: [&str; 3] = ["ip", "ipv4", "ipv6"];

/// The undecoded values of [`NAMES`].
struct Params<'a>([Option<&'a [u8]>; NAMES.len()]);

impl<'a> Params<'a> {
    fn of(query: &'a [u8]) -> Result<Self, RequestError> {
        let mut found = [None; NAMES.len()];
        for (name, value) in pairs(query) {
            let places = NAMES.iter().zip(found.iter_mut());
            for (known, place) in places.filter(|(known, _)| known.as_bytes() == name) {
                if place.is_some() && !REPEATED.contains(known) {
                    return Err(RequestError::Repeated(known));
                }
                place.get_or_insert(value);
            }
        }
        Ok(Self(found))
    }

    fn raw(&self, name: &str) -> Option<&'a [u8]> {
        let at = NAMES.iter().position(|known| *known == name)?;
        self.0.get(at).copied().flatten()
    }

    fn hash(&self, name: &'static str) -> Result<[u8; HASH_BYTES], RequestError> {
        let value = self.raw(name).ok_or(RequestError::Missing(name))?;
        twenty(name, value)
    }

    /// A number; none when the parameter is missing or empty.
    fn number(&self, name: &'static str) -> Result<Option<i128>, RequestError> {
        let Some(text) = self.raw(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        // Twenty digits hold every unsigned number of 64 bits.
        let is_number = (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        match number {
            Some(number) if is_number => Ok(Some(number)),
            _ => Err(RequestError::Number(name)),
        }
    }

    fn counter(&self, name: &'static str) -> Result<Option<u64>, RequestError> {
        match self.number(name)? {
            None => Ok(None),
            Some(number) if number < 0 => Err(RequestError::Negative(name)),
            Some(number) => match u64::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(RequestError::Number(name)),
            },
        }
    }

    fn port(&self) -> Result<Option<NonZeroU16>, RequestError> {
        let Some(port) = self.counter("port")? else {
            return Ok(None);
        };
        let port = u16::try_from(port).map_err(|_| RequestError::Number("port"))?;
        NonZeroU16::new(port)
            .map(Some)
            .ok_or(RequestError::PortZero)
    }

    fn event(&self) -> Result<Event, RequestError> {
        match self.raw("event").unwrap_or_default() {
            // Some clients send `event=` or `event=empty` at intervals.
            b"" | b"empty" => Ok(Event::Regular),
            b"started" => Ok(Event::Started),
            b"stopped" => Ok(Event::Stopped),
            b"completed" => Ok(Event::Completed),
            b"paused" => Ok(Event::Paused),
            _ => Err(RequestError::Event),
        }
    }

    /// The key: usually a number of 32 bits in hexadecimal, the same one as over UDP.
    fn key(&self) -> Option<u32> {
        let text = self.raw("key")?;
        let hexadecimal = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.len() <= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| u32::from_str_radix(text, 16).ok());
        // Anything else is only compared: FNV-1a makes a number of it.
        let number = hexadecimal.unwrap_or_else(|| {
            text.iter().fold(0x811c_9dc5, |hash: u32, byte| {
                (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
            })
        });
        Some(number).filter(|number| *number != 0)
    }

    fn address(&self, name: &'static str) -> Result<Option<IpAddr>, RequestError> {
        let Some(value) = self.raw(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let mut room = [0; MAX_VALUE_BYTES];
        let length = decode(value, &mut room).ok_or(RequestError::Escape(name))?;
        let text = room
            .get(..length)
            .and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or(RequestError::Address(name))
    }
}

fn twenty(name: &'static str, value: &[u8]) -> Result<[u8; HASH_BYTES], RequestError> {
    let mut hash = [0; HASH_BYTES];
    match decode(value, &mut hash) {
        None => Err(RequestError::Escape(name)),
        Some(HASH_BYTES) => Ok(hash),
        Some(length) => Err(RequestError::Length { name, length }),
    }
}

fn announce(query: &[u8]) -> Result<(Announce, bool), RequestError> {
    let params = Params::of(query)?;
    let event = params.event()?;
    let left = match params.counter("left")? {
        Some(left) => left,
        // Whoever ends says nothing of importance any more.
        None if event == Event::Stopped => 0,
        None => return Err(RequestError::Missing("left")),
    };
    let numwant = params.number("numwant")?.map(|wanted| {
        // A negative number asks for the default, as over UDP.
        let wanted = wanted.min(i128::from(u32::MAX));
        u32::try_from(wanted).ok()
    });
    // A name instead of an address is no error where it is not believed anyway.
    let claims = ["ip", "ipv4", "ipv6"].into_iter();
    let mut claims = claims.filter_map(|name| params.address(name).unwrap_or(None));
    let announce = Announce {
        by: FrontEnd::Http,
        info_hash: InfoHash(params.hash("info_hash")?),
        peer_id: PeerId(params.hash("peer_id")?),
        port: params.port()?,
        uploaded: params.counter("uploaded")?.unwrap_or(0),
        downloaded: params.counter("downloaded")?.unwrap_or(0),
        left,
        event,
        key: params.key(),
        numwant: numwant.flatten(),
        claimed_ip: claims.next(),
    };
    Ok((announce, params.raw("compact") != Some(b"0")))
}

fn scrape(query: &[u8]) -> Result<Vec<InfoHash>, RequestError> {
    let mut hashes = Vec::new();
    for (name, value) in pairs(query) {
        if name != b"info_hash" {
            continue;
        }
        if hashes.len() == MAX_SCRAPE_HASHES {
            return Err(RequestError::TooManyHashes);
        }
        hashes.push(InfoHash(twenty("info_hash", value)?));
    }
    if hashes.is_empty() {
        // All torrents at once would be a heavy answer to a light question.
        return Err(RequestError::Missing("info_hash"));
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests;

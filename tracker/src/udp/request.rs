//! Reading datagrams.

use crate::announce::{Announce, Event, MAX_PASSKEY_BYTES};
use crate::front_end::FrontEnd;
use crate::http::MAX_SCRAPE_HASHES;
use crate::ids::{HASH_BYTES, InfoHash, PeerId};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;

/// What a connect request begins with (BEP 15).
const MAGIC: u64 = 0x0417_2710_1980;
/// Bytes of the smallest request.
const CONNECT_BYTES: usize = 16;
/// Most options that are read of one announce: BEP 41 defines one, and a URL that needs more than
/// eight parts of 255 bytes is no tracker's.
pub const MAX_OPTIONS: usize = 32;
/// Longest path and query that BEP 41 options are put together to.
const MAX_URL_BYTES: usize = 1_024;

/// What a datagram asks. `transaction` is repeated in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A connection id, please.
    Connect {
        /// Names the question.
        transaction: u32,
    },
    /// An announce.
    Announce {
        /// The id, to be checked.
        connection: u64,
        /// Names the question.
        transaction: u32,
        /// What it says.
        announce: Announce,
        /// The passkey in the path of the tracker's URL (BEP 41).
        passkey: Option<Vec<u8>>,
    },
    /// A scrape.
    Scrape {
        /// The id, to be checked.
        connection: u64,
        /// Names the question.
        transaction: u32,
        /// Of which torrents: the first [`MAX_SCRAPE_HASHES`] that were named.
        hashes: Vec<InfoHash>,
    },
}

/// What is wrong with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Too short for anything, or not of this protocol: no answer.
    #[error("not a request of the UDP tracker protocol")]
    Foreign,
    /// A request that begins well. It is answered, once its connection id proves to be valid.
    #[error("{reason}")]
    Wrong {
        /// The id, to be checked before anything is said.
        connection: u64,
        /// Names the question.
        transaction: u32,
        /// For the client.
        reason: &'static str,
    },
}

/// Reads a datagram. More bytes than are needed are no error, as BEP 15 demands.
///
/// # Errors
/// When it is no request.
pub fn parse(datagram: &[u8]) -> Result<Request, RequestError> {
    let mut fields = Fields(datagram);
    let head = (fields.u64(), fields.u32(), fields.u32());
    let (Some(connection), Some(action), Some(transaction)) = head else {
        return Err(RequestError::Foreign);
    };
    let wrong = |reason| RequestError::Wrong {
        connection,
        transaction,
        reason,
    };
    match action {
        0 if connection == MAGIC => Ok(Request::Connect { transaction }),
        1 => {
            let announce = announce(&mut fields).map_err(wrong)?;
            let passkey = passkey(fields.0).map_err(wrong)?;
            Ok(Request::Announce {
                connection,
                transaction,
                announce,
                passkey,
            })
        }
        2 => {
            let hashes = datagram.get(CONNECT_BYTES..).unwrap_or_default();
            let hashes: Vec<_> = hashes
                .chunks_exact(HASH_BYTES)
                .take(MAX_SCRAPE_HASHES)
                .filter_map(|hash| hash.try_into().ok().map(InfoHash))
                .collect();
            if hashes.is_empty() {
                return Err(wrong("the scrape names no torrent"));
            }
            Ok(Request::Scrape {
                connection,
                transaction,
                hashes,
            })
        }
        _ => Err(RequestError::Foreign),
    }
}

fn announce(fields: &mut Fields<'_>) -> Result<Announce, &'static str> {
    const SHORT: &str = "the announce has fewer than 98 bytes";
    let info_hash = fields.take().map(InfoHash).ok_or(SHORT)?;
    let peer_id = fields.take().map(PeerId).ok_or(SHORT)?;
    let downloaded = fields.u64().ok_or(SHORT)?;
    let left = fields.u64().ok_or(SHORT)?;
    let uploaded = fields.u64().ok_or(SHORT)?;
    let event = fields.u32().ok_or(SHORT)?;
    let ip = Ipv4Addr::from(fields.take::<4>().ok_or(SHORT)?);
    let key = fields.u32().ok_or(SHORT)?;
    let numwant = fields.u32().ok_or(SHORT)?;
    let port = u16::from_be_bytes(fields.take().ok_or(SHORT)?);
    let event = match event {
        0 => Event::Regular,
        1 => Event::Completed,
        2 => Event::Started,
        3 => Event::Stopped,
        // BEP 21 has no number for it; libtorrent sends 4.
        4 => Event::Paused,
        _ => return Err("the event is none of 0 to 4"),
    };
    let port = NonZeroU16::new(port);
    if port.is_none() && event != Event::Stopped {
        return Err("the port is 0");
    }
    Ok(Announce {
        by: FrontEnd::Udp,
        info_hash,
        peer_id,
        port,
        uploaded,
        downloaded,
        left,
        event,
        key: Some(key).filter(|key| *key != 0),
        // -1 is the default.
        numwant: Some(numwant).filter(|number| i32::try_from(*number).is_ok()),
        claimed_ip: Some(IpAddr::V4(ip)).filter(|_| !ip.is_unspecified()),
    })
}

/// The passkey in the URL that the options of BEP 41 carry: the part of the path that is not
/// `announce`.
fn passkey(options: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let mut url = Vec::new();
    let mut rest = options;
    for _ in 0..MAX_OPTIONS {
        rest = match rest {
            // The end, or EndOfOptions.
            [] | [0, ..] => break,
            // NOP.
            [1, tail @ ..] => tail,
            [kind, length, tail @ ..] => {
                let split = tail.split_at_checked(usize::from(*length));
                let (data, after) = split.ok_or("an option is longer than the datagram")?;
                if *kind == 2 {
                    if url.len() + data.len() > MAX_URL_BYTES {
                        return Err("the URL is too long");
                    }
                    url.extend_from_slice(data);
                }
                after
            }
            [_] => return Err("an option has no length"),
        };
    }
    let path = url.split(|byte| *byte == b'?').next().unwrap_or_default();
    let key = path
        .split(|byte| *byte == b'/')
        .find(|part| !part.is_empty() && *part != b"announce");
    match key {
        Some(key) if key.len() > MAX_PASSKEY_BYTES => Err("the passkey is too long"),
        key => Ok(key.map(<[u8]>::to_vec)),
    }
}

/// Takes big-endian fields from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announce(options: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::new();
        datagram.extend(77_u64.to_be_bytes());
        datagram.extend(1_u32.to_be_bytes());
        datagram.extend(5_u32.to_be_bytes());
        datagram.extend([7; 20]);
        datagram.extend(b"-lt2000-abcdefghijkl");
        for counter in [10_u64, 20, 30] {
            datagram.extend(counter.to_be_bytes());
        }
        for number in [2_u32, 0, 99, u32::MAX] {
            datagram.extend(number.to_be_bytes());
        }
        datagram.extend(6881_u16.to_be_bytes());
        assert_eq!(datagram.len(), 98);
        datagram.extend_from_slice(options);
        datagram
    }

    fn key_of(options: &[u8]) -> Result<Option<Vec<u8>>, RequestError> {
        match parse(&announce(options))? {
            Request::Announce { passkey, .. } => Ok(passkey),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_connect_has_its_magic_number() {
        let mut datagram = MAGIC.to_be_bytes().to_vec();
        datagram.extend([0, 0, 0, 0, 0, 0, 0, 9]);
        let connect = Request::Connect { transaction: 9 };
        assert_eq!(parse(&datagram), Ok(connect.clone()));
        assert_eq!(
            parse(&[datagram.clone(), vec![0; 50]].concat()),
            Ok(connect)
        );
        assert_eq!(parse(&datagram[..15]), Err(RequestError::Foreign));
        datagram[7] ^= 1;
        assert_eq!(parse(&datagram), Err(RequestError::Foreign));
    }

    #[test]
    fn the_fields_of_an_announce_are_where_bep_15_puts_them() {
        let Ok(Request::Announce {
            connection,
            transaction,
            announce,
            passkey,
        }) = parse(&announce(&[]))
        else {
            panic!("no announce");
        };
        assert_eq!((connection, transaction, passkey), (77, 5, None));
        assert_eq!(
            (announce.downloaded, announce.left, announce.uploaded),
            (10, 20, 30)
        );
        assert_eq!(announce.event, Event::Started);
        assert_eq!((announce.key, announce.numwant), (Some(99), None));
        assert_eq!(announce.port.map(NonZeroU16::get), Some(6881));
        assert_eq!(announce.claimed_ip, None);
    }

    #[test]
    fn a_short_announce_names_its_connection_for_the_answer() {
        let whole = announce(&[]);
        for length in 16..98 {
            let short = parse(&whole[..length]);
            let Err(RequestError::Wrong {
                connection: 77,
                transaction: 5,
                ..
            }) = short
            else {
                panic!("{short:?}");
            };
        }
    }

    #[test]
    fn options_carry_the_url_in_pieces() {
        assert_eq!(key_of(b"\x02\x0c/dir?a=b&c=d"), Ok(Some(b"dir".to_vec())));
        assert_eq!(key_of(b"\x01\x01\x02\x09/announce\x00junk"), Ok(None));
        let pieces = key_of(b"\x02\x04/se\x63\x05\x01x\x02\x0cret/announce\x00");
        assert_eq!(pieces, Ok(Some(b"secret".to_vec())));
        assert_eq!(key_of(b""), Ok(None));
        for bad in [&b"\x02"[..], b"\x02\x05abc", b"\x09\xff"] {
            assert!(key_of(bad).is_err(), "{}", bad.escape_ascii());
        }
        let long = [&[2, 255][..], &[b'a'; 255]].concat();
        assert!(key_of(&long).is_err());
    }

    #[test]
    fn a_scrape_of_ten_thousand_hashes_is_cut_off() {
        let mut datagram = 77_u64.to_be_bytes().to_vec();
        datagram.extend([0, 0, 0, 2, 0, 0, 0, 9]);
        assert!(parse(&datagram).is_err(), "no hash");
        datagram.extend(vec![3; 20 * 10_000]);
        match parse(&datagram) {
            Ok(Request::Scrape { hashes, .. }) => assert_eq!(hashes.len(), MAX_SCRAPE_HASHES),
            other => panic!("{other:?}"),
        }
    }
}

//! The answers to data commands.

use super::torrents::{Listed, Torrent};
use super::{HexId, Member, VersionText, Word, members};
use overlay::{
    DeleteReport, HitKind, HolderInfo, Id, InsertReport, LocateReport, PutReport, SearchReport,
    TextHit, TextReport,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use utoipa::ToSchema;

/// A value was stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Stored {
    #[schema(value_type = HexId)]
    pub(crate) key: Id,
    pub(crate) outcome: Word,
    #[schema(value_type = VersionText)]
    pub(crate) version: String,
    /// Replicas that hold it durably at the time of the answer.
    pub(crate) replicas_durable: u32,
    /// Replicas that were asked to.
    pub(crate) replicas: u32,
    /// Its bytes.
    pub(crate) bytes: usize,
    /// Seconds that it lives; none when it lives until it is deleted.
    pub(crate) ttl_s: Option<u32>,
}

impl Stored {
    pub(crate) fn of(report: &PutReport, bytes: usize, ttl_s: Option<u32>) -> Self {
        Self {
            key: report.key,
            outcome: Word::Stored,
            version: report.version.to_string(),
            replicas_durable: report.replicas_durable,
            replicas: report.replicas,
            bytes,
            ttl_s,
        }
    }
}

/// A holder was inserted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Inserted {
    #[schema(value_type = HexId)]
    pub(crate) key: Id,
    pub(crate) outcome: Word,
    #[schema(value_type = String, example = "127.0.0.1:4000")]
    pub(crate) holder: SocketAddr,
    #[schema(value_type = VersionText)]
    pub(crate) version: String,
    /// Seconds until the lease ends, unless this node renews it, which it does.
    pub(crate) expires_in_s: u64,
    /// Replicas that hold it durably at the time of the answer.
    pub(crate) replicas_durable: u32,
    /// Replicas that were asked to.
    pub(crate) replicas: u32,
}

impl From<&InsertReport> for Inserted {
    fn from(report: &InsertReport) -> Self {
        Self {
            key: report.key,
            outcome: Word::Inserted,
            holder: report.holder,
            version: report.version.to_string(),
            expires_in_s: report.expires_in_s,
            replicas_durable: report.replicas_durable,
            replicas: report.replicas,
        }
    }
}

/// Something was deleted, or it is not known whether it was there; the deletion holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    #[schema(value_type = HexId)]
    pub(crate) key: Id,
    /// Whether there was something to delete.
    pub(crate) outcome: Word,
    /// That of the deletion.
    #[schema(value_type = VersionText)]
    pub(crate) version: String,
    /// Replicas that hold the deletion durably at the time of the answer.
    pub(crate) replicas_durable: u32,
    /// Replicas that were asked to.
    pub(crate) replicas: u32,
}

impl From<&DeleteReport> for Deleted {
    fn from(report: &DeleteReport) -> Self {
        Self {
            key: report.key,
            outcome: report.outcome.into(),
            version: report.version.to_string(),
            replicas_durable: report.replicas_durable,
            replicas: report.replicas,
        }
    }
}

/// One holder.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HolderFound {
    #[schema(value_type = String, example = "127.0.0.1:4000")]
    pub(crate) addr: SocketAddr,
    /// Its words; may be empty.
    pub(crate) text: String,
    /// Seconds until its lease ends.
    pub(crate) expires_in_s: u64,
}

impl From<&HolderInfo> for HolderFound {
    fn from(holder: &HolderInfo) -> Self {
        Self {
            addr: holder.addr,
            text: holder.text.clone(),
            expires_in_s: holder.expires_in_s,
        }
    }
}

/// The holders of a resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Held {
    #[schema(value_type = HexId)]
    pub(crate) key: Id,
    pub(crate) outcome: Word,
    /// In order of address.
    pub(crate) holders: Vec<HolderFound>,
    #[serde(flatten)]
    pub(crate) found: Found,
}

/// What a read rests on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    /// Replicas that answered.
    pub(crate) replicas_answered: u32,
    /// Replicas that were asked.
    pub(crate) replicas_asked: u32,
    /// Why the outcome is unknown.
    pub(crate) reason: Option<String>,
    /// Where there are no replicas to ask: nodes that are known to have looked.
    pub(crate) nodes_reached: Option<u32>,
}

impl From<&SearchReport> for Held {
    fn from(report: &SearchReport) -> Self {
        Self {
            key: report.key,
            outcome: report.outcome.into(),
            holders: report.holders.iter().map(HolderFound::from).collect(),
            found: Found {
                replicas_answered: report.replicas_answered,
                replicas_asked: report.replicas_asked,
                reason: report.reason.clone(),
                nodes_reached: report.reached,
            },
        }
    }
}

/// One result of a search by words or by the beginning of keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Hit {
    /// A holder.
    Holder {
        #[schema(value_type = HexId)]
        key: Id,
        /// The key's bytes as text, when it was published as indexed.
        key_text: Option<String>,
        text: String,
        #[schema(value_type = String)]
        addr: SocketAddr,
        expires_in_s: u64,
    },
    /// A value.
    Value {
        #[schema(value_type = HexId)]
        key: Id,
        /// The key's bytes as text, when it was published as indexed.
        key_text: Option<String>,
        text: String,
        /// The version when its words were published.
        #[schema(value_type = VersionText)]
        version: String,
        /// Its bytes.
        size: u32,
        /// What is known of it when it is a torrent file.
        torrent: Option<Torrent>,
    },
}

impl Hit {
    fn of(hit: &TextHit, torrent: Option<&Listed>) -> Self {
        let name = hit.indexed.as_deref().map(String::from_utf8_lossy);
        let (key, text) = (hit.key, hit.text.clone());
        let key_text = name.map(std::borrow::Cow::into_owned);
        match hit.kind {
            HitKind::Holder { addr, expires_in_s } => Self::Holder {
                key,
                key_text,
                text,
                addr,
                expires_in_s,
            },
            HitKind::Value { version, size } => Self::Value {
                key,
                key_text,
                text,
                version: version.to_string(),
                size,
                torrent: torrent.map(Torrent::from),
            },
        }
    }
}

/// The results of a search by words or by the beginning of keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Matches {
    pub(crate) outcome: Word,
    /// Whether these are proven to be all.
    pub(crate) complete: bool,
    pub(crate) results: Vec<Hit>,
    /// Who answered: parts of the index, or nodes where there is none.
    pub(crate) answered: u32,
    /// Who was asked.
    pub(crate) asked: u32,
    /// Why the outcome is unknown, or the results not complete.
    pub(crate) reason: Option<String>,
}

impl Matches {
    /// The results of a search, and what is known of the torrents among them by their place.
    pub(crate) fn of(report: &TextReport, torrents: &BTreeMap<usize, Listed>) -> Self {
        let hits = report.results.iter().enumerate();
        let hits = hits.map(|(place, hit)| Hit::of(hit, torrents.get(&place)));
        Self {
            outcome: report.outcome.into(),
            complete: report.complete,
            results: hits.collect(),
            answered: report.answered,
            asked: report.asked,
            reason: report.reason.clone(),
        }
    }
}

/// Where a key belongs, and by which way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Located {
    #[schema(value_type = HexId)]
    pub(crate) key: Id,
    pub(crate) outcome: Word,
    /// Network steps on the way.
    pub(crate) hops: u32,
    /// Hops that were silent or failed, and had to be gone round.
    pub(crate) timeouts: u32,
    /// Where nobody owns a key: nodes that are known to have looked.
    pub(crate) nodes_reached: Option<u32>,
    /// The replica set, the root first; where nobody owns a key, the nodes that hit.
    pub(crate) replicas: Vec<Member>,
    /// The way: the asking node first, the root last.
    pub(crate) path: Vec<Member>,
    /// Microseconds from this lookup's question to the answer, for each node of the path but the first.
    /// Empty unless this node asked hop by hop: else the hops pass the request on among themselves.
    pub(crate) hop_us: Vec<u64>,
}

impl From<&LocateReport> for Located {
    fn from(report: &LocateReport) -> Self {
        Self {
            key: report.key,
            outcome: Word::Found,
            hops: report.hops,
            timeouts: report.timeouts,
            nodes_reached: report.reached,
            replicas: members(&report.replicas),
            path: members(&report.path),
            hop_us: report.hop_us.clone(),
        }
    }
}

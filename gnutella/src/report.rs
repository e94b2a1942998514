//! What a search comes to: a report with the evidence, or the body that is to be fetched.

use crate::finds::Find;
use crate::node::Gnutella;
use crate::search::{Purpose, Search};
use overlay::{
    Contact, Cx, Failure, GetReport, HitKind, HolderInfo, LocateReport, Outcome, Reply,
    SearchReport, Slot, Store, TextHit, TextReport,
};

impl<S: Store> Gnutella<S> {
    /// The search is over: what it comes to.
    pub(crate) fn search_found(&mut self, cx: &mut Cx<'_, Self>, number: u64) {
        let Some(search) = self.searches.get(&number) else {
            return;
        };
        let reply = match search.purpose.clone() {
            Purpose::Get { at_least } => {
                let newest = search.newest(search.key, Slot::Value);
                let version = newest.map(|find| find.hit.version);
                let is_seen = at_least.is_none_or(|seen| version >= Some(seen));
                if is_seen && newest.is_some_and(|find| !find.hit.gone) {
                    return self.fetch(cx, number);
                }
                self.mend(cx, number, None);
                self.not_got(number, None)
            }
            Purpose::Holders { limit } => self.holders_reply(number, limit),
            Purpose::Words { limit } => self.words_reply(number, limit),
            Purpose::Nodes => self.nodes_reply(number),
            Purpose::Delete { slot } => return self.delete_found(cx, number, slot),
        };
        if let Some(reply) = reply {
            self.end_search(cx, number, reply);
        }
    }

    /// Why something is unknown, with how far the search came.
    pub(crate) fn unknown(&self, number: u64, why: Option<&str>) -> String {
        let Some(search) = self.searches.get(&number) else {
            return String::new();
        };
        let nodes = search.reached();
        let nodes = if nodes == 1 {
            "only this node was reached".to_owned()
        } else {
            format!("{nodes} nodes were reached, this one included")
        };
        let leaves = match search.reach.leaves {
            0 => String::new(),
            1 => ", and the table of 1 leaf was consulted".to_owned(),
            many => format!(", and the tables of {many} leaves were consulted"),
        };
        let why = why.map_or_else(String::new, |why| format!("{why}; "));
        format!("{why}{nodes}{leaves}; in an unstructured overlay absence proves nothing")
    }

    pub(crate) fn not_got(&self, number: u64, why: Option<&str>) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let newest = search.newest(search.key, Slot::Value);
        let why = why.or(match newest {
            Some(find) if find.hit.gone => Some("it was deleted"),
            Some(_) => Some("only older versions than the client has seen were found"),
            None => None,
        });
        Some(Reply::Got(GetReport {
            key: search.key,
            outcome: Outcome::Unknown,
            value: None,
            version: newest.map(|find| find.hit.version),
            replicas_answered: search.finds.responders(),
            replicas_asked: search.reached(),
            reason: Some(self.unknown(number, why)),
            reached: Some(search.reached()),
        }))
    }

    pub(crate) fn holders_reply(&self, number: u64, limit: u32) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let mut holders: Vec<HolderInfo> = search.finds.live().filter_map(holder).collect();
        holders.sort_by_key(|holder| holder.addr);
        holders.truncate(limit as usize);
        let found = !holders.is_empty();
        Some(Reply::Searched(SearchReport {
            key: search.key,
            outcome: if found {
                Outcome::Found
            } else {
                Outcome::Unknown
            },
            holders,
            replicas_answered: search.finds.responders(),
            replicas_asked: search.reached(),
            reason: (!found || search.is_cut).then(|| self.unknown(number, cut(search))),
            reached: Some(search.reached()),
        }))
    }

    pub(crate) fn words_reply(&self, number: u64, limit: u32) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let mut results: Vec<TextHit> = search.finds.live().map(text_hit).collect();
        results.sort_unstable();
        results.truncate(limit as usize);
        let found = !results.is_empty();
        Some(Reply::TextSearched(TextReport {
            outcome: if found {
                Outcome::Found
            } else {
                Outcome::Unknown
            },
            results,
            complete: false,
            answered: search.finds.responders(),
            asked: search.reached(),
            reason: Some(self.unknown(number, cut(search))),
        }))
    }

    /// What `locate` means here: the nodes that hit, the nearest first. There is no root, and the way
    /// between is known to the nodes on it only.
    pub(crate) fn nodes_reply(&self, number: u64) -> Option<Reply> {
        let search = self.searches.get(&number)?;
        let mut finds: Vec<&Find> = search.finds.iter().filter(|it| !it.hit.gone).collect();
        finds.sort_by_key(|find| (find.from.id != self.me.id, find.hops, find.from.id));
        let mut replicas: Vec<Contact> = Vec::new();
        for find in &finds {
            if !replicas.iter().any(|known| known.id == find.from.id) {
                replicas.push(find.from);
            }
        }
        let Some(nearest) = replicas.first().copied() else {
            return Some(Reply::Failed(Failure::NoRoute {
                key: search.key,
                reason: format!("no node hit, {}", self.unknown(number, None)),
            }));
        };
        let mut path = vec![self.me];
        let is_here = nearest.id == self.me.id;
        path.extend((!is_here).then_some(nearest));
        let hops = finds.first().map_or(0, |find| u32::from(find.hops) + 1);
        Some(Reply::Located(LocateReport {
            key: search.key,
            replicas,
            path,
            hops: if is_here { 0 } else { hops },
            timeouts: 0,
            reached: Some(search.reached()),
            hop_us: Vec::new(),
        }))
    }
}

/// What is said when somebody may have more.
fn cut(search: &Search) -> Option<&'static str> {
    search.is_cut.then_some(
        "there may be more: a node has looked at, told, or passed on, as much as it may for one search",
    )
}

fn holder(find: &Find) -> Option<HolderInfo> {
    let Slot::Holder(addr) = find.hit.slot else {
        return None;
    };
    Some(HolderInfo {
        addr,
        text: find.hit.text.clone(),
        expires_in_s: find.hit.life_s.unwrap_or(0).into(),
    })
}

fn text_hit(find: &Find) -> TextHit {
    let hit = &find.hit;
    let kind = match hit.slot {
        Slot::Holder(addr) => HitKind::Holder {
            addr,
            expires_in_s: hit.life_s.unwrap_or(0).into(),
        },
        _ => HitKind::Value {
            version: hit.version,
            size: hit.bytes,
        },
    };
    TextHit {
        key: hit.key,
        kind,
        text: hit.text.clone(),
        indexed: None,
    }
}

//! Ping and Pong, with the pong cache.
//!
//! "Pings and pongs were up to half of the bandwidth" of early Gnutella. A node answers a ping out of a
//! cache of pongs, and only when that is older than three seconds does it pass the ping on.

use crate::inbox::Misdeed;
use crate::message::{Header, Host, MAX_HOSTS, MAX_TTL, Message, Role};
use crate::node::Gnutella;
use crate::seen::Back;
use overlay::{Contact, Cx, Duration, Store, Time};
use std::collections::VecDeque;

/// How long the cache is fresh.
const FRESH: Duration = Duration::from_secs(3);
/// Pongs that are cached: as many as one ping is answered with.
const CACHED: usize = MAX_HOSTS;
/// How often a node that has too few links asks its neighbours for hosts.
const EXPLORE_EVERY: Duration = Duration::from_secs(5);

/// Pongs that came lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct PongCache {
    hosts: VecDeque<Host>,
    filled: Option<Time>,
    explored: Option<Time>,
}

impl PongCache {
    fn put(&mut self, host: Host) {
        self.hosts.retain(|it| it.contact.id != host.contact.id);
        if self.hosts.len() >= CACHED {
            self.hosts.pop_front();
        }
        self.hosts.push_back(host);
    }

    /// Whether it is time to ask for hosts; if so, it counts as done.
    pub(crate) fn may_explore(&mut self, now: Time) -> bool {
        let due = self.explored.is_none_or(|at| at + EXPLORE_EVERY <= now);
        if due {
            self.explored = Some(now);
        }
        due
    }
}

impl<S: Store> Gnutella<S> {
    fn my_pong(&self, guid: crate::Guid, hops: u8) -> Message {
        let equals = self.full_links().count();
        let (_, most) = self.wanted_links();
        let room = match self.role {
            Role::Leaf => false,
            Role::Peer => equals < most,
            Role::Ultrapeer => self.has_room_for_leaf(),
        };
        let host = Host {
            contact: self.me,
            role: self.role,
            room,
        };
        let counts = self.store.counts();
        Message::Pong {
            header: Header::new(guid, hops),
            host,
            records: counts.values + counts.holders,
        }
    }

    pub(crate) fn ping(&mut self, cx: &mut Cx<'_, Self>, from: Contact, header: Header) {
        if !header.is_sane() {
            return self.misdeed(cx, from, Misdeed::Hops);
        }
        let back = Back::Link(from.id);
        if !self.seen.insert(header.guid, back, 0, cx.now) {
            let first = self.seen.get(header.guid).map(|entry| entry.back);
            if first == Some(back) {
                self.misdeed(cx, from, Misdeed::Duplicate);
            }
            return;
        }
        let pong = self.my_pong(header.guid, header.hops);
        cx.send(from, pong);
        let Some(next) = header.forwarded() else {
            return;
        };
        let is_fresh = self.pongs.filled.is_some_and(|at| at + FRESH > cx.now);
        if is_fresh {
            let cached: Vec<Host> = self.pongs.hosts.iter().copied().collect();
            for host in cached.into_iter().filter(|host| host.contact.id != from.id) {
                let header = Header::new(header.guid, header.hops);
                let records = 0;
                cx.send(
                    from,
                    Message::Pong {
                        header,
                        host,
                        records,
                    },
                );
            }
            return;
        }
        self.pongs.filled = Some(cx.now);
        let others = self.full_links().filter(|link| link.contact.id != from.id);
        for link in others {
            cx.send(link.contact, Message::Ping(next));
        }
    }

    pub(crate) fn pong(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        header: Header,
        host: Host,
    ) {
        if header.ttl > MAX_TTL || header.hops > MAX_TTL {
            return self.misdeed(cx, from, Misdeed::Hops);
        }
        if let Some(link) = self.links.get_mut(&from.id)
            && host.contact.id == from.id
            && let Some(at) = link.pinged.take()
        {
            let sample = cx.now.since(at);
            let smooth = |old: Duration| Duration((old.0 * 7 + sample.0) / 8);
            link.rtt = Some(link.rtt.map_or(sample, smooth));
        }
        if host.contact.id == from.id {
            self.hosts.learn(host, cx.now, true);
        } else {
            self.learn_hosts(cx, &[host]);
        }
        let Some(entry) = self.seen.get_mut(header.guid) else {
            return;
        };
        let Back::Link(back) = entry.back else {
            return;
        };
        self.pongs.put(host);
        // "MAX_HOSTS pongs for each ping": a node does not drown who asked one question.
        let Some(left) = entry.pongs_left.checked_sub(1) else {
            return;
        };
        entry.pongs_left = left;
        if let (Some(link), Some(header)) = (self.links.get(&back), header.forwarded()) {
            let records = 0;
            cx.send(
                link.contact,
                Message::Pong {
                    header,
                    host,
                    records,
                },
            );
        }
    }
}

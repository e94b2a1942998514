//! The questions and their answers.

use super::items::{self, Stored};
use super::{Asked, Mainline};
use crate::tracker::service::patiently;
use crate::tracker::spawn;
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::rc::Rc;
use tracker::krpc::item::Item;
use tracker::krpc::{NodeId, Query, Reply};
use tracker::table::Change;
use tracker::{Announce, Entered, Event, Families, FrontEnd, InfoHash, PeerId, Scope};

/// Peers in an answer: with eight nodes, and tokens, it stays below the 1,024 bytes of BEP 32.
const MAX_PEERS: usize = 60;
/// Of IPv6, which take three times as much.
const MAX_PEERS_V6: usize = 20;
/// Info-hashes in a sample (BEP 51): 20 bytes each.
const SAMPLES: usize = 20;
/// After how many seconds another sample may be asked for.
const SAMPLE_INTERVAL_S: i64 = 60;
/// Questions that wait for the overlay at a time. Beyond it they are answered from memory.
pub(crate) const MAX_QUESTIONS: usize = 1_024;
/// Items that are being stored at a time: each is a read and a write with a quorum.
pub(crate) const MAX_PUTS: usize = 32;
/// The code of a failure of this node (BEP 5).
const GENERAL: i64 = 202;

impl Mainline {
    pub(super) fn answer(self: &Rc<Self>, asked: Asked, query: Query) {
        match query {
            Query::Ping => self.reply(&asked, Reply::default()),
            Query::FindNode { target } => {
                let reply = self.with_nodes(&asked, &target, Reply::default());
                self.reply(&asked, reply);
            }
            Query::GetPeers { info_hash, noseed } => self.get_peers(asked, info_hash, noseed),
            Query::AnnouncePeer {
                info_hash,
                port,
                token,
                seed,
            } => {
                if self.is_proven(&asked, &token) {
                    let port = port.unwrap_or(asked.client.port());
                    self.listeners.borrow_mut().remember(asked.client, port);
                    self.enter(&asked, info_hash, port, seed);
                }
            }
            Query::SampleInfohashes { target } => self.sample(&asked, &target),
            Query::Get { target, newer_than } => self.get(asked, target, newer_than),
            Query::Put { item, cas, token } => {
                if self.is_proven(&asked, &token) {
                    self.put(asked, item, cas);
                }
            }
        }
    }

    /// Answers when the overlay has, or from memory at once when there is nothing to wait for, or no
    /// room to wait.
    fn get_peers(self: &Rc<Self>, asked: Asked, info_hash: InfoHash, noseed: bool) {
        let lookups = self.service.inquire(&[info_hash], None);
        let slot = Slot::take(self, |node| &node.service.waiting.mainline, MAX_QUESTIONS);
        let Some(slot) = slot.filter(|_| !lookups.is_empty()) else {
            self.tell_peers(&asked, info_hash, noseed);
            return;
        };
        spawn(async move {
            patiently(lookups).await;
            slot.node.tell_peers(&asked, info_hash, noseed);
        });
    }

    fn tell_peers(&self, asked: &Asked, info_hash: InfoHash, noseed: bool) {
        let reply = Reply {
            values: self.peers(asked.client, info_hash, noseed),
            token: Some(self.token(asked.client.ip())),
            ..Reply::default()
        };
        let reply = self.with_nodes(asked, &info_hash.0, reply);
        self.reply(asked, reply);
    }

    fn sample(&self, asked: &Asked, target: &NodeId) {
        let (samples, num) = {
            let state = &mut *self.service.state();
            state.sharing.tracker.sample_hashes(SAMPLES, &mut state.rng)
        };
        let reply = Reply {
            samples: Some(samples),
            interval_s: Some(SAMPLE_INTERVAL_S),
            num: i64::try_from(num).ok(),
            ..Reply::default()
        };
        let reply = self.with_nodes(asked, target, reply);
        self.reply(asked, reply);
    }

    /// As [`Self::get_peers`]; memory has no items.
    fn get(self: &Rc<Self>, asked: Asked, target: NodeId, newer_than: Option<i64>) {
        let Some(slot) = Slot::take(self, |node| &node.service.waiting.mainline, MAX_QUESTIONS)
        else {
            self.tell_item(&asked, &target, None, newer_than);
            return;
        };
        spawn(async move {
            let node = &slot.node;
            let item = match items::get(&node.service, &target).await {
                Stored::Item(item, _) => Some(*item),
                _ => None,
            };
            node.tell_item(&asked, &target, item, newer_than);
        });
    }

    fn tell_item(
        &self,
        asked: &Asked,
        target: &NodeId,
        item: Option<Item>,
        newer_than: Option<i64>,
    ) {
        let mut reply = Reply {
            token: Some(self.token(asked.client.ip())),
            ..Reply::default()
        };
        if let Some(item) = item {
            let known = item
                .seq()
                .zip(newer_than)
                .is_some_and(|(seq, than)| seq <= than);
            reply.seq = item.seq().filter(|_| known);
            reply.item = (!known).then(|| Box::new(item));
        }
        let reply = self.with_nodes(asked, target, reply);
        self.reply(asked, reply);
    }

    /// Stores an item for whoever has shown a token.
    fn put(self: &Rc<Self>, asked: Asked, item: Box<Item>, cas: Option<i64>) {
        let (ip, now) = (asked.client.ip(), self.service.now());
        if !self.gate.borrow_mut().admits_put(ip, now) {
            self.refuse_proven(&asked, GENERAL, "your address stores too many items");
            return;
        }
        let Some(slot) = Slot::take(self, |node| &node.service.waiting.puts, MAX_PUTS) else {
            self.refuse_proven(
                &asked,
                GENERAL,
                "too many items are being stored; try again",
            );
            return;
        };
        spawn(async move {
            let node = &slot.node;
            match items::put(&node.service, &item, cas).await {
                Ok(()) => node.reply(&asked, Reply::default()),
                Err((code, text)) => node.refuse_proven(&asked, code, &text),
            }
        });
    }

    /// A client announces.
    fn enter(&self, asked: &Asked, info_hash: InfoHash, port: u16, seed: bool) {
        let ip = asked.client.ip();
        let announce = Announce {
            by: FrontEnd::Mainline,
            info_hash,
            // The DHT has no ids of clients: address and port tell one from another.
            peer_id: client_of(ip),
            port: NonZeroU16::new(port),
            uploaded: 0,
            downloaded: 0,
            left: u64::from(!seed),
            event: Event::Regular,
            key: Some(port.into()),
            numwant: Some(0),
            claimed_ip: None,
        };
        match self.service.begin(self.service.now(), ip, None, &announce) {
            Ok(_) => self.reply(asked, Reply::default()),
            Err(refusal) => self.refuse_proven(asked, GENERAL, &refusal.to_string()),
        }
    }

    /// The peers of a swarm, of the address family of the question, and without seeds as far as these
    /// are known on demand; none of a swarm that is not served to everybody. A client is not offered
    /// itself once it has announced where it takes connections.
    fn peers(&self, client: SocketAddr, hash: InfoHash, noseed: bool) -> Vec<SocketAddr> {
        if !self.service.state().sharing.tracker.serves(&hash, None) {
            return Vec::new();
        }
        let is_v4 = client.ip().to_canonical().is_ipv4();
        let most = if is_v4 { MAX_PEERS } else { MAX_PEERS_V6 };
        let entered = Entered {
            hash,
            addr: self.listeners.borrow().of(client),
            identity: 0,
            // Whoever wants no seeds is served as one is.
            seed: noseed,
            numwant: most as u32,
            change: Change::Nothing,
        };
        let scope = Scope {
            most,
            families: Families::of(client.ip()),
        };
        self.service
            .answer(self.service.now(), &entered, scope, |_, offer| {
                offer.addresses()
            })
    }
}

/// One of a bounded number of questions under way; given back when it is dropped.
struct Slot {
    node: Rc<Mainline>,
    taken: fn(&Mainline) -> &Cell<usize>,
}

impl Slot {
    /// None when `most` are taken.
    fn take(
        node: &Rc<Mainline>,
        taken: fn(&Mainline) -> &Cell<usize>,
        most: usize,
    ) -> Option<Self> {
        let count = taken(node);
        (count.get() < most).then(|| {
            count.set(count.get() + 1);
            let node = Rc::clone(node);
            Self { node, taken }
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let count = (self.taken)(&self.node);
        count.set(count.get().saturating_sub(1));
    }
}

/// Stands for the client at an address.
fn client_of(ip: IpAddr) -> PeerId {
    PeerId(overlay::Id::of(ip.to_canonical().to_string().as_bytes()).0)
}

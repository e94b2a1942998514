//! Once a second: links that are too few, neighbours that are silent, and what is too old.

use crate::link::Link;
use crate::message::{ByeCode, Header, Host, Message, Role};
use crate::node::{Due, Gnutella};
use crate::stage::Stage;
use overlay::{Contact, Cx, Duration, Id, Store};

/// How often links are looked after, plus up to a quarter of it, so that nodes which began
/// together do not go on together.
const TICK: Duration = Duration::from_secs(1);
/// A neighbour that has been silent for so long is pinged.
const PING_AFTER: Duration = Duration::from_secs(10);
/// A ping that is not answered for so long ends the link.
const PONG_LIMIT: Duration = Duration::from_secs(5);
/// Queries in a row that a neighbour left without an answer before it is pinged.
pub(crate) const MAX_SILENCES: u8 = 2;
/// How many candidates are asked for a link in one tick.
const TRIES: usize = 2;

impl<S: Store> Gnutella<S> {
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_, Self>) {
        let jitter = cx.rng.next_u64() % (TICK.0 / 4);
        self.deadlines
            .set(Due::Tick, cx.now + TICK + Duration(jitter));
        self.seen.forget_old(cx.now);
        self.ticked_at = cx.now;
        self.forget_strangers(cx.now);
        self.review_role(cx);
        self.test_links(cx);
        self.trim_links(cx);
        self.seek_links(cx);
        self.publish(cx);
        self.sweep(cx);
    }

    /// Pings who is silent, and gives up who does not answer that.
    fn test_links(&mut self, cx: &mut Cx<'_, Self>) {
        let mut lost = Vec::new();
        let mut due = Vec::new();
        for link in self.links.values_mut() {
            let answered = link.pinged.is_none_or(|at| link.heard >= at);
            if answered {
                link.pinged = None;
            }
            match link.pinged {
                Some(at) if at + PONG_LIMIT <= cx.now => lost.push(link.contact),
                None if link.heard + PING_AFTER <= cx.now || link.silences >= MAX_SILENCES => {
                    due.push(link.contact);
                }
                _ => {}
            }
        }
        for contact in lost {
            self.hosts.failed(contact.id, cx.now);
            self.drop_link(cx, contact.id);
        }
        for contact in due {
            self.ping_link(cx, contact);
        }
    }

    /// Asks one neighbour whether it is there.
    pub(crate) fn ping_link(&mut self, cx: &mut Cx<'_, Self>, contact: Contact) {
        let guid = self.draw_guid(cx);
        let number = self.published.number;
        if let Some(link) = self.links.get_mut(&contact.id) {
            link.pinged = Some(cx.now);
            if link.is_told {
                cx.send(contact, Message::RoutesAt(number));
            }
        }
        self.seen.insert(guid, crate::seen::Back::Me, 0, cx.now);
        cx.send(contact, Message::Ping(Header::new(guid, 0)));
    }

    /// Whether a link with a host would make sense.
    fn suits(&self, host: &Host) -> bool {
        let id = host.contact.id;
        let is_new = !self.links.contains_key(&id) && !self.connecting.contains(&id);
        // To a leaf, a host of which nothing else is known may be an ultrapeer.
        is_new && host.role != Role::Leaf && id != self.me.id
    }

    /// Asks for links while there are too few.
    pub(crate) fn seek_links(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.config.maintain || !matches!(self.stage, Stage::Member | Stage::Joining { .. }) {
            return;
        }
        let (wanted, _) = self.wanted_links();
        for _ in 0..TRIES {
            let equals = self.full_links().count();
            if equals + self.connecting.len() >= wanted {
                return;
            }
            let prefer = |host: &Host| self.suits(host) && self.is_preferred(host);
            let found = self.hosts.candidate(cx.now, cx.rng, prefer);
            let found = found.or_else(|| {
                let suits = |host: &Host| self.suits(host);
                self.hosts.candidate(cx.now, cx.rng, suits)
            });
            match found {
                Some(host) => self.try_link(cx, host.contact),
                None => return self.explore(cx),
            }
        }
    }

    /// Ultrapeers and leaves look for ultrapeers first.
    fn is_preferred(&self, host: &Host) -> bool {
        match self.role {
            Role::Peer => true,
            Role::Ultrapeer => host.role == Role::Ultrapeer,
            Role::Leaf => host.role == Role::Ultrapeer && host.room,
        }
    }

    /// Asks the neighbours whom else they know.
    fn explore(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.pongs.may_explore(cx.now) {
            return;
        }
        let guid = self.draw_guid(cx);
        self.seen.insert(guid, crate::seen::Back::Me, 0, cx.now);
        self.tell_all(cx, &Message::Ping(Header::new(guid, 2)));
    }

    /// Ends links that are too many, or between roles that do not go together any more.
    fn trim_links(&mut self, cx: &mut Cx<'_, Self>) {
        let role = self.role;
        let wrong = |link: &&Link| match (role, link.role) {
            (Role::Leaf, other) => other != Role::Ultrapeer,
            (Role::Peer, Role::Leaf) => true,
            _ => false,
        };
        let mut out: Vec<Id> = self
            .links
            .values()
            .filter(wrong)
            .map(|link| link.contact.id)
            .collect();
        let (_, most) = self.wanted_links();
        let equals = self.full_links().count();
        if equals > most {
            let richest = self.full_links().max_by_key(|link| link.degree);
            out.extend(richest.map(|link| link.contact.id));
        }
        // A leaf that has found no ultrapeer yet keeps the link by which it learns of some.
        if role == Role::Leaf && self.links.len() == out.len() {
            out.truncate(out.len().saturating_sub(1));
        }
        for id in out {
            let hosts = self.some_hosts(cx, id);
            if let Some(link) = self.links.get(&id) {
                let code = ByeCode::Role;
                cx.send(link.contact, Message::Bye { code, hosts });
            }
            self.drop_link(cx, id);
        }
    }
}

//! A message comes in: whether it is taken, and who handles it.

use crate::limits::{Conduct, Kind, Ruling};
use crate::message::{ByeCode, Message};
use crate::node::Gnutella;
use crate::seen::Back;
use overlay::{Contact, Cx, Duration, Fault, Id, Store, Time};

/// Most nodes without a link whose conduct is remembered; one more is not heard.
const MAX_STRANGERS: usize = 4_096;
/// Most nodes that are refused at a time.
const MAX_BANNED: usize = 1_024;
/// How long a node that broke the rules is refused: as long as the driver refuses it, twice.
const BAN: Duration = Duration::from_secs(60);

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misdeed {
    /// TTL and hops are beyond their limits, or have grown on the way.
    Hops,
    /// A query that has no words, or too many.
    Words,
    /// The same once more on one link.
    Duplicate,
    /// It is none for a node of this role.
    Role,
    /// In another's name, or about what never was.
    Forged,
}

const fn kind_of(message: &Message) -> Kind {
    match message {
        Message::Query { .. } => Kind::Query,
        Message::Walk(_) => Kind::Walk,
        Message::Ping(_) | Message::Pong { .. } => Kind::Ping,
        Message::QueryHit(_)
        | Message::Reached { .. }
        | Message::CheckBack { .. }
        | Message::GoOn { .. }
        | Message::Offer { .. }
        | Message::Body { .. }
        | Message::Replicated { .. }
        | Message::HandedOver { .. } => Kind::Answer,
        Message::Push(_) => Kind::Push,
        Message::Fetch { .. } => Kind::Fetch,
        _ => Kind::Other,
    }
}

/// Whether only a neighbour may send it.
const fn needs_link(message: &Message) -> bool {
    matches!(
        message,
        Message::Ping(_)
            | Message::Pong { .. }
            | Message::Query { .. }
            | Message::Reached { .. }
            | Message::Push(_)
            | Message::Walk(_)
            | Message::Routes(_)
            | Message::RoutesAt(_)
            | Message::RoutesWanted
            | Message::HandOver { .. }
    )
}

impl<S: Store> Gnutella<S> {
    pub(crate) fn message(&mut self, cx: &mut Cx<'_, Self>, from: Contact, message: Message) {
        if from.id == self.me.id || self.is_banned(from.id, cx.now) {
            return;
        }
        if !self.stage.is_inside() {
            return self.outside(cx, from, &message);
        }
        let ruling = self
            .conduct(from.id, cx.now)
            .map(|it| it.came(kind_of(&message), cx.now));
        match ruling {
            Some(Ruling::Take) => {}
            Some(Ruling::End) => return self.end_link(cx, from, Fault::Flood),
            Some(Ruling::Drop) | None => {
                self.tally.dropped += 1;
                let is_query = matches!(message, Message::Query { .. });
                self.tally.told.dropped_rate += u64::from(is_query);
                return self.dropped(cx, from, &message);
            }
        }
        if let Some(link) = self.links.get_mut(&from.id) {
            link.hear(cx.now);
        } else if needs_link(&message) && !self.is_of_walk(from, &message) {
            let bye = Message::Bye {
                code: ByeCode::NoLink,
                hosts: Vec::new(),
            };
            return cx.send(from, bye);
        }
        self.dispatch(cx, from, message);
    }

    /// Whether it asks for a body that a walker of its sender found here, or at a leaf.
    fn is_of_walk(&self, from: Contact, message: &Message) -> bool {
        let Message::Push(push) = message else {
            return false;
        };
        let back = self.seen.get(push.header.guid).map(|entry| entry.back);
        matches!(back, Some(Back::Straight(origin)) if origin.id == from.id)
    }

    fn dispatch(&mut self, cx: &mut Cx<'_, Self>, from: Contact, message: Message) {
        match message {
            Message::Connect(hello) => self.connect_asked(cx, from, &hello),
            Message::Connected(hello) => self.connected(cx, from, &hello),
            Message::Refused(hosts) => self.refused(cx, from, &hosts),
            Message::Bye { code, hosts } => self.bye(cx, from, code, &hosts),
            Message::Ping(header) => self.ping(cx, from, header),
            Message::Pong { header, host, .. } => self.pong(cx, from, header, host),
            Message::Query { header, query } => self.query(cx, from, header, query),
            Message::QueryHit(hit) => self.query_hit(cx, from, *hit),
            Message::Reached { guid, reach, hits } => self.reached(cx, from, guid, reach, hits),
            Message::Push(push) => self.push(cx, from, push),
            Message::Walk(walk) => self.walk(cx, from, *walk),
            Message::CheckBack {
                guid,
                walker,
                fresh,
                ended,
            } => self.check_back(cx, from, (guid, walker), fresh, ended),
            Message::GoOn { guid, walker, go } => self.go_on(cx, from, guid, walker, go),
            Message::Offer { guid, walker } => self.offer(cx, from, guid, walker),
            Message::Routes(routes) => self.routes(cx, from, &routes),
            Message::RoutesAt(number) => self.routes_at(cx, from, number),
            Message::RoutesWanted => self.routes_wanted(cx, from),
            Message::Fetch { req, key } => self.fetch_asked(cx, from, req, key),
            Message::Body { req, record } => self.body(cx, from, req, record),
            Message::Replicate { req, item, text } => {
                self.replicate_asked(cx, from, req, item, text);
            }
            Message::Replicated { req, kept } => self.replicated(cx, from, req, kept),
            Message::HandOver { req, items } => self.hand_over_asked(cx, from, req, items),
            Message::HandedOver { req, kept } => self.handed_over(cx, from, req, kept),
        }
    }

    /// This node is in no network.
    fn outside(&self, cx: &mut Cx<'_, Self>, from: Contact, message: &Message) {
        if matches!(message, Message::Connect(_)) {
            cx.send(from, Message::Refused(Vec::new()));
        }
    }

    /// A message was one too many: whoever waits for an answer need not wait in vain.
    fn dropped(&self, cx: &mut Cx<'_, Self>, from: Contact, message: &Message) {
        if let Message::Query { header, .. } = message {
            cx.send(from, Message::not_reached(header.guid));
        }
    }

    /// What is remembered of a node's conduct; none when too many strangers are remembered.
    fn conduct(&mut self, id: Id, now: Time) -> Option<&mut Conduct> {
        if let Some(link) = self.links.get_mut(&id) {
            return Some(&mut link.conduct);
        }
        if self.strangers.len() >= MAX_STRANGERS && !self.strangers.contains_key(&id) {
            self.strangers.retain(|_, conduct| !conduct.is_clean(now));
            if self.strangers.len() >= MAX_STRANGERS {
                return None;
            }
        }
        Some(self.strangers.entry(id).or_default())
    }

    /// Nodes that ask for nothing any more need not be remembered.
    pub(crate) fn forget_strangers(&mut self, now: Time) {
        self.strangers.retain(|_, conduct| !conduct.is_clean(now));
        self.banned.retain(|_, until| *until > now);
    }

    /// A message that no node of good will sends: counted, and the end of the link when there are
    /// many.
    pub(crate) fn misdeed(&mut self, cx: &mut Cx<'_, Self>, from: Contact, what: Misdeed) {
        self.tally.misdeeds += 1;
        let told = &mut self.tally.told.misdeeds;
        *match what {
            Misdeed::Hops => &mut told.hops,
            Misdeed::Words => &mut told.words,
            Misdeed::Duplicate => &mut told.duplicate,
            Misdeed::Role => &mut told.role,
            Misdeed::Forged => &mut told.forged,
        } += 1;
        let ruling = self.conduct(from.id, cx.now).map(|it| it.was_wrong(cx.now));
        if ruling == Some(Ruling::End) {
            self.end_link(cx, from, Fault::Protocol);
        }
    }

    /// A field beyond its bound: no version of this program has ever sent it.
    pub(crate) fn out_of_bounds(&mut self, cx: &mut Cx<'_, Self>, from: Contact) {
        self.tally.misdeeds += 1;
        self.tally.told.misdeeds.out_of_bounds += 1;
        self.end_link(cx, from, Fault::OutOfBounds);
    }

    /// Breaks with a node.
    pub(crate) fn end_link(&mut self, cx: &mut Cx<'_, Self>, from: Contact, fault: Fault) {
        self.tally.ended += 1;
        if self.banned.len() >= MAX_BANNED {
            self.banned.retain(|_, until| *until > cx.now);
            if self.banned.len() >= MAX_BANNED {
                self.banned.pop_first();
            }
        }
        self.banned.insert(from.id, cx.now + BAN);
        let bye = Message::Bye {
            code: ByeCode::Fault,
            hosts: Vec::new(),
        };
        cx.send(from, bye);
        self.strangers.remove(&from.id);
        self.drop_link(cx, from.id);
        self.hosts.failed(from.id, cx.now);
        cx.hang_up(from, fault);
    }

    pub(crate) fn is_banned(&self, id: Id, now: Time) -> bool {
        self.banned.get(&id).is_some_and(|until| *until > now)
    }
}

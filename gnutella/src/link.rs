//! Links: making them, taking them, losing them.
//!
//! A peer seeks C links and takes some more, so that newcomers find a place. Where everybody is
//! full, a newcomer without any link gets the place of the neighbour that has most of them; that
//! one is told, with the newcomer's address, and the network stays connected: it splits an edge.

use crate::limits::Conduct;
use crate::message::{ByeCode, Hello, Host, MAX_HOSTS, Message, Role};
use crate::node::{Due, Gnutella};
use crate::routes::QueryTable;
use overlay::{Contact, Cx, Duration, Id, Store, Time};

/// How long an answer to Connect may take: a handshake and a round trip.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Most links that are sought at the same time.
pub(crate) const MAX_CONNECTING: usize = 8;

/// A neighbour.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) contact: Contact,
    pub(crate) role: Role,
    /// When something came from it last.
    pub(crate) heard: Time,
    /// When it was pinged, if that is not answered.
    pub(crate) pinged: Option<Time>,
    pub(crate) rtt: Option<Duration>,
    /// Its own links, as it said.
    pub(crate) degree: u16,
    pub(crate) conduct: Conduct,
    /// What it has, or, of an ultrapeer, what it and its leaves have; none when it did not say.
    pub(crate) table: Option<QueryTable>,
    /// The number of the last part of its table.
    pub(crate) table_number: u64,
    /// Whether it has our table.
    pub(crate) is_told: bool,
    /// Queries that it left without an answer since it was heard.
    pub(crate) silences: u8,
}

impl Link {
    pub(crate) fn new(contact: Contact, role: Role, now: Time) -> Self {
        Self {
            contact,
            role,
            heard: now,
            pinged: None,
            rtt: None,
            degree: 0,
            conduct: Conduct::default(),
            table: None,
            table_number: 0,
            is_told: false,
            silences: 0,
        }
    }

    pub(crate) const fn hear(&mut self, now: Time) {
        self.heard = now;
        self.silences = 0;
    }
}

impl<S: Store> Gnutella<S> {
    /// Links with equals: all but leaves.
    pub(crate) fn full_links(&self) -> impl Iterator<Item = &Link> {
        self.links.values().filter(|link| link.role != Role::Leaf)
    }

    pub(crate) fn leaf_count(&self) -> usize {
        self.links.len() - self.full_links().count()
    }

    /// Links with equals that this node seeks, and those that it takes at most.
    pub(crate) const fn wanted_links(&self) -> (usize, usize) {
        match self.role {
            Role::Peer => (self.config.links, self.config.max_links),
            Role::Leaf => (self.config.leaf_links, self.config.leaf_links * 2),
            Role::Ultrapeer => (self.config.ultrapeer_links, self.config.ultrapeer_links * 2),
        }
    }

    /// What this node says when it asks for a link, or of a change of its role.
    pub(crate) fn greeting(&self, cx: &mut Cx<'_, Self>, to: Id) -> Hello {
        self.hello(cx, to)
    }

    fn hello(&self, cx: &mut Cx<'_, Self>, to: Id) -> Hello {
        let links = self.full_links().count();
        Hello {
            role: self.role,
            links: u16::try_from(links).unwrap_or(u16::MAX),
            room: self.has_room_for_leaf(),
            hosts: self.some_hosts(cx, to),
        }
    }

    /// Hosts to tell another node: neighbours first, for they are alive.
    pub(crate) fn some_hosts(&self, cx: &mut Cx<'_, Self>, except: Id) -> Vec<Host> {
        let near = self.full_links().filter(|link| link.contact.id != except);
        let mut hosts: Vec<Host> = near.map(|link| self.host_of(link)).collect();
        while hosts.len() > MAX_HOSTS / 2 {
            let at = crate::hosts::below(cx.rng, hosts.len());
            hosts.swap_remove(at);
        }
        let more = self.hosts.some(MAX_HOSTS - hosts.len(), except, cx.rng);
        let is_new = |host: &Host| hosts.iter().all(|it| it.contact.id != host.contact.id);
        let more: Vec<Host> = more.into_iter().filter(is_new).collect();
        hosts.extend(more);
        hosts
    }

    fn host_of(&self, link: &Link) -> Host {
        let known = self.hosts.get(link.contact.id);
        Host {
            contact: link.contact,
            role: link.role,
            room: known.is_none_or(|host| host.room),
        }
    }

    pub(crate) fn has_room_for_leaf(&self) -> bool {
        self.role == Role::Ultrapeer && self.leaf_count() < self.config.max_leaves
    }

    /// Remembers a host.
    pub(crate) fn meet(&mut self, cx: &mut Cx<'_, Self>, contact: Contact, at_first_hand: bool) {
        let role = self.links.get(&contact.id).map(|link| link.role);
        let known = self.hosts.get(contact.id);
        let host = Host {
            contact,
            role: role.or(known.map(|host| host.role)).unwrap_or_default(),
            room: known.is_none_or(|host| host.room),
        };
        self.hosts.learn(host, cx.now, at_first_hand);
    }

    /// Remembers hosts that another node named.
    pub(crate) fn learn_hosts(&mut self, cx: &mut Cx<'_, Self>, hosts: &[Host]) {
        let usable = |host: &&Host| {
            let addr = host.contact.addr;
            host.contact.id != self.me.id && addr.port() != 0 && !addr.ip().is_unspecified()
        };
        let usable: Vec<Host> = hosts.iter().filter(usable).copied().collect();
        for host in usable {
            self.hosts.learn(host, cx.now, false);
        }
    }

    /// Asks a node for a link.
    pub(crate) fn try_link(&mut self, cx: &mut Cx<'_, Self>, contact: Contact) {
        let id = contact.id;
        if id == self.me.id
            || self.links.contains_key(&id)
            || self.connecting.contains(&id)
            || self.connecting.len() >= MAX_CONNECTING
            || self.is_banned(id, cx.now)
        {
            return;
        }
        self.connecting.insert(id);
        self.deadlines
            .set(Due::Connecting(id), cx.now + CONNECT_LIMIT);
        let hello = self.hello(cx, id);
        cx.send(contact, Message::Connect(hello));
    }

    pub(crate) fn connecting_due(&mut self, cx: &mut Cx<'_, Self>, id: Id) {
        if self.connecting.remove(&id) {
            self.hosts.failed(id, cx.now);
            self.seek_links(cx);
        }
    }

    fn note_hello(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hello: &Hello) -> bool {
        if hello.hosts.len() > MAX_HOSTS {
            self.out_of_bounds(cx, from);
            return false;
        }
        let host = Host {
            contact: from,
            role: hello.role,
            room: hello.room || hello.role == Role::Peer,
        };
        self.hosts.learn(host, cx.now, true);
        self.learn_hosts(cx, &hello.hosts);
        true
    }

    /// Whether a link with a node of this role may be, and there is room for it.
    fn would_take(&self, hello: &Hello) -> bool {
        let (_, most) = self.wanted_links();
        let equals = self.full_links().count();
        match (self.role, hello.role) {
            (Role::Leaf, Role::Ultrapeer) => equals < most,
            (Role::Leaf, _) | (Role::Peer, Role::Leaf) => false,
            (Role::Ultrapeer, Role::Leaf) => self.has_room_for_leaf(),
            _ => equals < most,
        }
    }

    pub(crate) fn connect_asked(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hello: &Hello) {
        if !self.note_hello(cx, from, hello) {
            return;
        }
        if !self.links.contains_key(&from.id) && !self.would_take(hello) {
            let equals = self.role != Role::Leaf && hello.role != Role::Leaf;
            if !(equals && hello.links == 0 && self.make_room(cx, from, hello.role)) {
                let hosts = self.some_hosts(cx, from.id);
                return cx.send(from, Message::Refused(hosts));
            }
        }
        self.add_link(cx, from, hello);
        let hello = self.hello(cx, from.id);
        cx.send(from, Message::Connected(hello));
    }

    /// Gives the place of the neighbour with most links to a newcomer that has none.
    fn make_room(&mut self, cx: &mut Cx<'_, Self>, newcomer: Contact, role: Role) -> bool {
        let richest = self.full_links().max_by_key(|link| link.degree);
        let Some(contact) = richest.map(|link| link.contact) else {
            return false;
        };
        let host = Host {
            contact: newcomer,
            role,
            room: true,
        };
        let bye = Message::Bye {
            code: ByeCode::RoomNeeded,
            hosts: vec![host],
        };
        cx.send(contact, bye);
        self.drop_link(cx, contact.id);
        true
    }

    fn add_link(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hello: &Hello) {
        self.connecting.remove(&from.id);
        self.deadlines.clear(Due::Connecting(from.id));
        let conduct = self.strangers.remove(&from.id).unwrap_or_default();
        let is_new = !self.links.contains_key(&from.id);
        self.tally.told.links_made += u64::from(is_new);
        let link = self.links.entry(from.id).or_insert_with(|| {
            let mut link = Link::new(from, hello.role, cx.now);
            link.conduct = conduct;
            link
        });
        link.contact = from;
        link.degree = hello.links;
        if link.role != hello.role {
            link.role = hello.role;
            link.table = None;
        }
        link.is_told = false;
        self.entered(cx);
        self.publish_soon(cx);
    }

    pub(crate) fn connected(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hello: &Hello) {
        if !self.note_hello(cx, from, hello) {
            return;
        }
        let was_asked = self.connecting.remove(&from.id);
        self.deadlines.clear(Due::Connecting(from.id));
        if self.links.contains_key(&from.id) || was_asked && self.would_take(hello) {
            self.add_link(cx, from, hello);
            return self.seek_links(cx);
        }
        let bye = Message::Bye {
            code: if was_asked {
                ByeCode::Role
            } else {
                ByeCode::NoLink
            },
            hosts: Vec::new(),
        };
        cx.send(from, bye);
    }

    pub(crate) fn refused(&mut self, cx: &mut Cx<'_, Self>, from: Contact, hosts: &[Host]) {
        if hosts.len() > MAX_HOSTS {
            return self.out_of_bounds(cx, from);
        }
        if !self.connecting.remove(&from.id) {
            return;
        }
        self.deadlines.clear(Due::Connecting(from.id));
        self.hosts.refused(from.id, cx.now);
        self.learn_hosts(cx, hosts);
        self.drop_link(cx, from.id);
        self.seek_links(cx);
    }

    pub(crate) fn bye(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        code: ByeCode,
        hosts: &[Host],
    ) {
        if hosts.len() > MAX_HOSTS {
            return self.out_of_bounds(cx, from);
        }
        if self.connecting.remove(&from.id) {
            self.deadlines.clear(Due::Connecting(from.id));
        }
        match code {
            ByeCode::Leaving | ByeCode::Fault => self.hosts.failed(from.id, cx.now),
            _ => self.hosts.refused(from.id, cx.now),
        }
        self.learn_hosts(cx, hosts);
        self.drop_link(cx, from.id);
        if code == ByeCode::RoomNeeded
            && let Some(newcomer) = hosts.first()
        {
            self.try_link(cx, newcomer.contact);
        }
        self.seek_links(cx);
    }

    /// The link with a node is over, whatever the reason.
    pub(crate) fn drop_link(&mut self, cx: &mut Cx<'_, Self>, id: Id) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        self.tally.told.links_lost += 1;
        if link.role == Role::Leaf {
            self.published.is_stale = true;
        }
        self.link_lost(cx, id);
    }

    pub(crate) fn peer_down(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        if self.connecting.remove(&peer.id) {
            self.deadlines.clear(Due::Connecting(peer.id));
        }
        self.hosts.failed(peer.id, cx.now);
        self.drop_link(cx, peer.id);
        self.holder_down(cx, peer);
        if self.stage.is_inside() {
            self.seek_links(cx);
        }
    }
}

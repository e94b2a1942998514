//! Entering the network.

use crate::message::Message;
use crate::node::{Due, Gnutella};
use overlay::{Contact, Cx, Duration, Failure, Notice, OpId, Reply, Store};

/// How long joining may take: the member that was named may be full, and those that it names too.
const JOIN_LIMIT: Duration = Duration::from_secs(5);

/// How far a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// In no network.
    #[default]
    Outside,
    /// It seeks its first link.
    Joining {
        /// Who asked.
        op: OpId,
        /// The member that was named.
        via: Contact,
    },
    /// In the network, maybe alone for now.
    Member,
    /// It hands over what it has.
    Leaving,
}

impl Stage {
    /// Whether it takes part.
    pub(crate) const fn is_inside(&self) -> bool {
        !matches!(self, Self::Outside)
    }

    /// Whether it serves users.
    pub(crate) const fn is_member(&self) -> bool {
        matches!(self, Self::Member | Self::Leaving)
    }
}

impl<S: Store> Gnutella<S> {
    /// Founds a network, or finds the one again that its host cache knows: a node of this overlay
    /// needs nobody's leave to be one.
    pub(crate) fn create(&mut self, cx: &mut Cx<'_, Self>, op: OpId) {
        if self.refuse_entry(cx, op) {
            return;
        }
        self.enter(cx);
        self.stage = Stage::Member;
        cx.emit(Notice::Done {
            op,
            reply: Reply::Joined,
        });
    }

    pub(crate) fn join(&mut self, cx: &mut Cx<'_, Self>, op: OpId, via: Contact) {
        if self.refuse_entry(cx, op) {
            return;
        }
        self.enter(cx);
        self.stage = Stage::Joining { op, via };
        self.deadlines.set(Due::Joining, cx.now + JOIN_LIMIT);
        self.store.set_shared();
        self.meet(cx, via, false);
        self.try_link(cx, via);
    }

    fn refuse_entry(&self, cx: &mut Cx<'_, Self>, op: OpId) -> bool {
        if self.stage.is_inside() {
            let why = "this node is in a network already; let it leave first".to_owned();
            let reply = Reply::Failed(Failure::Refused(why));
            cx.emit(Notice::Done { op, reply });
        }
        self.stage.is_inside()
    }

    fn enter(&mut self, cx: &mut Cx<'_, Self>) {
        self.since = cx.now;
        self.load_index();
        if self.config.maintain {
            self.deadlines.set(Due::Tick, cx.now);
        }
    }

    /// The first link is there.
    pub(crate) fn entered(&mut self, cx: &mut Cx<'_, Self>) {
        if let Stage::Joining { op, .. } = self.stage {
            self.deadlines.clear(Due::Joining);
            self.stage = Stage::Member;
            cx.emit(Notice::Done {
                op,
                reply: Reply::Joined,
            });
        }
    }

    pub(crate) fn joining_due(&mut self, cx: &mut Cx<'_, Self>) {
        if let Stage::Joining { op, via } = self.stage {
            let why =
                format!("neither {via} nor a node that it named took this node as a neighbour");
            self.outside_again();
            let reply = Reply::Failed(Failure::JoinFailed(why));
            cx.emit(Notice::Done { op, reply });
        }
    }

    /// Forgets everything about the network but its hosts.
    pub(crate) fn outside_again(&mut self) {
        self.stage = Stage::Outside;
        self.links.clear();
        self.connecting.clear();
        self.strangers.clear();
        self.seen = crate::seen::Seen::default();
        self.asked.clear();
        self.walkers.clear();
        self.copies.clear();
        self.leases = crate::leases::Leases::default();
        self.pongs = crate::pings::PongCache::default();
        self.published = crate::tables::Published::default();
        self.waiting.clear();
        self.deadlines = overlay::Deadlines::default();
    }

    /// Takes part from now on with the links that it is given: for simulations whose tables are
    /// built directly, without maintenance.
    pub fn assume_links(&mut self, links: &[(Contact, crate::Role)], now: overlay::Time) {
        self.stage = Stage::Member;
        self.since = now;
        self.load_index();
        for (contact, role) in links {
            let link = crate::link::Link::new(*contact, *role, now);
            self.links.insert(contact.id, link);
        }
    }

    /// Looks after the links that it was given from now on, and so tells ultrapeers what it has:
    /// for a simulation of a few nodes among many that rest. It begins with its next input.
    pub fn maintain_from(&mut self, now: overlay::Time) {
        self.config.maintain = true;
        self.deadlines.set(Due::Tick, now);
    }

    /// Sends a message to every neighbour.
    pub(crate) fn tell_all(&self, cx: &mut Cx<'_, Self>, message: &Message) {
        for link in self.links.values() {
            cx.send(link.contact, message.clone());
        }
    }
}

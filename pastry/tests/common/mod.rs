//! A simulated network of Pastry nodes that only route.

#![allow(dead_code, reason = "each test uses its part")]

use overlay::lookup::{Located, LookupConfig, LookupRequest, Routing, RoutingCall, RoutingEvent};
use overlay::{Claim, Duration, Id, KeyRouter, RouterEvent, Time};
use pastry::invariants::{entries_share_their_rows_prefix, leaf_sets_are_the_neighbours};
use pastry::{Pastry, PastryConfig, Point};
use sim::{Config, Dice, Invariant, World};

pub(crate) type Node = Routing<Pastry>;

/// A network that grows.
pub(crate) struct Net {
    pub(crate) world: World<Node>,
    pub(crate) dice: Dice,
    pub(crate) config: PastryConfig,
    pub(crate) lookup: LookupConfig,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(Config::new(seed), seed)
    }

    pub(crate) fn with(config: Config, seed: u64) -> Self {
        let mut world = World::new(config);
        world.watch(Box::new(Prefixes));
        Self {
            world,
            dice: Dice::new(seed, 77),
            config: PastryConfig::default(),
            lookup: LookupConfig {
                cache: false,
                ..LookupConfig::default()
            },
        }
    }

    pub(crate) fn add(&mut self) -> usize {
        let id = self.dice.id();
        let (config, lookup) = (self.config.clone(), self.lookup.clone());
        self.world
            .add(id, |me| Routing::new(Pastry::new(me, config), lookup))
    }

    pub(crate) fn found(&mut self) -> usize {
        let node = self.add();
        self.world.call(node, RoutingCall::Create);
        self.run(Duration::from_millis(1));
        node
    }

    /// Starts to join a new node through a random member.
    pub(crate) fn join(&mut self) -> usize {
        let members = self.members();
        let via = *self.dice.pick(&members).expect("a member");
        let via = self.world.contact(via).expect("its contact");
        let node = self.add();
        self.world.call(node, RoutingCall::Join { via });
        node
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let until = self.world.now() + span;
        self.world.run_until(until).expect("what must hold");
    }

    pub(crate) fn members(&self) -> Vec<usize> {
        self.world
            .live()
            .filter(|(_, node)| node.router().is_member())
            .map(|(index, _)| index)
            .collect()
    }

    pub(crate) fn pastry(&self, node: usize) -> &Pastry {
        self.world.node(node).expect("a live node").router()
    }

    /// The ids of all members, sorted.
    pub(crate) fn ids(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = self
            .members()
            .into_iter()
            .map(|node| self.pastry(node).me().id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Whether all leaf sets are the true neighbours; else why not.
    pub(crate) fn settled(&self) -> Result<(), String> {
        let ids = self.ids();
        self.members()
            .into_iter()
            .try_for_each(|node| leaf_sets_are_the_neighbours(self.pastry(node), &ids))
    }

    pub(crate) fn closest(&self, key: Id) -> Id {
        let point = Point::of(key);
        let ids = self.ids();
        ids.into_iter()
            .min_by_key(|id| Point::of(*id).closeness_to(point))
            .expect("a member")
    }

    /// The members that take themselves for the closest to a key.
    pub(crate) fn claimants(&self, key: Id) -> Vec<usize> {
        self.members()
            .into_iter()
            .filter(|node| self.pastry(*node).claim(key) == Claim::Mine)
            .collect()
    }

    /// Looks random keys up and says what came of each.
    pub(crate) fn look_up(&mut self, count: usize, within: Duration) -> Vec<(Id, Option<Located>)> {
        self.world.take_events();
        let mut asked = std::collections::BTreeMap::new();
        for _ in 0..count {
            let key = self.dice.id();
            let members = self.members();
            let node = *self.dice.pick(&members).expect("a member");
            let request = LookupRequest {
                exact: true,
                ..LookupRequest::new(key)
            };
            let op = self.world.call(node, RoutingCall::Lookup(request));
            asked.insert(op, key);
        }
        self.run(within);
        let mut found = Vec::new();
        for told in self.world.take_events() {
            if let RoutingEvent::Located { op, result } = told.event
                && let Some(key) = asked.remove(&op)
            {
                found.push((key, result.ok()));
            }
        }
        found.extend(asked.into_values().map(|key| (key, None)));
        found
    }

    /// How many of the nodes that were told to join have said that they are members, or failed.
    pub(crate) fn joins(&mut self) -> (usize, Vec<String>) {
        let (mut joined, mut failed) = (0, Vec::new());
        for told in self.world.take_events() {
            match told.event {
                RoutingEvent::Router(RouterEvent::Joined { .. }) => joined += 1,
                RoutingEvent::Router(RouterEvent::JoinFailed { reason, .. }) => failed.push(reason),
                _ => {}
            }
        }
        (joined, failed)
    }

    /// Runs until all leaf sets are right.
    pub(crate) fn settle(&mut self, within: Duration) -> Duration {
        let began = self.world.now();
        loop {
            let settled = self.settled();
            let took = self.world.now().since(began);
            match settled {
                Ok(()) => return took,
                Err(text) if took >= within => panic!("not settled after {took:?}: {text}"),
                Err(_) => self.run(Duration::from_millis(100)),
            }
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.world.now()
    }
}

/// After every event: the entries of the node that was touched are where they belong.
struct Prefixes;

impl Invariant<Node> for Prefixes {
    fn name(&self) -> &'static str {
        "entries share the prefix of their row"
    }

    fn check(&mut self, world: &World<Node>, touched: usize) -> Result<(), String> {
        world.node(touched).map_or(Ok(()), |node| {
            entries_share_their_rows_prefix(node.router())
        })
    }
}

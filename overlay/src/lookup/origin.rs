//! The origin's side: start, start over, and end exactly once.

use super::iterative::Walk;
use super::message::{Answer, Forward};
use super::routing::{Due, Routing, RoutingEvent};
use super::{
    Located, LookupError, LookupId, LookupRequest, MAX_HOPS, MAX_LOOKUPS, MAX_REPLICAS, Mode,
};
use crate::{
    Arc, Claim, Contact, Cx, Duration, Fault, Hop, Id, Input, KeyRouter, OpId, RouterCall, Time,
};
use smallvec::SmallVec;

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The layer above.
    User(OpId),
    /// The router, by its token.
    Router(u64),
}

/// A lookup of this node that is under way.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) asker: Asker,
    pub(super) request: LookupRequest,
    /// The member to start from, for a node that is joining.
    pub(super) via: Option<Contact>,
    /// When it began.
    since: Time,
    attempts: u32,
    /// Restarts after a dead end since the attempt began.
    dead_ends: u32,
    pub(super) timeouts: u32,
    pub(super) avoid: SmallVec<[Id; 4]>,
}

/// How often an attempt starts over at once when it ran into a dead end, before it waits for the
/// tables to heal: each time another part of the network is gone round.
const MAX_DEAD_ENDS: u32 = 3;

/// Attempts of a lookup that begins at one named node, as a newcomer's does: there is no other way
/// round that node, and whoever joins had better try another one.
const MAX_ATTEMPTS_VIA: u32 = 3;

impl<R: KeyRouter> Routing<R> {
    /// Starts a lookup.
    pub(super) fn start_lookup(
        &mut self,
        cx: &mut Cx<'_, Self>,
        asker: Asker,
        request: LookupRequest,
        via: Option<Contact>,
    ) {
        if self.origins.len() >= MAX_LOOKUPS {
            self.count_end(asker, &Err(LookupError::Busy), Duration(0));
            return self.finish(cx, asker, Err(LookupError::Busy));
        }
        let lookup = self.draw_number(cx, matches!(asker, Asker::Router(_)));
        let origin = Origin {
            asker,
            request,
            via,
            since: cx.now,
            attempts: 0,
            dead_ends: 0,
            timeouts: 0,
            avoid: SmallVec::new(),
        };
        self.origins.insert(lookup, origin);
        self.attempt(cx, lookup);
    }

    fn attempt(&mut self, cx: &mut Cx<'_, Self>, lookup: u64) {
        let Some(origin) = self.origins.get_mut(&lookup) else {
            return;
        };
        origin.attempts += 1;
        self.tally.restarts += u64::from(origin.attempts > 1);
        origin.dead_ends = 0;
        origin.avoid.clear();
        let span = self
            .config
            .attempt_timeout
            .times(1 << origin.attempts.saturating_sub(2).min(2));
        self.deadlines.set(Due::Lookup(lookup), cx.now + span);
        self.set_out(cx, lookup);
    }

    /// Takes the first step from this node's own tables, or from memory.
    fn set_out(&mut self, cx: &mut Cx<'_, Self>, lookup: u64) {
        let Some(origin) = self.origins.get(&lookup) else {
            return;
        };
        let (key, mode, via) = (origin.request.key, origin.request.mode, origin.via);
        let first = origin.attempts == 1 && origin.dead_ends == 0;
        let remembered = (first && !origin.request.fresh)
            .then(|| {
                self.cache
                    .get(key)
                    .and_then(|cached| cached.replicas.first())
                    .copied()
            })
            .flatten();
        if via.is_none() {
            match self.router.claim(key) {
                Claim::Mine => return self.found_here(cx, lookup),
                Claim::NotMember => return self.give_up(cx, lookup, LookupError::NotMember),
                Claim::Elsewhere => {}
            }
        }
        let direct = via.map(|contact| Hop {
            contact,
            last: false,
        });
        let direct = direct.or(remembered.map(|contact| Hop {
            contact,
            last: true,
        }));
        if mode == Mode::Iterative {
            return self.start_walk(cx, lookup, direct);
        }
        let forward = Forward {
            hop: 0,
            lookup: LookupId(lookup),
            origin: self.router.me(),
            key,
            last: false,
            checks: 0,
            exact: origin.request.exact,
            hops: 0,
            timeouts: 0,
            avoid: origin.avoid.clone(),
            path: origin.request.trace.then(Vec::new),
        };
        match direct {
            Some(hop) => self.pass_to(cx, hop, None, forward, SmallVec::new()),
            None => self.pass_on(cx, None, forward, SmallVec::new()),
        }
    }

    fn found_here(&mut self, cx: &mut Cx<'_, Self>, lookup: u64) {
        let me = self.router.me();
        let Some(key) = self.origins.get(&lookup).map(|origin| origin.request.key) else {
            return;
        };
        let (arc, replicas) = self.own_answer(key);
        let path = Some(vec![me]);
        let id = LookupId(lookup);
        let answer = Answer {
            lookup: id,
            arc,
            replicas,
            hops: 0,
            timeouts: 0,
            previous: None,
            path,
        };
        self.answered(cx, me, answer, Vec::new());
    }

    /// The root answered; where this node asked hop by hop, with what each hop took.
    pub(super) fn answered(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Contact,
        answer: Answer,
        hop_times: Vec<Duration>,
    ) {
        let Answer {
            lookup,
            arc,
            replicas,
            hops,
            timeouts,
            previous,
            path,
        } = answer;
        let Some(origin) = self.origins.get(&lookup.0) else {
            return;
        };
        let key = origin.request.key;
        if !is_plausible(key, from, arc, &replicas, path.as_deref()) {
            return cx.hang_up(from, Fault::Protocol);
        }
        let timeouts = origin.timeouts + u32::from(timeouts);
        let path = path.filter(|_| origin.request.trace).unwrap_or_default();
        let located = Located {
            key,
            owner: from,
            arc,
            replicas,
            hops: u32::from(hops),
            timeouts,
            path,
            hop_times: hop_times.into(),
            previous,
            from_cache: false,
        };
        self.learn(arc, located.replicas.clone());
        self.end(cx, lookup.0, Ok(located));
    }

    /// A node had nobody left to pass the request to.
    pub(super) fn dead_end(
        &mut self,
        cx: &mut Cx<'_, Self>,
        lookup: LookupId,
        timeouts: u16,
        avoid: SmallVec<[Id; 4]>,
    ) {
        let Some(origin) = self.origins.get_mut(&lookup.0) else {
            return;
        };
        origin.timeouts += u32::from(timeouts);
        origin.dead_ends += 1;
        avoid
            .iter()
            .take(super::MAX_AVOIDED)
            .for_each(|id| super::relay::note(&mut origin.avoid, *id));
        if origin.dead_ends <= MAX_DEAD_ENDS {
            self.set_out(cx, lookup.0);
        } else {
            // Everything near is dead as far as anybody knows: give the tables time to heal, more
            // each time.
            let pause =
                Duration((self.config.attempt_timeout.0 / 4) << (origin.attempts - 1).min(4));
            self.deadlines.set(Due::Lookup(lookup.0), cx.now + pause);
        }
    }

    /// The attempt took too long.
    pub(super) fn attempt_over(&mut self, cx: &mut Cx<'_, Self>, lookup: u64) {
        let Some(attempts) = self.origins.get(&lookup).map(|origin| origin.attempts) else {
            return;
        };
        self.drop_walks(lookup);
        let through_one = self
            .origins
            .get(&lookup)
            .is_some_and(|origin| origin.via.is_some());
        let most = if through_one {
            self.config.attempts.min(MAX_ATTEMPTS_VIA)
        } else {
            self.config.attempts
        };
        if attempts >= most {
            return self.give_up(cx, lookup, LookupError::NoAnswer { attempts });
        }
        self.attempt(cx, lookup);
    }

    fn give_up(&mut self, cx: &mut Cx<'_, Self>, lookup: u64, error: LookupError) {
        self.end(cx, lookup, Err(error));
    }

    /// Ends a lookup: exactly one final event.
    pub(super) fn end(
        &mut self,
        cx: &mut Cx<'_, Self>,
        lookup: u64,
        result: Result<Located, LookupError>,
    ) {
        let Some(origin) = self.origins.remove(&lookup) else {
            return;
        };
        self.deadlines.clear(Due::Lookup(lookup));
        if origin.request.mode == Mode::Iterative {
            self.drop_walks(lookup);
        }
        self.count_end(origin.asker, &result, cx.now.since(origin.since));
        self.finish(cx, origin.asker, result);
    }

    pub(super) fn count_end(
        &mut self,
        asker: Asker,
        result: &Result<Located, LookupError>,
        took: Duration,
    ) {
        let lookups = match asker {
            Asker::User(_) => &mut self.tally.users,
            Asker::Router(_) => &mut self.tally.tables,
        };
        let hops = result.as_ref().map(|located| located.hops);
        lookups.ended(hops.map_err(|error| *error), took);
    }

    fn finish(
        &mut self,
        cx: &mut Cx<'_, Self>,
        asker: Asker,
        result: Result<Located, LookupError>,
    ) {
        match asker {
            Asker::User(op) => cx.emit(RoutingEvent::Located { op, result }),
            Asker::Router(token) => {
                let call = RouterCall::Looked {
                    token,
                    found: result.ok(),
                };
                self.drive_router(cx, Input::Call { op: OpId(0), call });
            }
        }
    }

    fn drop_walks(&mut self, lookup: u64) {
        let of_lookup = |(hop, walk): (&u64, &Walk)| (walk.lookup == lookup).then_some(*hop);
        let hops: Vec<u64> = self.walks.iter().filter_map(of_lookup).collect();
        for hop in hops {
            self.deadlines.clear(Due::Hop(hop));
            let timeouts = self.walks.remove(&hop).map_or(0, |walk| walk.timeouts);
            if let Some(origin) = self.origins.get_mut(&lookup) {
                origin.timeouts += u32::from(timeouts);
            }
        }
    }
}

/// Whether an answer can be true: its sender is the root that it names, its arc contains the key,
/// and its lists are within their bounds.
pub(super) fn is_plausible(
    key: Id,
    from: Contact,
    arc: Arc,
    replicas: &[Contact],
    path: Option<&[Contact]>,
) -> bool {
    replicas.len() <= MAX_REPLICAS
        && replicas.first().is_some_and(|root| root.id == from.id)
        && arc.contains(key)
        && path.is_none_or(|path| path.len() <= usize::from(MAX_HOPS) + 1)
}

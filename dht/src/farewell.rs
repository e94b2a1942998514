//! Copies under earlier views hear that they are over, also when there is nothing to decide.
//!
//! A copy of the past that outlives all who know better would make its node a root that believes
//! it holds everything, alone when all N members must acknowledge, else with others of its kind.
//! It would call absent what was acknowledged since, and decide conditions that others have decided.
//! So a root tells the copies under its earlier views as soon as its present view is settled: then
//! N full copies exist without them. What has gone to another root is not forgotten either: this
//! node was its root, is usually a replica of it now, and tells its own copies once the other holds
//! everything. It does so until they have answered or expired, since a copy may be cut off.
//!
//! What is left: a root that dies before, and all who know its later views with it, within seconds.

use crate::arcs::subtract_all;
use crate::due::Due;
use crate::earlier::Earlier;
use crate::{Dht, Store};
use overlay::{Arc, Cx, KeyRouter, Time};
use std::collections::BTreeSet;

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// Some view is settled, or somebody else holds everything of an arc: copies may be over.
    pub(crate) fn farewells_soon(&mut self, cx: &Cx<'_, Self>) {
        let mut all = self.views.iter().flat_map(|view| &view.earlier);
        if !self.homeless.is_empty() || all.next().is_some() {
            self.deadlines.set(Due::Retire, cx.now);
        }
    }

    /// Tells those that are due.
    pub(crate) fn retire_due(&mut self, cx: &mut Cx<'_, Self>) {
        let now = cx.now;
        let needed = self.views_still_needed(cx);
        let of_views = self.views.iter_mut().flat_map(|view| &mut view.earlier);
        let all = of_views.chain(&mut self.homeless);
        let mut questions = Vec::new();
        let mut next: Option<Time> = None;
        for earlier in all.filter(|it| !needed.contains(&it.view)) {
            if earlier.farewell_at(now).is_some_and(|at| at <= now) {
                questions.extend(earlier.say_farewell(now));
            }
            next = next.into_iter().chain(earlier.farewell_at(now)).min();
        }
        self.post_retire(cx, questions);
        if let Some(at) = next {
            self.deadlines.set(Due::Retire, at);
        }
    }

    /// The earlier views of which some part is not held by enough others yet. A copy is over as a
    /// whole, so that all its parts have to be.
    fn views_still_needed(&self, cx: &Cx<'_, Self>) -> BTreeSet<u64> {
        let held: Vec<Arc> = self.covers.testified(cx.now).collect();
        let unsettled = self.views.iter().filter(|view| !view.is_settled());
        let waiting = unsettled.flat_map(|view| &view.earlier);
        let is_lost = |it: &&Earlier| !subtract_all(vec![it.arc], held.iter().copied()).is_empty();
        let lost = self.homeless.iter().filter(is_lost);
        waiting.chain(lost).map(|earlier| earlier.view).collect()
    }
}

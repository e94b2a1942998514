//! The root of a value renews the entries of its text.
//!
//! A value outlives the node that was asked to put it, and so must its words. Its text is a record
//! beside it, replicated as it is; whoever is the root walks through those records of its arcs, one
//! pass in a third of what entries last, and publishes them again.

use super::document::Described;
use super::publish::{VALUE_LEASE_S, moment};
use crate::due::Due;
use crate::parked::Parked;
use crate::{Dht, Position, Store};
use overlay::{Arc, Cx, Duration, Id, KeyRouter, Slot, Time};

/// How long a pass takes at least.
const PASS: Duration = Duration::from_secs(VALUE_LEASE_S / 3);
/// The time between two steps of a pass.
const STEP: Duration = Duration::from_millis(250);
/// Records that a step looks at, about a millisecond: a pass through a million takes two minutes.
const STEP_RECORDS: usize = 2_048;
/// Texts that a step publishes at most.
const STEP_TEXTS: usize = 64;

/// How far the present pass has come.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    after: Option<Position>,
    /// When the pass began; none before the first.
    began: Option<Time>,
    running: bool,
}

impl<R: KeyRouter, S: Store> Dht<R, S> {
    /// To be called when the node has become a member.
    pub(crate) fn start_keeping(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.index.keeper.running {
            self.index.keeper.running = true;
            // Nodes that started together do not walk together.
            let first = PASS.0 / 2 + cx.rng.next_u64() % (PASS.0 / 8);
            self.deadlines.set(Due::Keeper, cx.now + Duration(first));
        }
    }

    /// The next step of a pass, or the next pass.
    pub(crate) fn keeper_due(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.index.publisher.has_room() {
            return self
                .deadlines
                .set(Due::Keeper, cx.now + Duration::from_secs(1));
        }
        let keeper = &mut self.index.keeper;
        if keeper.after.is_none() {
            keeper.began = Some(cx.now);
        }
        let (mut texts, mut looked, mut last) = (Vec::new(), 0, None);
        let whole = Arc::whole(Id::MAX);
        self.store
            .range(whole, keeper.after, &mut |key, slot, known| {
                looked += 1;
                last = Some((key, slot));
                if slot == Slot::Text && known.is_live(cx.wall) {
                    texts.push((key, slot));
                }
                looked < STEP_RECORDS && texts.len() < STEP_TEXTS
            });
        let is_over = looked < STEP_RECORDS && texts.len() < STEP_TEXTS;
        self.index.keeper.after = last.filter(|_| !is_over);
        let at = match (is_over, self.index.keeper.began) {
            (true, Some(began)) => (began + PASS).max(cx.now + STEP),
            _ => cx.now + STEP,
        };
        self.deadlines.set(Due::Keeper, at);
        texts.retain(|(key, _)| self.views.iter().any(|view| view.arc.contains(*key)));
        self.keep_texts(cx, texts);
    }

    /// Publishes the texts at these places again.
    pub(crate) fn keep_texts(&mut self, cx: &mut Cx<'_, Self>, texts: Vec<Position>) {
        if texts.is_empty() || !self.have_bodies(&texts, || Parked::Texts(texts.clone())) {
            return;
        }
        for (key, slot) in texts {
            let Some(record) = self.record_here((key, slot)) else {
                continue;
            };
            // A text belongs to the version of the value that it came with.
            let value = self.store.meta(key, Slot::Value);
            let is_of_value = value
                .is_some_and(|value| value.is_live(cx.wall) && value.version == record.version);
            let described = record.body.as_deref().and_then(Described::decode);
            let (Some(described), true) = (described, is_of_value) else {
                continue;
            };
            let lease = cx.wall.plus_secs(VALUE_LEASE_S);
            let until = record.expires.map_or(lease, |end| end.min(lease));
            let document = described.document(key, record.version);
            let publisher = &mut self.index.publisher;
            publisher.publish(moment(cx), &document, until, None);
        }
        self.send_entries(cx);
    }
}

//! What a phase of load consists of: which operation comes next, on which key, with which value.

use crate::control::ControlBody;
use bytes::Bytes;
use overlay::{Condition, Consistency, Id, Request};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// When a phase ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// After so many measured operations.
    Ops(u64),
    /// So long after the first measured operation.
    After(Duration),
}

/// One phase of load.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    /// Share of puts.
    pub(super) put_percent: f64,
    /// Operations before the measured ones.
    pub(super) warmup: u64,
    pub(super) ending: Ending,
    /// Whether it is reported.
    pub(super) measured: bool,
}

impl Phase {
    pub(super) const fn new(
        name: &'static str,
        put_percent: f64,
        warmup: u64,
        ending: Ending,
    ) -> Self {
        Self {
            name,
            put_percent,
            warmup,
            ending,
            measured: true,
        }
    }

    /// Puts that only prepare the ground.
    pub(super) const fn unmeasured(name: &'static str, ops: u64) -> Self {
        Self {
            name,
            put_percent: 100.0,
            warmup: 0,
            ending: Ending::Ops(ops),
            measured: false,
        }
    }
}

/// The keys of one run, with the values that belong to them. They differ from run to run, so that
/// no answer can come from an earlier one.
#[derive(Debug)]
pub(super) struct Keys {
    seed: u64,
    value_size: usize,
    ids: Vec<Id>,
    stored: Vec<AtomicBool>,
}

impl Keys {
    pub(super) fn new(count: u64, value_size: usize) -> Result<Self, String> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)
            .map_err(|error| format!("the system gives no random bytes: {error}"))?;
        let seed = u64::from_le_bytes(seed);
        let ids = (0..count).map(|key| Id::of(format!("bench {seed:016x} {key}").as_bytes()));
        let stored = (0..count).map(|_| AtomicBool::new(false)).collect();
        Ok(Self {
            seed,
            value_size,
            ids: ids.collect(),
            stored,
        })
    }

    fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The value of a key: the same in every put of a run.
    pub(super) fn value(&self, key: u64) -> Bytes {
        let mut state = self.seed ^ spread(key);
        let mut value = Vec::with_capacity(self.value_size + 8);
        while value.len() < self.value_size {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            value.extend_from_slice(&spread(state).to_le_bytes());
        }
        value.truncate(self.value_size);
        value.into()
    }

    /// Remembers that a key is stored.
    pub(super) fn note_stored(&self, key: u64) {
        if let Some(stored) = self.stored.get(key as usize) {
            stored.store(true, Ordering::Relaxed);
        }
    }

    fn is_stored(&self, key: u64) -> bool {
        self.stored
            .get(key as usize)
            .is_some_and(|stored| stored.load(Ordering::Relaxed))
    }

    fn id(&self, key: u64) -> Id {
        self.ids.get(key as usize).copied().unwrap_or_default()
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): spreads consecutive numbers.
const fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Put,
    Get,
}

/// One operation of a phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) kind: Kind,
    pub(super) key: u64,
    /// Whether it is past the warm-up.
    pub(super) measured: bool,
}

/// The operations of one phase, shared by all connections: whoever has room takes the next.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) keys: Arc<Keys>,
    phase: Phase,
    taken: AtomicU64,
    started: OnceLock<Instant>,
}

impl Share {
    pub(super) fn new(keys: Arc<Keys>, phase: &Phase) -> Self {
        Self {
            keys,
            phase: phase.clone(),
            taken: AtomicU64::new(0),
            started: OnceLock::new(),
        }
    }

    /// Operations begun.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// When the first measured operation began.
    pub(super) fn started(&self) -> Option<Instant> {
        self.started.get().copied()
    }

    /// The next operation; none when the phase is over.
    pub(super) fn next(&self) -> Option<(Ticket, ControlBody)> {
        let number = self.taken.load(Ordering::Relaxed);
        let measured = number >= self.phase.warmup;
        if measured {
            let started = *self.started.get_or_init(Instant::now);
            let over = match self.phase.ending {
                Ending::Ops(ops) => number - self.phase.warmup >= ops,
                Ending::After(span) => started.elapsed() >= span,
            };
            if over {
                return None;
            }
        }
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let dice = spread(number);
        let kind = if ((dice % 10_000) as f64) < self.phase.put_percent * 100.0 {
            Kind::Put
        } else {
            Kind::Get
        };
        let key = match kind {
            Kind::Put => number % self.keys.count().max(1),
            Kind::Get => self.stored_key(spread(dice)),
        };
        Some((
            Ticket {
                kind,
                key,
                measured,
            },
            self.body(kind, key),
        ))
    }

    fn body(&self, kind: Kind, key: u64) -> ControlBody {
        let id = self.keys.id(key);
        ControlBody::Data(match kind {
            Kind::Put => Request::Put {
                key: id,
                value: self.keys.value(key),
                ttl_s: None,
                consistency: Consistency::Quorum,
                condition: Condition::Always,
                text: String::new(),
                indexed: None,
            },
            Kind::Get => Request::Get {
                key: id,
                consistency: Consistency::Quorum,
                at_least: None,
            },
        })
    }

    /// A key that is stored, starting the search at a random one; any when none is.
    fn stored_key(&self, dice: u64) -> u64 {
        let count = self.keys.count().max(1);
        let first = dice % count;
        let turn = (first..count).chain(0..first);
        turn.into_iter()
            .find(|&key| self.keys.is_stored(key))
            .unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_gives_its_warm_up_and_its_operations() {
        let keys = Arc::new(Keys::new(10, 20).unwrap());
        let share = Share::new(keys, &Phase::new("put", 100.0, 3, Ending::Ops(5)));
        let tickets: Vec<_> = std::iter::from_fn(|| share.next())
            .map(|(ticket, _)| ticket)
            .collect();
        assert_eq!(tickets.len(), 8);
        assert_eq!(tickets.iter().filter(|ticket| ticket.measured).count(), 5);
        assert!(tickets.iter().all(|ticket| ticket.kind == Kind::Put));
    }

    #[test]
    fn gets_ask_for_what_is_stored_only() {
        let keys = Arc::new(Keys::new(100, 20).unwrap());
        keys.note_stored(17);
        let share = Share::new(keys, &Phase::new("get", 0.0, 0, Ending::Ops(50)));
        let mut tickets = std::iter::from_fn(|| share.next());
        assert!(tickets.all(|(ticket, _)| ticket.kind == Kind::Get && ticket.key == 17));
    }

    #[test]
    fn a_mix_keeps_to_its_share() {
        let keys = Arc::new(Keys::new(100, 8).unwrap());
        let share = Share::new(keys, &Phase::new("mix", 20.0, 0, Ending::Ops(10_000)));
        let puts = std::iter::from_fn(|| share.next())
            .filter(|(ticket, _)| ticket.kind == Kind::Put)
            .count();
        assert!(
            (1_800..2_200).contains(&puts),
            "{puts} puts of 10000 instead of 2000"
        );
    }

    #[test]
    fn values_have_their_size_and_differ_by_key() {
        for size in [0, 1, 7, 8, 100] {
            let keys = Keys::new(2, size).unwrap();
            assert_eq!(keys.value(0).len(), size);
            assert_eq!(keys.value(0), keys.value(0));
            assert!(size == 0 || size == 1 || keys.value(0) != keys.value(1));
        }
    }
}

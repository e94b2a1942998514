//! When to stabilise next: quickly after a change, seldom while nothing changes.

use crate::Period;
use crate::message::ChordTimer;
use crate::node::{Chord, Doubt, Phase};
use overlay::{Contact, Cx, Duration, Time};

/// How soon a node asks again that was pending, or tries again when it was busy itself. Our
/// choice: a few round trips of a local network, spread so that two nodes do not meet again.
pub(crate) const RETRY: Period = Period::new(Duration::from_millis(20), Duration::from_millis(60));
/// How soon a silent neighbour is looked after. Spread, because many may hear of it at once.
pub(crate) const SUSPECT: Period = Period::new(Duration::from_millis(1), Duration::from_millis(10));
/// Suspicion brings stabilisation forward at most once in this time: otherwise a stream of
/// lookups over a dead neighbour would cause a stream of queries.
pub(crate) const SUSPECT_PAUSE: Duration = Duration::from_millis(200);

/// The schedule of one node.
#[derive(Debug)]
pub(crate) struct Ticker {
    /// The number of the timer that is meant.
    pub(crate) epoch: u64,
    /// When it is due.
    pub(crate) at: Option<Time>,
    /// The current period, in adaptive mode.
    period: Duration,
    /// Whether the state changed since the last stabilisation ended.
    changed: bool,
    /// When the last stabilisation ended.
    ended: Time,
    /// Whether a stabilisation was due while a step was under way.
    pub(crate) missed: bool,
    /// Stabilisations since a finger was refreshed.
    pub(crate) since_finger: u32,
}

impl Ticker {
    pub(crate) const fn new(period: Duration) -> Self {
        Self {
            epoch: 0,
            at: None,
            period,
            changed: false,
            ended: Time::ZERO,
            missed: false,
            since_finger: 0,
        }
    }
}

impl Chord {
    /// Arms the next stabilisation `delay` from now, unless one comes before that.
    pub(crate) fn schedule(&mut self, cx: &mut Cx<'_, Self>, delay: Duration) {
        let at = cx.now + delay;
        if !self.config.maintain || self.ticker.at.is_some_and(|armed| armed <= at) {
            return;
        }
        self.ticker.epoch += 1;
        self.ticker.at = Some(at);
        cx.arm(
            at,
            ChordTimer::Stabilize {
                epoch: self.ticker.epoch,
            },
        );
    }

    /// Arms the next regular stabilisation.
    pub(crate) fn schedule_period(&mut self, cx: &mut Cx<'_, Self>) {
        let delay = if self.config.adaptive {
            let period = self.ticker.period;
            let quarter = Duration(period.as_micros() / 4);
            let low = Duration(period.as_micros() - quarter.as_micros());
            Period::new(low, Duration(period.as_micros() + quarter.as_micros())).draw(cx.rng)
        } else {
            self.config.stabilize.draw(cx.rng)
        };
        self.schedule(cx, delay);
    }

    /// A peer was silent, or cannot be reached.
    pub(crate) fn on_doubt(&mut self, cx: &mut Cx<'_, Self>, peer: Contact) {
        if !self.config.maintain || !matches!(self.phase, Phase::Member) {
            return;
        }
        if self.fingers.suspect(peer.id) {
            self.hurry(cx);
        }
        if self
            .ring
            .predecessor()
            .is_some_and(|known| known.id == peer.id)
            && matches!(self.doubt, Doubt::None | Doubt::Unheard)
        {
            self.doubt = Doubt::Suspected;
        }
        if self.ring.knows(peer.id) {
            self.quicken();
            self.hurry(cx);
        }
    }

    /// Stabilises as soon as it is polite, because of a doubt about a neighbour.
    pub(crate) fn hurry(&mut self, cx: &mut Cx<'_, Self>) {
        if !self.config.adaptive {
            return;
        }
        let since = cx.now.since(self.ticker.ended);
        let pause = Duration(SUSPECT_PAUSE.as_micros().saturating_sub(since.as_micros()));
        let jitter = SUSPECT.draw(cx.rng);
        self.schedule(cx, Duration(pause.as_micros() + jitter.as_micros()));
    }

    /// The ring state changed: stabilise quickly again.
    pub(crate) const fn quicken(&mut self) {
        self.ticker.changed = true;
        self.ticker.period = self.config.stabilize.min;
    }

    /// A stabilisation is over: the next period is twice as long when nothing changed.
    pub(crate) fn slow_down(&mut self, now: Time) {
        if self.ticker.changed {
            self.ticker.changed = false;
        } else {
            self.ticker.period = self.ticker.period.times(2).min(self.config.stabilize.max);
        }
        self.ticker.ended = now;
    }

    /// Whether nothing changed for so long that the period is the longest.
    pub(crate) fn is_quiet(&self) -> bool {
        self.ticker.period >= self.config.stabilize.max
    }
}

//! When to exchange leaf sets next: quickly after a change, seldom while nothing changes.

use crate::message::PastryTimer;
use crate::node::Pastry;
use overlay::{Cx, Duration, Time};
use rand_core::Rng;

/// The schedule of one node.
#[derive(Debug)]
pub(crate) struct Ticker {
    /// The number of the timer that is meant.
    pub(crate) epoch: u64,
    /// When it is due.
    pub(crate) at: Option<Time>,
    /// The current period.
    period: Duration,
    /// Whether a nearest neighbour changed since the last exchange.
    changed: bool,
    /// Exchanges so far.
    pub(crate) turn: u64,
    /// Whether the routing table's timer is armed.
    pub(crate) upkeep_armed: bool,
}

impl Ticker {
    pub(crate) const fn new(period: Duration) -> Self {
        Self {
            epoch: 0,
            at: None,
            period,
            changed: false,
            turn: 0,
            upkeep_armed: false,
        }
    }
}

/// A span from three quarters to five quarters of `mean`.
pub(crate) fn jittered(rng: &mut dyn Rng, mean: Duration) -> Duration {
    let quarter = mean.0 / 4;
    Duration(mean.0 - quarter + rng.next_u64() % (2 * quarter + 1))
}

/// A span from `low` to `high`.
pub(crate) fn between(rng: &mut dyn Rng, low: Duration, high: Duration) -> Duration {
    Duration(low.0 + rng.next_u64() % (high.0.saturating_sub(low.0) + 1))
}

impl Pastry {
    /// Begins to maintain given tables.
    pub(crate) fn start(&mut self, cx: &mut Cx<'_, Self>) {
        if self.is_active() && self.config.maintain {
            self.tick(cx);
            self.arm_upkeep(cx);
        }
    }

    /// Arms the next exchange `delay` from now, unless one comes before that.
    pub(crate) fn schedule(&mut self, cx: &mut Cx<'_, Self>, delay: Duration) {
        let at = cx.now + delay;
        if !self.config.maintain || self.ticker.at.is_some_and(|armed| armed <= at) {
            return;
        }
        self.ticker.epoch += 1;
        self.ticker.at = Some(at);
        let epoch = self.ticker.epoch;
        cx.arm(at, PastryTimer::Exchange { epoch });
    }

    /// Arms the next regular exchange.
    pub(crate) fn schedule_period(&mut self, cx: &mut Cx<'_, Self>) {
        let delay = jittered(cx.rng, self.ticker.period);
        self.schedule(cx, delay);
    }

    /// A nearest neighbour changed: exchange quickly again.
    pub(crate) fn quicken(&mut self, cx: &mut Cx<'_, Self>) {
        self.ticker.changed = true;
        self.ticker.period = self.config.exchange_min;
        self.schedule_period(cx);
    }

    /// An exchange is over: the next period is twice as long when nothing changed.
    pub(crate) fn slow_down(&mut self) {
        if self.ticker.changed {
            self.ticker.changed = false;
        } else {
            self.ticker.period = self.ticker.period.times(2).min(self.config.exchange_max);
        }
    }
}

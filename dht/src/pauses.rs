//! When a root compares itself with a replica again.

use overlay::Duration;

/// The first pause after a comparison that failed, or that proved too little; doubled each time.
pub(crate) const FIRST_RETRY: Duration = Duration::from_millis(300);
/// The longest such pause.
pub(crate) const LAST_RETRY: Duration = Duration::from_secs(5);
/// The pause after the first comparison of a replica with a complete view; four times as long each
/// time, up to the period. What a root before this one has sent may arrive after that comparison,
/// and would make the replica a copy of that root until the next one.
const FIRST_REPEAT: Duration = Duration::from_secs(2);

/// The pause after a number of failures.
pub(crate) fn retry_pause(failures: u32) -> Duration {
    FIRST_RETRY.times(1 << failures.min(8)).min(LAST_RETRY)
}

/// The longest pause after a number of comparisons that succeeded.
pub(crate) fn repeat_pause(repeats: u32) -> Duration {
    FIRST_REPEAT.times(1 << (2 * repeats.min(8)))
}

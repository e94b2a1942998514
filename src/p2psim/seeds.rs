//! Seeds, several at a time, with progress.

use super::cli::Seeds;
use super::progress::Progress;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Runs every seed, so many at a time; gives the results in order of seeds, and how long it took.
pub(super) fn each<T: Send>(
    Seeds { from, to }: Seeds,
    jobs: u64,
    run: impl Fn(u64) -> T + Sync,
) -> (Vec<(u64, T)>, Duration) {
    let progress = Mutex::new(Progress::new("seeds", to - from));
    let next = AtomicU64::new(from);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(to - from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to {
                        return;
                    }
                    let result = run(seed);
                    if let Ok(mut results) = results.lock() {
                        results.push((seed, result));
                    }
                    if let Ok(mut progress) = progress.lock() {
                        progress.step();
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_unstable_by_key(|(seed, _)| *seed);
    let wall = progress
        .into_inner()
        .map(Progress::finish)
        .unwrap_or_default();
    (results, wall)
}

//! Room on the file system.

use std::io;
use std::path::Path;
use std::time::Duration;

/// How long what was found out about the file system is believed. It is asked again before a
/// group is written, so that what is written in between is bounded by the speed of the disk, a
/// fraction of [`RESERVED_BYTES`](super::RESERVED_BYTES).
pub(super) const BELIEVED_FOR: Duration = Duration::from_millis(100);

/// How often a full disk is looked at while it keeps a group waiting or new writes away.
pub(super) const FULL_PAUSE: Duration = Duration::from_millis(500);

/// Bytes that a process without privileges can still write below this directory.
pub(super) fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

//! What a report may look like. Whoever answers can say what he likes, and it is shown to people.

use crate::control::StatusReport;
use overlay::{Id, MAX_MOVEMENTS, Neighbours};

/// Letters of a name or a version; ours have a third of it.
const MAX_WORD_BYTES: usize = 64;

/// Looks whether a report is one of the node that proved `proven`, and of a size that nodes send.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(report: &StatusReport, proven: Option<Id>) -> Result<(), String> {
    let status = &report.status;
    if proven != Some(status.me.id) {
        return Err("a status of another node".to_owned());
    }
    let role: &str = match &status.neighbours {
        Neighbours::Links { role, .. } => role,
        _ => "",
    };
    let words = [&status.overlay, &report.version, role];
    if words.iter().any(|word| word.len() > MAX_WORD_BYTES) {
        return Err(format!("a name of more than {MAX_WORD_BYTES} bytes"));
    }
    if status.moving.len() > MAX_MOVEMENTS {
        return Err(format!("more than {MAX_MOVEMENTS} movements"));
    }
    Ok(())
}

//! Logs: to standard error, quiet by default, one line for each change of ring membership.

use overlay::{Contact, RingChange};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The filter is not one.
#[derive(Debug, thiserror::Error)]
#[error(
    "the log level {level:?} is not understood ({reason}); use error, warn, info, debug or trace"
)]
pub struct LogLevelError {
    level: String,
    reason: String,
}

/// Starts logging. `level` is a level, or a filter as `tracing-subscriber` understands it.
///
/// # Errors
/// When the level is not understood.
pub fn start(format: LogFormat, level: &str) -> Result<(), LogLevelError> {
    // The libraries below speak only when something is wrong, unless they are named.
    let directives = if level.contains(['=', ',']) {
        level.to_owned()
    } else {
        format!("warn,p2pnode={level},quinn=error,rustls=error")
    };
    let filter = EnvFilter::try_new(directives).map_err(|error| LogLevelError {
        level: level.to_owned(),
        reason: error.to_string(),
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start, in tests, keeps the first.
    let _ = match format {
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal();
            tracing::subscriber::set_global_default(
                builder.with_ansi(colour).with_target(false).finish(),
            )
        }
        LogFormat::Json => tracing::subscriber::set_global_default(builder.json().finish()),
    };
    Ok(())
}

/// Logs a change of membership.
pub(crate) fn ring_change(change: &RingChange) {
    let name = |contact: &Option<Contact>| {
        contact.map_or_else(|| "none".to_owned(), |contact| contact.to_string())
    };
    match change {
        RingChange::Successor { was, is } => {
            tracing::info!(was = %name(was), is = %name(is), "successor changed");
        }
        RingChange::Predecessor { was, is } => {
            tracing::info!(was = %name(was), is = %name(is), "predecessor changed");
        }
        RingChange::Dead(peer) => tracing::info!(%peer, "a neighbour is dead"),
        RingChange::CutOff => tracing::warn!("cut off: no neighbour is left; trying to come back"),
        RingChange::LastOfItsRing => tracing::warn!(
            "all known neighbours have restarted: this node is the ring now, and they can join it"
        ),
        RingChange::Reunited(peer) => tracing::info!(%peer, "back in the ring"),
        other => tracing::info!(?other, "the ring changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_level_is_named() {
        let error = start(LogFormat::Text, "p2pnode=loud").unwrap_err();
        assert!(error.to_string().contains("loud"), "{error}");
    }
}

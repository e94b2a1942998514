//! What a service manager is told, systemd or another one that names a socket in `NOTIFY_SOCKET`.
//!
//! A node is ready when it has joined and serves, and stopping when a signal told it to. A leave by
//! `p2pctl` is not announced: it may take hours, and a manager gives who is stopping seconds.

use sd_notify::NotifyState;

/// Says that the node has joined and serves.
pub fn ready() {
    tell(&NotifyState::Ready);
}

/// Says that the node hands over and ends.
pub fn stopping() {
    tell(&NotifyState::Stopping);
}

/// Without a manager this does nothing; one that cannot be told is no reason not to serve.
fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, "the service manager cannot be told: {state}");
    }
}

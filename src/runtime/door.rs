//! Who is let in: limits on connections and handshakes.
//!
//! A handshake costs about a millisecond of processor time, the dearest thing that a stranger can
//! make a node do. So handshakes are limited in number, by source address, and by rate; when many
//! are under way, a stranger must first show that he receives packets at the address that he
//! claims (a retry, which costs us no state).

use super::transport::MAX_CONNECTIONS;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most handshakes under way.
pub const MAX_HANDSHAKES: usize = 512;
/// Handshakes under way from which on an address must be shown to be real.
pub const RETRY_ABOVE: usize = 64;
/// Most handshakes under way from one address: a machine may run many nodes that start at once.
pub const MAX_HANDSHAKES_PER_IP: usize = 128;
/// Handshakes admitted a second in the long run: a third of one core.
pub const HANDSHAKES_PER_S: u32 = 300;
/// Handshakes admitted at once after a rest.
pub const HANDSHAKE_BURST: u32 = 600;

/// What to do with somebody who knocks.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Let him in; the pass counts him as long as it lives.
    Enter(Pass),
    /// Make him show that his address is real.
    Retry,
    /// Send him away, for this reason.
    Refuse(&'static str),
}

#[derive(Debug)]
struct State {
    connections: usize,
    handshakes: usize,
    by_ip: HashMap<IpAddr, usize>,
    tokens: u32,
    refilled: Instant,
}

/// Counts connections and handshakes.
#[derive(Debug)]
pub(crate) struct Door {
    state: Mutex<State>,
}

/// One admitted connection.
#[derive(Debug)]
pub(crate) struct Pass {
    door: Arc<Door>,
    /// The source address, while the handshake is under way.
    handshake_from: Option<IpAddr>,
}

impl Door {
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                connections: 0,
                handshakes: 0,
                by_ip: HashMap::new(),
                tokens: HANDSHAKE_BURST,
                refilled: Instant::now(),
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections and handshakes under way.
    pub(crate) fn connections(&self) -> usize {
        self.lock().connections
    }

    /// Handshakes under way that others began.
    pub(crate) fn handshakes(&self) -> usize {
        self.lock().handshakes
    }

    /// Decides about a handshake from `ip`; `validated` says that the address is real.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr, validated: bool, now: Instant) -> Admission {
        let mut state = self.lock();
        if state.connections >= MAX_CONNECTIONS {
            return Admission::Refuse("connections");
        }
        if state.handshakes >= MAX_HANDSHAKES {
            return Admission::Refuse("handshakes");
        }
        if state
            .by_ip
            .get(&ip)
            .is_some_and(|count| *count >= MAX_HANDSHAKES_PER_IP)
        {
            return Admission::Refuse("handshakes_per_ip");
        }
        if state.handshakes >= RETRY_ABOVE && !validated {
            return Admission::Retry;
        }
        if !state.take_token(now) {
            return Admission::Refuse("handshake_rate");
        }
        state.connections += 1;
        state.handshakes += 1;
        *state.by_ip.entry(ip).or_default() += 1;
        Admission::Enter(Pass {
            door: Arc::clone(self),
            handshake_from: Some(ip),
        })
    }

    /// Counts a connection that this node dialled itself.
    pub(crate) fn dialled(self: &Arc<Self>) -> Pass {
        self.lock().connections += 1;
        Pass {
            door: Arc::clone(self),
            handshake_from: None,
        }
    }
}

impl State {
    fn take_token(&mut self, now: Instant) -> bool {
        let per_token = Duration::from_secs(1) / HANDSHAKES_PER_S;
        let passed = now.saturating_duration_since(self.refilled).as_nanos() / per_token.as_nanos();
        let earned = u32::try_from(passed).unwrap_or(u32::MAX);
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(earned).min(HANDSHAKE_BURST);
            self.refilled = now;
        }
        self.tokens
            .checked_sub(1)
            .map(|left| self.tokens = left)
            .is_some()
    }

    fn end_handshake(&mut self, ip: IpAddr) {
        self.handshakes = self.handshakes.saturating_sub(1);
        if let Some(count) = self.by_ip.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_ip.remove(&ip);
            }
        }
    }
}

impl Pass {
    /// The handshake is over; the connection still counts.
    pub(crate) fn handshake_done(&mut self) {
        if let Some(ip) = self.handshake_from.take() {
            self.door.lock().end_handshake(ip);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.handshake_done();
        let mut state = self.door.lock();
        state.connections = state.connections.saturating_sub(1);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_handshakes() {
        let (door, now) = (Door::new(), Instant::now());
        let ip = |last| IpAddr::from([10, 0, 0, last]);
        let mut passes = Vec::new();
        for _ in 0..MAX_HANDSHAKES_PER_IP {
            match door.admit(ip(1), true, now) {
                Admission::Enter(pass) => passes.push(pass),
                other => panic!("refused below the limit: {other:?}"),
            }
        }
        assert!(matches!(
            door.admit(ip(1), true, now),
            Admission::Refuse("handshakes_per_ip")
        ));
        assert!(matches!(door.admit(ip(2), false, now), Admission::Retry));
        assert!(matches!(door.admit(ip(2), true, now), Admission::Enter(_)));
        passes.clear();
        assert!(matches!(door.admit(ip(1), false, now), Admission::Enter(_)));
        assert_eq!(door.connections(), 0, "a pass was not given back");
    }

    #[test]
    fn handshakes_are_limited_by_rate() {
        let (door, start) = (Door::new(), Instant::now());
        let ip = IpAddr::from([10, 0, 0, 1]);
        let admitted = |now| {
            let one = || matches!(door.admit(ip, true, now), Admission::Enter(_));
            (0..2_000).filter(|_| one()).count()
        };
        assert_eq!(admitted(start), HANDSHAKE_BURST as usize);
        let later = start + Duration::from_millis(1_005);
        assert_eq!(admitted(later), HANDSHAKES_PER_S as usize + 1);
    }
}

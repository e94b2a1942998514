//! Why somebody is not served.

use crate::http::RetryIn;
use crate::rules::Breach;

/// Why somebody is not served. The text is for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The torrent is not served.
    #[error("this tracker does not serve this torrent")]
    Torrent,
    /// The client is not served.
    #[error("this tracker does not serve this client program")]
    Client,
    /// The passkey is missing or wrong.
    #[error("the passkey is missing or not known here")]
    Passkey,
    /// Too many announces of one address.
    #[error("your address announces too often")]
    TooOften,
    /// Too many announces to one swarm.
    #[error("this torrent is announced too often here")]
    SwarmTooOften,
    /// Too many torrents of one address.
    #[error("your address announces too many torrents")]
    TooManySwarms,
    /// Too many clients of one address in one swarm.
    #[error("your address brings too many clients into this swarm")]
    TooManyPeers,
    /// The table is full.
    #[error("this tracker is full")]
    Full,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Torrent,
        Self::Client,
        Self::Passkey,
        Self::TooOften,
        Self::SwarmTooOften,
        Self::TooManySwarms,
        Self::TooManyPeers,
        Self::Full,
    ];

    /// The reason in one word, for counting.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Torrent => "torrent",
            Self::Client => "client",
            Self::Passkey => "passkey",
            Self::TooOften => "too_often",
            Self::SwarmTooOften => "swarm_too_often",
            Self::TooManySwarms => "too_many_swarms",
            Self::TooManyPeers => "too_many_peers",
            Self::Full => "full",
        }
    }

    /// When to try again (BEP 31).
    #[must_use]
    pub const fn retry(self) -> RetryIn {
        match self {
            Self::Torrent | Self::Client | Self::Passkey => RetryIn::Never,
            Self::TooOften | Self::SwarmTooOften | Self::TooManySwarms | Self::TooManyPeers => {
                RetryIn::Minutes(5)
            }
            Self::Full => RetryIn::Minutes(30),
        }
    }
}

impl From<Breach> for Refusal {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::Torrent => Self::Torrent,
            Breach::Client => Self::Client,
            Breach::Passkey => Self::Passkey,
        }
    }
}

//! Settings that are written as a word.

use serde::Deserialize;
use std::net::SocketAddr;
use std::str::FromStr;

/// The overlays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverlayName {
    /// Replicated records on a ring with fingers.
    #[default]
    Chord,
    /// Replicated records by prefix routing.
    Pastry,
    /// Best-effort search by flooding and walks.
    Gnutella,
}

impl OverlayName {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chord => "chord",
            Self::Pastry => "pastry",
            Self::Gnutella => "gnutella",
        }
    }
}

impl std::fmt::Display for OverlayName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where HTTP is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum HttpAddress {
    /// Nowhere.
    Off,
    /// On this address.
    On(SocketAddr),
}

impl FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse()
            .map(Self::On)
            .map_err(|_| format!("{text:?} is neither IP:PORT nor off"))
    }
}

impl TryFrom<String> for HttpAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

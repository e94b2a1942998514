//! What a run does: chosen by variables of the environment, everything else by a seed.

use std::time::Duration;

/// Nodes at the beginning.
const NODES: usize = 12;
/// Nodes that join later, and as many that leave.
const NEWCOMERS: usize = 2;
/// Clients that ask at the same time: enough that every second some of them are at the node that
/// dies, few enough that two cores are not busy with them alone.
const CLIENTS: usize = 24;
/// How long nodes are killed and stopped.
const SPAN: Duration = Duration::from_secs(120);

/// The settings of one run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The overlay, as `p2pnode --overlay` takes it.
    pub(crate) overlay: String,
    /// Who is hit when, and what clients ask.
    pub(crate) seed: u64,
    /// Nodes at the beginning.
    pub(crate) nodes: usize,
    /// Nodes that join while others die, and as many that leave.
    pub(crate) newcomers: usize,
    /// Clients that ask at the same time.
    pub(crate) clients: usize,
    /// How long nodes are killed and stopped.
    pub(crate) span: Duration,
    /// Whether to wait in the end until absence is proven again.
    pub(crate) patient: bool,
    /// Whether logs and histories stay also when nothing is wrong.
    pub(crate) keep: bool,
}

impl Plan {
    /// The plan that `SURVIVAL_OVERLAY`, `SURVIVAL_SEED`, `SURVIVAL_SECONDS`, `SURVIVAL_PATIENT` and
    /// `SURVIVAL_KEEP` describe.
    pub(crate) fn from_environment() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            let parsed = text.parse::<u64>();
            Some(parsed.unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
        };
        Self {
            overlay: std::env::var("SURVIVAL_OVERLAY").unwrap_or_else(|_| "chord".to_owned()),
            seed: number("SURVIVAL_SEED").unwrap_or_else(any_seed),
            nodes: NODES,
            newcomers: NEWCOMERS,
            clients: CLIENTS,
            span: number("SURVIVAL_SECONDS").map_or(SPAN, Duration::from_secs),
            patient: std::env::var_os("SURVIVAL_PATIENT").is_some(),
            keep: std::env::var_os("SURVIVAL_KEEP").is_some(),
        }
    }
}

/// A seed that nobody chose.
fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| u64::from(since.subsec_nanos()) ^ since.as_secs())
}

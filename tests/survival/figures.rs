//! The figures of a run.

use crate::plan::Plan;
use crate::record::{Record, is_final};
use overlay::{Duration, Id, Request, Time, Version};
use std::collections::BTreeMap;
use std::fmt;

/// What happened to the nodes, and how long things took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// SIGKILLs, those after a SIGSTOP included.
    pub(crate) kills: u64,
    /// SIGSTOPs.
    pub(crate) stops: u64,
    /// Seconds in which nobody was hit, because too many were away.
    pub(crate) seconds_without: u64,
    /// How long each start took, until the node served.
    pub(crate) starts: Vec<std::time::Duration>,
    /// Starts that ended because no member let the node in, or none in time.
    pub(crate) starts_in_vain: u64,
    /// Nodes that joined while others died.
    pub(crate) joined: u64,
    /// Nodes that left.
    pub(crate) left: u64,
    /// Why nodes that were to leave had to come back.
    pub(crate) leaves_in_vain: Vec<String>,
    /// Times the network was cut in two.
    pub(crate) partitions: u64,
    /// Connections of clients that did not come about.
    pub(crate) not_connected: u64,
    /// From the end of the trouble until every node was in the network, and in a patient run said
    /// that all its copies are complete.
    pub(crate) settled_after: Option<Duration>,
    /// From the end of the trouble until every read at every node gave what it must.
    pub(crate) found_after: Option<Duration>,
    /// Reads of the last round.
    pub(crate) last_reads: usize,
    /// Those that say `unknown` where nothing is: absence could not be proven.
    pub(crate) unproven: usize,
}

/// In so many of ten seconds a node is hit, at least; in the others too many are away.
const HIT_OF_TEN: u64 = 7;
/// The shortest run with time for a partition.
const SPLIT_FROM: std::time::Duration = std::time::Duration::from_secs(30);

impl Figures {
    /// A run in which little happened proves little.
    pub(crate) fn assert_trouble(&self, plan: &Plan, can_split: bool) {
        let hits = self.kills + self.stops;
        let least = plan.span.as_secs() * HIT_OF_TEN / 10;
        assert!(hits >= least, "{hits} hits in {:?}, not {least}", plan.span);
        let newcomers = plan.newcomers as u64;
        let moved = (self.joined, self.left);
        assert_eq!(moved, (newcomers, newcomers), "nodes that joined and left");
        let is_cut = self.partitions > 0 || !can_split || plan.span < SPLIT_FROM;
        assert!(is_cut, "the network was never cut in two");
    }
}

/// The longest time in which nodes answered that they could not read or write a key, and nobody
/// was told otherwise: from the first such question to the next answer that is one. That nothing
/// can be read of a key whose newest write deletes it is another matter: there is nothing to miss.
pub(crate) fn longest_outage(record: &Record, until: Time) -> Option<(Duration, Id)> {
    let mut failing: BTreeMap<Id, Time> = BTreeMap::new();
    let mut living: BTreeMap<Id, (Version, bool)> = BTreeMap::new();
    let mut longest = None;
    let mut answers: Vec<_> = record
        .history
        .all()
        .filter_map(|op| Some((op, op.answer.as_ref()?, op.key()?)))
        .filter(|(_, (ended, _), _)| *ended <= until)
        .collect();
    answers.sort_by_key(|(_, (ended, _), _)| *ended);
    for (op, (ended, reply), key) in answers {
        if let Some(done) = op.acknowledged() {
            let lives = !matches!(op.request, Request::Delete { .. });
            let newest = living.entry(key).or_insert((done.version, lives));
            *newest = (*newest).max((done.version, lives));
        }
        let lives = living.get(&key).is_some_and(|(_, lives)| *lives);
        if is_final(reply) {
            if let Some(since) = failing.remove(&key) {
                longest = longest.max(Some((ended.since(since), key)));
            }
        } else if lives || !matches!(op.request, Request::Get { .. } | Request::Search { .. }) {
            failing.entry(key).or_insert(op.began);
        }
    }
    longest
}

/// A table for the log.
pub(crate) struct Shown<'a>(
    pub(crate) &'a Figures,
    pub(crate) &'a Record,
    pub(crate) Time,
);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(figures, record, until) = self;
        let mut rows = rows_of_clients(record, *until);
        rows.extend(rows_of_nodes(figures));
        for ((kind, outcome), count) in &record.outcomes {
            rows.push((format!("{kind}: {outcome}"), count.to_string()));
        }
        for (name, value) in rows {
            writeln!(f, "  {name:<44}{value}")?;
        }
        Ok(())
    }
}

type Row = (String, String);

fn row(name: &str, value: impl fmt::Display) -> Row {
    (name.to_owned(), value.to_string())
}

fn rows_of_clients(record: &Record, until: Time) -> Vec<Row> {
    let all = record.history.all();
    let writes = all.filter(|op| op.acknowledged().is_some()).count();
    let [values, resources] = &record.keys;
    let outage = longest_outage(record, until).map_or_else(
        || "none".to_owned(),
        |(span, key)| format!("{} (key {key})", seconds(Some(span))),
    );
    vec![
        row("operations", record.history.all().count()),
        row("writes acknowledged", writes),
        row("keys of values", values.len()),
        row("keys of holders", resources.len()),
        row("longest outage of a key that lives", outage),
    ]
}

fn rows_of_nodes(figures: &Figures) -> Vec<Row> {
    let mut starts = figures.starts.clone();
    starts.sort_unstable();
    let start = |at: usize| starts.get(at).map_or(0.0, std::time::Duration::as_secs_f64);
    let (median, longest) = (
        start(starts.len() / 2),
        start(starts.len().saturating_sub(1)),
    );
    let mut rows = vec![
        row("killed", figures.kills),
        row("stopped", figures.stops),
        row(
            "seconds without, too many being away",
            figures.seconds_without,
        ),
        row(
            "starting: median, longest",
            format!("{median:.1} s, {longest:.1} s"),
        ),
        row(
            "starts in vain, no member being in reach",
            figures.starts_in_vain,
        ),
        row("joined", figures.joined),
        row("left", figures.left),
        row("leaves in vain", figures.leaves_in_vain.len()),
    ];
    rows.extend(figures.leaves_in_vain.iter().map(|why| row("", why)));
    rows.extend([
        row("partitions", figures.partitions),
        row("connections that did not come about", figures.not_connected),
        row(
            "everybody in the network after",
            seconds(figures.settled_after),
        ),
        row(
            "everything found everywhere after",
            seconds(figures.found_after),
        ),
        row("last reads", figures.last_reads),
        row("of them unknown where nothing is", figures.unproven),
    ]);
    rows
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or_else(
        || "-".to_owned(),
        |span| format!("{:.1} s", span.0 as f64 / 1e6),
    )
}

//! What a call came to, in one word and with its evidence: the same whoever is told of it.

use super::Word;
use overlay::{Failure, Outcome, Reply};
use serde_json::{Map, Value};

/// `failed` where it is sure that nothing was changed, else `unknown`; a read that was not answered is
/// always unknown, unless it made no sense.
pub(crate) const fn outcome_of(failure: &Failure, writes: bool) -> &'static str {
    match failure {
        Failure::Refused(_) => "failed",
        Failure::TooFewReplicas { .. }
        | Failure::NoAnswer { .. }
        | Failure::Full(_)
        | Failure::Undecided { .. }
        | Failure::NotHandedOver { .. } => "unknown",
        _ if writes => "failed",
        _ => "unknown",
    }
}

/// The word for an answer, and what it rests on.
pub(crate) fn evidence_of(reply: &Reply, writes: bool) -> Map<String, Value> {
    let read = |outcome: Outcome| Word::from(outcome).text();
    let of_write =
        |durable, replicas| known([("replicas_durable", durable), ("replicas", replicas)]);
    let of_read = |answered, asked, reached: Option<u32>| {
        let mut known = known([("replicas_answered", answered), ("replicas_asked", asked)]);
        known.extend(reached.map(|reached| ("nodes_reached".to_owned(), reached.into())));
        known
    };
    let (outcome, mut known) = match reply {
        Reply::Got(report) => (
            read(report.outcome),
            of_read(
                report.replicas_answered,
                report.replicas_asked,
                report.reached,
            ),
        ),
        Reply::Searched(report) => (
            read(report.outcome),
            of_read(
                report.replicas_answered,
                report.replicas_asked,
                report.reached,
            ),
        ),
        Reply::TextSearched(report) => (
            read(report.outcome),
            known([("answered", report.answered), ("asked", report.asked)]),
        ),
        Reply::Put(report) => (
            Word::Stored.text(),
            of_write(report.replicas_durable, report.replicas),
        ),
        Reply::Inserted(report) => (
            Word::Inserted.text(),
            of_write(report.replicas_durable, report.replicas),
        ),
        Reply::Deleted(report) => (
            read(report.outcome),
            of_write(report.replicas_durable, report.replicas),
        ),
        Reply::Conflict(report) => (
            "conflict",
            known([
                ("replicas_answered", report.replicas_answered),
                ("replicas", report.replicas),
            ]),
        ),
        Reply::Located(_) => (Word::Found.text(), Map::new()),
        Reply::Failed(failure) => (outcome_of(failure, writes), durable_of(failure)),
        Reply::Joined | Reply::Left => ("done", Map::new()),
    };
    known.insert("outcome".to_owned(), outcome.into());
    known
}

fn known<const COUNT: usize>(counts: [(&str, u32); COUNT]) -> Map<String, Value> {
    let counts = counts.into_iter();
    counts
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect()
}

/// How far a write came that was not done.
pub(crate) fn durable_of(failure: &Failure) -> Map<String, Value> {
    match failure {
        Failure::TooFewReplicas {
            durable,
            replicas,
            needed,
        } => known([
            ("replicas_durable", *durable),
            ("replicas", *replicas),
            ("replicas_needed", *needed),
        ]),
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::Id;

    #[test]
    fn nothing_is_called_failed_that_may_have_been_done() {
        let key = Id::of(b"k");
        for (failure, of_a_write) in [
            (Failure::NotMember, "failed"),
            (Failure::Busy(64), "failed"),
            (Failure::NoAnswer { key }, "unknown"),
            (Failure::Full(String::new()), "unknown"),
        ] {
            assert_eq!(outcome_of(&failure, true), of_a_write, "{failure}");
            assert_eq!(outcome_of(&failure, false), "unknown", "{failure}");
        }
        let refused = Failure::Refused(String::new());
        assert_eq!(outcome_of(&refused, false), "failed");
    }

    #[test]
    fn a_write_that_came_half_way_says_how_far() {
        let failure = Failure::TooFewReplicas {
            durable: 1,
            replicas: 3,
            needed: 2,
        };
        let told = evidence_of(&Reply::Failed(failure), true);
        assert_eq!(told["outcome"], "unknown");
        assert_eq!(
            (&told["replicas_durable"], &told["replicas_needed"]),
            (&1.into(), &2.into())
        );
    }
}

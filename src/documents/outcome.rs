//! What a call came to, in one word and with its evidence: the same whoever is told of it.

use crate::event::{CameTo, Counts, OperationKind};
use overlay::Failure;
use serde_json::{Map, Value};

/// The word for a call that was not done.
pub(crate) const fn outcome_of(failure: &Failure, writes: bool) -> &'static str {
    CameTo::of_failure(failure, writes).name()
}

/// How far a write came that was not done.
pub(crate) fn durable_of(failure: &Failure) -> Map<String, Value> {
    evidence_of(&Counts::of_failure(failure), OperationKind::Put)
}

/// What an outcome rests on, with the names that answers of this kind give it.
pub(super) fn evidence_of(counts: &Counts, kind: OperationKind) -> Map<String, Value> {
    let of_index = matches!(
        kind,
        OperationKind::SearchText | OperationKind::SearchPrefix
    );
    let [answered, asked] = if of_index {
        ["answered", "asked"]
    } else {
        ["replicas_answered", "replicas_asked"]
    };
    let named = [
        ("replicas_durable", counts.durable),
        ("replicas", counts.replicas),
        ("replicas_needed", counts.needed),
        (answered, counts.answered),
        (asked, counts.asked),
        ("nodes_reached", counts.reached),
    ];
    let known = named.into_iter().filter_map(|(name, count)| {
        let count = count?;
        Some((name.to_owned(), Value::from(count)))
    });
    known.collect()
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
        assert_eq!(outcome_of(&failure, true), "unknown");
        let told = durable_of(&failure);
        assert_eq!(
            (&told["replicas_durable"], &told["replicas_needed"]),
            (&1.into(), &2.into())
        );
    }
}

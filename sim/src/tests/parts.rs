//! The parts of a harness: latency models, the oracle, the agenda, dice and reports.

use crate::{
    Agenda, Dice, Distribution, Latency, Matrix, MatrixError, Oracle, Ownership, Table, Verdict,
    address_of, index_of,
};
use overlay::{Duration, Id, Time};
use std::sync::Arc;

#[test]
fn addresses_and_indices_are_one_to_one() {
    for node in [0, 1, 255, 256, 65_536, crate::MAX_NODES - 1] {
        assert_eq!(index_of(address_of(node)), Some(node));
    }
    assert_eq!(index_of("127.0.0.1:4000".parse().unwrap()), None);
    assert_eq!(index_of("10.0.0.1:4001".parse().unwrap()), None);
}

#[test]
fn a_matrix_gives_half_of_the_round_trip_and_the_access_delays() {
    let matrix = Matrix::parse("0 100.5\n100.5\t0\n").unwrap();
    let access = |node: usize| matrix.one_way(node, node).0 / 2;
    assert_eq!(matrix.one_way(0, 1).0, 50_250 + access(0) + access(1));
    assert_eq!(
        matrix.one_way(2, 5).0,
        50_250 + access(2) + access(5),
        "node n on host n mod 2"
    );
    assert!((200..2_000).contains(&access(3)));
    let near = access(0) + access(2);
    let latency = Latency::Matrix(Arc::new(matrix));
    assert_eq!(latency.sample(0, 2, &mut Dice::new(1, 1)).0, near);

    assert_eq!(Matrix::parse(" \n").unwrap_err(), MatrixError::Empty);
    let not_square = MatrixError::NotSquare {
        line: 2,
        found: 1,
        expected: 2,
    };
    assert_eq!(Matrix::parse("0 1\n0").unwrap_err(), not_square);
    for entry in ["x", "-1", "NaN", "1e9"] {
        let error = Matrix::parse(entry).unwrap_err();
        assert_eq!(
            error,
            MatrixError::NotATime {
                line: 1,
                entry: entry.to_owned()
            }
        );
    }
}

#[test]
fn an_answer_is_judged_over_the_whole_operation() {
    let point = Id::from_u64;
    let mut oracle = Oracle::complete(
        Ownership::FirstAtOrAfter,
        [(point(10), 0), (point(20), 1), (point(30), 2)],
    );
    assert_eq!(oracle.owner(point(11)), Some(point(20)));
    assert_eq!(oracle.owner(point(31)), Some(point(10)));
    assert_eq!(oracle.successor(point(30)), Some(point(10)));
    assert_eq!(oracle.predecessor(point(10)), Some(point(30)));
    assert_eq!(oracle.replicas(point(25), 2), [point(30), point(10)]);
    assert_eq!(oracle.judge(point(11), point(20), Time(5)), Verdict::Right);
    assert_eq!(
        oracle.judge(point(11), point(30), Time(5)),
        Verdict::Passed(point(20))
    );
    assert_eq!(
        oracle.judge(point(11), point(99), Time(5)),
        Verdict::NoSuchMember
    );

    // A node that has only begun to join need not be found, but may be.
    oracle.joined(point(15), 3, Time(100));
    assert_eq!(
        oracle.judge(point(11), point(20), Time(200)),
        Verdict::Right
    );
    assert_eq!(
        oracle.judge(point(11), point(15), Time(200)),
        Verdict::Right
    );
    oracle.integrated(point(15), true, Time(300));
    assert_eq!(
        oracle.judge(point(11), point(20), Time(250)),
        Verdict::Right
    );
    assert_eq!(
        oracle.judge(point(11), point(20), Time(300)),
        Verdict::Passed(point(15))
    );

    // The owner may have crashed after it answered, but not before the question.
    oracle.gone(point(15), Time(400));
    assert_eq!(
        oracle.judge(point(11), point(15), Time(350)),
        Verdict::Right
    );
    assert_eq!(
        oracle.judge(point(11), point(15), Time(401)),
        Verdict::NoSuchMember
    );
}

#[test]
fn an_agenda_keeps_the_order_of_plans_for_one_instant() {
    let mut agenda = Agenda::default();
    for (at, action) in [(5, 'b'), (1, 'a'), (5, 'c')] {
        agenda.plan(Time(at), action);
    }
    assert_eq!(agenda.pop_due(Time(0)), None);
    let order: Vec<_> = std::iter::from_fn(|| agenda.pop_due(Time(5))).collect();
    assert_eq!(order, ['a', 'b', 'c']);
}

#[test]
fn dice_are_fair_enough() {
    let mut dice = Dice::new(3, 1);
    let mean = Duration::from_secs(1);
    let sum: u64 = (0..10_000).map(|_| dice.exponential(mean).0).sum();
    assert!(
        (9_700..10_300).contains(&(sum / 1_000_000)),
        "mean of 10,000: {sum}"
    );
    let hits = (0..100_000).filter(|_| dice.in_a_million(250_000)).count();
    assert!((24_500..25_500).contains(&hits), "{hits}");
    assert!((0..1_000).all(|_| (3..=5).contains(&dice.span(Duration(3), Duration(5)).0)));
    assert_eq!(dice.below(0), 0);
}

#[test]
fn reports_are_exact_and_aligned() {
    let mut distribution = Distribution::default();
    (1..=100).for_each(|number| distribution.record(number));
    let summary = distribution.summary(1.0);
    assert_eq!((summary.mean, summary.p1, summary.p50), (50.5, 1.0, 50.0));
    assert_eq!((summary.p99, summary.max), (99.0, 100.0));
    distribution.record(3_600_000_000);
    let max = distribution.summary(1.0).max;
    assert!(
        (max / 3.6e9 - 1.0).abs() < 0.001,
        "an hour in microseconds: {max}"
    );
    let mut table = Table::new(&["what", "n"]);
    table.row(["hops".to_owned(), "123".to_owned()]);
    assert_eq!(table.to_string(), "what    n\nhops  123\n");
}

//! Swarms that compute: the example with several volunteers at several nodes, and the stream of what
//! changes.

#[path = "support/mod.rs"]
mod support;

#[allow(dead_code, reason = "its own start is not used here")]
#[path = "../examples/compute.rs"]
mod example;

use example::{Volunteer, primes};
use p2pnode::compute::{Asker, Change, Work, Worker};
use p2pnode::control::client::NodeName;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use support::{Node, alone, network, settle};

const TIMEOUT: Duration = Duration::from_secs(10);
const PIECES: u32 = 12;

fn running<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

fn name_of(node: &Node) -> NodeName {
    node.listen.into()
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

fn volunteers_compute_everything(overlay: &str) {
    let _one = alone();
    let nodes = network(overlay, 4);
    settle(&nodes);
    let volunteer = |number: usize| Volunteer {
        node: name_of(&nodes[number]),
        swarm: "primes".to_owned(),
        pieces: PIECES,
        me: address(9_000 + number as u16),
    };
    let all: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let begin = |number| {
            let volunteer = volunteer(number);
            scope.spawn(move || running(volunteer.work()).expect("it works"))
        };
        let threads: Vec<_> = (0..3).map(begin).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.map(|pieces| pieces.expect("no panic")).collect()
    });
    let computed: BTreeSet<u32> = all.iter().flatten().copied().collect();
    assert_eq!(computed, (0..PIECES).collect(), "{all:?}");
    assert!(
        all.iter().filter(|pieces| !pieces.is_empty()).count() >= 2,
        "{all:?}"
    );
    let total = running(volunteer(3).total()).expect("all results");
    assert_eq!(total, primes(0..PIECES * 20_000));
    let mut asker = Asker::new(name_of(&nodes[3]), b"primes", 0..PIECES, TIMEOUT).expect("a range");
    let answer = running(asker.who()).expect("an answer");
    assert!(
        (0..PIECES).all(|piece| answer.of(piece) == Some(Work::Computed)),
        "{answer:?}"
    );
    assert_eq!(answer.complete, overlay != "gnutella");
}

#[test]
fn volunteers_compute_everything_on_chord() {
    volunteers_compute_everything("chord");
}

#[test]
fn volunteers_compute_everything_on_pastry() {
    volunteers_compute_everything("pastry");
}

#[test]
fn volunteers_compute_everything_on_gnutella() {
    volunteers_compute_everything("gnutella");
}

#[test]
fn many_pieces_are_said_at_once_and_changes_are_told_elsewhere() {
    let _one = alone();
    let nodes = network("chord", 4);
    settle(&nodes);
    running(async {
        let mut worker =
            Worker::new(name_of(&nodes[0]), b"film", address(9_001), TIMEOUT).expect("a name");
        let mut asker =
            Asker::new(name_of(&nodes[2]), b"film", 1_000..9_000, TIMEOUT).expect("a range");
        worker
            .announce(&[
                (0..5_000, Some(Work::Computed)),
                (5_000..5_010, Some(Work::Computing)),
            ])
            .await
            .expect("it is said");
        let change = |pieces, work| Change {
            worker: address(9_001),
            pieces,
            work,
        };
        // Runs end with their blocks of 2,048.
        let first = asker.changes().await.expect("changes");
        let expected = [
            change(1_000..2_048, Some(Work::Computed)),
            change(2_048..4_096, Some(Work::Computed)),
            change(4_096..5_000, Some(Work::Computed)),
            change(5_000..5_010, Some(Work::Computing)),
        ];
        assert_eq!(first, expected);
        let (told, said) = tokio::join!(asker.changes(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let more = [(5_000..5_009, Some(Work::Computed)), (5_009..5_010, None)];
            worker.announce(&more).await
        });
        said.expect("it is said");
        let expected = [
            change(5_000..5_009, Some(Work::Computed)),
            change(5_009..5_010, None),
        ];
        assert_eq!(told.expect("changes"), expected);
        let answer = asker.who().await.expect("an answer");
        assert_eq!(
            (answer.of(5_008), answer.of(5_009)),
            (Some(Work::Computed), None)
        );
        assert!(
            answer.complete && answer.said.iter().all(|said| said.age_s < 60),
            "{answer:?}"
        );
        worker.leave().await.expect("all is taken back");
        let gone = asker.changes().await.expect("changes");
        assert!(gone.iter().all(|change| change.work.is_none()), "{gone:?}");
        let answer = asker.who().await.expect("an answer");
        assert!(answer.said.is_empty() && answer.complete, "{answer:?}");
    });
}

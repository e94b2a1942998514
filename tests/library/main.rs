//! The library: three nodes of each overlay inside of this process, and every method of a client, of a
//! node here and of one that is asked over the network.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests are drivers, and a helper of theirs may fail as they may"
)]

#[allow(dead_code, reason = "its own start is not used here")]
#[path = "../../examples/embedded.rs"]
mod example;
mod lives;
mod readme;

use p2pnode::{
    Answer, CallError, Client, Consistency, Event, Events, HitKind, Id, LeaveError, Node,
    OperationKind, Outcome, Overlay, Stopped,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long anything here may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// How often something is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(SOON, future).await;
    done.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"))
}

/// Looks until it is so.
async fn until<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    let end = Instant::now() + SOON;
    while !look().await {
        assert!(Instant::now() < end, "not within {SOON:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn start(overlay: Overlay, join: Option<&Node>) -> Node {
    let mut builder = Node::builder().temporary().overlay(overlay);
    if let Some(member) = join {
        builder = builder.join(member.addr());
    }
    builder.start().await.unwrap()
}

/// Three nodes that know each other and have nothing to do.
async fn network(overlay: Overlay) -> Vec<Node> {
    let mut nodes = vec![start(overlay, None).await];
    for _ in 1..3 {
        let node = start(overlay, nodes.first()).await;
        nodes.push(node);
    }
    for node in &nodes {
        let client = node.client();
        until("three know each other", || async {
            let report = client.status().await.unwrap();
            report.status.peers == 2 && report.status.settled
        })
        .await;
    }
    nodes
}

async fn event(events: &mut Events, what: &str, mut is_it: impl FnMut(&Event) -> bool) -> Event {
    let wanted = async {
        loop {
            let event = events.next().await.expect("the node lives").unwrap();
            if is_it(&event) {
                return event;
            }
        }
    };
    within(what, wanted).await
}

fn is_done(event: &Event, kind: OperationKind, key: &str) -> bool {
    matches!(event, Event::Operation(done) if done.kind == kind && done.key == Some(Id::of(key.as_bytes())))
}

async fn values(client: &Client, other: &Client, proves: bool) {
    let put = client.put("a/fox", "red").text("a quick fox");
    let put = put.ttl(Duration::from_secs(600)).await.unwrap();
    assert!(put.replicas_durable >= 2, "{put:?}");
    let Answer::Found {
        found, evidence, ..
    } = other.get("a/fox").await.unwrap()
    else {
        panic!("it was stored");
    };
    assert_eq!(
        (&found.bytes[..], found.version),
        (&b"red"[..], Some(put.version))
    );
    assert!(evidence.answered >= 1, "{evidence:?}");
    let all = client
        .get("a/fox")
        .consistency(Consistency::All)
        .at_least(put.version);
    assert!(all.await.unwrap().as_found().is_some());

    let never = other.get("never stored").await.unwrap();
    if proves {
        assert!(never.is_absent(), "{never:?}");
        assert!(never.evidence().answered >= 2, "{never:?}");
        let taken = client.put("a/fox", "blue").if_absent().await.unwrap_err();
        let CallError::Conflict(conflict) = &taken else {
            panic!("{taken:?}");
        };
        assert_eq!(conflict.found, Some(put.version));
        assert!(!taken.may_have_changed());
        let next = client
            .put("a/fox", "blue")
            .if_version(put.version)
            .await
            .unwrap();
        assert!(next.version > put.version);
    } else {
        // Nobody proves that something is nowhere, and that is not the same as a failure.
        assert!(
            never.is_unknown() && never.evidence().reached.is_some(),
            "{never:?}"
        );
    }
    let deleted = other.delete("a/fox").await.unwrap();
    assert!(deleted.replicas_durable >= 1, "{deleted:?}");
    if proves {
        assert_eq!(deleted.outcome, Outcome::Found);
        let Answer::Absent { version, .. } = client.get("a/fox").await.unwrap() else {
            panic!("it was deleted");
        };
        assert_eq!(version, Some(deleted.version));
    }
}

async fn holders(client: &Client, other: &Client, proves: bool) {
    let holder = SocketAddr::from(([192, 0, 2, 7], 6_881));
    let mut insert = client.insert("b/film", holder).text("a silent film");
    if proves {
        insert = insert.indexed();
    }
    let inserted = insert.lease(Duration::from_millis(59_500)).await.unwrap();
    assert_eq!((inserted.holder, inserted.expires_in_s), (holder, 60));
    let found = other.search("b/film").limit(10).await.unwrap();
    assert_eq!(found.as_found().unwrap()[0].addr, holder, "{found:?}");

    until("the words are found", || async {
        let found = other.search_text("silent fil*").limit(5).await.unwrap();
        let is_it =
            |kind: &HitKind| matches!(kind, HitKind::Holder { addr, .. } if *addr == holder);
        found
            .as_found()
            .is_some_and(|found| is_it(&found.hits[0].kind))
    })
    .await;
    if proves {
        until("the beginning of the key is found", || async {
            let found = other.search_prefix("b/").await.unwrap();
            let found = found.as_found();
            found.is_some_and(|found| found.hits[0].indexed.as_deref() == Some(b"b/film"))
        })
        .await;
    } else {
        let none = other.search_prefix("b/").await.unwrap_err();
        assert!(matches!(none, CallError::Refused(_)), "{none}");
    }
    client.delete("b/film").holder(holder).await.unwrap();
    let gone = other.search("b/film").await.unwrap();
    assert_eq!(
        (gone.as_found().is_none(), gone.is_absent()),
        (true, proves)
    );
}

async fn refusals(client: &Client) {
    let long = "k".repeat(1_025);
    for wrong in [
        client.put(long, "v").await.map(drop),
        client.put("k", vec![0; (1 << 20) + 1]).await.map(drop),
        client.put("k", "v").ttl(Duration::ZERO).await.map(drop),
        client.put("k", "v").ttl(Duration::MAX).await.map(drop),
        client.put(Id::of(b"k"), "v").indexed().await.map(drop),
        client.search_text("*").await.map(drop),
    ] {
        let error = wrong.unwrap_err();
        assert!(matches!(error, CallError::Refused(_)), "{error:?}");
        assert!(!error.may_have_changed() && !error.may_pass());
    }
}

async fn every_method(overlay: Overlay) {
    let proves = overlay != Overlay::Gnutella;
    let nodes = network(overlay).await;
    let (here, far) = (
        nodes[0].client(),
        Client::connect(nodes[1].addr()).await.unwrap(),
    );
    let mut told_here = here.events().await.unwrap();
    let mut told_far = far.events().await.unwrap();

    // The same methods of the same type, whichever way the node is asked.
    values(&here, &far, proves).await;
    values(&far, &here, proves).await;
    holders(&here, &far, proves).await;
    holders(&far, &here, proves).await;
    refusals(&here).await;
    refusals(&far).await;

    here.put("kept", "yes").await.unwrap();
    far.locate("kept").await.unwrap();
    here.locate("kept").iterative().await.unwrap();
    if proves {
        // A node that has just joined is soon known to all.
        until("both ways find the same three replicas", || async {
            let located = far.locate("kept").await.unwrap().replicas;
            let iterative = here.locate("kept").iterative().await.unwrap().replicas;
            located.len() == 3 && located == iterative
        })
        .await;
    }
    let status = far.status().await.unwrap().status;
    assert_eq!(
        (status.me.id, status.overlay.as_str()),
        (nodes[1].id(), overlay.name())
    );
    let peers = here.peers().await.unwrap();
    assert_eq!(peers.len(), 2, "{peers:?}");

    for events in [&mut told_here, &mut told_far] {
        let put = |event: &Event| is_done(event, OperationKind::Put, "a/fox");
        event(events, "a put", put).await;
        let of = |event: &Event| matches!(event, Event::Lookup(lookup) if lookup.report.key == Id::of(b"kept"));
        event(events, "a lookup", of).await;
    }
    membership(nodes, here, told_here, told_far).await;
}

/// A node joins, one leaves, one is dropped, and the last one stays.
async fn membership(
    mut nodes: Vec<Node>,
    here: Client,
    mut told_here: Events,
    mut told_far: Events,
) {
    let overlay = nodes[0].overlay();
    if overlay != Overlay::Gnutella {
        let newcomer = start(overlay, nodes.first()).await;
        let is_new = |event: &Event| matches!(event, Event::Ring(_) | Event::Neighbours(_));
        event(&mut told_here, "a change of the ring", is_new).await;
        event(&mut told_far, "a change of the ring", is_new).await;
        assert_eq!(newcomer.shutdown().await, Stopped::Orderly);
    }
    let mut leaver = nodes.pop().unwrap();
    let client = leaver.client();
    within("a node leaves", leaver.leave()).await.unwrap();
    assert_eq!(client.get("kept").await, Err(CallError::Ended));
    assert_eq!(client.status().await, Err(CallError::Ended));
    drop(leaver);

    let far = Client::connect(nodes[1].addr()).await.unwrap();
    drop(nodes.pop());
    // Its events end with the connection, and calls say that they reach nobody.
    let last = async { while let Some(Ok(_)) = told_far.next().await {} };
    within("the end of the events", last).await;
    let error = within("a call of a node that is gone", async {
        loop {
            match far.get("kept").await {
                Err(error @ CallError::Unreachable(_)) => return error,
                Err(CallError::Unanswered(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    assert!(!error.await.may_have_changed());

    let mut node = nodes.pop().unwrap();
    if overlay != Overlay::Gnutella {
        until("it is alone", || async {
            here.status().await.unwrap().status.peers == 0
        })
        .await;
        let stays = node.leave().await;
        assert!(matches!(stays, Err(LeaveError::Stays(_))), "{stays:?}");
    }
    assert!(here.get("kept").await.unwrap().as_found().is_some());
    node.stop().await;
    within("the node ends", node.ended()).await;
    let rest = async {
        while let Some(event) = told_here.next().await {
            event.unwrap();
        }
    };
    within("the end of the events", rest).await;
}

#[tokio::test]
async fn every_method_on_chord() {
    every_method(Overlay::Chord).await;
}

#[tokio::test]
async fn every_method_on_pastry() {
    every_method(Overlay::Pastry).await;
}

#[tokio::test]
async fn every_method_on_gnutella() {
    every_method(Overlay::Gnutella).await;
}

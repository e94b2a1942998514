//! How nodes begin and end, and what clients make of it.

use crate::{example, network, start, until, within};
use p2pnode::{Answer, CallError, Client, ConnectError, Node, Overlay, StartError};

#[tokio::test]
async fn a_value_that_too_few_can_tell_of_is_unknown_and_not_absent() {
    let nodes = network(Overlay::Chord).await;
    let client = nodes[0].client();
    client.put("k", "v").await.unwrap();
    let mut rest = nodes.into_iter();
    let first = rest.next().unwrap();
    drop(rest);
    // Both others crashed at once: one of three replicas proves nothing.
    let answer = client.get("never stored").await;
    assert!(
        matches!(
            &answer,
            Ok(Answer::Unknown { .. }) | Err(CallError::Failed(_))
        ),
        "{answer:?}"
    );
    drop(first);
}

#[tokio::test]
async fn a_node_that_is_started_again_in_its_directory_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::builder()
        .data_dir(directory.path())
        .start()
        .await
        .unwrap();
    let (id, listen) = (node.id(), node.listen());
    node.client().put("k", "v").await.unwrap();
    // At once, as if it had crashed; its port and its directory are free when this returns.
    drop(node);
    let again = Node::builder().data_dir(directory.path()).listen(listen);
    let again = again.start().await.unwrap();
    assert_eq!((again.id(), again.listen()), (id, listen));
    assert!(again.client().get("k").await.unwrap().found().is_some());
    assert!(again.metrics().contains("p2p_operations_total"));
}

#[tokio::test]
async fn a_client_finds_a_node_that_was_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let builder = || Node::builder().data_dir(directory.path());
    let node = builder().start().await.unwrap();
    let client = Client::connect(node.addr()).await.unwrap();
    client.put("k", "v").await.unwrap();
    let listen = node.listen();
    drop(node);
    let _again = builder().listen(listen).start().await.unwrap();
    let found = within("an answer of the new one", async {
        loop {
            match client.get("k").await {
                Ok(answer) => return answer,
                // The old connection breaks under one call.
                Err(CallError::Unanswered(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert!(found.await.as_found().is_some());
}

#[tokio::test]
async fn a_node_has_so_many_remote_readers_and_forgets_those_that_have_gone() {
    let node = start(Overlay::Chord, None).await;
    let client = Client::connect(node.addr()).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(client.events().await.unwrap());
    }
    let refused = client.events().await.unwrap_err();
    assert!(
        matches!(&refused, CallError::Busy(why) if why.contains("16 readers")),
        "{refused}"
    );
    // The process itself is not limited, and hears what the others hear.
    let mut here = node.client().events().await.unwrap();
    client.put("k", "v").await.unwrap();
    let last = readers.last_mut().unwrap();
    let told = within("an event here", here.next()).await;
    assert!(matches!(told, Some(Ok(_))), "{told:?}");
    let told = within("an event there", last.next()).await;
    assert!(matches!(told, Some(Ok(_))), "{told:?}");
    drop((readers, here));
    until("a place is free", || async {
        client.events().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_stranger_cannot_follow_what_others_ask_for() {
    let node = start(Overlay::Chord, None).await;
    let directory = tempfile::tempdir().unwrap();
    let stranger = Node::builder().data_dir(directory.path()).start().await;
    let key = directory.path().join("node.key");
    let client = Client::connect(node.addr()).await.unwrap();
    let refused = client.clone().with_key(&key).events().await.unwrap_err();
    let why = refused.to_string();
    assert!(why.contains("may neither administer nor follow"), "{why}");
    // The user of the node needs not say where its key is.
    assert!(client.events().await.is_ok());
    drop(stranger.unwrap());
    let absent = client
        .with_key(directory.path().join("none"))
        .events()
        .await;
    assert!(
        matches!(absent, Err(CallError::Unreachable(_))),
        "{absent:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_started_or_reached_says_why() {
    let nobody = Client::connect("127.0.0.1:1").await.unwrap_err();
    assert!(matches!(nobody, ConnectError::Unreachable(_)), "{nobody}");
    let name = Client::connect("no port").await.unwrap_err();
    assert!(matches!(name, ConnectError::Name(_)), "{name}");
    let node = start(Overlay::Chord, None).await;
    let taken = Node::builder().temporary().listen(node.listen()).start();
    let taken = taken.await.unwrap_err();
    assert!(matches!(taken, StartError::PortInUse(_)), "{taken}");
    let other = Node::builder().temporary().overlay(Overlay::Pastry);
    let other = other.join(node.addr()).start().await.unwrap_err();
    assert!(matches!(other, StartError::Join(_)), "{other}");
}

#[tokio::test]
async fn nodes_that_have_settled_take_writes() {
    for _ in 0..5 {
        let first = start(Overlay::Chord, None).await;
        let second = start(Overlay::Chord, Some(&first)).await;
        for node in [&first, &second] {
            within("it settles", node.client().settled()).await.unwrap();
        }
        for number in 0..20 {
            let key = format!("{number}");
            let put = first.client().put(key.as_str(), "v").await.unwrap();
            let got = second.client().get(key).at_least(put.version).await;
            assert!(got.unwrap().found().is_some());
        }
    }
}

#[tokio::test]
async fn the_example_finds_who_was_there_and_counts_everybody() {
    let nodes = network(Overlay::Chord).await;
    let mut seen = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let client = node.client();
        let mut others = example::share(&client, node.addr()).await.unwrap();
        others.sort_unstable();
        seen.sort_unstable();
        assert_eq!(others, seen);
        seen.push(node.addr());
        assert_eq!(example::count(&client).await.unwrap(), number as u64 + 1);
    }
}

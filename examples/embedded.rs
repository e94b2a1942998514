//! A program with a node inside: it joins a network, or founds one, and shares what it has.
//!
//! Start it in two terminals, the second with the address that the first one prints:
//!
//! ```sh
//! cargo run --example embedded
//! cargo run --example embedded -- 127.0.0.1:40000
//! ```
//!
//! Any other node and `p2pctl --node ADDRESS` see the same.

use p2pnode::{Answer, CallError, Client, Event, Node};
use std::net::SocketAddr;

/// What this program says that it has, and what it looks for.
const RESOURCE: &str = "embedded/example";
/// How many of its calls it says something of.
const SHOWN: usize = 3;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What was found before this program said that it is there, too.
pub(crate) async fn share(client: &Client, me: SocketAddr) -> Result<Vec<SocketAddr>> {
    let others = match client.search(RESOURCE).await? {
        Answer::Found { found, .. } => found.iter().map(|holder| holder.addr).collect(),
        Answer::Absent { evidence, .. } => {
            println!("proven by {} replicas: nobody was here", evidence.answered);
            Vec::new()
        }
        Answer::Unknown { reason, .. } => {
            println!("nobody knows whether somebody is here: {reason}");
            Vec::new()
        }
        _ => Vec::new(),
    };
    let inserted = client.insert(RESOURCE, me).text("an example").await?;
    println!(
        "durable on {} of {} replicas: {me} is here",
        inserted.replicas_durable, inserted.replicas
    );
    Ok(others)
}

/// Counts those that were ever here, whoever counts at the same time.
pub(crate) async fn count(client: &Client) -> Result<u64> {
    loop {
        let (number, put) = match client.get("embedded/count").await? {
            Answer::Found { found, .. } => {
                let number = std::str::from_utf8(&found.bytes)?.parse::<u64>()? + 1;
                let put = client.put("embedded/count", number.to_string());
                let put = match found.version {
                    Some(version) => put.if_version(version),
                    None => put,
                };
                (number, put)
            }
            Answer::Absent { .. } => (1, client.put("embedded/count", "1").if_absent()),
            _ => return Err("the network does not know how many were here; try again".into()),
        };
        match put.await {
            Ok(_) => return Ok(number),
            // Somebody counted in between.
            Err(CallError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut builder = Node::builder().temporary();
    if let Some(member) = std::env::args().nth(1) {
        builder = builder.join(member);
    }
    let mut node = builder.start().await?;
    println!("a node of {} serves at {}", node.overlay(), node.addr());
    let client = node.client();
    let mut events = client.events().await?;
    for other in share(&client, node.addr()).await? {
        println!("{other} was here before");
    }
    println!("number {} that is here", count(&client).await?);
    for _ in 0..SHOWN {
        if let Some(Ok(Event::Operation(done))) = events.next().await {
            println!("{} took {:?}", done.kind.name(), done.took);
        }
    }
    println!("ctrl-c ends it");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => println!("{:?}", node.shutdown().await),
        stopped = node.ended() => println!("it has ended by itself: {stopped:?}"),
    }
    Ok(())
}

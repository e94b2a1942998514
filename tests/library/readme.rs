//! What the README shows of the library is what is here, and so it compiles.

use p2pnode::Answer;
use std::error::Error;
use std::time::Duration;

/// The README's block, between the lines that say so. It joins a network that is not there, so it is
/// compiled and not run; `lives.rs` runs the same calls.
#[rustfmt::skip]
#[expect(dead_code, unused_variables, unused_mut, reason = "what is shown stops before anything is done with it")]
async fn shown() -> Result<(), Box<dyn Error>> {
    // The README's block begins.
    let node = p2pnode::Node::builder().data_dir("data").join("10.0.0.1:4000").start().await?;
    let client = node.client();                                    // or Client::connect("10.0.0.1:4000").await?
    client.put("greeting", "hello").ttl(Duration::from_secs(3600)).await?;
    match client.get("greeting").await? {
        Answer::Found { found, evidence, .. } => {}                // the bytes, the version, who said so
        Answer::Absent { .. } => {}                                // proven
        Answer::Unknown { reason, .. } => {}                       // neither
        _ => {}
    }
    let mut events = client.events().await?;                       // a Stream: lookups, operations, ring, neighbours, repairs
    node.shutdown().await;
    // The README's block ends.
    Ok(())
}

/// The lines between two that are given.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| line.trim() != begin);
    lines
        .skip(1)
        .take_while(|line| line.trim() != end)
        .collect()
}

#[test]
fn what_the_readme_shows_compiles() {
    let readme = include_str!("../../README.md");
    assert_eq!(
        readme.matches("```rust").count(),
        1,
        "each block of Rust needs a place here"
    );
    let indented = between(
        include_str!("readme.rs"),
        "// The README's block begins.",
        "// The README's block ends.",
    );
    let here: Vec<&str> = indented
        .iter()
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect();
    assert!(!here.is_empty());
    let there = between(readme, "```rust", "```");
    assert_eq!(there, here, "the README's block, and what is compiled");
}

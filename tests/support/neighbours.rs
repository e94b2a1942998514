//! Whether a node's neighbours are the right ones, in the words of its overlay.

use serde_json::Value;

fn ids(contacts: &Value) -> Vec<String> {
    let contacts = contacts.as_array().into_iter().flatten();
    let id = |contact: &Value| contact["id"].as_str().map(str::to_owned);
    contacts.filter_map(id).collect()
}

/// The nodes clockwise and counter-clockwise that a node lists, nearest first.
fn sides(status: &Value) -> [Vec<String>; 2] {
    if status["overlay"] == "pastry" {
        ["larger", "smaller"].map(|side| ids(&status["leaf_set"][side]))
    } else {
        let before = status["predecessor"]["id"].as_str().map(str::to_owned);
        [ids(&status["successors"]), before.into_iter().collect()]
    }
}

/// The nodes clockwise that a node lists, nearest first.
#[allow(dead_code, reason = "not every test looks")]
pub(crate) fn nearest_after(status: &Value) -> Vec<String> {
    let [after, _] = sides(status);
    after
}

/// Whether a node of an overlay without structure has the links that it seeks, with members only.
fn check_links(status: &Value, ids: &[&str]) -> Result<(), String> {
    let listed = self::ids(&status["neighbours"]);
    let wanted = (ids.len() - 1).min(4);
    let are_members = listed.iter().all(|id| ids.contains(&id.as_str()));
    if listed.len() >= wanted && are_members {
        return Ok(());
    }
    Err(format!(
        "it lists {listed:?}, {wanted} of {ids:?} are wanted"
    ))
}

/// Whether a node's neighbours are those of the circle of `ids`, which are in order.
pub(crate) fn check_neighbours(status: &Value, ids: &[&str]) -> Result<(), String> {
    if status["overlay"] == "gnutella" {
        return check_links(status, ids);
    }
    let id = status["id"].as_str().unwrap_or_default();
    let mine = ids
        .iter()
        .position(|other| *other == id)
        .ok_or("it has another id")?;
    let (count, others) = (ids.len(), ids.len() - 1);
    let after = |step: usize| ids[(mine + step) % count];
    let before = |step: usize| ids[(mine + count - step) % count];
    let expected: [Vec<&str>; 2] = [
        (1..=others).map(after).collect(),
        (1..=others).map(before).collect(),
    ];
    for (listed, expected) in sides(status).iter().zip(&expected) {
        let is_right =
            listed.len() <= others && listed.iter().eq(expected.iter().take(listed.len()));
        if !is_right || others > 0 && listed.is_empty() {
            return Err(format!("it lists {listed:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

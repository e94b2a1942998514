//! What is drawn is what is there.

use crate::page::{Shown, texts};
use crate::support::{SETTLE, SOON, wait_until};
use serde_json::Value;

/// Nodes of a network, and of one whose lookups take more than a hop.
const NODES: usize = 6;
const NODES_OF_A_WAY: usize = 12;

pub(crate) fn every_node_is_drawn_and_a_killed_one_goes(overlay: &str) {
    let mut shown = Shown::start(overlay, NODES);
    let all = shown.ids();
    assert_eq!(shown.seen("#layer-nodes [data-id]"), all);
    assert_eq!(shown.seen("#table tbody tr"), all);
    if overlay != "gnutella" {
        assert_eq!(shown.seen("#layer-arcs [data-id]"), all);
    }
    let own = shown.nodes[0].id.clone();
    assert_eq!(shown.seen("#layer-nodes .self"), [own]);
    let killed = shown.nodes.remove(NODES / 2);
    let id = killed.id.clone();
    killed.kill();
    let left = shown.ids();
    wait_until("the killed node is live no more", SOON, || {
        match shown.seen("#layer-nodes .node:not(.h-lost)") {
            live if live == left => Ok(()),
            live => Err(format!("{live:?}, not {left:?}")),
        }
    });
    let gone = format!("!document.querySelector('[data-id=\"{id}\"]')");
    shown.browser.wait_within(SETTLE, &gone);
    assert_eq!(shown.seen("#layer-nodes [data-id]"), left);
    shown.is_clean();
}

fn ids(contacts: &Value) -> Vec<String> {
    let contacts = contacts.as_array().into_iter().flatten();
    contacts
        .filter_map(|contact| contact["id"].as_str().map(str::to_owned))
        .collect()
}

/// Looks a key up in the page; the way that is listed, and the replicas that are marked.
fn look_up(shown: &mut Shown, key: &str) -> (Vec<String>, Vec<String>) {
    shown
        .browser
        .look("document.getElementById('lookup-said').textContent = ''");
    shown.browser.enter("#key", key);
    let ended = "/ hops? /.test(document.getElementById('lookup-said').textContent)";
    shown.browser.wait_for(ended);
    // What is said is drawn in the next frame.
    let frames =
        "new Promise(go => requestAnimationFrame(() => requestAnimationFrame(() => go(1))))";
    shown.browser.look(frames);
    let listed = "[...document.querySelectorAll('#hops li')].map(e => e.dataset.id)";
    let way = texts(&shown.browser.look(listed));
    (way, shown.seen("#layer-nodes .replica"))
}

/// The way and the replicas of a key, as `p2pctl` says them.
fn located(shown: &Shown, key: &str) -> (Vec<String>, Vec<String>) {
    let asked = shown.nodes[0].json(["locate", "--iterative", key]);
    let document = asked.exits(0).document();
    let mut replicas = ids(&document["replicas"]);
    replicas.sort_unstable();
    (ids(&document["path"]), replicas)
}

pub(crate) fn a_lookup_draws_its_way(overlay: &str) {
    let mut shown = Shown::start(overlay, NODES_OF_A_WAY);
    let keys: Vec<String> = (0..24).map(|number| format!("key {number}")).collect();
    if overlay == "gnutella" {
        let last = shown.nodes.last().expect("nodes");
        for key in &keys {
            last.ctl(["put", key, "x"]).exits(0);
        }
    }
    // The longest way has most to be wrong about.
    let longest = keys.iter().map(|key| (located(&shown, key).0.len(), key));
    let (steps, key) = longest.max().expect("keys");
    assert!(steps > 1, "{key} is here");
    // Ways change with what is measured. A page that drew others would never draw this one.
    let way = wait_until("the page draws the way that p2pctl is told", SOON, || {
        let (drawn, told) = (look_up(&mut shown, key), located(&shown, key));
        // On Gnutella, of two that are as near, either may be the first to answer.
        let is_right = if overlay == "gnutella" {
            drawn.0.len() == 2 && drawn.0.last().is_some_and(|hit| told.1.contains(hit))
        } else {
            drawn.0 == told.0
        };
        if is_right && drawn.1 == told.1 {
            Ok(drawn.0)
        } else {
            Err(format!("{drawn:?} is drawn, {told:?} was told"))
        }
    });
    assert!(way.len() > 1);
    let lines = "[...document.querySelectorAll('#layer-path .way')].map(e => e.dataset.from + e.dataset.to)";
    let steps: Vec<_> = way.windows(2).map(|pair| pair.concat()).collect();
    assert_eq!(texts(&shown.browser.look(lines)), steps);
    // Each hop of this lookup was measured, and so was the whole.
    let said = shown
        .browser
        .look("document.getElementById('lookup-said').textContent");
    let said = said.as_str().unwrap_or_default();
    assert!(said.contains(" ms") || said.contains(" s."), "{said}");
    let timed = "[...document.querySelectorAll('#hops li:not(:first-child) .took')].every(e => / m?s$/.test(e.textContent))";
    assert_eq!(shown.browser.look(timed), true);
    let note = "document.getElementById('lookup-note').textContent";
    let of_links =
        "[...document.querySelectorAll('#hops .took')].some(e => /link/.test(e.textContent))";
    let says = |shown: &mut Shown, what: &str| {
        let said = shown.browser.look(note);
        assert!(said.as_str().unwrap_or_default().contains(what), "{said}");
    };
    if overlay == "gnutella" {
        says(&mut shown, "not of this search");
    } else {
        says(&mut shown, "what it took in this lookup");
        assert_eq!(shown.browser.look(of_links), false);
        // Where the hops pass it on nobody measures them, and the page does not pretend to.
        shown
            .browser
            .look("document.getElementById('stepwise').checked = false");
        look_up(&mut shown, key);
        says(&mut shown, "not of this lookup");
    }
    shown.is_clean();
}

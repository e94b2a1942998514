//! Networks that are made up: of a thousand nodes, for which no machine of a test has room, and of nodes in
//! every state.

use crate::browser::Browser;
use crate::page::{DRAWN, served};
use overlay::Id;
use serde_json::{Value, json};

const CROWD: u16 = 1_000;

/// A network as `/v1/network` tells of it.
fn crowd(overlay: &str) -> Value {
    let mut ids: Vec<Id> = (0..CROWD)
        .map(|number| Id::of(&number.to_be_bytes()))
        .collect();
    ids.sort_unstable();
    let count = ids.len();
    let at = |place: usize| ids[place % count];
    let nodes: Vec<Value> = (0..count)
        .map(|place| {
            let after: Vec<Id> = (1..=8).map(|step| at(place + step)).collect();
            let before: Vec<Id> = (1..=8).map(|step| at(place + count - step)).collect();
            let far: Vec<Id> = (4..10).map(|power| at(place + (1 << power))).collect();
            let mut node = json!({
                "id": at(place), "addr": format!("10.0.{}.{}:4000", place / 250, place % 250), "rtt_us": 1_000 + place,
                "member": place % 97 != 50, "settled": place % 23 != 4, "leaving": place % 150 == 77,
                "peers": 20, "connections": 12, "values": place % 60, "holders": place % 7, "index_entries": 0,
                "stored_bytes": 1_000 * place, "records_to_move": 0, "moved_records": 0, "moved_bytes": 0,
                "bytes_per_s": 0, "uptime_s": 100, "version": "0.1.0",
            });
            let lists = match overlay {
                "chord" => json!({ "predecessor": before[0], "successors": after, "fingers": far }),
                "pastry" => json!({ "leaf_set": { "smaller": before, "larger": after }, "routing_table": far }),
                _ => json!({ "role": "peer", "neighbours": [far[0], far[3], at(place * 7 + 3)], "leaves": [] }),
            };
            let lists = lists.as_object().expect("lists").clone();
            node.as_object_mut().expect("a node").extend(lists);
            node
        })
        .collect();
    json!({ "id": ids[0], "overlay": overlay, "taken_ms": 1, "took_ms": 1, "truncated": false, "nodes": nodes, "unreachable": [] })
}

/// Pairs of labels that are written over each other, as far as they are in sight.
const OVERLAPS: &str = "(() => {
    const boxes = [...document.querySelectorAll('#layer-labels text')].map(e => e.getBoundingClientRect());
    let hits = 0;
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
        hits += a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    }));
    return hits;
})()";
const LABELS: &str = "document.querySelectorAll('#layer-labels text').length";

pub(crate) fn a_thousand_nodes_are_readable(overlay: &str) {
    let (_node, at) = served(overlay, &[]);
    for width in [1_280, 400] {
        let mut browser = Browser::start(width, 900);
        browser.show_network(&crowd(overlay));
        browser.open(&format!("http://{at}/"));
        browser.wait_for(DRAWN);
        let drawn = browser.look("document.querySelectorAll('#layer-nodes [data-id]').length");
        assert_eq!(drawn, CROWD);
        let after = browser.look("performance.getEntriesByName('first-drawing')[0].startTime");
        println!("{overlay}, {width} pixels: first drawing of {CROWD} nodes after {after} ms");
        let sideways = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(
            browser.look(sideways),
            true,
            "{width} pixels are too narrow"
        );
        // The drawing has a label for this node only, until one comes nearer.
        assert_eq!(browser.look(LABELS), 1);
        assert_eq!(
            browser.look("document.querySelectorAll('#table tbody tr').length"),
            50
        );
        let zoom = "for (let i = 0; i < 8; i += 1) document.getElementById('zoom-in').click()";
        browser.look(zoom);
        browser.wait_for(&format!("{LABELS} > 8"));
        if overlay == "gnutella" {
            assert_eq!(browser.look(OVERLAPS), 0);
        }
        browser.look("document.getElementById('filter').value = 'leaving'; document.getElementById('filter').dispatchEvent(new Event('input'))");
        let left = "document.getElementById('table-said').textContent";
        browser.wait_for(&format!("{left} === '7 of 1,000 nodes'"));
        assert!(
            browser.complaints().is_empty(),
            "{:?}",
            browser.complaints()
        );
    }
}

/// Six nodes, of which one is moving records, one leaves, one joins, and one that does not answer.
fn in_every_state(overlay: &str, lost: Id) -> Value {
    let mut network = crowd(overlay);
    let mut nodes = network["nodes"].as_array().expect("nodes")[..6].to_vec();
    for node in &mut nodes {
        for (name, value) in [("member", true), ("settled", true), ("leaving", false)] {
            node[name] = value.into();
        }
        node["values"] = 10.into();
        node["holders"] = 0.into();
        node["own_records"] = 4.into();
    }
    nodes[1]["settled"] = false.into();
    nodes[1]["records_to_move"] = 1_234.into();
    nodes[2]["leaving"] = true.into();
    nodes[3]["member"] = false.into();
    // What a node says of itself is not believed to be short, or harmless.
    nodes[4]["version"] = "<script>document.title = 'taken'</script>"
        .repeat(20)
        .into();
    network["nodes"] = nodes.into();
    network["unreachable"] =
        json!([{ "id": lost, "addr": "10.9.9.9:4000", "known_by": 2, "reason": "nobody listens" }]);
    network["taken_ms"] = 1_000.into();
    network
}

/// Nodes that have nothing left to do are not said to hold copies for which there are no nodes.
pub(crate) fn too_few_nodes_are_not_called_complete(overlay: &str) {
    let (_node, at) = served(overlay, &[]);
    let mut browser = Browser::start(1_280, 900);
    browser.open(&format!("http://{at}/"));
    browser.wait_for(DRAWN);
    let text = |id: &str| format!("document.getElementById('{id}').textContent");
    browser.wait_for(&format!(
        "{} === 'too few nodes'",
        text("figure-replication")
    ));
    let more = browser.look(&text("figure-replication-more"));
    assert_eq!(more, "complete, but 1 of 3 copies that are wanted");
}

/// Each state is told by a word, a shape and a colour of its own.
fn states_differ(browser: &mut Browser, network: &Value, lost: Id) {
    let states = [
        (0, "settled"),
        (1, "unsettled"),
        (2, "leaving"),
        (3, "joining"),
    ];
    let mut states: Vec<_> = states
        .map(|(place, word)| (network["nodes"][place]["id"].clone(), word))
        .into();
    states.push((json!(lost), "no answer"));
    let (mut shapes, mut colours) = (Vec::new(), Vec::new());
    for (id, word) in states {
        let id = id.as_str().expect("an id");
        let label = browser.look(&format!(
            "document.querySelector('#layer-nodes [data-id=\"{id}\"]').ariaLabel"
        ));
        assert!(
            label.as_str().is_some_and(|label| label.contains(word)),
            "{label}: {word}"
        );
        let row = browser.look(&format!(
            "document.querySelector('#table [data-id=\"{id}\"] .health').textContent"
        ));
        assert_eq!(row, word);
        let shape = format!("document.querySelector('#table [data-id=\"{id}\"] .mark')");
        // A ring and a disc have one outline.
        let shape = browser.look(&format!(
            "{shape}.getAttribute('d') + ({shape}.closest('.h-joining') ? ' hollow' : '')"
        ));
        assert!(!shapes.contains(&shape), "{word}: {shape}");
        shapes.push(shape);
        let colour = browser.look(&format!(
            "getComputedStyle(document.querySelector('#layer-nodes [data-id=\"{id}\"]')).color"
        ));
        assert!(!colours.contains(&colour), "{word}: {colour}");
        colours.push(colour);
    }
}

pub(crate) fn every_state_has_a_word_and_a_shape(overlay: &str) {
    let (_node, at) = served(overlay, &[]);
    let lost = Id::of(b"lost");
    let mut network = in_every_state(overlay, lost);
    let mut browser = Browser::start(1_280, 900);
    browser.show_network(&network);
    browser.open(&format!("http://{at}/"));
    browser.wait_for(DRAWN);
    let text = |id: &str| format!("document.getElementById('{id}').textContent");
    assert_eq!(browser.look(&text("figure-nodes")), "6");
    assert_eq!(
        browser.look(&text("figure-nodes-more")),
        "1 more does not answer"
    );
    assert_eq!(browser.look(&text("figure-records")), "60");
    assert_eq!(browser.look(&text("figure-replication")), "1,234 to move");
    states_differ(&mut browser, &network, lost);
    // The table says in numbers what the arcs show.
    let own = network["nodes"][0]["id"].as_str().expect("an id");
    let cells = format!("[...document.querySelector('#table [data-id=\"{own}\"]').cells]");
    let column = "[...document.querySelectorAll('#table thead th')].findIndex(e => e.textContent === 'Answers for')";
    let answers_for = format!("{cells}[{column}].textContent");
    assert_eq!(browser.look(&answers_for), "4");
    // As high as there are records in the arc, whatever the node stores for others.
    let height = |place: usize| {
        let id = network["nodes"][place]["id"].as_str().expect("an id");
        let arc = format!("document.querySelector('#layer-arcs [data-id=\"{id}\"]')");
        format!(
            "Math.max(...{arc}.getAttribute('d').match(/A[\\d.]+/g).map(r => Number(r.slice(1))))"
        )
    };
    let (first, second) = (height(0), height(1));
    assert_eq!(browser.look(&format!("{first} === {second}")), true);
    network["nodes"][0]["own_records"] = 40.into();
    // A megabyte in a second, which both ends count.
    for place in [0, 1] {
        network["nodes"][place]["moved_bytes"] = 1_000_000.into();
    }
    network["taken_ms"] = 2_000.into();
    browser.show_network(&network);
    let rate = format!("{} === '1.00 MB/s'", text("figure-moved"));
    browser.wait_for(&rate);
    browser.wait_for(&format!("{first} > {second}"));
    browser.wait_for(&format!("{answers_for} === '40'"));
    assert_eq!(browser.look("document.title"), "p2pnode");
    assert!(
        browser.complaints().is_empty(),
        "{:?}",
        browser.complaints()
    );
}

//! A thousand nodes, made up: no machine of a test has room for so many.

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

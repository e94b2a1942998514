//! What happens at a node.

use super::{Located, Member, moving_of, neighbours};
use crate::event::{Event, OperationKind};
use overlay::{Contact, RingChange};
use serde_json::{Value, json};
use std::time::Duration;

/// The name of an event, and its data.
pub(crate) fn event(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Lookup(lookup) => {
            let document = json!(Located::from(&lookup.report));
            let told = timed(document, OperationKind::Locate, lookup.took, false);
            ("lookup", told)
        }
        Event::Operation(operation) => {
            let document = match (&operation.key, &operation.failed) {
                (Some(key), _) => json!({ "key": key }),
                (None, Some(failure)) => json!({ "error": failure.to_string() }),
                (None, None) => json!({}),
            };
            let failed = operation.failed.is_some();
            let told = timed(document, operation.kind, operation.took, failed);
            ("operation", told)
        }
        Event::Ring(change) => ("ring", ring(change)),
        Event::Neighbours(all) => ("neighbours", json!(neighbours(all))),
        Event::Repair(repair) => ("repair", json!(moving_of(repair))),
    }
}

fn timed(mut document: Value, kind: OperationKind, took: Duration, failed: bool) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.insert("kind".to_owned(), kind.name().into());
        fields.insert("seconds".to_owned(), took.as_secs_f64().into());
        fields.insert("failed".to_owned(), failed.into());
    }
    document
}

fn ring(change: &RingChange) -> Value {
    let who = |contact: &Option<Contact>| contact.as_ref().map(Member::from);
    match change {
        RingChange::Successor { was, is } => {
            json!({ "change": "successor", "was": who(was), "is": who(is) })
        }
        RingChange::Predecessor { was, is } => {
            json!({ "change": "predecessor", "was": who(was), "is": who(is) })
        }
        RingChange::Dead(peer) => json!({ "change": "dead", "peer": Member::from(peer) }),
        RingChange::Reunited(peer) => json!({ "change": "reunited", "peer": Member::from(peer) }),
        RingChange::CutOff => json!({ "change": "cut_off" }),
        RingChange::LastOfItsRing => json!({ "change": "last_of_its_ring" }),
        _ => json!({ "change": "other" }),
    }
}

//! What happens at a node.

use super::outcome::evidence_of;
use super::{Located, Member, moving_of, neighbours};
use crate::event::{CallLookup, CameTo, Event, OperationKind};
use overlay::{Contact, RingChange};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The name of an event, and its data.
pub(crate) fn event(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Lookup(lookup) => {
            let report = &lookup.report;
            let document = json!(Located::from(report));
            let told = timed(document, OperationKind::Locate, lookup.took, false);
            // Without structure nobody owns a key.
            let root = report.replicas.first();
            let owner = root.filter(|_| report.reached.is_none());
            let owner = ("owner".to_owned(), json!(owner.map(Member::from)));
            ("lookup", with(told, Map::from_iter([owner])))
        }
        Event::CallLookup(lookup) => ("lookup", call_lookup(lookup)),
        Event::Operation(operation) => {
            let mut document = json!({});
            if let Some(key) = &operation.key {
                document["key"] = json!(key);
            }
            if let Some(failure) = &operation.failed {
                document["error"] = failure.to_string().into();
            }
            let failed = operation.failed.is_some();
            let told = timed(document, operation.kind, operation.took, failed);
            let mut known = evidence_of(&operation.counts, operation.kind);
            known.insert("outcome".to_owned(), operation.came_to.name().into());
            ("operation", with(told, known))
        }
        Event::Ring(change) => ("ring", ring(change)),
        Event::Neighbours(all) => ("neighbours", json!(neighbours(all))),
        Event::Repair(repair) => ("repair", json!(moving_of(repair))),
    }
}

/// The same names as of a lookup that was asked for, as far as they are known.
fn call_lookup(lookup: &CallLookup) -> Value {
    let document = match &lookup.result {
        Ok(found) => json!({
            "key": lookup.key,
            "outcome": CameTo::Found.name(),
            "owner": Member::from(&found.owner),
            "hops": found.hops,
            "timeouts": found.timeouts,
        }),
        Err(why) => json!({
            "key": lookup.key,
            "outcome": CameTo::Unknown.name(),
            "owner": null,
            "error": why,
        }),
    };
    timed(document, lookup.kind, lookup.took, lookup.result.is_err())
}

fn with(mut document: Value, more: Map<String, Value>) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.extend(more);
    }
    document
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

#[cfg(test)]
mod tests {
    use super::*;
    use overlay::{Failure, Id, LookupReport, Reply};

    const TOOK: Duration = Duration::from_millis(2);

    fn failed(kind: OperationKind, key: Id) -> (&'static str, Value) {
        let reason = "nobody answers".to_owned();
        let reply = Reply::Failed(Failure::NoRoute { key, reason });
        event(&Event::answered(kind, Some(key), &reply, TOOK))
    }

    #[test]
    fn what_failed_is_told_with_its_key_and_why() {
        let key = Id::of(b"key");
        let (name, told) = failed(OperationKind::Put, key);
        assert_eq!((name, &told["outcome"]), ("operation", &json!("failed")));
        assert_eq!((&told["key"], &told["failed"]), (&json!(key), &json!(true)));
        assert!(told["error"].as_str().unwrap().contains("nobody answers"));
        // Of a locate it is the lookup that failed, and it is told as what it is when it does not.
        let (name, told) = failed(OperationKind::Locate, key);
        assert_eq!((name, &told["outcome"]), ("lookup", &json!("unknown")));
        assert_eq!(
            (&told["key"], &told["kind"]),
            (&json!(key), &json!("locate"))
        );
        assert_eq!(
            (&told["owner"], &told["failed"]),
            (&json!(null), &json!(true))
        );
        assert!(told["error"].as_str().unwrap().contains("nobody answers"));
    }

    #[test]
    fn a_lookup_for_a_call_says_what_is_known() {
        let report = LookupReport {
            key: Id::of(b"key"),
            result: Err("the time of the call was over".to_owned()),
            took: overlay::Duration::from_millis(8_000),
        };
        let (name, told) = event(&Event::looked_up(OperationKind::Get, report));
        assert_eq!((name, &told["kind"]), ("lookup", &json!("get")));
        assert_eq!(
            (&told["seconds"], &told["hops"]),
            (&json!(8.0), &Value::Null)
        );
        assert_eq!(told["error"], "the time of the call was over");
    }
}

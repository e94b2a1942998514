//! The command locate: where a key belongs, and by which way; or, where nobody owns a key, who has it.

use super::args::LocateArgs;
use super::commands::{complete, key_of};
use super::output::{Answer, Exit, aligned, count_of};
use super::{Asking, CtlError, Document, wrong_answer_of};
use crate::documents::Located;
use overlay::{LocateReport, Reply, Request};
use serde_json::json;

pub(super) async fn locate(
    asking: Asking,
    args: LocateArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let key = key_of(&args.key, context)?;
    let request = Request::Locate {
        key: key.id,
        iterative: args.iterative,
    };
    let Reply::Located(report) = asking.data_once(request).await? else {
        return Err(wrong_answer_of("locate"));
    };
    let json = complete(context, json!(Located::from(&report)));
    let LocateReport {
        key,
        replicas,
        path,
        hops,
        timeouts,
        reached,
        hop_us,
    } = report;
    let mut rows = vec![("key".to_owned(), key.to_string())];
    for (rank, replica) in replicas.iter().enumerate() {
        let name = if reached.is_some() {
            format!("hit {}", rank + 1)
        } else if rank == 0 {
            "root".to_owned()
        } else {
            format!("replica {}", rank + 1)
        };
        rows.push((name, format!("{}  {}", replica.id, replica.addr)));
    }
    for (step, contact) in path.iter().enumerate() {
        let name = if step == 0 {
            "path".to_owned()
        } else {
            String::new()
        };
        // What this node asked hop by hop it has measured.
        let took = step.checked_sub(1).and_then(|hop| hop_us.get(hop));
        let took = took.map_or_else(String::new, |us| format!("  {:.3} ms", *us as f64 / 1e3));
        rows.push((name, format!("{}  {}{took}", contact.id, contact.addr)));
    }
    let went_round = if timeouts == 0 {
        String::new()
    } else {
        format!(", {} gone round", count_of(timeouts.into(), "silent hop"))
    };
    rows.push(("hops".to_owned(), format!("{hops}{went_round}")));
    if let Some(reached) = reached {
        rows.push(("reached".to_owned(), count_of(reached.into(), "node")));
    }
    Ok(Answer::new(Exit::Done, json, aligned(&rows)))
}

//! Calls that only ask where a key belongs, and by which way.

use crate::due::Due;
use crate::op::Work;
use crate::{Dht, Store};
use overlay::lookup::{Located, LookupRequest, Mode};
use overlay::{Cx, Id, KeyRouter, LocateReport, OpId, Reply};

impl<R: KeyRouter, S: Store> Dht<R, S> {
    pub(crate) fn start_locate(
        &mut self,
        cx: &mut Cx<'_, Self>,
        op: OpId,
        key: Id,
        iterative: bool,
    ) {
        let number = self.draw_number(cx);
        // A lookup that is begun anew again and again takes up to three quarters of a minute.
        let deadline = self.note_op(cx, number, op, key, Work::Locate);
        self.deadlines.set(Due::Op(number), deadline);
        let mode = if iterative {
            Mode::Iterative
        } else {
            Mode::Recursive
        };
        let request = LookupRequest {
            mode,
            trace: true,
            fresh: true,
            exact: true,
            ..LookupRequest::new(key)
        };
        self.look_up(cx, number, request);
    }

    pub(crate) fn finish_locate(&mut self, cx: &mut Cx<'_, Self>, number: u64, found: Located) {
        let path = if found.path.is_empty() {
            vec![found.owner]
        } else {
            found.path
        };
        let report = LocateReport {
            key: found.key,
            replicas: found.replicas,
            path,
            hops: found.hops,
            timeouts: found.timeouts,
            reached: None,
            hop_us: found.hop_times.iter().map(|took| took.0).collect(),
        };
        self.finish(cx, number, Reply::Located(report));
    }
}

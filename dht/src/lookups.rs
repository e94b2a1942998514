//! What is told of the lookups that calls need.

use crate::op::{Op, Work};
use crate::{Dht, Store};
use overlay::lookup::Located;
use overlay::{Cx, KeyRouter, LookupReport, Notice, RootFound};

impl Op {
    /// Tells how the lookup ended that it was waiting for. A call has one for each time that it finds
    /// its root anew, a dozen in the time that it has at most.
    pub(crate) fn tell_lookup<R: KeyRouter, S: Store>(
        &self,
        cx: &mut Cx<'_, Dht<R, S>>,
        result: Result<&Located, String>,
    ) {
        let is_told = match &self.work {
            Work::Write(_) => true,
            // Parts of an index: thousands for one search, and those of keeping it are nobody's call.
            Work::Read(read) => !read.is_of_index(),
            // Its answer says the same, and more.
            Work::Locate => false,
        };
        if !is_told {
            return;
        }
        let found = |found: &Located| RootFound {
            owner: found.owner,
            hops: found.hops,
            timeouts: found.timeouts,
        };
        let report = LookupReport {
            key: self.key,
            result: result.map(found),
            took: cx.now.since(self.looking_since),
        };
        cx.emit(Notice::Lookup {
            op: self.who,
            report,
        });
    }
}

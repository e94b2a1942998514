//! What the machine has counted, in the words of Prometheus. It knows none of them; here its numbers
//! become families whenever somebody asks.

use super::families::{counter, counters, gauge, gauges, histograms};
use overlay::{
    Counts, LookupTally, Lookups, Misdeeds, QueryTally, RepairTally, Status, Tally, UnderWay,
};
use prometheus::proto::MetricFamily;

/// Microseconds in a second.
const US_PER_S: f64 = 1e6;

/// Everything that a machine says of itself.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) status: Status,
    pub(super) tally: Tally,
}

impl Said {
    pub(super) fn families(&self) -> Vec<MetricFamily> {
        let mut all = node(&self.status);
        all.extend(lookups(&self.tally.lookups));
        all.extend(records(&self.tally.records, &self.status));
        all.extend(moving(&self.status));
        all.push(counter(
            "neighbour_set_changes_total",
            "Changes of the successor list, the leaf set or the neighbours",
            self.tally.neighbour_changes as f64,
        ));
        all.push(counter(
            "clocks_refused_total",
            "Messages refused because their clock was more than a minute ahead",
            self.status.clocks_refused as f64,
        ));
        all.extend(clocks(&self.tally));
        if let Some(repair) = &self.tally.repair {
            all.extend(copies(repair, &self.status));
        }
        if let Some(queries) = &self.tally.queries {
            all.extend(floods(queries));
        }
        all.extend(under_way(&self.tally.under_way));
        all
    }
}

fn clocks(tally: &Tally) -> impl Iterator<Item = MetricFamily> {
    let ahead = "How far the clock of a peer was ahead of this node's, by the newest version that came from elsewhere in the last minute or two, or by what a root said of its clock; on Gnutella by the records that it is brought";
    let behind = "How far the clock of a peer was behind this node's in the last minute or two, at least: by the writes that it sent here as their root. What is sent again is late by as much. Not on Gnutella, whose messages do not say when they were sent";
    let seconds = |ms: u64| ms as f64 / 1e3;
    let ahead = gauge("clock_ahead_seconds", ahead, seconds(tally.clock_ahead_ms));
    let behind_s = tally.clock_behind_ms.map(seconds);
    let behind = behind_s.map(|off| gauge("clock_behind_seconds", behind, off));
    [ahead].into_iter().chain(behind)
}

fn under_way(tables: &[UnderWay]) -> [MetricFamily; 2] {
    let named: Vec<(String, &UnderWay)> = tables
        .iter()
        .map(|one| (one.table.replace(' ', "_"), one))
        .collect();
    let counts: Vec<_> = named
        .iter()
        .map(|(name, one)| (name.as_str(), one.count as f64))
        .collect();
    let limits: Vec<_> = named
        .iter()
        .filter_map(|(name, one)| Some((name.as_str(), one.most? as f64)))
        .collect();
    let help = "What the machine has under way, by table";
    let capacity =
        "What the same table holds at most. What is missing here is bounded by other tables";
    [
        gauges("under_way", help, "table", &counts),
        gauges("under_way_capacity", capacity, "table", &limits),
    ]
}

fn flag(name: &str, help: &str, is_so: bool) -> MetricFamily {
    gauge(name, help, f64::from(u8::from(is_so)))
}

fn node(status: &Status) -> Vec<MetricFamily> {
    vec![
        flag("member", "Whether the node is in a network", status.member),
        flag("leaving", "Whether it is leaving it", status.leaving),
        flag(
            "settled",
            "Whether every arc of the node is complete and copied to all its replicas; on Gnutella, whether it has the links that it seeks",
            status.settled,
        ),
        gauge(
            "peers",
            "Distinct peers in the tables",
            f64::from(status.peers),
        ),
        gauge(
            "neighbours",
            "Nodes in the successor list and the predecessor, in the leaf set, or links",
            status.neighbours.around().count() as f64,
        ),
        gauge(
            "renewed_leases",
            "Leases that the node renews",
            status.renewed_leases as f64,
        ),
    ]
}

fn lookups(tally: &LookupTally) -> Vec<MetricFamily> {
    let outcomes = |lookups: &Lookups| {
        [
            ("found", lookups.found as f64),
            ("no_answer", lookups.no_answer as f64),
            ("not_member", lookups.not_member as f64),
            ("busy", lookups.busy as f64),
        ]
    };
    let sides = [("users", &tally.users), ("tables", &tally.tables)];
    let hops = sides.map(|(name, lookups)| (name, &lookups.hops));
    let seconds = sides.map(|(name, lookups)| (name, &lookups.took_us));
    vec![
        counters(
            "lookups_total",
            "Lookups that ended, for users and for the store, by outcome; on Gnutella, searches",
            "outcome",
            &outcomes(&tally.users),
        ),
        counters(
            "table_lookups_total",
            "Lookups that ended, of the router for its own tables, by outcome",
            "outcome",
            &outcomes(&tally.tables),
        ),
        histograms(
            "lookup_hops",
            "Steps of lookups that were answered, by what they were for; on Gnutella, links to the nearest hit",
            "purpose",
            &hops,
            1.0,
        ),
        histograms(
            "lookup_seconds",
            "Time that lookups took, by what they were for",
            "purpose",
            &seconds,
            US_PER_S,
        ),
        counter(
            "lookup_hop_timeouts_total",
            "Times that a hop of a lookup was silent for too long or not to be reached",
            tally.hop_timeouts as f64,
        ),
        counter(
            "lookup_hop_retries_total",
            "Times that a lookup was sent on to another hop instead",
            tally.hop_retries as f64,
        ),
        counter(
            "lookup_restarts_total",
            "Times that a lookup was begun again by its origin",
            tally.restarts as f64,
        ),
    ]
}

fn records(counts: &Counts, status: &Status) -> Vec<MetricFamily> {
    vec![
        gauge("values", "Values stored here", counts.values as f64),
        gauge("holders", "Holders stored here", counts.holders as f64),
        gauge(
            "index_entries",
            "Entries of the index of words and names stored here, and texts of values",
            counts.entries as f64,
        ),
        gauge(
            "tombstones",
            "Deletions that are kept here, so that nothing deleted comes back",
            counts.tombstones as f64,
        ),
        gauge(
            "stored_bytes",
            "Bytes of bodies stored here",
            status.stored_bytes as f64,
        ),
    ]
}

fn moving(status: &Status) -> Vec<MetricFamily> {
    let moving = status.moving.iter();
    let left = moving.map(|one| one.records.saturating_sub(one.moved));
    vec![
        gauge(
            "records_to_move",
            "Records that are to be moved in the background, as far as is known",
            left.sum::<u64>() as f64,
        ),
        counter(
            "moved_records_total",
            "Records moved in the background, in either direction",
            status.moved_records as f64,
        ),
        counter(
            "moved_bytes_total",
            "Bytes of records moved in the background",
            status.moved_bytes as f64,
        ),
    ]
}

fn copies(repair: &RepairTally, status: &Status) -> Vec<MetricFamily> {
    let known = repair.arcs.saturating_sub(repair.arcs_incomplete);
    vec![
        gauges(
            "under_replicated_records",
            "Records in the arcs of this node, deletions included, of which not all N copies are known: a replica has not confirmed yet that it has all of them, or there are fewer than N nodes",
            "cause",
            &[
                ("copying", repair.copying as f64),
                ("too_few_nodes", repair.short_of_nodes as f64),
            ],
        ),
        gauges(
            "arcs",
            "Arcs of which this node is the root, by whether it is proven that it holds everything there",
            "state",
            &[
                ("complete", known as f64),
                ("incomplete", repair.arcs_incomplete as f64),
            ],
        ),
        counters(
            "comparisons_total",
            "Comparisons of this node's arcs with other nodes, by how they ended",
            "outcome",
            &[
                ("done", repair.comparisons as f64),
                ("given_up", repair.comparisons_failed as f64),
            ],
        ),
        counter(
            "ranges_compared_total",
            "Ranges of keys compared in them",
            repair.ranges as f64,
        ),
        gauge(
            "movements",
            "Transfers of records that are under way or due",
            status.moving.len() as f64,
        ),
    ]
}

fn floods(queries: &QueryTally) -> Vec<MetricFamily> {
    vec![
        counter(
            "gnutella_queries_seen_total",
            "Queries that came from neighbours, duplicates included",
            queries.seen as f64,
        ),
        counter(
            "gnutella_queries_forwarded_total",
            "Queries of others that were sent on, counted for each link",
            queries.forwarded as f64,
        ),
        counter(
            "gnutella_queries_matched_total",
            "Queries that something here matched",
            queries.matched as f64,
        ),
        counters(
            "gnutella_queries_dropped_total",
            "Queries that were not answered or not sent on, by reason",
            "reason",
            &[
                ("duplicate", queries.dropped_duplicate as f64),
                ("malformed", queries.dropped_malformed as f64),
                ("rate", queries.dropped_rate as f64),
                ("table_full", queries.dropped_table_full as f64),
                ("link_full", queries.dropped_link_full as f64),
                ("ttl", queries.ended_ttl as f64),
            ],
        ),
        counters(
            "gnutella_hits_total",
            "Messages with hits: sent by this node, passed on, or received for its own searches",
            "way",
            &[
                ("sent", queries.hits_sent as f64),
                ("passed_on", queries.hits_passed as f64),
                ("received", queries.hits_received as f64),
            ],
        ),
        counters(
            "gnutella_links_total",
            "Links with neighbours that were made and lost",
            "change",
            &[
                ("made", queries.links_made as f64),
                ("lost", queries.links_lost as f64),
            ],
        ),
        misdeeds(&queries.misdeeds),
    ]
}

fn misdeeds(misdeeds: &Misdeeds) -> MetricFamily {
    counters(
        "gnutella_misdeeds_total",
        "Messages that no node of good will sends, by what is wrong with them; many of them end the link",
        "misdeed",
        &[
            ("out_of_bounds", misdeeds.out_of_bounds as f64),
            ("hops", misdeeds.hops as f64),
            ("words", misdeeds.words as f64),
            ("duplicate", misdeeds.duplicate as f64),
            ("role", misdeeds.role as f64),
            ("forged", misdeeds.forged as f64),
        ],
    )
}

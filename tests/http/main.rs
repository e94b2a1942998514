//! The HTTP API of real nodes, asked as any program would.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod client;
mod description;
mod events;
mod finding;
mod health;
mod picture;
mod proof;
mod values;

/// One test for each claim.
macro_rules! claims {
    ($overlay:literal: $($area:ident: $($claim:ident),+;)+) => {
        $($(#[test]
        fn $claim() {
            let _alone = crate::support::alone();
            crate::$area::$claim($overlay);
        })+)+
    };
}

/// All claims on an overlay that knows who answers for a key.
macro_rules! structured {
    ($overlay:literal) => {
        claims! {
            $overlay:
            values:
                a_value_goes_in_and_comes_out,
                writes_keep_their_conditions,
                a_reader_is_not_sent_what_it_has,
                p2pctl_and_http_see_the_same;
            finding:
                holders_are_listed_until_they_are_removed,
                words_and_beginnings_find_holders_and_values,
                a_key_is_located_with_its_way,
                the_node_says_how_it_is;
            picture:
                every_node_sees_the_whole_network;
            proof:
                stopped_replicas_are_unknown_and_never_absent;
            health:
                a_node_that_is_cut_off_is_not_ready,
                the_survivor_of_two_is_not_ready,
                a_node_that_others_left_is_ready;
            events:
                lookups_and_operations_are_told,
                lookups_of_calls_are_told,
                a_node_that_joins_shows_in_ring_and_repair;
            description:
                schemathesis_finds_nothing;
        }
    };
}

mod chord {
    structured!("chord");
}

mod pastry {
    structured!("pastry");
}

/// Absence is unknown here, and nobody owns a key; all else is as on the others.
mod gnutella {
    claims! {
        "gnutella":
        values:
            a_value_goes_in_and_comes_out,
            conditions_are_refused,
            a_reader_is_not_sent_what_it_has,
            p2pctl_and_http_see_the_same;
        finding:
            holders_are_listed_until_they_are_removed,
            words_find_holders_and_values,
            a_key_is_located_with_its_way,
            the_node_says_how_it_is;
        picture:
            every_node_sees_the_whole_network;
        proof:
            stopped_replicas_are_unknown_and_never_absent;
        health:
            a_node_that_is_cut_off_is_not_ready;
        events:
            lookups_and_operations_are_told,
            calls_are_their_own_queries;
        description:
            schemathesis_finds_nothing;
    }
}

/// What does not depend on the overlay.
mod lone {
    claims! {
        "chord":
        values:
            a_value_that_is_too_large_is_refused,
            a_full_store_says_so,
            what_makes_no_sense_is_refused;
        access:
            a_token_opens_all_but_health,
            other_addresses_want_a_token,
            strangers_pages_are_refused,
            a_head_that_does_not_end_is_given_up,
            a_head_that_is_too_long_is_refused,
            only_the_page_may_run_scripts;
        events:
            a_slow_reader_is_told_that_it_lost_its_place,
            there_is_room_for_so_many_readers;
        description:
            every_path_is_described,
            headers_are_described;
    }
}

//! The conformance suite: what every overlay that promises replicated records must do, and, of
//! that, what one must do whose promise is its best effort; seen from outside through real processes.

#[path = "../support/mod.rs"]
mod support;

mod best_effort;
mod data;
mod membership;
mod words;

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

/// All claims on one overlay.
macro_rules! conformance {
    ($overlay:literal) => {
        claims! {
            $overlay:
            data:
                a_value_is_found_through_every_node,
                holders_are_listed_until_they_are_removed,
                the_replica_set_of_a_key_is_the_same_from_everywhere,
                a_lone_node_serves,
                the_load_generator_finds_what_it_stored;
            membership:
                status_and_peers_say_what_they_must,
                a_node_that_leaves_loses_nothing,
                only_the_owner_of_the_key_may_send_a_node_away,
                two_of_eight_killed_lose_nothing,
                lost_replicas_are_unknown_and_never_absent,
                a_ring_of_sixteen_forms_from_nothing;
            words:
                words_and_beginnings_find_holders_and_values;
        }
    };
}

mod chord {
    conformance!("chord");
}

mod pastry {
    conformance!("pastry");
}

/// Absence is unknown here, and nobody owns a key; all else is as on the others.
mod gnutella {
    claims! {
        "gnutella":
        data:
            a_value_is_found_through_every_node,
            holders_are_listed_until_they_are_removed,
            a_lone_node_serves,
            the_load_generator_finds_what_it_stored;
        membership:
            status_and_peers_say_what_they_must,
            a_node_that_leaves_loses_nothing,
            only_the_owner_of_the_key_may_send_a_node_away,
            two_of_eight_killed_lose_nothing,
            lost_replicas_are_unknown_and_never_absent;
        best_effort:
            locate_lists_the_nodes_that_hit,
            a_search_says_how_many_nodes_it_reached,
            a_killed_node_finds_its_network_again_by_itself,
            every_architecture_finds_what_is_there,
            every_way_to_search_finds_what_is_there,
            words_find_holders_and_values;
    }
}

//! The web page of real nodes, in a real browser.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are drivers and may read the clock"
)]

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod crowd;
mod looking;
mod manners;
mod page;

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

macro_rules! on_every_overlay {
    ($overlay:literal) => {
        claims! {
            $overlay:
            crowd:
                a_thousand_nodes_are_readable;
            looking:
                every_node_is_drawn_and_a_killed_one_goes,
                a_lookup_draws_its_way;
        }
    };
}

mod chord {
    on_every_overlay!("chord");
}

mod pastry {
    on_every_overlay!("pastry");
}

mod gnutella {
    on_every_overlay!("gnutella");
}

/// What does not depend on the overlay.
mod lone {
    claims! {
        "chord":
        crowd:
            every_state_has_a_word_and_a_shape,
            too_few_nodes_are_not_called_complete;
        manners:
            a_token_is_asked_for_and_kept_nowhere,
            what_others_wrote_is_text,
            torrents_have_links_and_clients,
            keys_reach_everything,
            axe_finds_nothing,
            it_is_light_and_soon_there;
    }
}

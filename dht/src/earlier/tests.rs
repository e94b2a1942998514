//! Claims that a view takes over, and what is left of one that is proven anew.

use super::*;
use crate::arcs::arc_of;
use crate::member::Member;

fn view(claims: &[(Claim, Time)]) -> View {
    View {
        renumbered: Vec::new(),
        id: 1,
        arc: arc_of(0, 100),
        replicas: Vec::new(),
        mark: 0,
        members: Vec::new(),
        called_witnesses: false,
        root_leaves: false,
        unproven: Vec::new(),
        own_evidence: Vec::new(),
        earlier: Vec::new(),
        claims: claims.to_vec(),
    }
}

#[test]
fn a_view_takes_over_each_recent_claim_once() {
    let claim = |by: u64| Claim {
        by: Id::from_u64(by),
        arc: arc_of(0, 50),
    };
    let now = Time::ZERO + DEAF_FOR.times(2);
    let old = (claim(1), now - DEAF_FOR);
    let many: Vec<(Claim, Time)> = (2..40).map(|by| (claim(by), now)).collect();
    let (left, right) = (view(&[old, many[0]]), view(&many));
    let mut both = view(&[]);
    both.inherit_claims(&left, now);
    assert_eq!(both.claims, [many[0]]);
    both.inherit_claims(&left, now);
    assert_eq!(both.claims, [many[0]]);
    both.inherit_claims(&right, now);
    assert_eq!(both.claims, many[..MAX_CLAIMS]);
}

#[test]
fn a_view_that_is_proven_anew_has_copies_under_its_old_number() {
    let contact = |number: u16| Contact {
        id: Id::from_u64(number.into()),
        addr: ([127, 0, 0, 1], number).into(),
    };
    let mut view = view(&[]);
    view.replicas = (1..4).map(contact).collect();
    view.members = (2..4)
        .map(|number| Member {
            covered: true,
            ..Member::new(contact(number), true, Time::ZERO)
        })
        .collect();
    view.renumber(2, 2, Until::at(Time::ZERO + DEAF_FOR));
    let earlier: Vec<u64> = view.earlier.iter().map(|earlier| earlier.view).collect();
    assert_eq!((view.id, earlier), (2, vec![1]));
    assert!(view.earlier[0].farewell_at(Time::ZERO).is_some());
    assert_eq!(view.promises_missing(Id::from_u64(50), Time::ZERO), 0);
}

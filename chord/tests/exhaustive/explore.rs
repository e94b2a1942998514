//! The large exploration: successor lists of up to six members.

use crate::model::{Network, R, check, contact, ideal, may_fail, number};
use chord::Ring;
use chord::ring::AfterSuccessor;
use std::collections::{HashMap, HashSet};

/// Which protocol, and which environment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Zave's protocol under her operating assumption.
    Corrected,
    /// The original's flaw: a pointer is adopted without asking its node.
    AdoptUnasked,
    /// Any member may fail at any time while two others live.
    FailAtWill,
}

/// A list of at most two entries in a byte: 3 bits each, 7 for none; 0xff: no member.
type Code = u8;
const NOBODY: Code = 0xff;

fn encode(ring: Option<&Ring>) -> Code {
    let Some(ring) = ring else { return NOBODY };
    let entry = |index: usize| ring.successors().get(index).map_or(7, number);
    entry(0) << 3 | entry(1)
}

fn decode(me: u8, code: Code) -> Option<Ring> {
    let list = [code >> 3, code & 7]
        .into_iter()
        .filter(|entry| *entry != 7)
        .map(contact);
    (code != NOBODY).then(|| Ring::with(contact(me), R, list.collect(), None))
}

/// A network: one code for each identifier.
type State = [Code; 6];

/// The same network with every identifier moved on by `by`.
fn rotated(state: &State, identifiers: u8, by: u8) -> State {
    let mut turned = [NOBODY; 6];
    let turn = |entry: u8| {
        if entry == 7 {
            7
        } else {
            (entry + by) % identifiers
        }
    };
    for me in 0..identifiers {
        let code = state[usize::from(me)];
        let moved = if code == NOBODY {
            NOBODY
        } else {
            turn(code >> 3) << 3 | turn(code & 7)
        };
        turned[usize::from(turn(me))] = moved;
    }
    turned
}

fn canonical(state: &State, identifiers: u8) -> State {
    (0..identifiers)
        .map(|by| rotated(state, identifiers, by))
        .min()
        .unwrap_or(*state)
}

/// The answers of the real transition functions, remembered: each depends on two lists only.
struct Transitions {
    rules: Rules,
    known: HashMap<(u8, u8, Code, Code), Code>,
}

/// Kinds of event between a node and the one that it asks.
const JOIN: u8 = 0;
const STABILIZE: u8 = 1;
const DEAD: u8 = 2;
const CANDIDATE: u8 = 3;

impl Transitions {
    /// The list of `me` after an event with `peer`; `NOBODY` when it cannot happen.
    fn after(&mut self, kind: u8, me: u8, mine: Code, peer: u8, theirs: Code) -> Code {
        let rules = self.rules;
        *self
            .known
            .entry((kind << 6 | me << 3 | peer, 0, mine, theirs))
            .or_insert_with(|| encode(happen(rules, kind, (me, mine), (peer, theirs)).as_ref()))
    }
}

fn happen(rules: Rules, kind: u8, me: (u8, Code), peer: (u8, Code)) -> Option<Ring> {
    let asked = contact(peer.0);
    let list = decode(peer.0, peer.1).map(|ring| ring.successors().to_vec());
    let mut ring = match kind {
        JOIN => return Ring::join(contact(me.0), R, asked, &list?),
        _ => decode(me.0, me.1)?,
    };
    match kind {
        STABILIZE => {
            let list = list?;
            let full = R.min(1 + list.len());
            let next = ring.from_successor(asked, None, &list);
            assert_eq!(next, AfterSuccessor::Notify(asked));
            // Within the theorem, no list comes round to its owner and is cut.
            assert!(
                ring.successors().len() >= full,
                "a list of {} was cut",
                me.0
            );
        }
        DEAD => {
            ring.successor_dead(asked.id);
        }
        _ if !ring.may_adopt(asked.id) => return None,
        _ => match list {
            Some(list) => {
                ring.from_predecessor(asked, &list);
            }
            // Dead: the corrected protocol leaves the list; the original has adopted it already.
            None if rules == Rules::AdoptUnasked => {
                let own = ring.successors().to_vec();
                ring.from_predecessor(asked, &own);
            }
            None => return None,
        },
    }
    Some(ring)
}

fn network(state: &State, identifiers: u8) -> Network {
    (0..identifiers)
        .map(|me| decode(me, state[usize::from(me)]))
        .collect()
}

/// Explores everything; says how many states there are, or what was violated.
pub(crate) fn explore(identifiers: u8, rules: Rules) -> Result<usize, String> {
    let mut transitions = Transitions {
        rules,
        known: HashMap::new(),
    };
    let mut seen: HashSet<State> = HashSet::new();
    let mut frontier: Vec<State> = Vec::new();
    for members in 0..1_u8 << identifiers {
        if members.count_ones() as usize > R {
            let ideal = ideal(identifiers, members);
            let mut state = [NOBODY; 6];
            for (code, ring) in state.iter_mut().zip(&ideal) {
                *code = encode(ring.as_ref());
            }
            let state = canonical(&state, identifiers);
            if seen.insert(state) {
                frontier.push(state);
            }
        }
    }
    while let Some(state) = frontier.pop() {
        let network = network(&state, identifiers);
        check(&network).map_err(|violation| format!("{violation} in {network:?}"))?;
        for next in successors(&mut transitions, &state, &network, identifiers) {
            let next = canonical(&next, identifiers);
            if seen.insert(next) {
                frontier.push(next);
            }
        }
    }
    Ok(seen.len())
}

fn successors(
    transitions: &mut Transitions,
    state: &State,
    network: &Network,
    identifiers: u8,
) -> Vec<State> {
    let mut next = Vec::new();
    for me in 0..identifiers {
        let at = usize::from(me);
        let mine = state[at];
        if mine != NOBODY && fails(transitions.rules, network, at) {
            let mut failed = *state;
            failed[at] = NOBODY;
            next.push(failed);
        }
        for peer in (0..identifiers).filter(|peer| *peer != me) {
            let theirs = state[usize::from(peer)];
            let first = mine != NOBODY && mine >> 3 == peer;
            let kinds: &[u8] = match (mine, theirs) {
                (NOBODY, NOBODY) => &[],
                (NOBODY, _) => &[JOIN],
                (_, NOBODY) if first => &[DEAD],
                (_, NOBODY) if transitions.rules == Rules::AdoptUnasked => &[CANDIDATE],
                (_, NOBODY) => &[],
                _ if first => &[STABILIZE],
                _ => &[CANDIDATE],
            };
            for kind in kinds {
                let changed = transitions.after(*kind, me, mine, peer, theirs);
                if changed != NOBODY && changed != mine {
                    let mut after = *state;
                    after[at] = changed;
                    next.push(after);
                }
            }
        }
    }
    next
}

fn fails(rules: Rules, network: &Network, at: usize) -> bool {
    match rules {
        Rules::FailAtWill => network.iter().flatten().count() > R,
        _ => may_fail(network, at),
    }
}

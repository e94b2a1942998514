//! `Dht<Chord>` under everything that peers, timers and callers may do.
//!
//! The bytes are a script: each step takes one byte that says what happens, and those that it
//! needs: a letter or a timer, what a disk reports, a kill. Most messages are those that three nodes send each other, in any order, lost, doubled,
//! changed in one byte, or from somebody else; the others are whatever decodes.

use crate::network::{Letter, NODES, Network, contact};
use bytes::Bytes;
use overlay::{Condition, Consistency, Duration, Id, Request, wire};

/// Most steps that one byte of the script stands for.
const MANY: usize = 64;

/// The script, byte by byte; zeros when it is at its end.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn index(&mut self, length: usize) -> usize {
        let number = u16::from_le_bytes([self.byte(), self.byte()]);
        usize::from(number) % length.max(1)
    }

    /// Whatever decodes from here on.
    fn decoded<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        let (value, used) = wire::decode_first(self.0).ok()?;
        self.0 = &self.0[used..];
        Some(value)
    }
}

/// Plays the script.
pub fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut network = Network::new();
    if script.byte() % 2 == 0 {
        network.form();
    }
    while !script.0.is_empty() {
        step(&mut network, &mut script);
    }
    // Whatever is left must not be more harmful than what was chosen.
    for _ in 0..MANY {
        network.go_on();
    }
}

fn step(network: &mut Network, script: &mut Script<'_>) {
    match script.byte() % 14 {
        0 => network.go_on(),
        1 => (0..script.byte() as usize % MANY).for_each(|_| network.go_on()),
        2 => network.fire(),
        3 => network.pass(Duration::from_millis(1 << (script.byte() % 20))),
        4 => one_letter(network, script),
        5 => changed_letter(network, script),
        6 => {
            let (from, to) = (contact(script.byte()), contact(script.byte() % NODES as u8));
            if let Some(message) = script.decoded() {
                network.deliver(Letter { from, to, message });
            }
        }
        7 => {
            let node = script.byte().into();
            if let Some(call) = script.decoded() {
                network.call(node, call);
            }
        }
        8 | 9 => {
            let (node, call) = (script.byte().into(), likely_call(script));
            network.call(node, call);
        }
        10 => network.down(script.byte().into(), contact(script.byte())),
        11 => network.report(script.byte().into()),
        12 => {
            let (node, torn) = (script.byte().into(), script.byte().into());
            network.restart(node, torn);
        }
        _ => changed_letter(network, script),
    }
}

/// One of the letters under way is lost, doubled, or overtakes the others.
fn one_letter(network: &mut Network, script: &mut Script<'_>) {
    let at = script.index(network.letters.len());
    let Some(letter) = network.letters.remove(at) else {
        return;
    };
    match script.byte() % 3 {
        0 => {}
        1 => network.deliver(letter),
        _ => {
            network.deliver(letter.clone());
            network.letters.push_back(letter);
        }
    }
}

/// One of the letters under way arrives with some of its bytes changed, or from somebody else.
fn changed_letter(network: &mut Network, script: &mut Script<'_>) {
    let at = script.index(network.letters.len());
    let Some(mut letter) = network.letters.remove(at) else {
        return;
    };
    let mut encoded = wire::encode(&letter.message);
    for _ in 0..script.byte() % 4 {
        let at = script.index(encoded.len());
        if let Some(byte) = encoded.get_mut(at) {
            *byte = script.byte();
        }
    }
    if script.byte() % 4 == 0 {
        letter.from = contact(script.byte());
    }
    if let Ok(message) = wire::decode(&encoded) {
        network.deliver(Letter { message, ..letter });
    }
}

/// A call on one of a few keys, so that calls meet.
fn likely_call(script: &mut Script<'_>) -> Request {
    let (kind, number) = (script.byte(), script.byte());
    let key = Id::of(&[number % 4]);
    let holder = contact(number).addr;
    let consistency = match number / 4 % 3 {
        0 => Consistency::One,
        1 => Consistency::Quorum,
        _ => Consistency::All,
    };
    match kind % 8 {
        0 => Request::Get { key, consistency, at_least: None },
        1 => Request::Search {
            key,
            limit: number.into(),
            consistency,
        },
        2 => Request::Insert {
            key,
            holder,
            lease_s: 1 + u32::from(number),
            text: "x".repeat(number.into()),
            indexed: None,
        },
        3 => Request::Delete {
            key,
            holder: (number % 2 == 0).then_some(holder),
            consistency,
            condition: Condition::Always,
        },
        4 => Request::Locate {
            key,
            iterative: number % 2 == 0,
        },
        5 if number % 32 == 0 => Request::LeaveWithin {
            seconds: number.into(),
        },
        5 if number % 16 == 0 => Request::Leave,
        6 if number % 4 == 0 => Request::Join {
            via: contact(number / 4),
        },
        7 if number % 16 == 0 => Request::Create,
        _ => Request::Put {
            key,
            value: Bytes::from(vec![kind; number.into()]),
            ttl_s: (number % 3 == 0).then_some(u32::from(number) + 1),
            consistency,
            condition: match number % 5 {
                0 => Condition::Absent,
                _ => Condition::Always,
            },
            text: String::new(),
            indexed: None,
        },
    }
}

//! Where the clients of other nodes are, as these nodes say: a number of one byte in each entry.

use crate::place::Place;

/// Most names: an entry has a byte for it, and 0 is nowhere. Anybody may publish, so names can be used
/// up; then more are nowhere, and nearness is known to fewer.
const MAX_NAMES: usize = u8::MAX as usize;

/// The names of places, in the order in which they were heard.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<Place>);

impl Names {
    /// The number of a place, a new one when there is room; 0 is nowhere.
    pub(super) fn number(&mut self, place: &Place) -> u8 {
        let known = self.0.iter().position(|name| name == place);
        let at = known.or_else(|| {
            let has_room = self.0.len() < MAX_NAMES;
            has_room.then(|| {
                self.0.push(place.clone());
                self.0.len() - 1
            })
        });
        at.and_then(|at| u8::try_from(at + 1).ok()).unwrap_or(0)
    }

    /// The place with a number.
    pub(crate) fn get(&self, number: u8) -> Option<&Place> {
        self.0.get(usize::from(number).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_once_and_bounded() {
        let mut names = Names::default();
        let place = |number: usize| format!("dc{number}/rack1").parse::<Place>().unwrap();
        for number in 0..1_000 {
            let is = names.number(&place(number));
            assert_eq!(
                usize::from(is),
                if number < MAX_NAMES { number + 1 } else { 0 }
            );
        }
        assert_eq!(names.number(&place(7)), 8);
        assert_eq!(names.get(8), Some(&place(7)));
        assert_eq!(names.get(0), None);
    }
}

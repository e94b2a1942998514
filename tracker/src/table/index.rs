//! An open-addressing table from hashes to places in a vector: 4 bytes a cell, at most four of five
//! cells in use, so 5 to 10 bytes an entry.
//!
//! It stores no keys: the owner compares entries and hashes them again when the table grows.

/// A cell in which nothing is.
const EMPTY: u32 = u32::MAX;
/// Cells of the smallest table.
const LEAST_CELLS: usize = 32;

/// The table. A place is in it at most once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    cells: Vec<u32>,
    used: usize,
}

impl Index {
    /// A table for `count` entries, without any.
    pub(crate) fn with_room(count: usize) -> Self {
        Self {
            cells: vec![EMPTY; cells_for(count)],
            used: 0,
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.cells.capacity() * size_of::<u32>()
    }

    /// The first place with this hash that `is` accepts.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let place = self.cells.get(self.cell_of(hash, is)?)?;
        Some(*place)
    }

    /// Adds a place that is not there.
    pub(crate) fn insert(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.used + 1) * 5 > self.cells.len() * 4 {
            self.resize(cells_for((self.used + 1) * 3 / 2), hash_of);
        }
        self.put(hash, place);
        self.used += 1;
    }

    /// Gives a place another number.
    pub(crate) fn renumber(&mut self, hash: u64, from: u32, to: u32) {
        if let Some(cell) = self.cell_of(hash, |place| place == from)
            && let Some(cell) = self.cells.get_mut(cell)
        {
            *cell = to;
        }
    }

    /// Removes a place, and closes the gap, so that searches end at the first empty cell.
    pub(crate) fn remove(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        let Some(mut gap) = self.cell_of(hash, |found| found == place) else {
            return;
        };
        self.used -= 1;
        let mask = self.cells.len() - 1;
        let mut next = (gap + 1) & mask;
        while let Some(&place) = self.cells.get(next).filter(|place| **place != EMPTY) {
            let home = start(hash_of(place), mask);
            // It may move if its home is not between the gap and itself.
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(gap) & mask) {
                self.set(gap, place);
                gap = next;
            }
            next = (next + 1) & mask;
        }
        self.set(gap, EMPTY);
    }

    fn cell_of(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<usize> {
        let mask = self.cells.len().checked_sub(1)?;
        let mut cell = start(hash, mask);
        loop {
            match self.cells.get(cell) {
                None | Some(&EMPTY) => return None,
                Some(place) if is(*place) => return Some(cell),
                Some(_) => cell = (cell + 1) & mask,
            }
        }
    }

    fn put(&mut self, hash: u64, place: u32) {
        let mask = self.cells.len().wrapping_sub(1);
        let mut cell = start(hash, mask);
        while self.cells.get(cell).is_some_and(|found| *found != EMPTY) {
            cell = (cell + 1) & mask;
        }
        self.set(cell, place);
    }

    fn set(&mut self, cell: usize, place: u32) {
        if let Some(cell) = self.cells.get_mut(cell) {
            *cell = place;
        }
    }

    fn resize(&mut self, cells: usize, hash_of: impl Fn(u32) -> u64) {
        let old = std::mem::replace(&mut self.cells, vec![EMPTY; cells]);
        for place in old.into_iter().filter(|place| *place != EMPTY) {
            self.put(hash_of(place), place);
        }
    }
}

/// A power of two of cells that `count` entries fill to four fifths at most.
fn cells_for(count: usize) -> usize {
    (count * 5 / 4 + 1).next_power_of_two().max(LEAST_CELLS)
}

/// Where a search begins. The upper bits of the product depend on all bits of the hash.
const fn start(hash: u64, mask: usize) -> usize {
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Hashes that collide on purpose; places come and go as in a vector with `swap_remove`.
        #[test]
        fn it_finds_what_is_there_and_nothing_else(steps in prop::collection::vec((0_u64..50, any::<bool>()), 0..400)) {
            let mut index = Index::default();
            let mut hashes: Vec<u64> = Vec::new();
            for (hash, adds) in steps {
                if adds || hashes.is_empty() {
                    hashes.push(hash);
                    index.insert(hash, hashes.len() as u32 - 1, |place| hashes[place as usize]);
                } else {
                    let (at, last) = (hash as usize % hashes.len(), hashes.len() - 1);
                    index.remove(hashes[at], at as u32, |place| hashes[place as usize]);
                    index.renumber(hashes[last], last as u32, at as u32);
                    hashes.swap_remove(at);
                }
                for (at, hash) in hashes.iter().enumerate() {
                    prop_assert_eq!(index.find(*hash, |place| place == at as u32), Some(at as u32));
                }
                prop_assert_eq!(index.find(hash, |place| place as usize >= hashes.len()), None);
                prop_assert_eq!(index.used, hashes.len());
            }
        }
    }
}

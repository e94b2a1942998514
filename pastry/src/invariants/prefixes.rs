//! In every state: each entry of a routing table shares the prefix that its row says.

use crate::{Pastry, Point};

/// Checks one node.
///
/// # Errors
/// In words, which entry is in the wrong slot.
pub fn entries_share_their_rows_prefix(node: &Pastry) -> Result<(), String> {
    let bits = node.config().bits();
    let me = Point::of(node.me.id);
    for entry in node.table().entries() {
        let point = Point::of(entry.contact().id);
        let row = me.shared_digits(point, bits);
        let slot = (row as u8, point.digit(row, bits));
        if slot != (entry.row, entry.digit) {
            return Err(format!(
                "{} is in row {} for digit {:x}, and belongs into row {} for digit {:x}",
                entry.contact(),
                entry.row,
                entry.digit,
                slot.0,
                slot.1
            ));
        }
    }
    Ok(())
}

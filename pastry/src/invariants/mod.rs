//! What must hold in every state, and what must hold once nothing changes any more.

mod leaf_sets;
mod prefixes;

pub use leaf_sets::leaf_sets_are_the_neighbours;
pub use prefixes::entries_share_their_rows_prefix;

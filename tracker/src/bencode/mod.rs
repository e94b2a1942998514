//! Bencoding (BEP 3): a reader that borrows, and a writer.
//!
//! Own code, because this is the format of hostile datagrams: the reader copies nothing, its depth
//! and the number of its values are bounded before memory is taken, and it accepts exactly what the
//! writer writes. The crates that were looked at take copies (`bt_bencode`, by way of serde) or
//! count depth only (`bendy`).

mod read;
mod write;

pub use read::{
    MAX_DEPTH, MAX_VALUES, Malformed, Order, Value, read, read_prefix, read_prefix_within,
};
pub use write::Writer;

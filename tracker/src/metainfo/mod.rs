//! Torrent files (BEP 3, 47, 52): what one says, making one, and how it is described in the index.

mod description;
mod hashing;
mod make;
mod read;

pub use description::Description;
pub use make::{
    Kind, LEAST_PIECE_BYTES, MAX_FILES, MOST_PIECE_BYTES, Made, Maker, Plan, PlanError, Source,
    piece_bytes_for,
};
pub use read::{Metainfo, MetainfoError, magnet, short};

#[cfg(test)]
mod tests;

//! The world with a toy machine.

mod parts;
mod toy;
mod world;

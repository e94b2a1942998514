//! Any bytes, in any pieces, as a stream of frames.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2pnode_fuzz::frames::run(bytes));

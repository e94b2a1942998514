//! Any bytes as what a BitTorrent client sends to a tracker.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2pnode_fuzz::tracker_input::run(bytes));

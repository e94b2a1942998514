//! Any order of messages, timers, calls and losses, in a network of five nodes of Pastry.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2pnode_fuzz::pastry::run(bytes));

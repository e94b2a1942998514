//! Any bytes as a message of the peer protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2pnode_fuzz::wire_message::run(bytes));

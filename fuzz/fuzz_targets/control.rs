//! Any bytes as a request or a reply of the control protocol.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2pnode_fuzz::control::run(bytes));

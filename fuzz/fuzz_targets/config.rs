//! Any text as a configuration file or a scenario.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2pnode_fuzz::config::run(bytes));

//! Stores whose files were damaged or cut off.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: p2pnode_fuzz::store::init(),
    |bytes: &[u8]| p2pnode_fuzz::store::run(bytes)
);

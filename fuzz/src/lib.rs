//! What the fuzz targets do with the bytes that libFuzzer gives them: one module for each target.
//!
//! A finding becomes a test of the code that it is about; here are no tests of its own.

pub mod config;
pub mod control;
pub mod frames;
pub mod machine;
mod network;
pub mod pastry;
pub mod store;
pub mod tracker_input;
pub mod wire_message;

use std::fmt::Debug;

/// Decodes the bytes; what decodes must come back from its encoding as it was.
fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = overlay::wire::decode::<T>(bytes) else {
        return;
    };
    let encoded = overlay::wire::encode(&message);
    let again: T = overlay::wire::decode(&encoded).expect("what was encoded decodes");
    assert_eq!(message, again);
}

//! The proof that the protocol crates and the simulator are pure: they build for a target that has
//! no operating system below it.

use crate::steps::{cargo, command, output_of, step};
use std::path::Path;

/// No clock, no entropy, no sockets and no threads.
const TARGET: &str = "wasm32-unknown-unknown";
/// Every crate that both drivers run, and the simulator.
const PURE: [&str; 7] = [
    "overlay", "chord", "pastry", "gnutella", "dht", "tracker", "sim",
];

/// Checks the crates for the target, or says on one line that it was left out.
pub(crate) fn check() -> Result<bool, String> {
    if !is_installed() {
        println!("\n== wasm: skipped, {TARGET} is not installed (`rustup target add {TARGET}`)");
        return Ok(true);
    }
    step("wasm", cargo(&arguments()))
}

/// Whether the toolchain that runs us has the target's standard library.
fn is_installed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = output_of(command(rustc, &["--print", "sysroot"]));
    sysroot.is_some_and(|sysroot| has_target(Path::new(sysroot.trim())))
}

fn has_target(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib")
        .is_dir()
}

fn arguments() -> Vec<&'static str> {
    let mut words = vec!["check", "--target", TARGET];
    words.extend(PURE.iter().flat_map(|name| ["-p", name]));
    words
}

#[cfg(test)]
mod tests {
    use super::{TARGET, arguments, has_target};

    #[test]
    fn a_sysroot_without_the_target_is_recognised() {
        let sysroot = std::env::temp_dir().join(format!("xtask-wasm-{}", std::process::id()));
        assert!(!has_target(&sysroot));
        let lib = sysroot.join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(lib).unwrap();
        assert!(has_target(&sysroot));
        std::fs::remove_dir_all(sysroot).unwrap();
    }

    #[test]
    fn names_each_crate_of_the_simulated_world() {
        let words = arguments().join(" ");
        let wanted = format!(
            "check --target {TARGET} -p overlay -p chord -p pastry -p gnutella -p dht -p tracker -p sim"
        );
        assert_eq!(words, wanted);
    }
}

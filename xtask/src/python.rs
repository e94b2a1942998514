//! Programs in Python that the tests need, in an environment of their own beside what is built.

use crate::packages::is_in_path;
use crate::steps::{command, step, works};
use std::path::PathBuf;

/// What is installed, each at one version, so that a new one fails no test by itself: schemathesis, with
/// which tests/http checks the HTTP API against its own description; a package that brings axe-core, with
/// which tests/page checks that everybody can use the web page; and Grafana's own types of dashboards,
/// made from its schema (the SDK of Grafana 11.6), with which tests/dashboards checks dashboards, and
/// YAML beside them.
const NEEDED: [&str; 4] = [
    "schemathesis==4.32.5",
    "axe-core-python==0.1.0",
    "grafana-foundation-sdk==1769699379!11.6.0",
    "PyYAML==6.0.3",
];

/// The environment: `python` in the target directory of this build, where tests/http looks for it.
fn folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|why| format!("where is xtask? {why}"))?;
    // target/debug/xtask
    let target = own.ancestors().nth(2);
    Ok(target
        .ok_or("xtask is in no target directory")?
        .join("python"))
}

/// Makes the environment and installs what is missing in it.
pub(crate) fn install() -> Result<bool, String> {
    let folder = folder()?;
    let python = folder.join("bin/python3");
    let check = "import importlib.metadata as m, sys\n\
                 sys.exit(any(m.version(n) != v for n, v in (a.split('==') for a in sys.argv[1:])))";
    let mut installed = command(&python, &["-c", check]);
    installed.args(NEEDED);
    if works(installed) {
        println!("\n== Python: all there ({})", NEEDED.join(", "));
        return Ok(true);
    }
    if !is_in_path("python3") {
        return Err("python3 is missing; install it, or go on without it with --no-install".into());
    }
    let mut make = command("python3", &["-m", "venv"]);
    make.arg(&folder);
    if !step("Python", make)? {
        return Ok(false);
    }
    let flags = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    let mut fill = command(&python, &flags);
    fill.args(NEEDED);
    step("Python packages", fill)
}

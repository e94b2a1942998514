//! Debian packages that the tests and the demo need.

use crate::steps::{command, step, works};
use std::path::Path;

/// What is needed: the program, or the file, that shows that it is there, and the package that brings
/// it.
const NEEDED: [(&str, &str); 17] = [
    // The demo stores the tracked files of a checkout, and tests/tidy.rs asks which are tracked.
    ("git", "git"),
    // tests/store/failing.rs lets system calls fail.
    ("strace", "strace"),
    // The survival run puts nodes into network namespaces, when it is root.
    ("ip", "iproute2"),
    // tests/papers.rs loads completions, and reads the manual pages and the unit.
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("mandoc", "mandoc"),
    ("systemd-analyze", "systemd"),
    // tests/page looks at the web page.
    ("chromium", "chromium"),
    // tests/dashboards lets Prometheus scrape real networks, one node of which has a clock that is
    // ahead.
    ("prometheus", "prometheus"),
    ("faketime", "faketime"),
    // tests/top.rs looks at a terminal.
    ("tmux", "tmux"),
    // tests/clients shares files between real BitTorrent clients. A module of Python is known by
    // what its package leaves in the documentation.
    ("aria2c", "aria2"),
    ("transmission-cli", "transmission-cli"),
    ("rtorrent", "rtorrent"),
    ("qbittorrent-nox", "qbittorrent-nox"),
    (
        "/usr/share/doc/python3-libtorrent/copyright",
        "python3-libtorrent",
    ),
    // src/python.rs puts what tests/http needs into an environment of its own.
    ("/usr/share/doc/python3-venv/copyright", "python3-venv"),
];

/// Installs what is missing, or says the exact command where it must not or cannot.
pub(crate) fn install() -> Result<bool, String> {
    let packages = missing(&NEEDED, &is_in_path);
    if packages.is_empty() {
        println!(
            "\n== packages: all there ({})",
            NEEDED.map(|(program, _)| program).join(", ")
        );
        return Ok(true);
    }
    let by_hand = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    if !is_in_path("apt-get") {
        return Err(format!(
            "missing: {}. This is no Debian: install them with your package manager (on Debian: \
             `{by_hand}`), or go on without them with --no-install",
            packages.join(", "),
        ));
    }
    if !is_root() {
        return Err(format!(
            "missing: {}. Run `sudo {by_hand}`, or go on without them with --no-install",
            packages.join(", "),
        ));
    }
    let mut update = command("apt-get", &["update", "-q"]);
    update.env("DEBIAN_FRONTEND", "noninteractive");
    if !step("package lists", update)? {
        return Ok(false);
    }
    let mut install = command("apt-get", &["install", "-y", "--no-install-recommends"]);
    install
        .args(&packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // No service is started: the tests start their own Prometheus.
        .env("SYSTEMD_OFFLINE", "1");
    step("packages", install)
}

fn missing<'a>(needed: &[(&str, &'a str)], is_there: &dyn Fn(&str) -> bool) -> Vec<&'a str> {
    needed
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect()
}

pub(crate) fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Administrators' tools such as `ip` are often not in a user's path.
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_path_buf()))
        // A path of its own stays what it is.
        .any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    works(command("sh", &["-c", "test \"$(id -u)\" = 0"]))
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn names_the_packages_of_missing_programs_only() {
        let needed = [("git", "git"), ("ip", "iproute2")];
        assert_eq!(missing(&needed, &|program| program == "git"), ["iproute2"]);
        assert!(missing(&needed, &|_| true).is_empty());
    }
}

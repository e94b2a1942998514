//! `cargo xtask package`: the Debian package with all that belongs into it, and its check on a real,
//! booted Debian in a container.

use crate::packages::is_in_path;
use crate::steps::{cargo, command, output_of, root, step, works};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str = "\
Build the Debian package, target/package/p2pnode_VERSION_ARCH.deb, with manual pages and completions.

Usage: cargo xtask package [--no-build] [--static] [--check]

  --no-build   Take the programs of the profile `dist` as they are
  --static     Link the programs statically, with musl; target/package/static gets them too
  --check      Install, start, stop, upgrade, remove and purge it on a Debian that is booted in a
               container; needs root, mmdebstrap and systemd-nspawn (Debian's systemd-container),
               and takes some minutes, so it is no part of CI

Needs cargo-deb: `cargo install --locked cargo-deb`. The profile `dist` takes many minutes to build.
";

/// The target whose programs need nothing but the kernel.
const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";
/// The programs of the package.
const PROGRAMS: [&str; 3] = ["p2pnode", "p2pctl", "p2psim"];
/// The release of Debian that the package is tried on: the oldest that it is meant for.
const RELEASE: &str = "bookworm";
/// How long the container may run: many times what the check takes, so that only a hang is ended.
const CHECK_LIMIT: &str = "600s";

/// What the container does after booting. It powers off in any case.
const UNIT: &str = "\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/package/check /package >/package/log 2>&1; echo $? >/package/result'
ExecStopPost=/bin/systemctl poweroff --no-block
[Install]
WantedBy=default.target
";

#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    no_build: bool,
    linked_statically: bool,
    check: bool,
}

impl Flags {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut flags = Self::default();
        for word in words {
            match word.as_str() {
                "--no-build" => flags.no_build = true,
                "--static" => flags.linked_statically = true,
                "--check" => flags.check = true,
                unknown => return Err(format!("unknown flag `{unknown}`; see --help")),
            }
        }
        Ok(flags)
    }

    /// What cargo and cargo-deb are told of how to build.
    fn build(&self) -> Vec<&'static str> {
        let mut words = vec!["--profile", "dist"];
        if self.linked_statically {
            words.extend(["--target", STATIC_TARGET]);
        }
        words
    }
}

/// Runs the verb.
pub(crate) fn run(words: &[String]) -> Result<bool, String> {
    let flags = Flags::parse(words)?;
    if !works(cargo(&["deb", "--version"])) {
        return Err("cargo-deb is missing; `cargo install --locked cargo-deb` brings it".into());
    }
    let mut build = cargo(&["build", "--bins"]);
    build.args(flags.build());
    if !flags.no_build && !step("build", build)? {
        return Ok(false);
    }
    let out = root().join("target/package");
    let programs = programs(&flags);
    if !papers(&programs.join("p2pctl"), &out)? {
        return Ok(false);
    }
    if flags.linked_statically {
        let folder = fresh(&out.join("static"))?;
        for program in PROGRAMS {
            copy(&programs.join(program), &folder.join(program))?;
        }
    }
    if !deb(&flags, "1", &out)? {
        return Ok(false);
    }
    if flags.check {
        return check(&flags, &out);
    }
    Ok(true)
}

/// Where cargo puts the programs.
fn programs(flags: &Flags) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root().join("target"), PathBuf::from);
    let target = if flags.linked_statically {
        target.join(STATIC_TARGET)
    } else {
        target
    };
    target.join("dist")
}

/// Manual pages with the date of the last commit, so that they are the same on every machine, and
/// completions under the names that the shells look for.
fn papers(p2pctl: &Path, out: &Path) -> Result<bool, String> {
    let mut man = command(p2pctl, &["man"]);
    man.arg(fresh(&out.join("man"))?);
    if let Some(date) = output_of(command("git", &["log", "-1", "--format=%cs"])) {
        man.args(["--date", date.trim()]);
    }
    if !step("manual pages", man)? {
        return Ok(false);
    }
    for shell in ["bash", "zsh", "fish"] {
        let folder = fresh(&out.join(shell))?;
        for program in PROGRAMS {
            let words = ["completions", shell, "--program", program];
            let script = output_of(command(p2pctl, &words))
                .ok_or_else(|| format!("no completions of {program} for {shell}"))?;
            let name = match shell {
                "zsh" => format!("_{program}"),
                "fish" => format!("{program}.fish"),
                _ => program.to_owned(),
            };
            write(&folder.join(name), &script)?;
        }
    }
    Ok(true)
}

fn deb(flags: &Flags, revision: &str, out: &Path) -> Result<bool, String> {
    let mut deb = cargo(&[
        "deb",
        "--no-build",
        "--no-dbgsym",
        "--deb-revision",
        revision,
    ]);
    deb.args(flags.build()).arg("--output").arg(out);
    step("package", deb)
}

/// Tries the package, and an upgrade to one that differs by its revision alone.
fn check(flags: &Flags, out: &Path) -> Result<bool, String> {
    for (program, package) in [
        ("mmdebstrap", "mmdebstrap"),
        ("systemd-nspawn", "systemd-container"),
    ] {
        if !is_in_path(program) {
            return Err(format!(
                "{program} is missing; Debian's package {package} brings it"
            ));
        }
    }
    let world = fresh(&out.join("check"))?;
    let tree = world.join("tree");
    let mut debian = command("mmdebstrap", &["--variant=apt"]);
    debian
        .args(["--include=systemd,dbus,adduser,procps", RELEASE])
        .arg(&tree);
    if !step("a fresh Debian", debian)? {
        return Ok(false);
    }
    let inside = fresh(&tree.join("package"))?;
    for (revision, name) in [("1", "first.deb"), ("2", "second.deb")] {
        let folder = fresh(&world.join(revision))?;
        if !deb(flags, revision, &folder)? {
            return Ok(false);
        }
        copy(&only_file(&folder)?, &inside.join(name))?;
    }
    copy(&root().join("packaging/check"), &inside.join("check"))?;
    let units = tree.join("etc/systemd/system");
    write(&units.join("package-check.service"), UNIT)?;
    let mut enable = command("systemctl", &["enable", "package-check.service"]);
    enable.arg("--root").arg(&tree);
    if !works(enable) {
        return Err("the unit of the check cannot be enabled in the tree".into());
    }
    // Whatever the container does, its own result decides.
    step("container", container(&tree))?;
    println!("{}", read(&inside.join("log")));
    Ok(read(&inside.join("result")).trim() == "0")
}

/// Boots the tree, with loopback for its only network.
fn container(tree: &Path) -> Command {
    let mut boot = command(
        "timeout",
        &[CHECK_LIMIT, "systemd-nspawn", "--quiet", "--boot"],
    );
    boot.args([
        "--private-network",
        "--register=no",
        "--keep-unit",
        "--console=pipe",
    ]);
    boot.arg("--directory").arg(tree);
    boot.stdin(std::process::Stdio::null());
    boot
}

fn only_file(folder: &Path) -> Result<PathBuf, String> {
    let mut entries = fs::read_dir(folder).map_err(|why| said(folder, &why))?;
    match entries.next() {
        Some(Ok(entry)) => Ok(entry.path()),
        _ => Err(format!("nothing in {}", folder.display())),
    }
}

/// An empty folder; what was in it is gone.
fn fresh(folder: &Path) -> Result<PathBuf, String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|why| said(folder, &why))?;
    }
    fs::create_dir_all(folder).map_err(|why| said(folder, &why))?;
    Ok(folder.to_owned())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|why| said(from, &why))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|why| said(file, &why))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

fn said(path: &Path, why: &std::io::Error) -> String {
    format!("{}: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_what_was_asked_for_and_nothing_else() {
        let flags = Flags::parse(&["--static".into(), "--check".into()]).unwrap();
        assert!(flags.check && !flags.no_build);
        assert!(flags.build().contains(&STATIC_TARGET));
        assert_eq!(Flags::default().build(), ["--profile", "dist"]);
        assert!(Flags::parse(&["--statik".into()]).is_err());
    }
}

//! Runs one command as a step: a heading, the command's own output, and how long it took.

use crate::tally::{Runner, Tally};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The root of the workspace: the folder above this crate's.
pub(crate) fn root() -> PathBuf {
    // Asked at run time first, because a checkout may be moved after it was built.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
    let here = PathBuf::from(here);
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

/// A command that runs at the root, without what the outer `cargo run` added to the environment.
///
/// Some build scripts (ring's for one) are run again whenever these variables change, and would
/// rebuild half of the dependencies each time `cargo build` and `cargo xtask` take turns.
pub(crate) fn command(program: impl Into<OsString>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.into());
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The cargo that runs us, so that nested calls use the same toolchain.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    command(cargo, arguments)
}

/// Whether a command can be run and ends well; its output is dropped.
pub(crate) fn works(mut command: Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a command prints on standard output, when it ends well.
pub(crate) fn output_of(mut command: Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    String::from_utf8(text).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask is a driver: it measures its steps"
)]
fn clock() -> Instant {
    Instant::now()
}

/// Runs a step with its output as it is; says whether it succeeded.
pub(crate) fn step(name: &str, mut command: Command) -> Result<bool, String> {
    let began = heading(name, &command);
    let status = command.status().map_err(|why| cannot_run(&command, &why))?;
    footing(name, began.elapsed(), status.success());
    Ok(status.success())
}

/// Runs a step, passes its output through line by line, and counts the test results in it.
pub(crate) fn counted_step(
    name: &str,
    runner: Runner,
    mut command: Command,
) -> Result<(bool, Tally), String> {
    let began = heading(name, &command);
    if io::stderr().is_terminal() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| cannot_run(&command, &why))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // cargo test reports on standard output, nextest on standard error.
    let (from_stdout, from_stderr) = thread::scope(|scope| {
        let errors = scope.spawn(|| stderr.map(|pipe| pass_through(runner, pipe, io::stderr())));
        let output = stdout.map(|pipe| pass_through(runner, pipe, io::stdout()));
        (
            output.unwrap_or_default(),
            errors.join().ok().flatten().unwrap_or_default(),
        )
    });
    let status = child.wait().map_err(|why| cannot_run(&command, &why))?;
    footing(name, began.elapsed(), status.success());
    Ok((status.success(), from_stdout.plus(from_stderr)))
}

/// Copies lines, counting as they pass. Output that cannot be written is counted all the same.
fn pass_through(runner: Runner, source: impl Read, mut sink: impl Write) -> Tally {
    let mut source = BufReader::new(source);
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while source
        .read_until(b'\n', &mut line)
        .is_ok_and(|count| count > 0)
    {
        sink.write_all(&line).and_then(|()| sink.flush()).ok();
        tally = tally.plus(Tally::of_line(runner, &String::from_utf8_lossy(&line)));
        line.clear();
    }
    tally
}

fn heading(name: &str, command: &Command) -> Instant {
    println!("\n== {name}: {}", shown(command));
    clock()
}

fn footing(name: &str, took: Duration, good: bool) {
    let verdict = if good { "ok" } else { "FAILED" };
    println!("== {name}: {verdict} in {:.1} s", took.as_secs_f64());
}

fn cannot_run(command: &Command, why: &io::Error) -> String {
    format!("cannot run `{}`: {why}", shown(command))
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy();
    let mut text = program.into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

//! What packages carry besides the programs, made from their command lines: completions for shells,
//! and manual pages. No node is asked.

use super::failure::CtlError;
use super::output::{Answer, Exit, document};
use super::{CtlArgs, Document};
use crate::{command_line, p2psim};
use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// What all pages are a part of, as their last line has it.
const MANUAL: &str = "p2pnode";

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: ShellName,

    /// The program whose command line is completed
    #[arg(long, value_enum, default_value_t)]
    program: Program,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Where the pages go; made if needed
    #[arg(value_name = "DIR")]
    out: PathBuf,

    /// The date that the pages bear [default: today]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    date: Option<String>,
}

/// A day, as pages bear it.
fn date(text: &str) -> Result<String, String> {
    humantime::parse_rfc3339(&format!("{text}T00:00:00Z"))
        .map(|_| text.to_owned())
        .map_err(|_| "a date is YYYY-MM-DD".to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program that runs once is a driver: pages bear the day"
)]
fn today() -> String {
    let now = humantime::format_rfc3339(std::time::SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

/// The shells that are looked after: tests load what they are given.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

impl From<ShellName> for Shell {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Zsh => Self::Zsh,
            ShellName::Fish => Self::Fish,
        }
    }
}

/// The programs of this package.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Program {
    #[default]
    P2pctl,
    P2pnode,
    P2psim,
}

impl Program {
    const ALL: [Self; 3] = [Self::P2pctl, Self::P2pnode, Self::P2psim];

    fn command(self) -> clap::Command {
        match self {
            Self::P2pctl => CtlArgs::command(),
            Self::P2pnode => command_line::Cli::command(),
            Self::P2psim => p2psim::cli::Cli::command(),
        }
    }

    /// The section of the manual: user commands, and daemons.
    const fn section(self) -> &'static str {
        match self {
            Self::P2pnode => "8",
            Self::P2pctl | Self::P2psim => "1",
        }
    }
}

/// The script that makes a shell complete a program's command line.
pub(super) fn completions(args: &CompletionsArgs) -> Answer {
    let mut command = args.program.command();
    let name = command.get_name().to_owned();
    let shell = Shell::from(args.shell);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, &name, &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    let json = json!({ "program": name, "shell": shell.to_string(), "script": script });
    Answer::new(Exit::Done, document(json), script)
}

/// Writes the manual pages of all programs and their commands.
pub(super) fn man(args: &ManArgs, context: &mut Document) -> Result<Answer, CtlError> {
    context.insert("out".to_owned(), args.out.to_string_lossy().into());
    let failed = |error: io::Error| {
        let out = args.out.display();
        CtlError::Local(format!("cannot write the pages to {out}: {error}"))
    };
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    let date = args.date.clone().unwrap_or_else(today);
    let mut names = Vec::new();
    for program in Program::ALL {
        let mut command = program.command().disable_help_subcommand(true);
        command.build();
        write_pages((program, &date), &command, &args.out, &mut names).map_err(failed)?;
    }
    let text = format!("{} pages in {}", names.len(), args.out.display());
    let json = json!({ "out": args.out.to_string_lossy(), "pages": names });
    Ok(Answer::new(Exit::Done, document(json), text))
}

/// Writes the page of a command, and those of the commands below it.
fn write_pages(
    about: (Program, &str),
    command: &clap::Command,
    out: &Path,
    names: &mut Vec<String>,
) -> io::Result<()> {
    let (program, date) = about;
    let page = Man::new(command.clone())
        .section(program.section())
        .date(date)
        .source(concat!("p2pnode ", env!("CARGO_PKG_VERSION")))
        .manual(MANUAL);
    let mut bytes = Vec::new();
    page.render(&mut bytes)?;
    see_also(program).to_writer(&mut bytes)?;
    let name = page.get_filename();
    std::fs::write(out.join(&name), clean(&String::from_utf8_lossy(&bytes)))?;
    names.push(name);
    for below in command.get_subcommands() {
        write_pages(about, below, out, names)?;
    }
    Ok(())
}

/// The page without what `mandoc -Tlint` and `groff -ww` complain of: blank lines between breaks, and
/// letters that older readers do not take as they are.
fn clean(page: &str) -> String {
    let mut clean = String::with_capacity(page.len());
    for letter in page.replace("\n.br\n\n.br\n", "\n.sp\n").chars() {
        if letter.is_ascii() {
            clean.push(letter);
        } else {
            clean += &format!("\\[u{:04X}]", u32::from(letter));
        }
    }
    clean
}

/// The other programs, and for the daemon the files that its unit names.
fn see_also(program: Program) -> Roff {
    let mut roff = Roff::default();
    if matches!(program, Program::P2pnode) {
        roff.control("SH", ["FILES"]);
        for (file, what) in [
            (
                "/etc/p2pnode/p2pnode.toml",
                "Settings of the system's node.",
            ),
            (
                "/var/lib/p2pnode",
                "Its data directory: its key, and its records.",
            ),
        ] {
            roff.control("TP", []);
            roff.text([bold(file)]);
            roff.text([roman(what)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    let mut words = Vec::new();
    for other in Program::ALL {
        if !words.is_empty() {
            words.push(roman(", "));
        }
        words.push(bold(other.command().get_name()));
        words.push(roman(format!("({})", other.section())));
    }
    roff.text(words);
    roff
}

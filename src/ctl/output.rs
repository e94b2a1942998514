//! What goes to the terminal: one document, or a few aligned lines with their evidence.

use base64::Engine as _;
use bytes::Bytes;
use overlay::Outcome;
use serde_json::{Map, Value};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// Done or found.
    Done = 0,
    /// Proven absent, or a condition that does not hold.
    Absent = 1,
    /// Wrong use.
    WrongUse = 2,
    /// Unknown or failed.
    Unknown = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Found => Self::Done,
            Outcome::Absent => Self::Absent,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// An outcome as the contract writes it.
pub(super) const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Found => "found",
        Outcome::Absent => "absent",
        Outcome::Unknown => "unknown",
    }
}

/// Bytes as the contract writes them.
pub(super) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The fields of a document; empty for anything else.
pub(super) fn document(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The answer of a command, ready to print.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) exit: Exit,
    /// The document of `--json`.
    pub(super) json: Map<String, Value>,
    /// The lines for a person.
    pub(super) text: String,
    /// Bytes for standard output; the lines go to standard error then.
    pub(super) raw: Option<Bytes>,
}

impl Answer {
    pub(super) const fn new(exit: Exit, json: Map<String, Value>, text: String) -> Self {
        Self {
            exit,
            json,
            text,
            raw: None,
        }
    }

    /// Everything was printed already.
    pub(super) fn silent() -> Self {
        Self::new(Exit::Done, Map::new(), String::new())
    }

    /// Prints it; a reader that went away is no error.
    pub(super) fn print(self, as_json: bool) -> ExitCode {
        if as_json {
            // Of a batch every line has been printed already.
            let lost = !self.json.is_empty() && !print_json(self.json);
            return if lost { Exit::Unknown } else { self.exit }.into();
        }
        if self.text.is_empty() && self.raw.is_none() {
            return self.exit.into();
        }
        if let Some(bytes) = &self.raw {
            let mut out = std::io::stdout().lock();
            let ends_line = bytes.last() == Some(&b'\n');
            // On a terminal the evidence must not run on from the value.
            let tail: &[u8] = if out.is_terminal() && !ends_line {
                b"\n"
            } else {
                b""
            };
            let written = out.write_all(bytes).and_then(|()| out.write_all(tail));
            let written = written.and_then(|()| out.flush());
            if let Err(error) = written
                && error.kind() != std::io::ErrorKind::BrokenPipe
            {
                print_error(&format!(
                    "cannot write the value to standard output: {error}"
                ));
                return Exit::Unknown.into();
            }
        }
        if self.exit == Exit::Done && self.raw.is_none() {
            let painted = paint(&self.text, self.exit, std::io::stdout().is_terminal());
            if !was_written(writeln!(std::io::stdout(), "{painted}")) {
                return Exit::Unknown.into();
            }
        } else {
            let painted = paint(&self.text, self.exit, std::io::stderr().is_terminal());
            let _ = writeln!(std::io::stderr(), "{painted}");
        }
        self.exit.into()
    }
}

/// Prints the one document of `--json`; false when standard output did not take it.
pub(super) fn print_json(document: Map<String, Value>) -> bool {
    was_written(writeln!(std::io::stdout(), "{}", Value::Object(document)))
}

/// Whether standard output took what was written; that its reader went away is no error.
fn was_written(result: std::io::Result<()>) -> bool {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            print_error(&format!(
                "the answer cannot be written to standard output: {error}"
            ));
            false
        }
        _ => true,
    }
}

/// Prints the one line of a failure.
pub(super) fn print_error(line: &str) {
    let painted = paint(
        &format!("p2pctl: {line}"),
        Exit::WrongUse,
        std::io::stderr().is_terminal(),
    );
    let _ = writeln!(std::io::stderr(), "{painted}");
}

/// Colours the first word of a text by how it went, on a terminal whose owner wants colour.
fn paint(text: &str, exit: Exit, terminal: bool) -> String {
    let wanted = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let end = text.find(':').map_or(0, |at| at + 1);
    if !wanted
        || end == 0
        || text
            .get(..end)
            .is_none_or(|word| word.contains(char::is_whitespace))
    {
        return text.to_owned();
    }
    let colour = match exit {
        Exit::Done => 32,
        Exit::Absent => 33,
        Exit::WrongUse | Exit::Unknown => 31,
    };
    let (word, rest) = text.split_at(end);
    format!("\x1b[1;{colour}m{word}\x1b[0m{rest}")
}

/// Lines of two columns, the first padded to the widest.
pub(super) fn aligned(rows: &[(String, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<_> = rows
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}").trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// `1 holder`, `2 holders`.
pub(super) fn count_of(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_the_widest_name() {
        let rows = [
            ("id".to_owned(), "x".to_owned()),
            ("listen".to_owned(), "y".to_owned()),
        ];
        assert_eq!(aligned(&rows), "id      x\nlisten  y");
    }

    #[test]
    fn nothing_is_coloured_off_a_terminal() {
        assert_eq!(paint("stored: 1", Exit::Done, false), "stored: 1");
    }
}

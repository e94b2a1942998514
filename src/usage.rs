//! Wrong use of the command line, said in one line.

use clap::error::ErrorKind;

/// Whether the user asked for what the parser prints: help or the version. A command line that
/// says nothing at all gets the help too, as an error.
#[must_use]
pub fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// What is wrong, and the parser's guess at what was meant, on one line.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let joined = |part: &str| part.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let mut parts = text.split("\n\n").map(joined);
    let said = parts.next().unwrap_or_default();
    let said = said.strip_prefix("error: ").unwrap_or(&said).to_owned();
    match parts.find(|part| part.starts_with("tip: ")) {
        Some(tip) => format!("{said} ({})", tip.trim_start_matches("tip: ")),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Args {
        #[arg(long)]
        #[allow(dead_code)]
        listen: u16,
    }

    fn refused(arguments: &[&str]) -> clap::Error {
        let all = std::iter::once(&"program").chain(arguments);
        Args::try_parse_from(all).unwrap_err()
    }

    #[test]
    fn every_refusal_is_one_line_that_names_what_was_wrong() {
        for (arguments, named) in [
            (&["--listne", "1"][..], "--listen"),
            (&["--listen", "x"], "--listen"),
            (&[], "--listen"),
            (&["--listen", "1", "more"], "more"),
        ] {
            let line = one_line(&refused(arguments));
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(line.contains(named), "{line}");
            assert!(
                !line.starts_with("error") && !line.contains("Usage"),
                "{line}"
            );
        }
        assert!(is_help(&refused(&["--help"])));
    }
}

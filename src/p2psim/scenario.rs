//! Experiments described in a file: the flags' names as keys of a TOML table.

use super::cli::Cli;
use clap::{CommandFactory, Parser};
use std::path::Path;

/// The experiments that a scenario may name.
const EXPERIMENTS: [&str; 8] = [
    "lookup", "churn", "faults", "loss", "repair", "nearest", "search", "tracker",
];

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario {path}: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// It is not TOML.
    #[error("the scenario is not valid TOML: {0}")]
    NotToml(String),
    /// It names no experiment, or one that there is not.
    #[error(
        "a scenario needs `experiment = \"lookup\"`, \"churn\", \"faults\", \"loss\", \"repair\", \"nearest\", \"search\" or \"tracker\""
    )]
    NoExperiment,
    /// A key that is no flag of the experiment.
    #[error("unknown key `{key}`; the experiment `{experiment}` knows: {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The experiment.
        experiment: String,
        /// The keys that it knows.
        known: String,
    },
    /// A value that is neither text, nor a number, nor true or false.
    #[error("the value of `{0}` must be text, a number, or true or false")]
    WrongValue(String),
    /// A value that the flag does not take.
    #[error(transparent)]
    WrongUse(#[from] clap::Error),
}

/// Reads a scenario.
///
/// # Errors
/// When it cannot be read, or says something that the command line would not take.
pub fn read(path: &Path) -> Result<Cli, ScenarioError> {
    let text = std::fs::read_to_string(path).map_err(|cause| ScenarioError::Unreadable {
        path: path.display().to_string(),
        cause,
    })?;
    parse(&text)
}

/// Turns the text of a scenario into the command line that means the same.
///
/// # Errors
/// When it says something that the command line would not take.
pub fn parse(text: &str) -> Result<Cli, ScenarioError> {
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| ScenarioError::NotToml(error.to_string()))?;
    let experiment = table.get("experiment").and_then(toml::Value::as_str);
    let experiment = experiment.filter(|name| EXPERIMENTS.contains(name));
    let experiment = experiment.ok_or(ScenarioError::NoExperiment)?;
    let known = known_keys(experiment);
    let mut words = vec!["p2psim".to_owned(), experiment.to_owned()];
    for (key, value) in table.iter().filter(|(key, _)| *key != "experiment") {
        if !known.contains(key) {
            return Err(ScenarioError::UnknownKey {
                key: key.clone(),
                experiment: experiment.to_owned(),
                known: known.join(", "),
            });
        }
        match value {
            toml::Value::Boolean(true) => words.push(format!("--{key}")),
            toml::Value::Boolean(false) => (),
            toml::Value::String(text) => words.push(format!("--{key}={text}")),
            toml::Value::Integer(_) | toml::Value::Float(_) => {
                words.push(format!("--{key}={value}"));
            }
            _ => return Err(ScenarioError::WrongValue(key.clone())),
        }
    }
    Ok(Cli::try_parse_from(words)?)
}

fn known_keys(experiment: &str) -> Vec<String> {
    let command = Cli::command();
    let arguments = command
        .find_subcommand(experiment)
        .map(clap::Command::get_arguments);
    let names = arguments
        .into_iter()
        .flatten()
        .filter_map(clap::Arg::get_long);
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cli::{Experiment, Fraction};
    use super::*;

    #[test]
    fn a_scenario_means_what_its_flags_mean() {
        let text =
            "experiment = \"lookup\"\nnodes = 500\nfail = 0.3\niterative = true\njson = false";
        let Experiment::Lookup(args) = parse(text).unwrap().experiment else {
            panic!("the scenario is a lookup");
        };
        assert_eq!(
            (args.nodes, args.lookups, args.iterative, args.json),
            (500, 10_000, true, false)
        );
        assert_eq!(
            args.fail,
            Fraction {
                parts_per_million: 300_000
            }
        );
    }

    #[test]
    fn a_wrong_scenario_says_what_is_wrong() {
        let text = |scenario: &str| parse(scenario).unwrap_err().to_string();
        assert!(text("nodes = 1").contains("a scenario needs `experiment"));
        assert!(text("experiment = \"run\"").contains("a scenario needs `experiment"));
        let unknown = text("experiment = \"churn\"\nnode = 1");
        assert!(unknown.starts_with("unknown key `node`; the experiment `churn` knows: "));
        assert!(unknown.contains("joins-per-s"), "{unknown}");
        assert!(text("experiment = ").contains("not valid TOML"));
        assert!(text("experiment = \"lookup\"\nnodes = [1]").contains("the value of `nodes`"));
        assert!(text("experiment = \"lookup\"\nnodes = 0").contains("--nodes"));
        assert!(text("experiment = \"lookup\"\noverlay = \"gnutella\"").contains("not simulate"));
    }
}

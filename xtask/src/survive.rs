//! `cargo xtask survive`: real processes killed, stopped, added, removed and cut off from each
//! other while clients write and read.

use crate::steps::{cargo, step};

pub(crate) const HELP: &str = "\
Kill or stop one of 12 real nodes every second for two minutes, add two and remove two, while
clients write and read; then find everything that was acknowledged, at every node.

Usage: cargo xtask survive [--overlay O] [--seed S] [--seconds T] [--namespaces] [--patient] [--keep]

  --overlay O    The overlay, as p2pnode takes it [default: chord]
  --seed S       Who is hit when, and what clients ask [default: one that is printed]
  --seconds T    How long nodes are killed and stopped [default: 120]
  --namespaces   In network namespaces with addresses of their own, which are also cut off from
                 each other; needs root and `ip`
  --patient      Wait in the end, up to 15 minutes, until absence is proven again
  --keep         Keep logs and histories also when nothing is wrong

What fails is printed with the history of its key, and logs and histories are kept.
";

/// Variables that tell the test what to do, and the test.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    test: &'static str,
    variables: Vec<(&'static str, String)>,
}

impl Plan {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut plan = Self {
            test: "processes_die_every_second",
            variables: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut set = |name, value| plan.variables.push((name, value));
            match word.as_str() {
                "--namespaces" => plan.test = "namespaces_are_cut_off_too",
                "--patient" => set("SURVIVAL_PATIENT", "1".to_owned()),
                "--keep" => set("SURVIVAL_KEEP", "1".to_owned()),
                "--overlay" => set("SURVIVAL_OVERLAY", value_of(word, words.next())?),
                "--seed" => set("SURVIVAL_SEED", number_of(word, words.next())?),
                "--seconds" => set("SURVIVAL_SECONDS", number_of(word, words.next())?),
                unknown => return Err(format!("unknown flag `{unknown}`; see --help")),
            }
        }
        Ok(plan)
    }
}

fn value_of(flag: &str, value: Option<&String>) -> Result<String, String> {
    value
        .cloned()
        .ok_or_else(|| format!("{flag} needs a value; see --help"))
}

fn number_of(flag: &str, value: Option<&String>) -> Result<String, String> {
    let value = value_of(flag, value)?;
    let number = value.parse::<u64>();
    number
        .map(|number| number.to_string())
        .map_err(|_| format!("{flag} takes a number, not `{value}`"))
}

/// Runs the verb.
pub(crate) fn run(words: &[String]) -> Result<bool, String> {
    let plan = Plan::parse(words)?;
    let mut test = cargo(&["test", "--test", "survival", plan.test, "--", "--nocapture"]);
    test.envs(plan.variables);
    step("survival", test)
}

#[cfg(test)]
mod tests {
    use super::Plan;

    fn parse(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Plan::parse(&words)
    }

    #[test]
    fn flags_become_variables() {
        let plan = parse("--overlay chord --seed 7 --namespaces").unwrap();
        assert_eq!(plan.test, "namespaces_are_cut_off_too");
        let expected = [("SURVIVAL_OVERLAY", "chord"), ("SURVIVAL_SEED", "7")];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(plan.variables, expected);
    }

    #[test]
    fn wrong_use_is_refused() {
        assert!(parse("--seed").is_err());
        assert!(parse("--seed x").unwrap_err().contains("`x`"));
        assert!(parse("--fast").is_err());
    }
}

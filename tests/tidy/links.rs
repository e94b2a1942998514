//! Finds links in Markdown that lead to a file that is not there.

use crate::tree::{folder_of, resolve};

/// Lists the broken links of one file. Links to other hosts are not followed.
pub(crate) fn broken(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    let mut in_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(&without_code(line)) {
            let file = target.split('#').next().unwrap_or_default();
            let leads = resolve(folder_of(path), file).is_some_and(|file| exists(&file));
            if !file.is_empty() && !leads {
                findings.push(format!("{path}:{}: {target}", number + 1));
            }
        }
    }
    findings
}

/// The targets of `[text](target)` and `[name]: target` that are files.
fn targets(line: &str) -> Vec<&str> {
    let inline = line
        .match_indices("](")
        .filter_map(|(at, opening)| line[at + opening.len()..].split([')', ' ']).next());
    let reference = line
        .starts_with('[')
        .then(|| {
            line.split_once("]: ")
                .and_then(|(_, rest)| rest.split(' ').next())
        })
        .flatten();
    inline
        .chain(reference)
        .filter(|target| !is_elsewhere(target))
        .collect()
}

fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// The line without its `code`.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[test]
fn a_broken_link_is_found() {
    let exists = |file: &str| ["a.md", "docs/b.md"].contains(&file);
    for good in [
        "[x](a.md) [y](docs/b.md#part)",
        "[x](#part) [y](https://a.org/c.md) [z](mailto:a@b.c)",
        "`[x](c.md)`",
        "```\n[x](c.md)\n```",
        "[x]: a.md",
    ] {
        assert_eq!(
            broken("README.md", good, &exists),
            Vec::<String>::new(),
            "{good}"
        );
    }
    assert_eq!(
        broken("docs/b.md", "[x](../a.md)", &exists),
        Vec::<String>::new()
    );
    for bad in [
        "[x](c.md)",
        "![x](c.svg \"t\")",
        "[x]: c.md",
        "[x](../a.md)",
        "[x](/a.md)",
    ] {
        assert_eq!(broken("README.md", bad, &exists).len(), 1, "{bad}");
    }
}

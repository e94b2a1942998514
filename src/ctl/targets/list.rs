//! The list of targets as a file, and what stays in it: nodes that are silent now are scraped for a day
//! more, because an alert about a node needs its series.

use super::super::CtlError;
use crate::crawl::MAX_NODES;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::path::Path;

/// How long a silent node stays: a night and a morning, until somebody has seen the alert.
const KEPT_S: u64 = 24 * 60 * 60;
/// The longest list that is read: 100 bytes for each of twice as many nodes as a picture can have.
const MAX_BYTES: u64 = MAX_NODES as u64 * 200;

/// One entry of the file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) targets: Vec<String>,
    labels: Labels,
}

/// What is known of targets before they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Labels {
    /// Which overlay they run; not a label of the series, where `p2p_build_info` has its own. Prometheus
    /// drops labels with such names.
    #[serde(rename = "__meta_p2p_overlay", default)]
    overlay: String,
    /// Since when they are silent, in seconds since 1970.
    #[serde(
        rename = "__meta_p2p_silent_since",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    silent_since: Option<String>,
}

/// A target that stays though its node did not answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    pub(super) target: String,
    /// For how long it has been silent, as far as is known.
    pub(super) silent_s: u64,
}

/// The new list, and who of the old one stays in it.
pub(super) fn groups(
    overlay: &str,
    answered: &[SocketAddr],
    old: &[Group],
    now_s: u64,
) -> (Vec<Group>, Vec<Kept>) {
    let targets: Vec<String> = answered.iter().map(ToString::to_string).collect();
    let kept = kept(&targets, old, now_s);
    let labels = |since: Option<u64>| Labels {
        overlay: overlay.to_owned(),
        silent_since: since.map(|since| since.to_string()),
    };
    let mut by_time: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for one in &kept {
        let since = now_s.saturating_sub(one.silent_s);
        by_time.entry(since).or_default().push(one.target.clone());
    }
    let silent = by_time.into_iter().map(|(since, targets)| Group {
        targets,
        labels: labels(Some(since)),
    });
    let alive = Group {
        targets,
        labels: labels(None),
    };
    (std::iter::once(alive).chain(silent).collect(), kept)
}

/// Those of the old list that are not in the new one and not silent for too long, the latest first.
fn kept(answered: &[String], old: &[Group], now_s: u64) -> Vec<Kept> {
    let mut seen: BTreeSet<&str> = answered.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    for group in old {
        let since = group.labels.silent_since.as_deref();
        let since = since.and_then(|text| text.parse().ok()).unwrap_or(now_s);
        // A clock may have been set back.
        let silent_s = now_s.saturating_sub(since);
        let targets = group.targets.iter();
        let new = targets.filter(|target| silent_s < KEPT_S && seen.insert(target));
        all.extend(new.map(|target| Kept {
            target: target.clone(),
            silent_s,
        }));
    }
    all.sort_by(|one, other| (one.silent_s, &one.target).cmp(&(other.silent_s, &other.target)));
    all.truncate(MAX_NODES);
    all
}

/// The list that a file has now; empty where there is none.
pub(super) fn read(path: &Path) -> Result<Vec<Group>, CtlError> {
    let unread = |why: &dyn std::fmt::Display| {
        CtlError::WrongUse(format!(
            "{}: cannot be taken as the last list ({why}); name another file with --out, or begin it anew with --forget",
            path.display()
        ))
    };
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(|error| unread(&error))?,
    };
    let mut bytes = Vec::new();
    let mut limited = file.take(MAX_BYTES + 1);
    let read = limited.read_to_end(&mut bytes);
    read.map_err(|error| unread(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unread(&format_args!("longer than {MAX_BYTES} bytes")));
    }
    serde_json::from_slice(&bytes).map_err(|error| unread(&error))
}

/// Writes the file at once: Prometheus reads it as soon as it changes, and must not see half of it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CtlError> {
    let unfinished = path.with_extension(format!("json.{}", std::process::id()));
    let written =
        std::fs::write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, path));
    written.map_err(|error| {
        // Nobody reads what is unfinished.
        let _ = std::fs::remove_file(&unfinished);
        let hint = match error.kind() {
            ErrorKind::NotFound => "make its folder first, or name",
            _ => "name",
        };
        CtlError::Local(format!(
            "cannot write {}: {error}; {hint} another file with --out",
            path.display()
        ))
    })
}

/// Prometheus takes JSON from files with such names only.
pub(super) fn check_name(path: &Path) -> Result<(), CtlError> {
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return Ok(());
    }
    let why =
        "Prometheus takes JSON from files whose names end in .json; name another one with --out";
    Err(CtlError::WrongUse(format!("{}: {why}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(ports: &[u16]) -> Vec<SocketAddr> {
        let of = |port: &u16| SocketAddr::from(([192, 0, 2, 1], *port));
        ports.iter().map(of).collect()
    }

    /// The list after one with these ports, and how long each that is kept was silent.
    fn next(ports: &[u16], old: &[Group], now_s: u64) -> (Vec<Group>, Vec<u64>) {
        let (made, kept) = groups("chord", &addrs(ports), old, now_s);
        (made, kept.iter().map(|one| one.silent_s).collect())
    }

    #[test]
    fn who_is_silent_stays_for_a_day_after_it_was_seen() {
        let (old, _) = next(&[1, 2], &[], 1_000);
        assert_eq!(old.len(), 1);
        let (missed, silent) = next(&[1], &old, 2_000);
        assert_eq!(silent, [0]);
        assert_eq!(missed[1].targets, ["192.0.2.1:2"]);
        let (missed, silent) = next(&[1], &missed, 2_000 + KEPT_S - 1);
        assert_eq!(silent, [KEPT_S - 1], "the first time counts");
        assert_eq!(next(&[1], &missed, 2_000 + KEPT_S).1, [0; 0]);
        let (back, silent) = next(&[1, 2], &missed, 5_000);
        assert_eq!((back.len(), silent.len()), (1, 0), "no longer silent");
        assert_eq!(next(&[1], &missed, 10).1, [0], "a clock that was set back");
    }

    #[test]
    fn a_list_is_read_as_it_was_written_and_another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.json");
        assert_eq!(read(&path).unwrap(), []);
        let (old, _) = next(&[1, 2], &[], 1_000);
        let (list, _) = next(&[2], &old, 2_000);
        replace(&path, &serde_json::to_vec(&list).unwrap()).unwrap();
        assert_eq!(read(&path).unwrap(), list);
        std::fs::write(&path, "no list").unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(refused.contains("--forget"), "{refused}");
    }
}

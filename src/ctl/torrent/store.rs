//! `torrent add` and `torrent get`: the metainfo as a value under its info-hash.
//!
//! A torrent of version 2 is stored under the first 20 bytes of its hash, as clients announce it
//! (BEP 52); one of both versions under both hashes, with its words under that of version 1 alone, so
//! that it is listed once.

use super::tree::unread;
use super::{AddArgs, FetchArgs, hex};
use crate::ctl::commands::{complete, durable, evidence, not_found, write_file};
use crate::ctl::output::{Answer, Exit, aligned, base64, count_of, outcome_word};
use crate::ctl::{Asking, CtlError, Document, wrong_answer_of};
use bytes::Bytes;
use indicatif::{DecimalBytes, HumanCount};
use overlay::{Condition, GetReport, MAX_VALUE_BYTES, Outcome, PutReport, Reply, Request};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tracker::metainfo::{Description, Metainfo};
use tracker::{HASH_BYTES, InfoHash};

/// A hash as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ctl) struct WantedHash {
    /// What it is stored under.
    key: InfoHash,
    /// The whole hash, when it was one of version 2.
    v2: Option<[u8; 32]>,
}

/// Parses 40 or 64 hexadecimal digits.
pub(super) fn wanted_hash(text: &str) -> Result<WantedHash, String> {
    let wrong = || {
        let digits = text.chars().count();
        format!(
            "an info-hash is 40 hexadecimal digits, or 64 of version 2, and this is {digits} characters; \
             `p2pctl search --text WORDS` lists the hashes of what is stored"
        )
    };
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.ok_or_else(wrong)?;
    // Two digits are below 256.
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | *digit as u8))
        .collect();
    let mut key = InfoHash::default();
    let v2 = match digits.len() {
        40 => None,
        64 => Some(bytes.as_slice().try_into().map_err(|_| wrong())?),
        _ => return Err(wrong()),
    };
    for (to, from) in key.0.iter_mut().zip(bytes.iter().take(HASH_BYTES)) {
        *to = *from;
    }
    Ok(WantedHash { key, v2 })
}

impl WantedHash {
    fn is_of(&self, metainfo: &Metainfo) -> bool {
        match self.v2 {
            Some(v2) => metainfo.v2 == Some(v2),
            None => metainfo.hashes().any(|hash| hash == self.key),
        }
    }
}

pub(super) async fn add(
    asking: Asking,
    args: AddArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    context.insert("file".to_owned(), json!(args.file.to_string_lossy()));
    let value = read(&args.file)?;
    let metainfo = Metainfo::parse(&value).map_err(|error| {
        CtlError::WrongUse(format!(
            "{} is not a torrent: {error}; make one with `p2pctl torrent make PATH`",
            args.file.display()
        ))
    })?;
    let hashes: Vec<InfoHash> = metainfo.hashes().collect();
    let keys: Vec<String> = hashes.iter().map(InfoHash::to_string).collect();
    context.insert("key".to_owned(), json!(keys.first()));
    let mut text = Description::encode(&metainfo);
    let mut session = asking.open().await?;
    let mut stored: Option<PutReport> = None;
    for hash in hashes {
        let request = Request::Put {
            key: hash.into(),
            value: value.clone(),
            ttl_s: args.ttl,
            consistency: args.consistency.into(),
            condition: Condition::Always,
            text: std::mem::take(&mut text),
            indexed: None,
        };
        let Reply::Put(report) = asking.data(&mut session, request).await? else {
            return Err(wrong_answer_of("put"));
        };
        stored = stored.or(Some(report));
    }
    session.close().await;
    let report = stored.ok_or_else(|| wrong_answer_of("put"))?;
    Ok(added(context, &metainfo, &report, &keys, value.len()))
}

/// A torrent file, unless it is larger than a value may be.
fn read(path: &Path) -> Result<Bytes, CtlError> {
    let mut bytes = Vec::new();
    // One byte more than the limit: enough to see that it is passed.
    let limit = MAX_VALUE_BYTES as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| unread(path, &error))?;
    if bytes.len() > MAX_VALUE_BYTES {
        return Err(CtlError::WrongUse(format!(
            "{} has more than {MAX_VALUE_BYTES} bytes (1 MiB), which is the largest value; \
             share its folders one by one, or make it with larger pieces",
            path.display()
        )));
    }
    Ok(bytes.into())
}

fn added(
    context: &Document,
    metainfo: &Metainfo,
    report: &PutReport,
    keys: &[String],
    bytes: usize,
) -> Answer {
    let magnet = metainfo.magnet();
    let PutReport {
        key,
        version,
        replicas_durable,
        replicas,
    } = report;
    let json = json!({
        "outcome": "stored", "key": key, "keys": keys, "version": version.to_string(),
        "replicas_durable": replicas_durable, "replicas": replicas, "bytes": bytes,
        "torrent": torrent_json(metainfo), "magnet": magnet,
    });
    let rows = [
        ("torrent".to_owned(), summary(metainfo)),
        ("hash".to_owned(), keys.join(", ")),
        ("magnet".to_owned(), magnet.clone()),
    ];
    let text = format!(
        "stored: {} under {key}, version {version}, {}\n{}",
        count_of(bytes as u64, "byte"),
        durable(*replicas_durable, *replicas),
        aligned(&rows)
    );
    Answer::new(Exit::Done, complete(context, json), text)
}

fn torrent_json(metainfo: &Metainfo) -> Value {
    json!({
        "name": metainfo.name, "length": metainfo.length, "files": metainfo.files,
        "v1": metainfo.v1.map(|v1| v1.to_string()), "v2": metainfo.v2.map(|v2| hex(&v2)),
    })
}

fn summary(metainfo: &Metainfo) -> String {
    format!(
        "{}, {} {} of {}",
        crate::ctl::holders::printable(&metainfo.name),
        HumanCount(metainfo.files as u64),
        if metainfo.files == 1 { "file" } else { "files" },
        DecimalBytes(metainfo.length)
    )
}

pub(super) async fn get(
    asking: Asking,
    args: FetchArgs,
    context: &mut Document,
) -> Result<Answer, CtlError> {
    let wanted = args.hash;
    context.insert("key".to_owned(), json!(wanted.key.to_string()));
    let request = Request::Get {
        key: wanted.key.into(),
        consistency: args.consistency.into(),
        at_least: None,
    };
    let Reply::Got(report) = asking.data_once(request).await? else {
        return Err(wrong_answer_of("get"));
    };
    let (report, metainfo) = checked(report, &wanted);
    let GetReport {
        outcome,
        value,
        version,
        replicas_answered,
        replicas_asked,
        reason,
        reached,
        ..
    } = report;
    let json = complete(
        context,
        json!({
            "outcome": outcome_word(outcome), "version": version.map(|version| version.to_string()),
            "value_base64": value.as_ref().map(|value| base64(value)),
            "torrent": metainfo.as_ref().map(torrent_json),
            "replicas_answered": replicas_answered, "replicas_asked": replicas_asked,
            "reason": reason, "nodes_reached": reached,
        }),
    );
    let evidence = evidence(
        (replicas_answered, replicas_asked),
        reached,
        reason.as_deref(),
    );
    let (Some(value), Some(metainfo)) = (value, metainfo) else {
        let what = format!("no torrent under {}", wanted.key);
        return Ok(Answer::new(
            outcome.into(),
            json,
            not_found(outcome, &what, &evidence),
        ));
    };
    let text = format!("found: {}, it has the hash; {evidence}", summary(&metainfo));
    let Some(out) = &args.out else {
        return Ok(Answer {
            exit: Exit::Done,
            json,
            text,
            raw: Some(value),
        });
    };
    write_file(out, &value)?;
    let text = format!("{text}, written to {}", out.display());
    Ok(Answer::new(Exit::Done, json, text))
}

/// Anybody can store anything under a key: what has another hash is no answer.
fn checked(mut report: GetReport, wanted: &WantedHash) -> (GetReport, Option<Metainfo>) {
    let Some(value) = &report.value else {
        return (report, None);
    };
    let said = match Metainfo::parse(value) {
        Ok(metainfo) if wanted.is_of(&metainfo) => return (report, Some(metainfo)),
        Ok(_) => "what is stored there is a torrent of another hash".to_owned(),
        Err(error) => format!("what is stored there is no torrent: {error}"),
    };
    report.outcome = Outcome::Unknown;
    report.value = None;
    report.reason = Some(said);
    (report, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_have_40_or_64_digits() {
        let short = "00112233445566778899aabbccddeeff01234567";
        let wanted = wanted_hash(short).unwrap();
        assert_eq!((wanted.key.to_string().as_str(), wanted.v2), (short, None));
        let long = format!("{short}{}", "ab".repeat(12));
        let wanted = wanted_hash(&long.to_uppercase()).unwrap();
        assert_eq!(wanted.key.to_string(), short);
        assert_eq!(wanted.v2.map(|v2| hex(&v2)), Some(long));
        for text in [
            "",
            "0",
            &short[1..],
            &format!("{short}0"),
            &"x".repeat(40),
            &"é".repeat(20),
        ] {
            let said = wanted_hash(text).unwrap_err();
            assert!(said.contains("40 hexadecimal digits"), "{text}: {said}");
        }
    }

    #[test]
    fn another_torrent_is_no_answer() {
        let value = Bytes::from_static(b"d4:infod4:name1:a6:pieces0:ee");
        let metainfo = Metainfo::parse(&value).unwrap();
        let report = |value: &Bytes| GetReport {
            key: overlay::Id::of(b"k"),
            outcome: Outcome::Found,
            value: Some(value.clone()),
            version: None,
            replicas_answered: 2,
            replicas_asked: 3,
            reason: None,
            reached: None,
        };
        let right = wanted_hash(&metainfo.v1.unwrap().to_string()).unwrap();
        let (found, read) = checked(report(&value), &right);
        assert_eq!((found.outcome, read), (Outcome::Found, Some(metainfo)));
        let wrong = wanted_hash(&"0".repeat(40)).unwrap();
        for (value, said) in [
            (value, "another hash"),
            (Bytes::from_static(b"x"), "no torrent"),
        ] {
            let (found, read) = checked(report(&value), &wrong);
            assert_eq!(
                (found.outcome, found.value, read),
                (Outcome::Unknown, None, None)
            );
            assert!(found.reason.unwrap().contains(said));
        }
    }
}

//! One line of a batch: from JSON to a request, with every limit checked.

use crate::ctl::Document;
use crate::ctl::commands::{StoredBytes, note_key};
use crate::ctl::parse::{self, Key};
use crate::ctl::words::check_text;
use base64::Engine as _;
use overlay::{Condition, Consistency, MAX_VALUE_BYTES, Request};
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;

/// A line as it was read, or why it was not.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) text: Result<Vec<u8>, String>,
}

/// What is done with each line, and what holds where a line says nothing.
#[derive(Debug)]
pub(super) enum Job {
    Put {
        hex: bool,
        ttl_s: Option<u32>,
        consistency: Consistency,
        condition: Condition,
    },
    Insert {
        hex: bool,
        holder: SocketAddr,
        lease_s: u32,
        text: String,
    },
}

/// What a request was about, for its report.
#[derive(Debug)]
pub(super) enum About {
    Put(StoredBytes),
    Insert,
}

/// A line that can be asked.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) request: Request,
    pub(super) about: About,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutLine {
    key: String,
    value: Option<String>,
    value_base64: Option<String>,
    ttl: Option<Span>,
    text: Option<String>,
    indexed: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct InsertLine {
    key: String,
    holder: Option<String>,
    ttl: Option<Span>,
    text: Option<String>,
    indexed: Option<bool>,
}

/// A span of time: seconds, or as people write it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Span {
    Seconds(u64),
    Text(String),
}

impl Span {
    fn text(self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text,
        }
    }
}

impl Job {
    /// Makes a request of a line; none for an empty one. What is known of the key goes into
    /// `context`, so that a failure can name it too.
    pub(super) fn parse(
        &self,
        line: Result<Vec<u8>, String>,
        context: &mut Document,
    ) -> Result<Option<Parsed>, String> {
        let bytes = line?;
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        let parsed = match self {
            Self::Put { .. } => self.put(json_of(&bytes)?, context),
            Self::Insert { .. } => self.insert(json_of(&bytes)?, context),
        };
        parsed.map(Some)
    }

    const fn hex(&self) -> bool {
        match self {
            Self::Put { hex, .. } | Self::Insert { hex, .. } => *hex,
        }
    }

    fn key(&self, text: &str, context: &mut Document) -> Result<Key, String> {
        let key = Key::parse(text.as_ref(), self.hex())?;
        note_key(&key, context);
        Ok(key)
    }

    fn put(&self, line: PutLine, context: &mut Document) -> Result<Parsed, String> {
        let Self::Put {
            ttl_s,
            consistency,
            condition,
            ..
        } = self
        else {
            return Err("not a put".to_owned());
        };
        let key = self.key(&line.key, context)?;
        let value = match (line.value, line.value_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => base64::engine::general_purpose::STANDARD
                .decode(text)
                .map_err(|error| format!("value_base64 is no base64 ({error})"))?,
            _ => return Err("a line has either value or value_base64".to_owned()),
        };
        if value.len() > MAX_VALUE_BYTES {
            return Err(format!(
                "a value has at most {MAX_VALUE_BYTES} bytes (1 MiB), and this one has {}",
                value.len()
            ));
        }
        let ttl_s = match line.ttl {
            Some(span) => Some(parse::ttl(&span.text())?),
            None => *ttl_s,
        };
        let bytes = value.len();
        let text = line.text.unwrap_or_default();
        check_text(&text)?;
        let request = Request::Put {
            key: key.id,
            value: value.into(),
            ttl_s,
            consistency: *consistency,
            condition: *condition,
            text,
            indexed: key.indexed(line.indexed.unwrap_or(false)),
        };
        let about = About::Put(StoredBytes { bytes, ttl_s });
        Ok(Parsed { request, about })
    }

    fn insert(&self, line: InsertLine, context: &mut Document) -> Result<Parsed, String> {
        let Self::Insert {
            holder,
            lease_s,
            text,
            ..
        } = self
        else {
            return Err("not an insert".to_owned());
        };
        let key = self.key(&line.key, context)?;
        let holder = match line.holder {
            Some(given) => given
                .parse()
                .map_err(|_| format!("the holder {given:?} is not IP:PORT"))?,
            None => *holder,
        };
        context.insert("holder".to_owned(), json!(holder));
        let lease_s = match line.ttl {
            Some(span) => parse::lease(&span.text())?,
            None => *lease_s,
        };
        let text = line.text.unwrap_or_else(|| text.clone());
        check_text(&text)?;
        let request = Request::Insert {
            key: key.id,
            holder,
            lease_s,
            text,
            indexed: key.indexed(line.indexed.unwrap_or(false)),
        };
        let about = About::Insert;
        Ok(Parsed { request, about })
    }
}

fn json_of<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The number of the line is that of the file, which the report says.
        let said = error
            .to_string()
            .replace(" at line 1 column ", ", at column ");
        format!("not a line of the expected form: {said}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(line: &str) -> Result<Option<Parsed>, String> {
        let job = Job::Put {
            hex: false,
            ttl_s: None,
            consistency: Consistency::Quorum,
            condition: Condition::Always,
        };
        job.parse(Ok(line.as_bytes().to_vec()), &mut Document::new())
    }

    #[test]
    fn a_line_is_text_or_base64_with_a_life_time() {
        let Ok(Some(parsed)) = put(r#"{"key":"k","value":"v","ttl":"1h"}"#) else {
            panic!()
        };
        let Request::Put { value, ttl_s, .. } = parsed.request else {
            panic!()
        };
        assert_eq!((&value[..], ttl_s), (&b"v"[..], Some(3_600)));
        let Ok(Some(parsed)) = put(r#"{"key":"k","value_base64":"/wA=","ttl":60}"#) else {
            panic!()
        };
        let Request::Put { value, ttl_s, .. } = parsed.request else {
            panic!()
        };
        assert_eq!((&value[..], ttl_s), (&[0xff, 0][..], Some(60)));
        assert!(put("  ").is_ok_and(|parsed| parsed.is_none()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("{", "column"),
            (r#"{"key":"k"}"#, "either"),
            (r#"{"key":"k","value":"v","value_base64":""}"#, "either"),
            (r#"{"key":"k","value_base64":"*"}"#, "base64"),
            (r#"{"key":"","value":"v"}"#, "1024"),
            (r#"{"key":"k","value":"v","ttl":0}"#, "366days"),
            (r#"{"key":"k","value":"v","tll":1}"#, "`ttl`"),
        ] {
            let said = put(line).unwrap_err();
            assert!(said.contains(words), "{line}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}

//! Conditions: `If-Match` and `If-None-Match` (RFC 9110, section 13), with versions for tags.

use super::problem::{Kind, Problem};
use axum::http::{HeaderMap, HeaderName, header};
use overlay::{Condition, Version};
use utoipa::IntoParams;

/// When a value is sent.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes headers")]
pub(super) struct ReadIf {
    /// Versions that the client has, in quotation marks: then the answer is 304.
    #[param(value_type = String, required = false, rename = "If-None-Match", pattern = "^(\\*|\"[!#-~]{0,80}\")$")]
    unknown: Option<String>,
    /// Versions of which one must be there, in quotation marks, or `*`: else the answer is 412.
    #[param(value_type = String, required = false, rename = "If-Match", pattern = "^(\\*|\"[!#-~]{0,80}\")$")]
    present: Option<String>,
}

/// When a value is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes headers")]
pub(super) struct WriteIf {
    /// Only if this version is there, in quotation marks; `*`: only if there is a value.
    #[param(value_type = String, required = false, rename = "If-Match", pattern = "^(\\*|\"[!#-~]{0,80}\")$")]
    present: Option<String>,
    /// `*`: only if there is no value. Give this or `If-Match`, not both.
    #[param(value_type = String, required = false, rename = "If-None-Match", pattern = "^\\*$")]
    absent: Option<String>,
}

/// When a value is deleted.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "it describes headers")]
pub(super) struct DeleteIf {
    /// Only if this version is there, in quotation marks; `*`: only if there is a value.
    #[param(value_type = String, required = false, rename = "If-Match", pattern = "^(\\*|\"[!#-~]{0,80}\")$")]
    present: Option<String>,
}

/// A version as an entity tag.
pub(super) fn tag_of(version: Version) -> String {
    format!("\"{version}\"")
}

fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, Problem> {
    let mut lines = Vec::new();
    for value in headers.get_all(&name) {
        let wrong = || Problem::malformed(format!("the header {name} is no text"));
        lines.push(value.to_str().map_err(|_| wrong())?);
    }
    let all = lines.join(", ");
    Ok((!lines.is_empty()).then(|| all.trim().to_owned()))
}

/// The tags of a list.
fn tags(text: &str) -> Result<Vec<&str>, Problem> {
    let wrong = || {
        Problem::malformed(format!(
            "{text:?} is neither * nor tags in quotation marks; give a version as ETag shows it"
        ))
    };
    let mut tags = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let opaque = rest.strip_prefix("W/").unwrap_or(rest);
        let inner = opaque.strip_prefix('"').ok_or_else(wrong)?;
        let (_, after) = inner.split_once('"').ok_or_else(wrong)?;
        tags.push(&rest[..rest.len() - after.len()]);
        let after = after.trim_start();
        if !after.is_empty() && !after.starts_with(',') {
            return Err(wrong());
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    if tags.is_empty() {
        Err(wrong())
    } else {
        Ok(tags)
    }
}

/// What must be there for a write to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precondition {
    /// What the node can be asked for.
    Condition(Condition),
    /// Any value.
    Anything,
}

/// What must be there for a write to be done.
pub(super) fn condition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let wanted = text(headers, header::IF_MATCH)?;
    let unwanted = text(headers, header::IF_NONE_MATCH)?;
    match (wanted.as_deref(), unwanted.as_deref()) {
        (None, None) => Ok(Precondition::Condition(Condition::Always)),
        (None, Some("*")) => Ok(Precondition::Condition(Condition::Absent)),
        (Some("*"), None) => Ok(Precondition::Anything),
        (None, Some(list)) => {
            tags(list)?;
            Err(Problem::refused(
                "a write knows If-None-Match: * only, for a key that has no value yet",
            ))
        }
        (Some(list), None) => match tags(list)?.as_slice() {
            [tag] => version_of(tag),
            _ => Err(Problem::refused("If-Match takes one version only")),
        },
        (Some(_), Some(_)) => Err(Problem::refused("give If-Match or If-None-Match, not both")),
    }
}

/// The version that a tag names. What is none is a tag of nothing that is stored.
fn version_of(tag: &str) -> Result<Precondition, Problem> {
    let inner = tag.trim_matches('"');
    let version = inner.parse().map(Condition::Version);
    version.map(Precondition::Condition).map_err(|_| {
        let detail = format!("no value has the tag {tag}: tags are versions, as ETag shows them");
        Problem::new(Kind::Conflict, detail, "get the value, and give its ETag")
    })
}

/// Whether this version is one that a reader wants, when he wants no other.
pub(super) fn is_wanted(headers: &HeaderMap, version: Version) -> Result<bool, Problem> {
    match text(headers, header::IF_MATCH)?.as_deref() {
        None | Some("*") => Ok(true),
        Some(list) => Ok(tags(list)?.contains(&tag_of(version).as_str())),
    }
}

/// Whether a reader has this version already.
pub(super) fn is_known(headers: &HeaderMap, version: Version) -> Result<bool, Problem> {
    match text(headers, header::IF_NONE_MATCH)?.as_deref() {
        None => Ok(false),
        Some("*") => Ok(true),
        Some(list) => {
            let tag = tag_of(version);
            let is_it = |other: &&str| other.strip_prefix("W/").unwrap_or(other) == tag;
            Ok(tags(list)?.iter().any(is_it))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn writes_take_one_version_or_nothing_at_all() {
        let version = Version::default();
        let tag = tag_of(version);
        let of = |lines: &[_]| condition(&headers(lines));
        let (wanted, unwanted) = (header::IF_MATCH, header::IF_NONE_MATCH);
        let is = Precondition::Condition;
        assert_eq!(of(&[]).unwrap(), is(Condition::Always));
        let absent = of(&[(unwanted.clone(), "*")]).unwrap();
        assert_eq!(absent, is(Condition::Absent));
        let it = of(&[(wanted.clone(), &tag)]).unwrap();
        assert_eq!(it, is(Condition::Version(version)));
        assert_eq!(
            of(&[(wanted.clone(), "*")]).unwrap(),
            Precondition::Anything
        );
        for wrong in [
            "x",
            "\"",
            "\"a\"",
            "\"a\", \"b\"",
            "",
            "\"a\" \"b\"",
            "W/\"a\"",
        ] {
            assert!(of(&[(wanted.clone(), wrong)]).is_err(), "{wrong}");
        }
        assert!(of(&[(unwanted.clone(), &tag)]).is_err());
        assert!(of(&[(unwanted, "*"), (wanted, &tag)]).is_err());
    }

    #[test]
    fn a_reader_may_list_what_it_has() {
        let tag = tag_of(Version::default());
        let known = |text: &str| {
            let lines = [(header::IF_NONE_MATCH, text)];
            is_known(&headers(&lines), Version::default()).unwrap()
        };
        let wanted = |text: &str| {
            let lines = [(header::IF_MATCH, text)];
            is_wanted(&headers(&lines), Version::default()).unwrap()
        };
        assert!(wanted("*") && wanted(&tag) && wanted(&format!("\"a\", {tag}")));
        // A weak tag matches nothing here (RFC 9110, section 13.1.1).
        assert!(!wanted("\"a\"") && !wanted(&format!("W/{tag}")));
        assert!(known("*") && known(&tag) && known(&format!("W/{tag}")));
        assert!(known(&format!("\"a, b\" ,{tag}")) && !known("\"a\""));
    }
}

//! What a person types, parsed once into types that hold only what is allowed.

use bytes::Bytes;
use overlay::{Id, MAX_KEY_BYTES, MAX_LEASE_S, MAX_TTL_S, MAX_VALUE_BYTES};
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Longest `--timeout`: a day. Nobody waits longer, and it keeps sums of times small.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// A key as it was given, and the point on the circle that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Where on the circle.
    pub(super) id: Id,
    /// As it was given, when that is text.
    pub(super) text: Option<String>,
    /// Its bytes, unless it was given as a point.
    bytes: Option<Bytes>,
}

impl Key {
    /// The bytes to find it by, when that is `wanted` and they are known.
    pub(super) fn indexed(&self, wanted: bool) -> Option<Bytes> {
        self.bytes.clone().filter(|_| wanted)
    }

    /// Takes a key from the command line: bytes, or with `hex` an id as it is.
    pub(super) fn parse(given: &OsStr, hex: bool) -> Result<Self, String> {
        if hex {
            let text = given
                .to_str()
                .ok_or("with --hex, KEY is 40 hexadecimal digits")?;
            let id = text.parse().map_err(|error| format!("{error}"))?;
            return Ok(Self {
                id,
                text: None,
                bytes: None,
            });
        }
        let bytes = bytes_of(given, "KEY")?;
        if bytes.is_empty() || bytes.len() > MAX_KEY_BYTES {
            let length = bytes.len();
            return Err(format!(
                "a key has 1 to {MAX_KEY_BYTES} bytes, and this one has {length}; give another key"
            ));
        }
        Ok(Self {
            id: Id::of(bytes),
            text: given.to_str().map(str::to_owned),
            bytes: Some(Bytes::copy_from_slice(bytes)),
        })
    }
}

#[cfg(unix)]
fn bytes_of<'a>(given: &'a OsStr, _what: &str) -> Result<&'a [u8], String> {
    Ok(std::os::unix::ffi::OsStrExt::as_bytes(given))
}

#[cfg(not(unix))]
fn bytes_of<'a>(given: &'a OsStr, what: &str) -> Result<&'a [u8], String> {
    let text = given
        .to_str()
        .ok_or_else(|| format!("{what} must be text on this system"))?;
    Ok(text.as_bytes())
}

/// A value given on the command line.
pub(super) fn value_of(given: &OsStr) -> Result<Vec<u8>, String> {
    within_limit(bytes_of(given, "VALUE")?.to_vec())
}

/// A value from a file.
pub(super) fn value_from_file(path: &Path) -> Result<Vec<u8>, String> {
    let wrong = |error| format!("cannot read {}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(wrong)?;
    within_limit(read_limited(file).map_err(wrong)?)
}

/// A value from standard input.
pub(super) fn value_from_stdin() -> Result<Vec<u8>, String> {
    let read = read_limited(std::io::stdin().lock());
    within_limit(read.map_err(|error| format!("cannot read standard input: {error}"))?)
}

/// Reads one byte more than the limit at most: enough to see that it is passed.
fn read_limited(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(MAX_VALUE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn within_limit(value: Vec<u8>) -> Result<Vec<u8>, String> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(format!(
            "a value has at most {MAX_VALUE_BYTES} bytes (1 MiB), and this one has more; \
             split it and put the pieces under keys of their own"
        ));
    }
    Ok(value)
}

/// A span of time as people write it: `90s`, `1h 30m`, `2days`; a bare number is seconds.
fn span(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// Shortest `--interval`: asking all nodes ten times a second is no load for them, and no eye sees more.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Longest.
const MAX_INTERVAL: Duration = Duration::from_secs(3_600);

/// `--timeout`.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let limit = "a time-out is above zero and at most 24h; give one such as 10s";
    match span(text) {
        Ok(span) if !span.is_zero() && span <= MAX_TIMEOUT => Ok(span),
        Ok(_) => Err(limit.to_owned()),
        Err(error) => Err(format!("{error}; {limit}")),
    }
}

/// `--interval` of `top`.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let limit = "an interval is from 100ms to 1h; give one such as 1s";
    let span = span(text).map_err(|error| format!("{error}; {limit}"))?;
    let is_fit = (MIN_INTERVAL..=MAX_INTERVAL).contains(&span);
    is_fit.then_some(span).ok_or_else(|| limit.to_owned())
}

/// `--within` of a leave, in seconds.
pub(super) fn within(text: &str) -> Result<u32, String> {
    let limit = "a limit is from 0s to 1day; give one such as 30s";
    let span = span(text).map_err(|error| format!("{error}; {limit}"))?;
    let seconds = u32::try_from(span.as_secs()).ok();
    seconds
        .filter(|_| span <= MAX_TIMEOUT)
        .ok_or_else(|| limit.to_owned())
}

/// `--duration` of the load generator.
pub(super) fn load_time(text: &str) -> Result<Duration, String> {
    timeout(text).map_err(|error| error.replace("a time-out", "a duration"))
}

/// `--ttl` of a value, in seconds.
pub(super) fn ttl(text: &str) -> Result<u32, String> {
    let days = MAX_TTL_S / 86_400;
    let limit = format!(
        "a time to live is from 1s to {days}days; leave --ttl out for a value that lives until it is deleted"
    );
    whole_seconds(text, MAX_TTL_S, &limit)
}

/// `--ttl` of a holder, in seconds.
pub(super) fn lease(text: &str) -> Result<u32, String> {
    let days = MAX_LEASE_S / 86_400;
    let limit = format!("a lease is from 1s to {days}days; the node renews it by itself");
    whole_seconds(text, MAX_LEASE_S, &limit)
}

fn whole_seconds(text: &str, most: u32, limit: &str) -> Result<u32, String> {
    let span = span(text).map_err(|error| format!("{error}; {limit}"))?;
    match u32::try_from(span.as_secs()) {
        Ok(seconds) if (1..=most).contains(&seconds) => Ok(seconds),
        _ => Err(limit.to_owned()),
    }
}

/// `--mix PUTS:GETS`, as the share of puts in percent.
pub(super) fn mix(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not PUTS:GETS; give one such as 20:80");
    let (puts, gets) = text.split_once(':').ok_or_else(wrong)?;
    let (puts, gets): (u32, u32) = (
        puts.parse().map_err(|_| wrong())?,
        gets.parse().map_err(|_| wrong())?,
    );
    let total = f64::from(puts) + f64::from(gets);
    if total == 0.0 {
        Err(wrong())
    } else {
        Ok(100.0 * f64::from(puts) / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_outside_their_limits_are_refused_and_the_limit_is_said() {
        for text in [
            "0",
            "0s",
            "100y",
            "367days",
            "99999999999999999999",
            "soon",
            "-1",
        ] {
            let said = ttl(text).expect_err(text);
            assert!(said.contains("366days"), "{text}: {said}");
        }
        assert_eq!(ttl("1h"), Ok(3_600));
        assert_eq!(ttl("90"), Ok(90));
        assert!(lease("8days").expect_err("8 days").contains("7days"));
        assert_eq!(lease("30m"), Ok(1_800));
    }

    #[test]
    fn keys_have_one_byte_to_a_kibibyte() {
        assert!(Key::parse(OsStr::new(""), false).is_err());
        assert!(Key::parse(OsStr::new(&"k".repeat(1_025)), false).is_err());
        let key = Key::parse(OsStr::new(&"k".repeat(1_024)), false);
        assert_eq!(
            key.map(|key| key.id),
            Ok(Id::of("k".repeat(1_024).as_bytes()))
        );
        let id = Id::of(b"x");
        let hex = Key::parse(OsStr::new(&id.to_string()), true);
        assert_eq!(hex.map(|key| key.id), Ok(id));
        assert!(Key::parse(OsStr::new("abc"), true).is_err());
    }

    #[test]
    fn a_mix_is_two_numbers() {
        assert_eq!(mix("20:80"), Ok(20.0));
        assert_eq!(mix("1:3"), Ok(25.0));
        for text in ["", "20", "0:0", "a:b", "-1:2"] {
            assert!(mix(text).is_err(), "{text:?} was taken");
        }
    }
}

//! Sizes as people write them.

use dht::LEAST_REPAIR_RATE;
use serde::Deserialize;

/// A size in bytes: a number and a unit, of 1,000 (kB, MB, GB, TB) or of 1,024 (KiB, MiB, GiB, TiB).
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write for instance 500MB or 10GiB");
    let text = text.trim();
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(factor)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

/// A size that repairs can keep as their pace.
pub(super) fn parse_rate(text: &str) -> Result<u64, String> {
    let rate = parse_size(text)?;
    if rate < LEAST_REPAIR_RATE {
        return Err(format!("{text:?} is too slow; 64KiB is the least"));
    }
    Ok(rate)
}

pub(super) fn rate_from_text<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(from)?;
    parse_rate(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

pub(super) fn size_from_text<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(from)?;
    parse_size(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("7", 7),
            ("10GiB", 10 << 30),
            ("5 MB", 5_000_000),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "GiB", "10 gibibytes", "-1", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}

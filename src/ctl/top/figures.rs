//! Figures in few characters: columns are narrow.

use std::time::Duration;

/// What is shown where nothing is known.
pub(super) const NOTHING: &str = "-";

/// Steps of a thousand.
const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];

/// A figure with three digits or so, and the unit of its size: `999`, `1.2k`, `45M`.
fn scaled(figure: f64, fine: bool) -> String {
    let mut rest = figure;
    let mut unit = 0;
    // What would be rounded to a thousand belongs to the next unit.
    while rest >= 999.5 && unit + 1 < UNITS.len() {
        rest /= 1_000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if rest < 9.95 && (unit > 0 || fine) && rest > 0.0 {
        format!("{rest:.1}{name}")
    } else {
        format!("{rest:.0}{name}")
    }
}

/// A number of things.
pub(super) fn count(number: u64) -> String {
    scaled(number as f64, false)
}

/// A number of bytes.
pub(super) fn bytes(number: u64) -> String {
    format!("{}B", scaled(number as f64, false))
}

/// Things a second.
pub(super) fn rate(per_s: Option<f64>) -> String {
    per_s.map_or_else(|| NOTHING.to_owned(), |per_s| scaled(per_s, true))
}

/// A span of time that is measured.
pub(super) fn span(span: Option<Duration>) -> String {
    let Some(span) = span else {
        return NOTHING.to_owned();
    };
    let us = span.as_secs_f64() * 1e6;
    match us {
        ..999.5 => format!("{us:.0}µs"),
        ..9_950.0 => format!("{:.1}ms", us / 1e3),
        ..999_500.0 => format!("{:.0}ms", us / 1e3),
        _ => format!("{:.1}s", us / 1e6),
    }
}

/// How long something has been up: the largest unit and the next.
pub(super) fn age(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (9_960, "10k"),
            (999_700, "1.0M"),
            (1_234_567, "1.2M"),
            (u64::MAX, "18447P"),
        ] {
            assert_eq!(count(number), text, "{number}");
        }
        assert_eq!(bytes(2_500_000), "2.5MB");
        assert_eq!(rate(None), "-");
        assert_eq!(rate(Some(0.25)), "0.2");
        assert_eq!(rate(Some(12.6)), "13");
        let us = |us| span(Some(Duration::from_micros(us)));
        assert_eq!(
            [us(80), us(1_500), us(25_000), us(2_500_000)],
            ["80µs", "1.5ms", "25ms", "2.5s"]
        );
        assert_eq!(
            [age(9), age(61), age(7_260), age(180_000)],
            ["9s", "1m01s", "2h01m", "2d02h"]
        );
    }
}

//! The columns of the table: what they show, how wide, and in which order they sort.

use super::figures::{self, NOTHING};
use super::model::Row;
use std::cmp::Ordering;

/// Columns between two columns.
pub(super) const GAP: u16 = 1;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Addr,
    Health,
    Operations,
    Latency,
    Messages,
    Rtt,
    Values,
    Holders,
    Bytes,
    Repairs,
    Up,
}

impl Column {
    /// From left to right.
    pub(super) const ALL: [Self; 12] = [
        Self::Id,
        Self::Addr,
        Self::Health,
        Self::Operations,
        Self::Latency,
        Self::Messages,
        Self::Rtt,
        Self::Values,
        Self::Holders,
        Self::Bytes,
        Self::Repairs,
        Self::Up,
    ];

    /// From what is shown on any terminal to what needs a wide one.
    const BY_NEED: [Self; 12] = [
        Self::Id,
        Self::Health,
        Self::Addr,
        Self::Operations,
        Self::Repairs,
        Self::Values,
        Self::Rtt,
        Self::Bytes,
        Self::Latency,
        Self::Holders,
        Self::Messages,
        Self::Up,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Addr => "address",
            Self::Health => "health",
            Self::Operations => "ops/s",
            Self::Latency => "latency",
            Self::Messages => "msgs/s",
            Self::Rtt => "rtt",
            Self::Values => "values",
            Self::Holders => "holders",
            Self::Bytes => "stored",
            Self::Repairs => "repairs",
            Self::Up => "up",
        }
    }

    /// Its width; that of addresses is `addr`.
    pub(super) const fn width(self, addr: u16) -> u16 {
        match self {
            Self::Id => 8,
            Self::Addr => addr,
            Self::Health => 11,
            Self::Repairs => 9,
            Self::Holders => 8,
            _ => 7,
        }
    }

    /// Whether figures stand in it, at its right.
    pub(super) const fn is_figure(self) -> bool {
        !matches!(self, Self::Id | Self::Addr | Self::Health)
    }

    /// What stands in it.
    pub(super) fn text(self, row: &Row) -> String {
        let status = row.report.as_ref().map(|report| &report.status);
        let nothing = || NOTHING.to_owned();
        match self {
            Self::Id => row.contact.id.to_string().chars().take(8).collect(),
            Self::Addr => row.contact.addr.to_string(),
            Self::Health => row.health.word().to_owned(),
            Self::Operations => figures::rate(row.rates.map(|rates| rates.operations_per_s)),
            Self::Latency => figures::span(row.rates.and_then(|rates| rates.latency)),
            Self::Messages => figures::rate(row.rates.map(|rates| rates.messages_per_s)),
            Self::Rtt => figures::span(row.rtt),
            Self::Values => status.map_or_else(nothing, |status| figures::count(status.values)),
            Self::Holders => status.map_or_else(nothing, |status| figures::count(status.holders)),
            Self::Bytes => {
                status.map_or_else(nothing, |status| figures::bytes(status.stored_bytes))
            }
            Self::Repairs => match row.rates.map_or(0.0, |rates| rates.moved_per_s) {
                0.0 if status.is_none() => nothing(),
                0.0 => figures::count(row.to_move),
                per_s => format!(
                    "{} {}/s",
                    figures::count(row.to_move),
                    figures::rate(Some(per_s))
                ),
            },
            Self::Up => {
                let report = row.report.as_ref();
                report.map_or_else(nothing, |report| figures::age(report.uptime_s))
            }
        }
    }

    /// The order of two rows; figures begin with the largest, because that is what one looks for.
    pub(super) fn order(self, one: &Row, other: &Row) -> Ordering {
        let of = |row: &Row| -> f64 {
            let status = row.report.as_ref().map(|report| &report.status);
            let rates = row.rates.unwrap_or_default();
            let figure = match self {
                Self::Id | Self::Addr | Self::Health => None,
                Self::Operations => row.rates.map(|rates| rates.operations_per_s),
                Self::Latency => rates.latency.map(|latency| latency.as_secs_f64()),
                Self::Messages => row.rates.map(|rates| rates.messages_per_s),
                Self::Rtt => row.rtt.map(|rtt| rtt.as_secs_f64()),
                Self::Values => status.map(|status| status.values as f64),
                Self::Holders => status.map(|status| status.holders as f64),
                Self::Bytes => status.map(|status| status.stored_bytes as f64),
                Self::Repairs => status.map(|_| row.to_move as f64 + rates.moved_per_s),
                Self::Up => row.report.as_ref().map(|report| report.uptime_s as f64),
            };
            // What is not known is below everything that is.
            figure.unwrap_or(-1.0)
        };
        match self {
            Self::Id => Ordering::Equal,
            Self::Addr => one.contact.addr.cmp(&other.contact.addr),
            Self::Health => one.health.cmp(&other.health),
            _ => of(other).total_cmp(&of(one)),
        }
        // Nothing jumps that is the same.
        .then_with(|| one.contact.id.cmp(&other.contact.id))
    }

    /// The column at its right, or the first.
    pub(super) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|column| *column == self);
        let next = at.and_then(|at| Self::ALL.get(at + 1));
        next.copied().unwrap_or(Self::Id)
    }

    /// The column at its left, or the last.
    pub(super) fn previous(self) -> Self {
        let at = Self::ALL.iter().position(|column| *column == self);
        let before = at.and_then(|at| at.checked_sub(1));
        let before = before.and_then(|at| Self::ALL.get(at));
        before.copied().unwrap_or(Self::Up)
    }
}

/// The columns for which there is room, from left to right; the first two at least.
pub(super) fn that_fit(width: u16, addr: u16) -> Vec<Column> {
    let mut left = width;
    let mut shown = Vec::new();
    for column in Column::BY_NEED {
        let needs = column.width(addr) + if shown.is_empty() { 0 } else { GAP };
        if needs > left && shown.len() >= 2 {
            break;
        }
        left = left.saturating_sub(needs);
        shown.push(column);
    }
    let is_shown = |column: &Column| shown.contains(column);
    Column::ALL.into_iter().filter(is_shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_least_gives_way_first() {
        assert_eq!(that_fit(200, 15), Column::ALL);
        assert_eq!(that_fit(5, 15), [Column::Id, Column::Health]);
        let eighty = that_fit(80, 15);
        assert!(eighty.contains(&Column::Operations) && eighty.contains(&Column::Repairs));
        assert!(!eighty.contains(&Column::Up));
        for width in 20..140 {
            let shown = that_fit(width, 15);
            let sum: u16 = shown.iter().map(|column| column.width(15) + GAP).sum();
            assert!(sum - GAP <= width, "{shown:?} in {width}");
        }
    }

    #[test]
    fn every_column_has_a_need_and_neighbours() {
        for column in Column::ALL {
            assert!(Column::BY_NEED.contains(&column));
            assert_eq!(column.next().previous(), column);
        }
    }
}

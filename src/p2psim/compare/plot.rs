//! The cost of each technique against the number of nodes, as a picture.

use super::report::{Row, Size};
use crate::p2psim::RunError;
use plotters::coord::Shift;
use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use std::path::Path;

/// Pixels of the picture.
const SIZE: (u32, u32) = (1_000, 860);
/// Rows of pixels for the title and the legend.
const HEAD: i32 = 76;
/// Where a cost of nothing is drawn: logarithms have no zero.
const NOTHING: f64 = 0.2;
/// One colour for each technique, told apart by those who see no red or no green (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
    RGBColor(230, 159, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
];

/// How wide each line is: of lines that lie on each other both are seen, as those below are wider. A
/// directory and full replication have everything at one node, and all else keeps its distance.
const WIDTHS: [u32; 6] = [6, 7, 2, 4, 3, 2];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Wrong<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// One picture in the picture: its title, and what is drawn of a row.
struct Panel {
    title: &'static str,
    of: fn(&Row) -> f64,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "messages of a search (rare resource)",
        of: |row| row.rare.messages,
    },
    Panel {
        title: "messages of an insert",
        of: |row| row.update_messages,
    },
    Panel {
        title: "records and index entries, fullest node",
        of: |row| row.storage.max as f64,
    },
    Panel {
        title: "milliseconds until the answer",
        of: |row| row.rare.latency_ms.mean,
    },
];

/// Says whether the file can be written, before the work.
pub(super) fn may_be_written(file: &Path) -> Result<(), RunError> {
    let opened = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    opened.map(|_| ()).map_err(|cause| wrong(file, cause))
}

fn wrong(file: &Path, cause: std::io::Error) -> RunError {
    RunError::Plot {
        path: file.display().to_string(),
        cause,
    }
}

/// Draws the curves into a file.
pub(super) fn draw(file: &Path, curve: &[Size]) -> Result<(), RunError> {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw_all(&area, curve)
    };
    drawn.map_err(|cause| wrong(file, std::io::Error::other(cause.to_string())))?;
    std::fs::write(file, text).map_err(|cause| wrong(file, cause))
}

fn draw_all<'a>(area: &Area<'a>, curve: &[Size]) -> Result<(), Wrong<'a>> {
    area.fill(&WHITE)?;
    let (head, body) = area.split_vertically(HEAD);
    legend(&head, curve)?;
    for (panel, part) in PANELS.iter().zip(body.split_evenly((2, 2))) {
        draw_panel(panel, &part, curve)?;
    }
    area.present()
}

/// The title, and which line is which.
fn legend<'a>(area: &Area<'a>, curve: &[Size]) -> Result<(), Wrong<'a>> {
    let font = |size: i32| ("sans-serif", size).into_font();
    let title = "Finding who has what: cost against the number of nodes";
    area.draw(&Text::new(title, (20, 12), font(26)))?;
    let rows = curve.first().map_or(&[][..], |size| &size.rows);
    let room = (SIZE.0 as i32 - 40) / COLOURS.len() as i32;
    for (at, (row, colour)) in rows.iter().zip(COLOURS).enumerate() {
        let x = 20 + room * at as i32;
        let line = vec![(x, 60), (x + 26, 60)];
        area.draw(&PathElement::new(line, colour.stroke_width(3)))?;
        area.draw(&Circle::new((x + 13, 60), 4, colour.filled()))?;
        area.draw(&Text::new(row.technique, (x + 32, 52), font(17)))?;
    }
    Ok(())
}

fn draw_panel<'a>(panel: &Panel, area: &Area<'a>, curve: &[Size]) -> Result<(), Wrong<'a>> {
    let costs = curve.iter().flat_map(|size| &size.rows).map(panel.of);
    let most = costs.fold(10.0, f64::max) * 2.0;
    let (least, last) = match (curve.first(), curve.last()) {
        (Some(first), Some(last)) => (first.nodes as f64, last.nodes as f64),
        _ => (1.0, 10.0),
    };
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 19))
        .margin(12)
        // Half of the last label is right of the last mark.
        .margin_right(32)
        .x_label_area_size(38)
        .y_label_area_size(62)
        .build_cartesian_2d(
            (least * 0.8..last * 1.25).log_scale(),
            (NOTHING * 0.8..most).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .label_style(("sans-serif", 15))
        .x_desc("nodes")
        .x_label_formatter(&|x| thousands(*x))
        .y_label_formatter(&|y| thousands(*y))
        .draw()?;
    let mut costs = curve.iter().flat_map(|size| &size.rows).map(panel.of);
    if costs.any(|cost| cost < NOTHING) {
        // The lowest line is not on the scale.
        let font = ("sans-serif", 14)
            .into_font()
            .color(&RGBColor(100, 100, 100));
        let at = (least * 1.15, NOTHING * 3.0);
        chart.draw_series(std::iter::once(Text::new("below: none", at, font)))?;
    }
    for (technique, colour) in COLOURS.into_iter().enumerate() {
        let points: Vec<(f64, f64)> = curve
            .iter()
            .filter_map(|size| {
                let cost = (panel.of)(size.rows.get(technique)?);
                Some((size.nodes as f64, cost.max(NOTHING)))
            })
            .collect();
        let width = WIDTHS.get(technique).copied().unwrap_or(2);
        chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(width)))?;
        let dots = points.into_iter();
        let radius = width as i32 / 2 + 2;
        chart.draw_series(dots.map(|at| Circle::new(at, radius, colour.filled())))?;
    }
    Ok(())
}

/// A number as people write it; below one there is only nothing.
fn thousands(number: f64) -> String {
    if number < 1.0 {
        return "0".to_owned();
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::report::{Cost, Lecture, Spread};
    use super::*;
    use sim::Summary;

    /// A row whose costs grow with the number of nodes, or are nothing.
    fn row(technique: &'static str, cost: f64) -> Row {
        let latency_ms = Summary {
            mean: cost,
            ..Summary::default()
        };
        let search = Cost {
            copies: 3,
            found: 1.0,
            hops: 1.0,
            latency_ms,
            messages: cost,
        };
        let spread = Spread::of(&[cost as u64]);
        Row {
            technique,
            computed: false,
            lecture: Lecture {
                latency: "1",
                messages: "1",
                update: "1",
                storage: "1",
            },
            searches: 1,
            popular: search.clone(),
            rare: search,
            update_messages: cost,
            storage: spread,
            peers: spread,
            trace_hash: String::new(),
        }
    }

    const TECHNIQUES: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

    fn drawn(costs: impl Fn(usize, u64) -> f64) -> String {
        let sizes = [100, 1_000, 10_000].map(|nodes| {
            let row = |(at, name): (usize, &&'static str)| row(name, costs(at, nodes));
            let rows = TECHNIQUES.iter().enumerate().map(row).collect();
            Size { nodes, rows }
        });
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("costs.svg");
        may_be_written(&file).expect("a file that can be written");
        draw(&file, &sizes).expect("a picture");
        std::fs::read_to_string(&file).expect("the picture")
    }

    /// The points of all lines of a colour and a width with three points: one for each size.
    fn curves(svg: &str, technique: usize) -> Vec<Vec<(f64, f64)>> {
        let RGBColor(red, green, blue) = COLOURS[technique];
        let colour = format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"");
        let lines = svg.split("<polyline ").skip(1);
        let of_it = lines.filter(|line| line.contains(&colour));
        let points = of_it.map(|line| {
            let text = line.split("points=\"").nth(1).unwrap_or_default();
            let text = text.split('"').next().unwrap_or_default();
            let point = |pair: &str| {
                let (x, y) = pair.split_once(',')?;
                Some((x.parse().ok()?, y.parse().ok()?))
            };
            text.split_whitespace().filter_map(point).collect()
        });
        points.filter(|points: &Vec<_>| points.len() == 3).collect()
    }

    #[test]
    fn a_picture_shows_each_technique_in_each_panel() {
        let svg = drawn(|at, nodes| (at + 1) as f64 * nodes as f64);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for text in TECHNIQUES.iter().chain(PANELS.iter().map(|it| &it.title)) {
            assert!(svg.contains(text), "no {text} in the picture");
        }
        assert!(svg.contains("10,000") && !svg.contains("NaN"));
        let mut last = f64::INFINITY;
        for technique in 0..TECHNIQUES.len() {
            let curves = curves(&svg, technique);
            assert_eq!(curves.len(), PANELS.len(), "curves of {technique}");
            for curve in &curves {
                let rises = |pair: &[(f64, f64)]| pair[1].0 > pair[0].0 && pair[1].1 < pair[0].1;
                assert!(curve.windows(2).all(rises), "{technique}: {curve:?}");
            }
            let height = curves[0][2].1;
            assert!(height < last, "what costs more is drawn higher");
            last = height;
        }
    }

    #[test]
    fn what_costs_nothing_is_drawn_and_named() {
        let svg = drawn(|at, nodes| if at == 2 { 0.0 } else { nodes as f64 });
        assert_eq!(curves(&svg, 2).len(), PANELS.len());
        assert_eq!(svg.matches("below: none").count(), PANELS.len());
        let svg = drawn(|_, nodes| nodes as f64);
        assert!(!svg.contains("below: none"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_said_before_the_work() {
        let dir = tempfile::tempdir().expect("a directory");
        let wrong = may_be_written(dir.path()).expect_err("a directory is no file");
        let path = dir.path().display().to_string();
        assert!(wrong.to_string().contains(&path), "{wrong}");
    }

    #[test]
    fn numbers_are_grouped() {
        let texts = [0.5, 1.0, 999.0, 1_000.0, 1_234_567.0].map(thousands);
        assert_eq!(texts, ["0", "1", "999", "1,000", "1,234,567"]);
    }
}

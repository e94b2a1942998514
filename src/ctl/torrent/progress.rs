//! A bar for what is longer than a second, on a terminal whose owner does not want a document.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar over so many bytes.
pub(super) fn bar(bytes: u64, json: bool) -> ProgressBar {
    let bar = if !json && std::io::stderr().is_terminal() {
        ProgressBar::new(bytes)
    } else {
        ProgressBar::hidden()
    };
    let template =
        "{bar:30} {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

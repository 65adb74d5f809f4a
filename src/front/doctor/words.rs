//! The report in words, on a terminal.

use crate::{core::doctor::finding::Report, front::ui};

/// Prints the report.
pub(super) fn print(report: &Report) {
    for finding in &report.findings {
        ui::out(&format!("{}: {}", finding.entry.code, finding.cause));
    }
}

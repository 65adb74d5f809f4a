//! `gocred doctor --json`: the report, for programs.

use serde_json::{Value, json};

use crate::{
    core::{
        doctor::finding::{self, Finding, Report, Severity},
        fault::Fault,
    },
    front::ui,
};

/// Prints the report as one line.
pub(super) fn print(report: &Report) -> Result<(), Fault> {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .enumerate()
        .map(|(index, it)| finding(it, index == 0 && it.severity == Severity::Error))
        .collect();
    ui::json(&json!({
        "schema": finding::SCHEMA,
        "target": report.target,
        "findings": findings,
    }))
}

fn finding(finding: &Finding, is_root: bool) -> Value {
    json!({
        "code": finding.entry.code,
        "root": is_root,
        "title": finding.entry.title,
        "cause": finding.cause,
        "consequences": finding.consequences.iter().map(|it| it.entry.code).collect::<Vec<_>>(),
    })
}

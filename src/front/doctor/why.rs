//! `gocred why`: what failed lately on the way through gocred, as the running proxy remembers it, and what
//! each of it means.

use serde_json::json;

use crate::{
    cli::Why,
    core::{
        doctor::catalogue,
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, ui},
    proxy::{Finding, control},
    sys::clock,
};

/// Runs the command.
pub fn run(arguments: &Why, context: &Context) -> Outcome {
    let none = || {
        Fault::new(Kind::NotFound, "gocred's proxy does not run, so that nothing is remembered")
            .code("K01")
            .hint("gocred proxy run")
            .hint("`gocred doctor` looks at everything without it")
    };
    let path = context.paths.control.as_deref().ok_or_else(none)?;
    let report = control::status(path).map_err(|error| match error {
        control::Error::NotRunning => none(),
        other => Fault::new(Kind::Network, "gocred's proxy does not say what failed").cause(other),
    })?;
    let mut findings = report.findings;
    findings.extend(report.goproxy.into_iter().flat_map(|front| front.findings));
    findings.retain(|it| arguments.host.as_ref().is_none_or(|host| it.message.contains(host)));
    findings.sort_by_key(|it| it.at);
    if arguments.json {
        let all: Vec<_> = findings.iter().map(value).collect();
        ui::json(&json!({ "schema": 1, "failures": all }))?;
    } else {
        words(&findings);
    }
    Ok(if findings.is_empty() { Answer::Yes } else { Answer::No })
}

fn value(finding: &Finding) -> serde_json::Value {
    let Finding { at, code, message, count } = finding;
    json!({ "at": at, "code": code, "message": message, "count": count })
}

fn words(findings: &[Finding]) {
    if findings.is_empty() {
        ui::out("nothing failed lately on the way through gocred");
    }
    let now = clock::now();
    for Finding { at, code, message, count } in findings {
        let often = if *count > 1 { format!(", {count} times") } else { String::new() };
        let ago = now.saturating_sub(*at);
        ui::out(&format!("{ago} s ago{often}: {}", printable(message)));
        let entry = code.as_deref().and_then(catalogue::find);
        if let Some(entry) = entry {
            ui::out(&format!("  {}; gocred explain {}", entry.fix, entry.code));
        }
    }
}

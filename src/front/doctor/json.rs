//! `gocred doctor --json`: the report, for programs. `"schema"` counts changes that would break a reader.

use serde_json::{Value, json};

use crate::{
    core::{
        doctor::finding::{
            self, Chain, Confidence, Evidence, Finding, Hop, Kind, Layer, Report, Severity, State,
            Way,
        },
        fault::Fault,
    },
    front::ui,
};

/// Prints the report as one line.
pub(super) fn print(report: &Report) -> Result<(), Fault> {
    ui::json(&value(report))
}

/// Returns the report.
pub(super) fn value(report: &Report) -> Value {
    let Report { run_id, target, findings, chains, ways } = report;
    let worst = findings.iter().map(|finding| finding.severity).max();
    let root = findings.iter().position(|finding| finding.severity == Severity::Error);
    // The consequences follow their finding: each is whole, and none is told twice.
    let all = findings.iter().enumerate().flat_map(|(index, it)| {
        let mut values = vec![finding(it, root == Some(index))];
        consequences(it, &mut values);
        values
    });
    json!({
        "schema": finding::SCHEMA,
        "run_id": run_id,
        "version": env!("CARGO_PKG_VERSION"),
        "target": target,
        "verdict": worst.map_or("healthy", verdict),
        "route": route(ways),
        "stages": stages(chains),
        "findings": all.collect::<Vec<_>>(),
        "chains": chains.iter().map(chain).collect::<Vec<_>>(),
    })
}

fn consequences(of: &Finding, into: &mut Vec<Value>) {
    for each in &of.consequences {
        into.push(finding(each, false));
        consequences(each, into);
    }
}

/// What each tool decides, by its name.
fn route(ways: &[Way]) -> Value {
    let mut route = serde_json::Map::new();
    for Way { tool, url, via, via_place, login, trust } in ways {
        let way = json!({
            "url": url,
            "proxy": via,
            "where": via_place,
            "login": login,
            "certificates": trust,
        });
        let of_tool = route.entry(tool.name()).or_insert_with(|| json!([]));
        if let Some(list) = of_tool.as_array_mut() {
            list.push(way);
        }
    }
    Value::Object(route)
}

/// The stages of all ways together: one fails where it failed on any of them.
fn stages(chains: &[Chain]) -> Vec<Value> {
    let hops = || chains.iter().flat_map(|chain| &chain.hops);
    let mut names: Vec<&str> = Vec::new();
    for hop in hops() {
        if !names.contains(&hop.stage) {
            names.push(hop.stage);
        }
    }
    let stage = |name: &&str| {
        let own: Vec<&Hop> = hops().filter(|hop| hop.stage == *name).collect();
        let broken = own.iter().find(|hop| hop.state == State::Failed);
        let is_passed = own.iter().any(|hop| hop.state == State::Passed);
        let status = match (broken, is_passed) {
            (Some(_), _) => "fail",
            (None, true) => "pass",
            (None, false) => "skip",
        };
        json!({
            "name": name,
            "status": status,
            "ms": own.iter().filter_map(|hop| hop.took).max(),
            "reason": broken.map(|hop| format!("{}: {}", hop.name, hop.detail)),
        })
    };
    names.iter().map(stage).collect()
}

fn verdict(worst: Severity) -> &'static str {
    match worst {
        Severity::Error => "broken",
        Severity::Warning | Severity::Info => "healthy, with remarks",
    }
}

fn finding(finding: &Finding, is_root: bool) -> Value {
    let Finding {
        entry,
        severity,
        confidence,
        cause,
        evidence,
        affects,
        fix,
        reproduce,
        suppresses: _,
        stands: _,
        apart: _,
        consequences,
    } = finding;
    json!({
        "code": entry.code,
        "root": is_root,
        "title": entry.title,
        "severity": severity_word(*severity),
        "layer": layer_word(entry.layer),
        "confidence": confidence_word(*confidence),
        "cause": cause,
        "evidence": evidence.iter().map(observation).collect::<Vec<_>>(),
        "affects": affects.iter().map(|tool| tool.name()).collect::<Vec<_>>(),
        "fix": {
            "text": fix.text,
            "commands": commands(&fix.command),
            "auto": !fix.changes.is_empty(),
            "undo": (!fix.changes.is_empty()).then_some("gocred doctor --undo"),
        },
        "reproduce": reproduce,
        "docs": format!("gocred explain {}", entry.code),
        "consequences": consequences.iter().map(|it| it.entry.code).collect::<Vec<_>>(),
    })
}

fn commands(command: &str) -> Vec<&str> {
    if command.is_empty() { Vec::new() } else { vec![command] }
}

fn observation(evidence: &Evidence) -> Value {
    let Evidence { kind, place, observed, expected, took } = evidence;
    json!({
        "kind": kind_word(*kind),
        "where": place.to_string(),
        "observed": observed,
        "expected": expected,
        "ms": took,
    })
}

fn chain(chain: &Chain) -> Value {
    let Chain { tool, url, hops } = chain;
    json!({
        "tool": tool.name(),
        "url": url,
        "hops": hops.iter().map(hop).collect::<Vec<_>>(),
    })
}

fn hop(hop: &Hop) -> Value {
    let Hop { name, stage, state, took, detail } = hop;
    let state = match state {
        State::Passed => "pass",
        State::Failed => "fail",
        State::Skipped => "skip",
    };
    json!({ "name": name, "stage": stage, "status": state, "ms": took, "detail": detail })
}

pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

pub(super) fn layer_word(layer: Layer) -> &'static str {
    match layer {
        Layer::Configuration => "configuration",
        Layer::Names => "names",
        Layer::Transport => "transport",
        Layer::Proxy => "proxy",
        Layer::Tls => "tls",
        Layer::Http => "http",
        Layer::Authentication => "authentication",
        Layer::Git => "git",
        Layer::Module => "module",
        Layer::Sumdb => "sumdb",
        Layer::Local => "local",
        Layer::Gocred => "gocred",
    }
}

fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Possible => "possible",
        Confidence::Likely => "likely",
        Confidence::Certain => "certain",
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Variable => "env",
        Kind::Dns => "dns",
        Kind::Tcp => "tcp",
        Kind::Connect => "connect",
        Kind::Tls => "tls",
        Kind::Http => "http",
        Kind::Program => "exec",
    }
}

//! The report as a page: one file without a script, which fetches nothing and can be attached to a ticket.

use std::fmt::Write as _;

use crate::{
    core::{
        doctor::finding::{Chain, Evidence, Finding, Hop, Report, Severity, State},
        text::printable,
    },
    front::doctor::json::{layer_word, severity_word},
};

const STYLE: &str = concat!(include_str!("../../proxy/page/common.css"), include_str!("page.css"));

/// Returns the page.
pub(super) fn html(report: &Report) -> String {
    let Report { run_id, target, findings, chains, .. } = report;
    let worst = findings.iter().map(|finding| finding.severity).max();
    let (class, words) = match worst {
        None => ("good", "healthy"),
        Some(Severity::Info | Severity::Warning) => ("fair", "works, with remarks"),
        Some(Severity::Error) => ("bad", "broken"),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>gocred doctor: {0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><h1>gocred <span>doctor</span></h1> <b class=\"badge {class}\">{words}</b>\
         <p><code>{0}</code>, version {1}, run <code>{run_id}</code></p></header>\n<main>\n",
        escape(target),
        env!("CARGO_PKG_VERSION"),
    );
    for each in findings.iter().take(1).filter(|finding| finding.severity == Severity::Error) {
        page += &section(each);
    }
    for each in chains {
        page += &way(each);
    }
    let is_first_error = worst == Some(Severity::Error);
    for each in findings.iter().skip(usize::from(is_first_error)) {
        page += &section(each);
    }
    page + "</main>\n</body>\n</html>\n"
}

fn section(finding: &Finding) -> String {
    let Finding { entry, severity, confidence: _, cause, evidence, .. } = finding;
    let (fix, reproduce, consequences) = (&finding.fix, &finding.reproduce, &finding.consequences);
    let class = match severity {
        Severity::Error => "bad",
        Severity::Warning => "fair",
        Severity::Info => "plain",
    };
    let mut out = format!(
        "<section>\n<h2><b class=\"badge {class}\">{} {}</b> {}</h2>\n<p class=\"cause\">{}</p>\n",
        severity_word(*severity),
        entry.code,
        escape(entry.title),
        escape(cause),
    );
    if !evidence.is_empty() {
        out += "<table><thead><tr><th>Where</th><th>Observed</th><th>Expected</th><th class=\"n\">ms</th></tr></thead><tbody>\n";
        for each in evidence {
            out += &row(each);
        }
        out += "</tbody></table>\n";
    }
    if !fix.text.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", escape(&fix.text));
    }
    if !fix.command.is_empty() {
        let _ = writeln!(out, "<pre class=\"run\">{}</pre>", escape(&fix.command));
    }
    if !reproduce.is_empty() {
        let _ = writeln!(out, "<p>The same without gocred:</p><pre>{}</pre>", escape(reproduce));
    }
    if !consequences.is_empty() {
        let codes: Vec<_> = consequences.iter().map(|it| it.entry.code).collect();
        let _ = writeln!(out, "<p>What follows from it: {}</p>", codes.join(", "));
    }
    let layer = layer_word(entry.layer);
    let _ = writeln!(
        out,
        "<p><code>gocred explain {}</code>, layer: {layer}</p></section>",
        entry.code
    );
    out
}

fn row(evidence: &Evidence) -> String {
    let Evidence { kind: _, place, observed, expected, took } = evidence;
    let took = took.map(|took| took.to_string()).unwrap_or_default();
    format!(
        "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=\"n\">{took}</td></tr>\n",
        escape(&place.to_string()),
        escape(observed),
        escape(expected),
    )
}

/// Draws a way: a box for each place, a line for each stage in it.
fn way(chain: &Chain) -> String {
    let Chain { tool, url, hops } = chain;
    let mut out = format!(
        "<section>\n<h2>{} → <code>{}</code></h2>\n<ol class=\"way\">\n",
        tool.name(),
        escape(url)
    );
    let mut rest = hops.as_slice();
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|hop| hop.name == first.name).count();
        let (stages, behind) = rest.split_at(same);
        let worst = stages.iter().map(|hop| hop.state).max_by_key(|state| match state {
            State::Failed => 2,
            State::Skipped => 1,
            State::Passed => 0,
        });
        let class = worst.map_or("plain", class);
        let _ = writeln!(out, "<li class=\"{class}\"><h3>{}</h3><ul>", escape(&first.name));
        for stage in stages {
            out += &line(stage);
        }
        out += "</ul></li>\n";
        rest = behind;
    }
    out + "</ol>\n</section>\n"
}

fn line(hop: &Hop) -> String {
    let Hop { name: _, stage, state, took, detail } = hop;
    let mark = match state {
        State::Passed => "✓",
        State::Failed => "✗",
        State::Skipped => "·",
    };
    let took = took.map(|took| format!("{took} ms")).unwrap_or_default();
    let class = class(*state);
    format!("<li><b class=\"{class}\">{mark} {stage}</b> <i>{took}</i> {}</li>\n", escape(detail))
}

fn class(state: State) -> &'static str {
    match state {
        State::Passed => "good",
        State::Failed => "bad",
        State::Skipped => "plain",
    }
}

/// Makes text from outside harmless: printable, and no markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::core::doctor::finding::{Chain, Hop, Report, State, Tool};

    #[test]
    fn markup_from_outside_is_text() {
        let hop = Hop {
            name: "<b>".into(),
            stage: "tcp",
            state: State::Failed,
            took: Some(3),
            detail: "<script>alert('x')</script>".into(),
        };
        let chain = Chain { tool: Tool::Go, url: "https://h/\"><script>".into(), hops: vec![hop] };
        let report =
            Report { target: "<img src=x>".into(), chains: vec![chain], ..Report::default() };
        let page = super::html(&report);
        assert!(
            !page.contains("<script") && !page.contains("<img") && !page.contains("<b>"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;") && page.contains("✗ tcp"));
    }
}

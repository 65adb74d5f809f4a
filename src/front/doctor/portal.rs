//! `gocred portal open`: finds the page of a network that wants a sign-in, shows what it is known by, and opens
//! it. The user's own targets are asked, never a public probe: in a closed network that would prove nothing.

use crate::{
    cli::Portal,
    core::{
        doctor::{
            finding::{Finding, Kind as Seen},
            place::Place,
            probe::{self, Probe, Trace},
        },
        fault::{Fault, Kind},
        text::printable,
    },
    front::{
        Answer, Context, Outcome, browser,
        doctor::{
            look::{Diagnosis, configured, diagnose},
            target as target_of,
        },
        ui,
    },
};

/// The codes of a sign-in that stands in the way.
const PORTALS: &[&str] =
    &["D12", "G20", "H06", "H07", "H08", "H09", "M07", "M08", "P20", "P22", "S09"];

/// Runs the command.
pub fn run(arguments: &Portal, context: &Context) -> Outcome {
    let Portal::Open { target } = arguments;
    let target = target_of(target.as_deref())?;
    let found = diagnose(&target, None, false, None, &configured(context));
    let Some(finding) = portal(&found.report.findings) else {
        ui::out("no portal stands in the way");
        return Ok(Answer::No);
    };
    ui::out(&printable(&format!("{}: {}", finding.entry.code, finding.cause)));
    for it in finding.evidence.iter().filter(|it| it.kind == Seen::Tls || it.kind == Seen::Http) {
        ui::out(&printable(&format!("  seen: {}: {}", it.place, it.observed)));
    }
    let Some(url) = url(&found, finding) else {
        return Err(Fault::new(Kind::Network, "the portal does not say where its page is")
            .hint("open any http:// page in a browser"));
    };
    let shown = printable(&url);
    if browser::open(&url, context) {
        ui::out(&format!("your browser opens {shown}"));
    } else {
        ui::out(&format!("open this in a browser: {shown}"));
    }
    Ok(Answer::Yes)
}

fn portal(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find_map(|finding| {
        let is_one = PORTALS.contains(&finding.entry.code);
        if is_one { Some(finding) } else { portal(&finding.consequences) }
    })
}

/// Where the page is: where the answer leads, or else the URL that was answered with it.
fn url(found: &Diagnosis, finding: &Finding) -> Option<String> {
    let traces = found.answers.values().filter_map(|(probe, seen)| match (probe, seen) {
        (Probe::Exchange(exchange), probe::Seen::Trace(trace)) => Some((exchange, trace)),
        _ => None,
    });
    let is_web = |url: &str| {
        let url = url.to_ascii_lowercase();
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('-'))
    };
    let led = traces.filter_map(|(_, trace)| location(trace)).find(|url| is_web(url));
    led.or_else(|| {
        finding.evidence.iter().find_map(|it| match &it.place {
            Place::Endpoint(place) if is_web(place) => Some(place.clone()),
            Place::Endpoint(place) => Some(format!("http://{}/", place.split([':', '/']).next()?)),
            _ => None,
        })
    })
}

fn location(trace: &Trace) -> Option<String> {
    let Trace { connect, http, .. } = trace;
    let of_connect = connect.as_ref().map(|it| (it.status, &it.fields));
    let of_http = http.as_ref().map(|it| (it.status, &it.fields));
    [of_connect, of_http].into_iter().flatten().find_map(|(status, fields)| {
        status.filter(|status| (300..400).contains(status))?;
        let (_, value) = fields.iter().find(|(name, _)| name == "location")?;
        Some(value.clone())
    })
}

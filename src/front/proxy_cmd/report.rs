//! The proxy's report, for people.

use crate::{
    proxy::{Finding, Report, Totals},
    sys::clock,
};

/// Returns the report, line by line.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let now = clock::now();
    let ago = |at: u64| duration(now.saturating_sub(at));
    let mut lines = vec![format!(
        "running for {}, process {}, version {}",
        ago(report.started),
        report.pid,
        report.version
    )];
    lines.extend(report.listen.iter().map(|address| format!("listening on http://{address}")));
    for upstream in &report.upstreams {
        let reason = upstream.reason.as_ref().map(|reason| format!(" ({reason})"));
        lines.push(format!(
            "upstream {}: {}{}",
            upstream.url,
            upstream.login,
            reason.unwrap_or_default()
        ));
    }
    let Totals { requests, tunnels, refused, bytes_up, bytes_down } = &report.totals;
    lines.push(format!("now: {} clients, {} tunnels", report.clients, report.tunnels_open));
    lines.push(format!(
        "so far: {tunnels} tunnels, {requests} requests, {refused} refusals, \
         {bytes_up} bytes up, {bytes_down} bytes down"
    ));
    for Finding { at, code: _, message, count } in &report.findings {
        let often = if *count > 1 { format!(", {count} times") } else { String::new() };
        lines.push(format!("{} ago{often}: {message}", ago(*at)));
    }
    lines
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

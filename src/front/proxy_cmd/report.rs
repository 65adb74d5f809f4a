//! The proxy's report, for people. What went wrong last stands last, above the prompt.

use crate::{
    front::{
        proxy_cmd::top_table::{human, line, retries},
        ui::count,
    },
    proxy::{
        AccessLogReport, Finding, PacReport, Report, Totals, UpstreamReport, goproxy::FrontReport,
    },
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
    lines.extend(report.upstreams.iter().map(upstream));
    lines.extend(report.pac.as_ref().map(pac));
    lines.extend(report.access_log.as_ref().map(access_log));
    lines.extend(report.goproxy.iter().flat_map(goproxy));
    let Totals { requests, tunnels, refused, bytes_up, bytes_down } = &report.totals;
    lines.push(format!(
        "now: {}, {}",
        count(report.clients, "client"),
        count(report.tunnels_open, "tunnel")
    ));
    lines.push(format!(
        "so far: {}, {}, {}, {bytes_up} bytes up, {bytes_down} bytes down",
        count(*tunnels, "tunnel"),
        count(*requests, "request"),
        count(*refused, "refusal")
    ));
    lines.push("page: `gocred proxy status --url` prints its address".to_owned());
    let mut findings = report.findings.clone();
    findings.extend(report.goproxy.iter().flat_map(|front| front.findings.clone()));
    findings.sort_by_key(|finding| finding.at);
    for Finding { at, code: _, message, count } in &findings {
        let often = if *count > 1 { format!(", {count} times") } else { String::new() };
        lines.push(format!("{} ago{often}: {message}", ago(*at)));
    }
    lines
}

/// `upstream http://p:8080: good, login accepted (NTLM), 2 spare connections, 7 tunnels, 1 refused`
fn upstream(upstream: &UpstreamReport) -> String {
    let UpstreamReport { url, login, scheme, reason, health, spare, opened, refused } = upstream;
    let login = match login.as_str() {
        "open" => "no login needed".to_owned(),
        state => format!("login {state}"),
    };
    let scheme = scheme.as_ref().map(|scheme| format!(" ({scheme})")).unwrap_or_default();
    let mut facts = vec![health.clone(), login + &scheme];
    let spares = (*spare > 0).then(|| count(*spare, "spare connection"));
    facts.extend(spares);
    facts.extend((*opened > 0).then(|| count(*opened, "tunnel")));
    facts.extend((*refused > 0).then(|| format!("{refused} refused")));
    let reason = reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("upstream {url}: {}{reason}", facts.join(", "))
}

fn goproxy(front: &FrontReport) -> Vec<String> {
    let FrontReport { listen, upstreams, then, totals, transfers, findings: _ } = front;
    let mut lines: Vec<String> =
        listen.iter().map(|address| format!("goproxy on http://{address}")).collect();
    lines.extend(upstreams.iter().map(line));
    lines.extend(then.as_deref().map(rest));
    lines.push(format!(
        "modules: {} under way; so far {}, {} answered, {} refused, {} broken off, {}, {}, {}",
        transfers.len(),
        count(totals.requests, "request"),
        totals.answered,
        totals.refused,
        totals.broken,
        retries(totals.retries),
        count(totals.connections, "connection"),
        human(totals.bytes)
    ));
    lines
}

/// Says what the end of the list means: `direct` and `off` are nobody that the front asks.
fn rest(then: &str) -> String {
    match then {
        "off" => "what no module proxy has: nowhere else (`off`)".to_owned(),
        then => format!("what no module proxy has: go's own `{then}`, from the module's host"),
    }
}

fn pac(pac: &PacReport) -> String {
    let PacReport { source, age, trouble } = pac;
    let age = age
        .map_or_else(|| ", not read yet".to_owned(), |age| format!(", read {} ago", duration(age)));
    let trouble = trouble.as_ref().map(|trouble| format!("; {trouble}")).unwrap_or_default();
    format!("PAC file: {source}{age}{trouble}")
}

fn access_log(log: &AccessLogReport) -> String {
    let AccessLogReport { path, written, dropped, trouble } = log;
    let lost = if *dropped > 0 { format!(", {dropped} lost") } else { String::new() };
    let trouble = trouble.as_ref().map(|trouble| format!("; {trouble}")).unwrap_or_default();
    format!("access log: {path}, {}{lost}{trouble}", count(*written, "line"))
}

/// Says how long something took, or lasts.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::{FrontReport, UpstreamReport, access_log, count, goproxy, pac, upstream};
    use crate::proxy::{AccessLogReport, PacReport, goproxy::FrontUpstream};

    #[test]
    fn an_upstream_is_one_line() {
        let mut report = UpstreamReport {
            url: "http://p:8080".to_owned(),
            login: "accepted".to_owned(),
            scheme: Some("NTLM".to_owned()),
            reason: None,
            health: "good".to_owned(),
            spare: 2,
            opened: 1,
            refused: 0,
        };
        assert_eq!(
            upstream(&report),
            "upstream http://p:8080: good, login accepted (NTLM), 2 spare connections, 1 tunnel"
        );
        report.login = "barred".to_owned();
        (report.scheme, report.spare, report.opened, report.refused) = (None, 0, 0, 3);
        report.reason = Some("gocred[P02]: no".to_owned());
        assert_eq!(
            upstream(&report),
            "upstream http://p:8080: good, login barred, 3 refused; gocred[P02]: no"
        );
    }

    #[test]
    fn files_are_lines_too() {
        let file = PacReport { source: "/p.pac".into(), age: Some(130), trouble: None };
        assert_eq!(pac(&file), "PAC file: /p.pac, read 2 min ago");
        let path = "/a.log".to_owned();
        let log = AccessLogReport { path, written: 1, dropped: 2, trouble: Some("full".into()) };
        assert_eq!(access_log(&log), "access log: /a.log, 1 line, 2 lost; full");
        assert_eq!(count(0, "client"), "0 clients");
    }

    #[test]
    fn the_end_of_a_list_is_no_module_proxy() {
        let upstream = FrontUpstream { url: "https://a.test".to_owned(), ..Default::default() };
        let told = |then: Option<&str>| {
            let upstreams = vec![upstream.clone()];
            let then = then.map(str::to_owned);
            goproxy(&FrontReport { upstreams, then, ..FrontReport::default() })
        };
        let direct = told(Some("direct"));
        assert_eq!(
            direct[..2],
            [
                "module proxy https://a.test: 0 answered",
                "what no module proxy has: go's own `direct`, from the module's host"
            ]
        );
        assert_eq!(told(Some("off"))[1], "what no module proxy has: nowhere else (`off`)");
        assert!(told(None)[1].starts_with("modules: "));
    }
}

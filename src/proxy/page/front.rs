//! The status page's part about the module proxy front.

use std::fmt::Write;

use super::{badge, bytes, escape, grouped};
use crate::proxy::goproxy::{FrontReport, FrontTotals, FrontUpstream, Transfer};

/// So many transfers have a row.
const MOST: usize = 20;

/// Returns how many module proxies are out of order, and how many refused their credential.
pub(super) fn troubles(report: &FrontReport) -> (usize, usize) {
    let count = |is_it: fn(&&FrontUpstream) -> bool| report.upstreams.iter().filter(is_it).count();
    let is_out = |upstream: &&FrontUpstream| !matches!(upstream.health.as_str(), "" | "good");
    (count(is_out), count(|upstream| upstream.credential == "refused"))
}

/// Returns its section.
pub(super) fn section(report: &FrontReport) -> String {
    let FrontReport { listen, upstreams, then, totals, transfers, findings: _ } = report;
    let listen: Vec<String> =
        listen.iter().map(|address| format!("<code>http://{}</code>", escape(address))).collect();
    let then = match then.as_deref() {
        Some("off") => ", then nobody (<code>off</code>)".to_owned(),
        Some(then) => format!(", then go's own <code>{}</code>", escape(then)),
        None => String::new(),
    };
    format!(
        "<section id=\"goproxy\">\n<h2>Modules</h2>\n<p>On {}, for go's <code>GOPROXY</code>{then}.</p>\n\
         {}{}{}</section>\n",
        listen.join(" and "),
        sums(totals, transfers.len()),
        table(upstreams),
        under_way(transfers)
    )
}

fn sums(totals: &FrontTotals, open: usize) -> String {
    let outcomes = &totals.outcomes;
    let (amount, unit) = bytes(totals.bytes);
    format!(
        "<p><span id=\"modules-open\">{open}</span> under way; so far <span id=\"modules-answered\">{}</span> \
         answered, <span id=\"modules-missing\">{}</span> that nobody has, {} refused, {} broken off, {} \
         without a client in the end; {} asked again, {} connections, {amount}{unit}.</p>\n",
        grouped(outcomes.answered),
        grouped(outcomes.missing),
        grouped(outcomes.refused),
        grouped(outcomes.broken),
        grouped(outcomes.gone),
        grouped(totals.retries),
        grouped(totals.connections)
    )
}

fn table(upstreams: &[FrontUpstream]) -> String {
    let mut rows = String::new();
    for FrontUpstream { url, health, credential, answered, failed, kept } in upstreams {
        let health = match health.as_str() {
            "" => ("bad", "no name of a host"),
            "good" => ("good", "good"),
            "being tried again" => ("fair", "being tried again"),
            health => ("bad", health),
        };
        let credential = match credential.as_str() {
            "accepted" => ("good", "accepted"),
            "refused" | "unreadable" => ("bad", credential.as_str()),
            credential => ("plain", credential),
        };
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td class=\"n\">{kept}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(url),
            badge(health.0, health.1),
            badge(credential.0, credential.1),
            grouped(*answered),
            grouped(*failed)
        );
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<div class=\"wide\"><table>\n<thead><tr><th>Module proxy</th><th>Health</th><th>Credential</th>\
         <th class=\"n\">Spare</th><th class=\"n\">Answered</th><th class=\"n\">Failed</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

fn under_way(transfers: &[Transfer]) -> String {
    let mut rows = String::new();
    for Transfer { id: _, who: _, what, upstream, stage, bytes: got, total, millis } in
        transfers.iter().take(MOST)
    {
        let size = |count: u64| {
            let (amount, unit) = bytes(count);
            amount + unit
        };
        let total = total.map(|total| format!(" of {}", size(total))).unwrap_or_default();
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"n\">{}{total}</td>\
             <td class=\"n\">{}.{} s</td></tr>",
            escape(what),
            escape(upstream),
            escape(stage),
            size(*got),
            grouped(millis / 1000),
            millis % 1000 / 100
        );
    }
    if rows.is_empty() {
        return rows;
    }
    let left = transfers.len().saturating_sub(MOST);
    let left = if left > 0 { format!("<p>And {left} more.</p>\n") } else { String::new() };
    format!(
        "<div class=\"wide\"><table>\n<thead><tr><th>Under way</th><th>From</th><th>Stage</th>\
         <th class=\"n\">Bytes</th><th class=\"n\">Time</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n\
         {left}"
    )
}

#[cfg(test)]
mod tests {
    use super::{FrontReport, FrontUpstream, MOST, Transfer, section, troubles};

    #[test]
    fn everything_of_the_front_is_shown_and_nothing_of_it_is_markup() {
        let mut report = FrontReport { then: Some("direct".to_owned()), ..FrontReport::default() };
        report.listen = vec!["127.0.0.1:7408".to_owned()];
        report.upstreams = vec![
            FrontUpstream {
                url: "https://a.test/<b>".to_owned(),
                health: "out of order, tried again in 4 s".to_owned(),
                credential: "refused".to_owned(),
                answered: 1_234,
                ..FrontUpstream::default()
            },
            FrontUpstream { health: "good".to_owned(), ..FrontUpstream::default() },
        ];
        let transfer = Transfer {
            what: "m.test/<script>@v1.0.0.zip".to_owned(),
            upstream: "https://a.test".to_owned(),
            stage: "receiving".to_owned(),
            bytes: 2048,
            total: Some(4096),
            millis: 1_250,
            ..Transfer::default()
        };
        report.transfers = vec![transfer; MOST + 3];
        report.totals.outcomes.missing = 5;
        let shown = section(&report);
        for part in [
            "<code>http://127.0.0.1:7408</code>",
            "then go's own <code>direct</code>",
            "https://a.test/&lt;b&gt;",
            "out of order, tried again in 4 s",
            "1\u{2009}234",
            "m.test/&lt;script&gt;@v1.0.0.zip",
            "2.0 KiB of 4.0 KiB",
            "1.2 s",
            "And 3 more.",
            "<span id=\"modules-missing\">5</span>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("<script"));
        assert_eq!(troubles(&report), (1, 1));
    }
}

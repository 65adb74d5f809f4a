//! The status page: one file without a script, which fetches nothing and refreshes itself.
//!
//! Everything that it shows may come from an upstream: it is made printable, and escaped.

mod front;

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::{
    core::{text::printable, time::rfc3339},
    proxy::status::{Finding, Report, UpstreamReport},
    sys::clock,
};

/// How long the page stays before it asks again, in seconds.
const REFRESH: u32 = 5;

const STYLE: &str = concat!(include_str!("common.css"), include_str!("page.css"));

/// Returns the policy that lets the browser use the page's own style and nothing else.
pub(crate) fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// Returns the page.
pub(crate) fn html(report: &Report) -> String {
    let now = clock::now();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"refresh\" content=\"{REFRESH}\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>gocred proxy</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    );
    page += &header(report, now);
    page += "<main>\n";
    page += &tiles(report);
    page += &upstreams(&report.upstreams);
    page += &report.goproxy.as_ref().map(front::section).unwrap_or_default();
    page += &sources(report);
    page += &findings(&all_findings(report), now);
    page += "</main>\n";
    let _ = write!(
        page,
        "<footer>As of <time>{}</time>, refreshed every {REFRESH} s. For programs: <code>/status.json</code> \
         and <code>/metrics</code>, with the token in <code>$XDG_RUNTIME_DIR/gocred/status.token</code>.\
         </footer>\n</body>\n</html>\n",
        clock_time(now)
    );
    page
}

fn header(report: &Report, now: u64) -> String {
    let is_out = |upstream: &&UpstreamReport| upstream.health != "good";
    let is_barred = |upstream: &&UpstreamReport| upstream.login == "barred";
    let (front_out, front_refused) =
        report.goproxy.as_ref().map(front::troubles).unwrap_or_default();
    let out = report.upstreams.iter().filter(is_out).count() + front_out;
    let barred = report.upstreams.iter().filter(is_barred).count() + front_refused;
    let (class, words) = match (out, barred) {
        (0, 0) => ("good", "everything works".to_owned()),
        (0, barred) => ("bad", format!("{barred} without a login")),
        (out, 0) => ("bad", format!("{out} out of order")),
        (out, barred) => ("bad", format!("{out} out of order, {barred} without a login")),
    };
    let listen: Vec<String> =
        report.listen.iter().map(|address| format!("<code>{}</code>", escape(address))).collect();
    format!(
        "<header>\n<h1>gocred <span>proxy</span></h1>\n{}\n<p>Version {}, process {}, running for {}, \
         on {}</p>\n</header>\n",
        badge(class, &words),
        escape(&report.version),
        report.pid,
        duration(now.saturating_sub(report.started)),
        listen.join(" and ")
    )
}

fn tiles(report: &Report) -> String {
    let totals = &report.totals;
    let mut tiles = String::new();
    for (id, name, value, unit) in [
        ("open", "Open tunnels", grouped(report.tunnels_open), ""),
        ("clients", "Clients", grouped(report.clients), ""),
        ("tunnels", "Tunnels so far", grouped(totals.tunnels), ""),
        ("requests", "Plain requests", grouped(totals.requests), ""),
        ("refused", "Refusals", grouped(totals.refused), ""),
    ]
    .into_iter()
    .chain([("up", totals.bytes_up), ("down", totals.bytes_down)].map(|(id, count)| {
        let (value, unit) = bytes(count);
        (id, if id == "up" { "Sent" } else { "Received" }, value, unit)
    })) {
        let _ = writeln!(
            tiles,
            "<div><dt>{name}</dt><dd id=\"{id}\">{value}<small>{unit}</small></dd></div>"
        );
    }
    format!("<dl class=\"tiles\">\n{tiles}</dl>\n")
}

fn upstreams(upstreams: &[UpstreamReport]) -> String {
    let mut rows = String::new();
    for upstream in upstreams {
        let UpstreamReport { url, login, scheme, reason, health, spare, opened, refused } =
            upstream;
        let health_class = match health.as_str() {
            "good" => "good",
            "being tried again" => "fair",
            _ => "bad",
        };
        let (login_class, login) = match login.as_str() {
            "accepted" => ("good", "accepted"),
            "barred" => ("bad", "barred"),
            "open" => ("plain", "not needed"),
            login => ("plain", login),
        };
        let scheme = scheme.as_ref().map(|scheme| escape(scheme)).unwrap_or_default();
        let reason = reason.as_ref().map(|reason| {
            format!("<tr class=\"reason\"><td colspan=\"7\">{}</td></tr>\n", escape(reason))
        });
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td>{scheme}</td>\
             <td class=\"n\">{spare}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(url),
            badge(health_class, health),
            badge(login_class, login),
            grouped(*opened),
            grouped(*refused)
        );
        rows += &reason.unwrap_or_default();
    }
    if rows.is_empty() {
        return "<section>\n<h2>Upstreams</h2>\n<p>None: everything goes to its target directly.</p>\n\
                </section>\n"
            .to_owned();
    }
    format!(
        "<section>\n<h2>Upstreams</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Proxy</th>\
         <th>Health</th><th>Login</th><th>Scheme</th><th class=\"n\">Spare</th><th class=\"n\">Opened</th>\
         <th class=\"n\">Refused</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n"
    )
}

/// The files that the proxy reads and writes: the PAC file, and the access log.
fn sources(report: &Report) -> String {
    let mut items = String::new();
    if let Some(pac) = &report.pac {
        let age = pac.age.map_or_else(
            || ", not read yet".to_owned(),
            |age| format!(", read {} ago", duration(age)),
        );
        item(&mut items, "PAC file", &pac.source, &age, pac.trouble.as_deref());
    }
    if let Some(log) = &report.access_log {
        let lines = format!(", {} lines, {} lost", grouped(log.written), grouped(log.dropped));
        item(&mut items, "Access log", &log.path, &lines, log.trouble.as_deref());
    }
    if items.is_empty() {
        return items;
    }
    format!("<section>\n<h2>Files</h2>\n<ul>\n{items}</ul>\n</section>\n")
}

fn item(items: &mut String, name: &str, place: &str, facts: &str, trouble: Option<&str>) {
    let trouble = trouble.map(|trouble| format!(" {}", badge("bad", trouble))).unwrap_or_default();
    let _ = writeln!(
        items,
        "<li>{name}: <code>{}</code>{}{trouble}</li>",
        escape(place),
        escape(facts)
    );
}

/// Returns the findings of the proxy and of the module proxy front, oldest first.
fn all_findings(report: &Report) -> Vec<Finding> {
    let mut all = report.findings.clone();
    all.extend(report.goproxy.iter().flat_map(|front| front.findings.clone()));
    all.sort_by_key(|finding| finding.at);
    all
}

fn findings(findings: &[Finding], now: u64) -> String {
    if findings.is_empty() {
        return "<section>\n<h2>Last findings</h2>\n<p>None.</p>\n</section>\n".to_owned();
    }
    let mut rows = String::new();
    for Finding { at, code, message, count } in findings.iter().rev() {
        let often = if *count > 1 { format!("{} ×", grouped(*count)) } else { String::new() };
        // The message says it once more.
        let message = match code {
            Some(code) => message.strip_prefix(&format!("gocred[{code}]: ")).unwrap_or(message),
            None => message.strip_prefix("gocred: ").unwrap_or(message),
        };
        let _ = writeln!(
            rows,
            "<tr><td class=\"when\" title=\"{}\">{} ago</td><td><b>{}</b></td><td>{}</td>\
             <td class=\"n\">{often}</td></tr>",
            clock_time(*at),
            duration(now.saturating_sub(*at)),
            escape(code.as_deref().unwrap_or_default()),
            escape(message)
        );
    }
    format!(
        "<section>\n<h2>Last findings</h2>\n<div class=\"wide\"><table class=\"findings\">\n<tbody>\n{rows}\
         </tbody>\n</table></div>\n</section>\n"
    )
}

fn badge(class: &str, words: &str) -> String {
    format!("<span class=\"badge {class}\">{}</span>", escape(words))
}

/// Makes a text fit for the page, as an element's content and as an attribute's value.
fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => shown += "&amp;",
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '"' => shown += "&quot;",
            '\'' => shown += "&#39;",
            c => shown.push(c),
        }
    }
    shown
}

/// Writes a number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push('\u{2009}');
        }
        shown.push(digit);
    }
    shown
}

fn bytes(count: u64) -> (String, &'static str) {
    const STEP: u64 = 1024;
    let units = [" KiB", " MiB", " GiB", " TiB"];
    if count < STEP {
        return (count.to_string(), " B");
    }
    let (mut tenths, mut unit) = (count.saturating_mul(10) / STEP, " KiB");
    for next in units.into_iter().skip(1) {
        if tenths < STEP * 10 {
            break;
        }
        (tenths, unit) = (tenths / STEP, next);
    }
    (format!("{}.{}", tenths / 10, tenths % 10), unit)
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A time in UTC, to the second.
fn clock_time(seconds: u64) -> String {
    let text = rfc3339(seconds.saturating_mul(1000));
    text.split('.').next().unwrap_or_default().replace('T', " ") + " UTC"
}

#[cfg(test)]
mod tests {
    use super::{bytes, escape, grouped, html, policy};
    use crate::proxy::{
        Finding, PacReport, Report, Totals, UpstreamReport,
        goproxy::{FrontReport, FrontUpstream},
    };

    fn report() -> Report {
        let upstream = UpstreamReport {
            url: "http://p:3128".to_owned(),
            login: "barred".to_owned(),
            scheme: Some("NTLM".to_owned()),
            reason: Some("<script>alert(1)</script>".to_owned()),
            health: "out of order, tried again in 4 s".to_owned(),
            spare: 3,
            opened: 12_345,
            refused: 6,
        };
        let message = "gocred[P02]: p \"rejected\" <b>".to_owned();
        Report {
            schema: 1,
            version: "0.1.0".to_owned(),
            pid: 7,
            started: 0,
            listen: vec!["127.0.0.1:7407".to_owned()],
            callers: "uid".to_owned(),
            upstreams: vec![upstream],
            pac: Some(PacReport { source: "/x'".to_owned(), age: Some(1), trouble: None }),
            access_log: None,
            goproxy: None,
            clients: 2,
            tunnels_open: 1,
            totals: Totals { requests: 0, tunnels: 4, refused: 5, bytes_up: 10, bytes_down: 2_000 },
            findings: vec![Finding { at: 0, code: Some("P02".to_owned()), message, count: 2 }],
        }
    }

    #[test]
    fn the_page_shows_everything_and_nothing_that_it_shows_is_markup() {
        let page = html(&report());
        for shown in [
            "http://p:3128",
            "out of order, tried again in 4 s",
            "12\u{2009}345",
            "NTLM",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "<b>P02</b></td><td>p &quot;rejected&quot; &lt;b&gt;</td>",
            "/x&#39;",
            "1 out of order, 1 without a login",
        ] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert!(!page.contains("<script"));
    }

    #[test]
    fn what_is_wrong_with_the_front_is_said_on_top_and_below() {
        let mut report = report();
        report.upstreams.clear();
        let message = "gocred[H01]: a.test is silent".to_owned();
        let finding = Finding { at: 9, code: Some("H01".to_owned()), message, count: 1 };
        let health = "out of order".to_owned();
        let upstreams = vec![FrontUpstream { health, ..FrontUpstream::default() }];
        let findings = vec![finding];
        report.goproxy = Some(FrontReport { upstreams, findings, ..FrontReport::default() });
        let page = html(&report);
        assert!(page.contains(">1 out of order<"), "{page}");
        let (first, second) = (page.find("<b>H01</b>"), page.find("<b>P02</b>"));
        assert!(first.is_some() && first < second, "{page}");
    }

    #[test]
    fn the_page_fetches_nothing() {
        let page = html(&report());
        for elsewhere in ["src=", "href=\"http", "href=\"/", "url(", "@import"] {
            assert!(!page.contains(elsewhere), "{elsewhere}");
        }
        assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"));
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(bytes(1_023), ("1023".to_owned(), " B"));
        assert_eq!(bytes(1_536), ("1.5".to_owned(), " KiB"));
        assert_eq!(bytes(5 << 40), ("5.0".to_owned(), " TiB"));
        assert!(bytes(u64::MAX).1 == " TiB");
        assert_eq!(escape("a\u{1b}<"), "a\\u{1b}&lt;");
    }
}

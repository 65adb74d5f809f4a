//! What `gocred proxy top` shows, as lines: what is wrong first, then what is under way, the oldest first.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    core::{credential::UnixTime, text::printable},
    front::ui::count,
    proxy::goproxy::{FrontReport, FrontTotals, FrontUpstream, Transfer},
};

/// A transfer, and who it is for, as far as the system says it.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    #[serde(flatten)]
    pub(super) transfer: &'a Transfer,
    /// The user.
    pub(super) uid: Option<u32>,
    /// The process.
    pub(super) pid: Option<i32>,
    /// Its program.
    pub(super) program: Option<String>,
}

/// What `--json` prints of a moment. Fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Moment<'a> {
    /// The version of this schema.
    schema: u32,
    /// Seconds since 1970.
    at: UnixTime,
    listen: &'a [String],
    upstreams: &'a [FrontUpstream],
    then: Option<&'a str>,
    totals: &'a FrontTotals,
    transfers: Vec<Shown<'a>>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(at: UnixTime, report: &'a FrontReport, transfers: Vec<Shown<'a>>) -> Self {
        let FrontReport { listen, upstreams, then, totals, transfers: _, findings: _ } = report;
        let then = then.as_deref();
        Self { schema: 1, at, listen, upstreams, then, totals, transfers }
    }
}

/// Bytes of each transfer a second ago.
pub(super) type Before = BTreeMap<u64, u64>;

/// Returns the lines of a screen of this size; `None`: there is room for all of them.
pub(super) fn lines(
    report: &FrontReport,
    transfers: &[Shown<'_>],
    before: &Before,
    size: Option<(usize, usize)>,
) -> Vec<String> {
    let mut lines = head(report);
    let (columns, most) = size.unwrap_or((usize::MAX, usize::MAX));
    let rows = aligned(transfers, before, columns);
    let room = most.saturating_sub(lines.len());
    if rows.len() > room {
        let shown = room.saturating_sub(1);
        let left_out = rows.len().saturating_sub(shown);
        lines.extend(rows.into_iter().take(shown));
        lines.push(format!("and {left_out} more"));
    } else {
        lines.extend(rows);
    }
    lines.truncate(most);
    lines.iter().map(|line| line.chars().take(columns).collect()).collect()
}

fn head(report: &FrontReport) -> Vec<String> {
    let FrontReport { listen, upstreams, then: _, totals, transfers, findings } = report;
    let where_to = listen.first().map(|address| format!("http://{address}")).unwrap_or_default();
    let open = u64::try_from(transfers.len()).unwrap_or(u64::MAX);
    let mut lines = vec![format!(
        "{open} under way; so far {}, {} refused, {} broken off, {}, {}; goproxy on {where_to}",
        count(totals.requests, "request"),
        totals.refused,
        totals.broken,
        retries(totals.retries),
        human(totals.bytes)
    )];
    let is_out = |upstream: &&FrontUpstream| {
        !matches!(upstream.health.as_str(), "" | "good") || upstream.credential == "refused"
    };
    lines.extend(upstreams.iter().filter(is_out).map(|upstream| printable(&line(upstream))));
    lines.extend(findings.last().map(|finding| format!("last: {}", printable(&finding.message))));
    lines.push(String::new());
    lines
}

/// `module proxy https://goproxy.corp.example: good, credential accepted, 12 answered, 1 failed`
pub(super) fn line(upstream: &FrontUpstream) -> String {
    let FrontUpstream { url, health, credential, answered, failed, kept } = upstream;
    let mut facts = Vec::new();
    facts.extend((!health.is_empty()).then(|| health.clone()));
    facts.extend(match credential.as_str() {
        "" | "untried" => None,
        "none" => Some("no credential".to_owned()),
        state => Some(format!("credential {state}")),
    });
    facts.push(format!("{answered} answered"));
    facts.extend((*failed > 0).then(|| format!("{failed} failed")));
    facts.extend((*kept > 0).then(|| count(*kept, "spare connection")));
    format!("module proxy {url}: {}", facts.join(", "))
}

/// Counts what was asked again.
pub(super) fn retries(number: u64) -> String {
    format!("{number} {}", if number == 1 { "retry" } else { "retries" })
}

/// Returns the table, with its head where it has a row. What matters least stands last: a narrow screen
/// does not show it.
fn aligned(transfers: &[Shown<'_>], before: &Before, columns: usize) -> Vec<String> {
    if transfers.is_empty() {
        return Vec::new();
    }
    let head = ["WHAT", "BYTES", "STAGE", "TIME", "WHO", "FROM", "PER SECOND"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(transfers.iter().map(|shown| row(shown, before, columns)));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(shown: &Shown<'_>, before: &Before, columns: usize) -> [String; 7] {
    let Shown { transfer, uid, pid, program } = shown;
    let Transfer { id, who, what, upstream, stage, bytes, total, millis } = transfer;
    let who = match (pid, program, uid) {
        (Some(pid), Some(program), _) => {
            format!("{}[{pid}]", program.rsplit('/').next().unwrap_or(program))
        }
        (Some(pid), None, _) => format!("process {pid}"),
        (None, _, Some(uid)) => format!("uid {uid}"),
        (None, _, None) => who.clone(),
    };
    let size = match total {
        Some(total) => format!("{}/{}", short(*bytes), short(*total)),
        None => short(*bytes),
    };
    let rate = before.get(id).map(|before| short(bytes.saturating_sub(*before)));
    // The scheme is known to whoever configured it.
    let upstream = upstream.strip_prefix("https://").unwrap_or(upstream);
    [
        tail(what, columns / 3),
        size,
        tail(stage, 12),
        format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        tail(&who, 20),
        tail(upstream, 48),
        rate.unwrap_or_default(),
    ]
}

/// Returns the end of a text that fits, which of a module is its version.
fn tail(text: &str, most: usize) -> String {
    let text = printable(text);
    let size = text.chars().count();
    if size <= most {
        return text;
    }
    let rest = text.chars().skip(size.saturating_sub(most.saturating_sub(1)));
    ['\u{2026}'].into_iter().chain(rest).collect()
}

/// Writes a number of bytes as in [`human`], in less room.
fn short(bytes: u64) -> String {
    human(bytes).replace("iB", "").replace(' ', "")
}

/// Writes a number of bytes as people read it.
pub(super) fn human(bytes: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "KiB", "MiB"] {
        if bytes / 1024 < unit {
            return scaled(bytes, unit, name);
        }
        unit = unit.saturating_mul(1024);
    }
    scaled(bytes, unit, "GiB")
}

fn scaled(bytes: u64, unit: u64, name: &str) -> String {
    if unit == 1 {
        return format!("{bytes} {name}");
    }
    let tenths = bytes % unit * 10 / unit;
    format!("{}.{tenths} {name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::{
        Before, FrontReport, FrontUpstream, Moment, Shown, Transfer, human, line, lines, tail,
    };
    use crate::proxy::Finding;

    fn transfer(id: u64, what: &str) -> Transfer {
        Transfer {
            id,
            who: "Go-http-client/1.1 4711".to_owned(),
            what: what.to_owned(),
            upstream: "https://goproxy.corp.test/go".to_owned(),
            stage: "receiving".to_owned(),
            bytes: 3 << 20,
            total: Some(12 << 20),
            millis: 1_234,
        }
    }

    fn shown(transfer: &Transfer) -> Shown<'_> {
        let program = Some("/usr/local/go/bin/go".to_owned());
        Shown { transfer, uid: Some(1000), pid: Some(4711), program }
    }

    fn report(transfers: Vec<Transfer>) -> FrontReport {
        FrontReport {
            listen: vec!["127.0.0.1:7408".to_owned()],
            transfers,
            ..FrontReport::default()
        }
    }

    #[test]
    fn a_transfer_is_one_line() {
        let report = report(vec![transfer(7, "corp.test/m@v1.2.3.zip")]);
        let before = Before::from([(7, 1 << 20)]);
        let lines = lines(&report, &[shown(&report.transfers[0])], &before, None);
        assert!(lines[0].starts_with("1 under way; so far 0 requests, 0 refused, 0 broken off, "));
        assert!(lines[0].ends_with("0 retries, 0 B; goproxy on http://127.0.0.1:7408"));
        assert_eq!(
            lines[2..],
            [
                "WHAT                    BYTES       STAGE      TIME  WHO       FROM                  PER SECOND",
                "corp.test/m@v1.2.3.zip  3.0M/12.0M  receiving  1.2s  go[4711]  goproxy.corp.test/go  2.0M",
            ]
        );
        assert_eq!(tail("corp.test/m@v1.2.3.zip", 12), "\u{2026}@v1.2.3.zip");
        assert_eq!((tail("ab", 0).as_str(), tail("ab", 2).as_str()), ("\u{2026}", "ab"));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nothing_moves_the_cursor() {
        let transfers = (0..20).map(|id| transfer(id, "a\u{1b}[2Jb\nc")).collect();
        let report = report(transfers);
        let shown: Vec<_> = report.transfers.iter().map(shown).collect();
        let lines = lines(&report, &shown, &Before::new(), Some((60, 10)));
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[9], "and 14 more");
        assert!(lines.iter().all(|line| line.chars().count() <= 60));
        assert!(!lines.concat().contains(char::is_control));
        for size in [(1, 1), (0, 0), (5, 2)] {
            let lines = super::lines(&report, &shown, &Before::new(), Some(size));
            assert!(lines.len() <= size.1);
        }
    }

    #[test]
    fn what_is_wrong_stands_first() {
        let mut report = report(Vec::new());
        let good = FrontUpstream {
            url: "https://a.test".into(),
            health: "good".into(),
            ..FrontUpstream::default()
        };
        let out = FrontUpstream {
            url: "https://b.test".into(),
            health: "out of order".into(),
            ..good.clone()
        };
        report.upstreams = vec![good, out];
        let message = "gocred[H03]: b.test is silent".to_owned();
        report.findings = vec![Finding { at: 1, code: None, message, count: 1 }];
        let lines = lines(&report, &[], &Before::new(), Some((80, 24)));
        assert_eq!(lines[1], "module proxy https://b.test: out of order, 0 answered");
        assert_eq!(lines[2], "last: gocred[H03]: b.test is silent");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn an_upstream_says_what_it_did() {
        let upstream = FrontUpstream {
            url: "https://a.test".to_owned(),
            health: "good".to_owned(),
            credential: "accepted".to_owned(),
            answered: 12,
            failed: 1,
            kept: 2,
        };
        assert_eq!(
            line(&upstream),
            "module proxy https://a.test: good, credential accepted, 12 answered, 1 failed, 2 spare connections"
        );
    }

    #[test]
    fn bytes_are_read_by_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn a_moment_is_one_object() {
        let report = report(vec![transfer(7, "m@v1.zip")]);
        let moment = Moment::new(9, &report, vec![shown(&report.transfers[0])]);
        let value = serde_json::to_value(&moment).unwrap();
        assert_eq!((&value["schema"], &value["at"]), (&1.into(), &9.into()));
        let transfer = &value["transfers"][0];
        assert_eq!((&transfer["pid"], &transfer["what"]), (&4711.into(), &"m@v1.zip".into()));
        assert_eq!(transfer["program"], "/usr/local/go/bin/go");
    }
}

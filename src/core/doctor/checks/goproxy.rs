//! GOPROXY: what is no list, and what the list cannot do. E01–E08, E55, E61, A16, A17.

use crate::core::{
    doctor::{
        checks::{DIRECT, Facts, facts, fix, spelling},
        finding::{Change, Finding, Kind, Severity, Tool},
        place::Place,
        private::Private,
        shelf,
    },
    goproxy::{DEFAULT, Next, pieces},
};

/// What a module proxy answers that go does not go on after, though a pipe would make it.
const UNAVAILABLE: &[&str] = &[
    "M03", "M04", "M05", "M06", "M13", "A14", "H01", "H05", "H14", "H16", "H17", "H18", "H23",
    "N06",
];

/// Returns what is wrong with it.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let (value, place) = facts.goproxy();
    let mut found: Vec<Finding> = unusable(facts, &value, &place).into_iter().collect();
    if found.is_empty() {
        found.extend(off(facts, &value, &place));
        found.extend(order(facts, &value, &place));
        found.extend(comma(facts, &value, &place));
    }
    found.extend(clear_text(facts, &value, &place));
    found.extend(shut_down(facts, &value, &place));
    found
}

/// A list that go refuses as a whole, for every module.
fn unusable(facts: &Facts<'_>, value: &Private, place: &Place) -> Option<Finding> {
    let raw = value.raw();
    let start = |code, cause: String, expected: &str| {
        facts
            .finding(code, facts.for_go(), cause)
            .seen(Kind::Variable, place.clone(), format!("GOPROXY={value}"), expected)
            .affects(&[Tool::Go])
            .reproduce("go env GOPROXY")
    };
    let mut parts = pieces(raw).peekable();
    if parts.peek().is_none() {
        let cause = format!("GOPROXY is set ({place}) but holds no entry, so go asks nobody.");
        return Some(fix::go(facts, start("E02", cause, "a list of URLs"), "GOPROXY", None));
    }
    if raw.contains(['"', '\'', '\u{201c}', '\u{201d}']) {
        let cause =
            format!("The quotes are part of GOPROXY's value ({place}): go reads no URL in it.");
        let finding = start("E05", cause, "the same without quotes");
        let mended = raw.replace(['"', '\'', '\u{201c}', '\u{201d}'], "");
        return Some(mend(facts, finding, &mended));
    }
    parts.find_map(|(text, _)| {
        let code = flaw(text)?;
        let shown = Private::of("GOPROXY", text);
        let finding = match code {
            "E04" => {
                let cause = format!("GOPROXY ({place}) holds `{shown}`, which is no URL.");
                start("E04", cause, "a URL, `direct` or `off`")
            }
            "E61" if text.to_ascii_lowercase().starts_with("file:") => {
                let cause = format!(
                    "GOPROXY ({place}) holds `{shown}`: behind file:// go takes a path only, which begins with a third slash."
                );
                start("E61", cause, "file:///FOLDER")
            }
            "E61" => {
                let cause =
                    format!("GOPROXY ({place}) holds `{shown}`, which go cannot parse as a URL.");
                start("E61", cause, "a URL")
            }
            _ => {
                let cause = format!(
                    "GOPROXY ({place}) holds `{shown}`: go knows https, http and file only."
                );
                start("E03", cause, "https://, http:// or file://")
            }
        };
        Some(mend(facts, finding, &replaced(raw, text, better(text).as_deref())))
    })
}

/// Returns the code of an element that go does not take (cmd/go `modfetch.proxyList`, `newProxyRepo`).
fn flaw(text: &str) -> Option<&'static str> {
    if matches!(text, "direct" | "off") {
        return None;
    }
    let has_marks = text.contains(['.', ':', '/']);
    let is_host = has_marks && !text.contains(":/") && !text.starts_with('/');
    let url = if is_host { format!("https://{text}") } else { text.to_owned() };
    let Some((scheme, rest)) = url.split_once(':') else { return Some("E04") };
    if scheme.contains('/') {
        return Some("E04");
    }
    match scheme.to_ascii_lowercase().as_str() {
        "file" => shelf::folder(&url).is_none().then_some("E61"),
        "http" | "https" => {
            let rest = rest.strip_prefix("//").unwrap_or_default();
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let authority = rest.get(..end).unwrap_or_default();
            let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
            let port = place.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
            let is_port = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit());
            let is_bad = place.is_empty()
                || place.contains([' ', '<', '>', '^', '`', '{', '}', '\\', '|'])
                || port.is_some_and(|(_, port)| !is_port(port));
            is_bad.then_some("E61")
        }
        _ => Some("E03"),
    }
}

/// Returns what an element was probably meant to be; `None`: nothing that can be told.
fn better(text: &str) -> Option<String> {
    if !text.contains([':', '/', '.']) {
        let lower = text.to_ascii_lowercase();
        return spelling::nearest(&lower, ["direct", "off"], 2).map(str::to_owned);
    }
    let (scheme, rest) = text.split_once(':')?;
    let rest = rest.trim_start_matches('/');
    if scheme.eq_ignore_ascii_case("file") {
        // `file://srv/go`: a slash is missing. A home or a variable is a shell's to know.
        let path = format!("file:///{}", rest.strip_prefix("localhost/").unwrap_or(rest));
        let is_plain = !rest.starts_with(['~', '$', '.', '%']) && shelf::folder(&path).is_some();
        return (is_plain && rest.contains('/')).then_some(path);
    }
    let near = spelling::nearest(&scheme.to_ascii_lowercase(), ["https", "http"], 1);
    let near = near.unwrap_or("https");
    let is_url = !rest.is_empty() && !rest.contains(char::is_whitespace);
    (flaw(&format!("{near}://{rest}")).is_none() && is_url).then(|| format!("{near}://{rest}"))
}

/// Returns the list with an element replaced or left out.
fn replaced(list: &str, element: &str, with: Option<&str>) -> String {
    let mut mended = String::new();
    for piece in list.split_inclusive([',', '|']) {
        let text = piece.trim_end_matches([',', '|']);
        let separator = piece.get(text.len()..).unwrap_or_default();
        if text.trim() == element {
            if let Some(with) = with {
                mended.push_str(with);
                mended.push_str(separator);
            }
        } else {
            mended.push_str(piece);
        }
    }
    mended.trim_matches([',', '|', ' ']).to_owned()
}

/// Sets the mended list. One with a password is not written into a command; an empty one means the default.
fn mend(facts: &Facts<'_>, finding: Finding, list: &str) -> Finding {
    if list.is_empty() || pieces(list).any(|(text, _)| flaw(text).is_some()) {
        return fix::go(facts, finding, "GOPROXY", None);
    }
    let is_shown = |list: &str| Private::of("GOPROXY", list).to_string() == list;
    let (old, place) = facts.goproxy();
    match (is_shown(old.raw()), is_shown(list), place) {
        (true, true, _) => fix::go(facts, finding, "GOPROXY", Some(list)),
        // A password that looks like a port, and went into what was guessed.
        (false, true, Place::File(file, Some(line))) => {
            let file = fix::quoted(&file.display().to_string());
            finding.run(format!("\"${{EDITOR:-vi}}\" +{line} {file}"))
        }
        (false, true, _) => finding.run("unset GOPROXY"),
        (_, false, _) => {
            fix::go(facts, finding, "GOPROXY", Some(list)).run("gocred import".to_owned())
        }
    }
}

/// E01: nobody is asked.
fn off(facts: &Facts<'_>, value: &Private, place: &Place) -> Option<Finding> {
    let (first, _) = pieces(value.raw()).next()?;
    if first != "off" || !facts.asks_proxies() {
        return None;
    }
    let is_here = |path: &str, version: &Option<String>| {
        let version = version.as_deref().unwrap_or_default();
        facts.machine.cached.get(&format!("{path}@{version}")).is_some_and(|zip| zip.is_whole)
    };
    let all_here = facts.proxied().all(|it| is_here(&it.path, &it.version));
    let is_offline = !facts.modules.is_empty() && all_here || super::govars::is_vendored(facts);
    let severity = if is_offline { Severity::Info } else { Severity::Error };
    let cause = format!("GOPROXY=off ({place}) forbids go to download any module.");
    let finding = facts
        .finding("E01", severity, cause)
        .seen(Kind::Variable, place.clone(), "off", "a list of proxies")
        .affects(&[Tool::Go])
        .reproduce("go env GOPROXY");
    Some(fix::go(facts, finding, "GOPROXY", None))
}

/// E06 and E07: the default, and `direct`, need a way out of the network.
fn order(facts: &Facts<'_>, value: &Private, place: &Place) -> Option<Finding> {
    if !facts.asks_proxies() {
        return None;
    }
    let explained = [DIRECT, &["P10", "P12"]].concat();
    let list: Vec<&str> = pieces(value.raw()).map(|(text, _)| text).collect();
    if value.raw() == DEFAULT && facts.modules.iter().all(|it| !facts.is_private(&it.path)) {
        let is_off = facts.machine.goenv.is_none();
        let why = if is_off { " (go's file is ignored: GOENV=off)" } else { "" };
        let cause =
            format!("GOPROXY is go's default{why}: go asks proxy.golang.org on the internet.");
        let finding = facts
            .finding("E06", Severity::Info, cause)
            .seen(Kind::Variable, place.clone(), DEFAULT, "the proxy of your network")
            .affects(&[Tool::Go])
            .run("go env -w GOPROXY=https://YOUR-PROXY,direct")
            .explains(&explained);
        return Some(finding);
    }
    let direct = list.iter().position(|text| *text == "direct")?;
    let ignored = list.get(direct + 1..).unwrap_or_default();
    if direct > 0 && ignored.is_empty() {
        return None;
    }
    let severity = if ignored.is_empty() { Severity::Info } else { Severity::Warning };
    let cause = if ignored.is_empty() {
        format!("GOPROXY=direct ({place}): go asks the host of every module itself.")
    } else {
        let ignored = Private::of("GOPROXY", ignored.join(","));
        format!("GOPROXY ({place}) says `direct` before {ignored}, which go therefore never asks.")
    };
    let finding = facts
        .finding("E07", severity, cause)
        .seen(Kind::Variable, place.clone(), value.to_string(), "`direct` last")
        .affects(&[Tool::Go, Tool::Git])
        .reproduce("go env GOPROXY");
    let finding = if direct == 0 { finding.explains(&explained) } else { finding };
    if ignored.is_empty() {
        return Some(finding.run("go env -w GOPROXY=https://YOUR-PROXY,direct"));
    }
    let mut mended: Vec<&str> = list.iter().copied().filter(|text| *text != "direct").collect();
    if mended.last() != Some(&"off") {
        mended.push("direct");
    }
    Some(mend(facts, finding, &mended.join(",")))
}

/// E55: a service that is no more.
fn shut_down(facts: &Facts<'_>, value: &Private, place: &Place) -> Option<Finding> {
    let gone =
        pieces(value.raw()).map(|(text, _)| text).find(|text| text.contains("gocenter.io"))?;
    let cause = format!("GOPROXY ({place}) names gocenter.io, which was shut down in 2021.");
    let severity = if facts.asks_proxies() { Severity::Warning } else { Severity::Info };
    let finding = facts
        .finding("E55", severity, cause)
        .seen(Kind::Variable, place.clone(), value.to_string(), "a proxy that is there")
        .affects(&[Tool::Go])
        .explains(&[DIRECT, &["M01", "M02", "M03", "M05", "M06", "M07", "T07"]].concat());
    Some(mend(facts, finding, &replaced(value.raw(), gone, None)))
}

/// E08: behind a comma, the next proxy is asked after 404 and 410 only.
fn comma(facts: &Facts<'_>, value: &Private, place: &Place) -> Option<Finding> {
    let mut parts = pieces(value.raw());
    let ((first, next), (second, _)) = (parts.next()?, parts.next()?);
    let is_proxy = |text: &str| !matches!(text, "direct" | "off");
    if next == Next::OnError || !is_proxy(first) || !is_proxy(second) || !facts.asks_proxies() {
        return None;
    }
    let (shown, behind) = (Private::of("GOPROXY", first), Private::of("GOPROXY", second));
    let cause = format!(
        "GOPROXY ({place}) has a comma behind {shown}: go asks {behind} after 404 and 410 only, not after any other failure."
    );
    let finding = facts
        .finding("E08", Severity::Info, cause)
        .seen(Kind::Variable, place.clone(), value.to_string(), "`|` between the two")
        .affects(&[Tool::Go])
        .reproduce("go env GOPROXY")
        .explains(&[DIRECT, UNAVAILABLE].concat());
    let mended = value.raw().replacen(',', "|", 1);
    Some(mend(facts, finding, &mended))
}

/// A16 and A17: credentials and plain http.
fn clear_text(facts: &Facts<'_>, value: &Private, place: &Place) -> Vec<Finding> {
    if !facts.is_for_go() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (text, _) in pieces(value.raw()).filter(|(text, _)| text.starts_with("http://")) {
        let Some(asked) = facts::place(text) else { continue };
        let shown = Private::of("GOPROXY", text);
        let authority = text.split('/').nth(2).unwrap_or_default();
        let secure = text.replacen("http://", "https://", 1);
        if authority.contains('@') {
            let cause = format!("go refuses to send the login of {shown} ({place}) in clear text.");
            let severity = if facts.asks_proxies() { Severity::Error } else { Severity::Warning };
            let finding = facts
                .finding("A17", severity, cause)
                .seen(Kind::Variable, place.clone(), shown.to_string(), "https://")
                .affects(&[Tool::Go]);
            found.push(secured(facts, finding, text, place));
            continue;
        }
        let is_loopback =
            asked.host == "localhost" || asked.host.starts_with("127.") || asked.host == "::1";
        if is_loopback {
            continue;
        }
        let cause = format!(
            "{} is asked without TLS ({place}): go sends it no login of netrc or GOAUTH.",
            asked.host
        );
        let finding = facts
            .finding("A16", Severity::Info, cause)
            .seen(Kind::Variable, place.clone(), shown.to_string(), "https://")
            .affects(&[Tool::Go])
            .explains(&["A14", "A15", "M04"]);
        found.push(mend(facts, finding, &replaced(value.raw(), text, Some(&secure))));
    }
    found
}

/// Writes `https` where an element with a login says `http`, and nothing else of it anew.
fn secured(facts: &Facts<'_>, finding: Finding, element: &str, place: &Place) -> Finding {
    let Place::File(file, Some(line)) = place else { return finding.run("gocred import") };
    let finding = finding
        .run(format!("\"${{EDITOR:-vi}}\" +{line} {}", fix::quoted(&file.display().to_string())));
    let text = facts.machine.goenv.as_ref().filter(|own| own.path == *file);
    let text = text.and_then(|own| own.lines.as_ref()?.get(line.checked_sub(1)?));
    let before = text.and_then(|text| text.raw().split_once(element)).map(|(before, _)| before);
    let Some(before) = before.filter(|_| fix::is_own(facts, file)) else { return finding };
    let (from, to) = ("http://".to_owned(), "https://".to_owned());
    let nth = before.matches(&from).count();
    finding.change(Change::Part { file: file.clone(), line: *line, nth, from, to })
}

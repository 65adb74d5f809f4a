//! M: what a module proxy answers.

use crate::core::{
    doctor::{
        finding::{Confidence, Finding, Kind},
        gomod::{self, GoMod},
        judge::{Case, a, h, say, sums},
        leg::{Failed, Leg, Purpose, Wanted, Why},
        machine::Machine,
        place::Place,
        plan::redirect,
        probe::{Http, ReadFlaw},
        shelf,
        shell::quoted,
    },
    text::printable,
};

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    if !leg.purpose.is_module() {
        return Vec::new();
    }
    let found = match leg.failed() {
        Some(Failed::Http(http)) => match &http.flaw {
            Some(flaw) => Some(broken(leg, http, flaw)),
            None => status(leg, http, case),
        },
        None => leg.answer().and_then(|http| content(leg, http, case)),
        Some(_) => None,
    };
    found.into_iter().map(|finding| required(finding, leg, case)).collect()
}

/// Adds the line of go.mod that wants the module.
fn required(finding: Finding, leg: &Leg<'_>, case: &Case<'_>) -> Finding {
    let (Some(wanted), Some(own)) = (&leg.module, &case.machine.module) else { return finding };
    let wants = |it: &gomod::Require| {
        let (path, version) = it.fetched.as_ref()?;
        (*path == wanted.path && Some(version) == wanted.version.as_ref()).then_some(it.line)
    };
    let Some(line) = GoMod::parse(&own.go_mod).requires.iter().find_map(wants) else {
        return finding;
    };
    let place = Place::File(own.go_mod.path.clone(), Some(line));
    finding.seen(Kind::File, place, format!("requires {}", name(Some(wanted))), "")
}

pub(super) fn name(module: Option<&Wanted>) -> String {
    module.map_or_else(String::new, |module| match &module.version {
        Some(version) => format!("{}@{version}", module.path),
        None => module.path.clone(),
    })
}

/// An answer that is not whole.
fn broken(leg: &Leg<'_>, http: &Http, flaw: &ReadFlaw) -> Finding {
    let place = leg.origin_endpoint();
    let (code, cause) = match flaw {
        ReadFlaw::Silent(_) | ReadFlaw::Slow(_) => (
            "M13",
            format!(
                "The module proxy {place} takes the request and does not answer it. go waits for ever."
            ),
        ),
        ReadFlaw::Closed(_) | ReadFlaw::Reset(_) if http.status.is_some() => (
            "M12",
            format!("The module proxy {place} breaks off in the middle of {}.", what(leg.purpose)),
        ),
        ReadFlaw::Closed(_) | ReadFlaw::Reset(_) | ReadFlaw::NotHttp(_) => {
            ("H05", format!("The module proxy {place} closes the connection without an answer."))
        }
        ReadFlaw::TooLarge => ("H12", format!("The head of the answer of {place} is too large.")),
    };
    let finding = say::about(leg, code, cause);
    say::answered(finding, leg, http, say::flaw(flaw), "a whole answer")
}

fn what(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Zip => "the module's zip",
        Purpose::Mod => "the module's go.mod",
        Purpose::List => "the list of versions",
        _ => "its answer",
    }
}

/// A status that no login explains.
fn status(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    let (code, why) = match http.status? {
        // Whom it takes is `a`'s.
        401 | 407 => return None,
        403 if http.has_login && a::forbidden(leg, http, case).is_some() => return None,
        404 | 410 => not_there(leg, http, case),
        status @ 500.. => of_server(leg, http, status),
        status => of_request(leg, http, status),
    };
    let finding = say::about(leg, code, why);
    let finding = match code {
        // No setting is the reason: who asks for another version gets it, the same way.
        "M01" | "M02" if newest(leg).is_some() => finding.stands(),
        "M15" => finding.confidence(Confidence::Likely).explains(&["M01"]),
        "M08" | "H09" => finding.run("gocred portal open"),
        "M01" | "M02" => finding.run(format!(
            "go list -m -versions {}",
            quoted(leg.module.as_ref().map_or("", |module| &module.path))
        )),
        _ => finding,
    };
    Some(say::answered(finding, leg, http, say::status(http.status, &http.reason), "200"))
}

/// 404 and 410: after these alone go asks the next element of GOPROXY (`go help goproxy`).
fn not_there(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> (&'static str, String) {
    let (place, module) = (leg.origin_endpoint(), name(leg.module.as_ref()));
    let is_escaped = leg.asked.link.path.contains("%21") || leg.asked.link.path.contains('!');
    if leg.purpose == Purpose::Zip && is_here(leg, case) {
        ("M14", format!("The module proxy {place} knows {module}, and does not have its zip."))
    } else if is_escaped && !is_named(leg) {
        (
            "M15",
            format!(
                "{place} does not know {module}. Its path has a capital letter, which go sends as `%21` and the small one; something in front of the module proxy changes that on the way."
            ),
        )
    } else if let Some(newest) = newest(leg) {
        let code = if http.status == Some(404) { "M01" } else { "M02" };
        (
            code,
            format!(
                "The module proxy {place} does not have {module}: the newest that it has is {newest}."
            ),
        )
    } else if http.status == Some(404) {
        let words = say::it_says(&http.body);
        ("M01", format!("The module proxy {place} does not have {module}.{words}"))
    } else {
        let words = say::it_says(&http.body);
        (
            "M02",
            format!(
                "The module proxy {place} says that {module} is gone, or not for it to serve.{words}"
            ),
        )
    }
}

/// Returns the newest of the versions that a module proxy has in place of the one that is wanted.
fn newest(leg: &Leg<'_>) -> Option<String> {
    let list = leg.also(Why::Versions)?.seen.http.as_ref()?;
    let is_list = list.status == Some(200) && list.flaw.is_none() && !say::is_html(list);
    shelf::chosen(&list.body, None).filter(|_| is_list).map(|version| printable(&version))
}

/// 3xx and the other 4xx.
fn of_request(leg: &Leg<'_>, http: &Http, status: u16) -> (&'static str, String) {
    let (place, words) = (leg.origin_endpoint(), say::it_says(&http.body));
    match status {
        300..=399 => {
            let location = http.field("location").unwrap_or_default();
            let to = printable(location);
            let next = redirect::resolve(&leg.asked.link, location);
            // Whoever sends it around or out of TLS asks for no login.
            if let Some((code @ ("H10" | "H11"), why)) = h::astray(leg, next.as_ref(), &to) {
                return (code, why);
            }
            (
                "M08",
                format!(
                    "The module proxy {place} sends go to {to}, where somebody has to sign in."
                ),
            )
        }
        400 => ("H24", format!("The module proxy {place} does not take the request (400).{words}")),
        403 if leg.has_left() => (
            "M21",
            format!(
                "The module proxy sends go to {place}, which refuses: the login does not go along to another host."
            ),
        ),
        403 => (
            "M03",
            format!(
                "The module proxy {place} does not hand out {}: a policy excludes it.{words}",
                name(leg.module.as_ref())
            ),
        ),
        429 => ("H14", format!("The module proxy {place} was asked too often (429).{words}")),
        451 => (
            "H23",
            format!("The module proxy {place} may not serve this for legal reasons (451).{words}"),
        ),
        _ => other(leg, http),
    }
}

/// 5xx: it takes none, or what stands in front of it.
fn of_server(leg: &Leg<'_>, http: &Http, status: u16) -> (&'static str, String) {
    let (place, words) = (leg.origin_endpoint(), say::it_says(&http.body));
    match status {
        500 => ("M05", format!("The module proxy {place} has an error of its own.{words}")),
        502 => (
            "M06",
            format!(
                "The gateway in front of the module proxy {place} gets no answer from it.{words}"
            ),
        ),
        503 => ("H17", format!("The module proxy {place} is not available (503).{words}")),
        504 => (
            "H18",
            format!(
                "The gateway in front of the module proxy {place} gets no answer in time.{words}"
            ),
        ),
        511 => (
            "H09",
            format!(
                "A portal wants somebody to sign in before {place} can be reached (511).{words}"
            ),
        ),
        _ => other(leg, http),
    }
}

fn other(leg: &Leg<'_>, http: &Http) -> (&'static str, String) {
    let (said, words) = (say::status(http.status, &http.reason), say::it_says(&http.body));
    ("M05", format!("The module proxy {} answers with {said}.{words}", leg.origin_endpoint()))
}

/// Whether the same proxy answered about the same module before.
fn is_here(leg: &Leg<'_>, case: &Case<'_>) -> bool {
    case.legs.iter().any(|other| {
        other.purpose == Purpose::Info
            && other.base == leg.base
            && other.module == leg.module
            && other.answer().is_some_and(|http| http.status == Some(200))
    })
}

/// Whether the answer names the module: a module proxy that read the path right does.
fn is_named(leg: &Leg<'_>) -> bool {
    let (Some(module), Some(http)) = (&leg.module, leg.answer()) else { return false };
    String::from_utf8_lossy(&http.body).contains(&module.path)
}

/// A whole answer with 200.
fn content(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    let module = leg.module.as_ref()?;
    let is_page = crate::core::page::is_page(&http.body)
        || (say::is_html(http) && http.body.trim_ascii_start().starts_with(b"<"));
    if is_page {
        return Some(page(leg, http));
    }
    let said = match leg.purpose {
        Purpose::Info | Purpose::Latest => info(leg, http, module)?,
        Purpose::Zip => zip(leg, http, module, case)?,
        Purpose::Mod => go_mod(leg, http, module, case)?,
        _ => return None,
    };
    let finding = say::about(leg, said.code, said.cause);
    // What has another root has another sum, too.
    let finding = if said.code == "M18" { finding.explains(&["S08"]) } else { finding };
    Some(say::answered(finding, leg, http, said.observed, said.expected))
}

/// A page for people, in place of a file of the protocol.
fn page(leg: &Leg<'_>, http: &Http) -> Finding {
    let place = leg.origin_endpoint();
    let finding = if leg.has_left() {
        let cause = format!(
            "The module proxy {} sends go to {place}, where somebody has to sign in.",
            leg.first_link().origin.authority()
        );
        say::about(leg, "M08", cause).run("gocred portal open")
    } else if leg.purpose == Purpose::Zip {
        let cause =
            format!("The module proxy {place} answers with a page in place of the module's zip.");
        say::about(leg, "M09", cause)
    } else {
        let cause = format!(
            "In place of the module proxy {place} a page for people answers: {}",
            say::words(&http.body)
        );
        say::about(leg, "M07", cause).run("gocred portal open")
    };
    say::answered(finding, leg, http, "200, a page", what(leg.purpose))
}

/// What is wrong with an answer of the protocol.
struct Said {
    code: &'static str,
    cause: String,
    observed: String,
    expected: String,
}

/// M07, M10, M11: `.info` and `@latest`.
fn info(leg: &Leg<'_>, http: &Http, module: &Wanted) -> Option<Said> {
    let place = leg.origin_endpoint();
    let named = name(Some(module));
    if http.body.trim_ascii().is_empty() {
        return Some(Said {
            code: "M11",
            cause: format!("The module proxy {place} answers with nothing at all about {named}."),
            observed: "0 bytes".to_owned(),
            expected: "JSON".to_owned(),
        });
    }
    let Ok(info) = serde_json::from_slice::<serde_json::Value>(&http.body) else {
        return Some(Said {
            code: "M07",
            cause: format!("What the module proxy {place} says of {named} is not JSON."),
            observed: say::words(&http.body),
            expected: "JSON".to_owned(),
        });
    };
    let version = info.get("Version").and_then(|version| version.as_str()).unwrap_or_default();
    let wanted = module.version.as_deref().unwrap_or_default();
    // A branch or a short version is answered with the version that it stands for.
    let is_exact = wanted.starts_with('v') && wanted.split('.').count() >= 3;
    (is_exact && leg.purpose == Purpose::Info && version != wanted).then(|| Said {
        code: "M10",
        cause: format!(
            "The module proxy {place} was asked for {wanted} and answers about {}.",
            printable(version)
        ),
        observed: printable(version),
        expected: wanted.to_owned(),
    })
}

/// M09, M16, M18: the zip.
fn zip(leg: &Leg<'_>, http: &Http, module: &Wanted, case: &Case<'_>) -> Option<Said> {
    let version = module.version.as_deref()?;
    let named = name(Some(module));
    if !http.body.starts_with(b"PK") {
        let place = leg.origin_endpoint();
        return Some(Said {
            code: "M09",
            cause: format!("What the module proxy {place} serves as the zip of {named} is none."),
            observed: say::words(&http.body),
            expected: "a zip".to_owned(),
        });
    }
    let prefix = format!("{}@{version}/", module.path);
    if let Some(first) = sums::first_name(&http.body)
        && !first.starts_with(&prefix)
    {
        let first = printable(&first);
        return Some(Said {
            code: "M18",
            cause: format!(
                "The zip of {named} holds `{first}`: the path is not the root of a module."
            ),
            observed: first,
            expected: prefix,
        });
    }
    let has = sums::of_zip(http)?;
    let known = in_go_sum(case, &format!("{} {version} ", module.path))?;
    mismatch(leg, module, has, known)
}

/// M16, M22: go.mod.
fn go_mod(leg: &Leg<'_>, http: &Http, module: &Wanted, case: &Case<'_>) -> Option<Said> {
    let version = module.version.as_deref()?;
    let text = String::from_utf8_lossy(&http.body);
    let replaces = is_replacement(case.machine, module);
    if let Some(own) = gomod::declared(&text).filter(|own| *own != module.path && !replaces) {
        let reason = format!(
            "go.mod of {} says that its path is {}: it is a fork or has moved, and go takes it by that name only.",
            name(Some(module)),
            printable(own)
        );
        let (observed, expected) = (printable(own), module.path.clone());
        return Some(Said { code: "M22", cause: reason, observed, expected });
    }
    let known = in_go_sum(case, &format!("{} {version}/go.mod ", module.path))?;
    mismatch(leg, module, sums::of_go_mod(&http.body), known)
}

/// Whether go.mod of the folder names a module as what replaces another: it may have any path then.
fn is_replacement(machine: &Machine, module: &Wanted) -> bool {
    let lines = machine.module.iter().flat_map(|module| module.go_mod.lines.iter().flatten());
    lines
        .into_iter()
        .filter_map(|line| line.raw().split_once("=>"))
        .any(|(_, new)| new.split_whitespace().next() == Some(module.path.as_str()))
}

fn mismatch(leg: &Leg<'_>, module: &Wanted, has: String, known: (Place, String)) -> Option<Said> {
    let (line, said) = known;
    (said != has).then(|| Said {
        code: "M16",
        cause: format!(
            "{} serves another content of {} than go.sum knows ({line}): stop, and find out which one is right.",
            leg.origin_endpoint(),
            name(Some(module)),
        ),
        observed: has,
        expected: said,
    })
}

/// Returns what go.sum of this folder says, and where.
fn in_go_sum(case: &Case<'_>, start: &str) -> Option<(Place, String)> {
    let sums = &case.machine.module.as_ref()?.go_sum;
    let (index, line) =
        sums.lines.as_ref()?.iter().enumerate().find(|(_, line)| line.raw().starts_with(start))?;
    let said = line.raw().strip_prefix(start)?.trim().to_owned();
    Some((Place::File(sums.path.clone(), Some(index + 1)), said))
}

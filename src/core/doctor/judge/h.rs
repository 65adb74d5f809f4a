//! H: answers that are not whole, statuses, gateways and portals, of go-import pages, repositories and plain
//! servers. A login's part in a status is `a`'s; what a module proxy answers is `m`'s, except where the answer
//! does not come at all.

use crate::core::{
    doctor::{
        finding::{Confidence, Finding, Kind, Tool},
        judge::{Case, a, packed, say},
        leg::{Failed, Leg, Purpose},
        place::Place,
        plan::{go_import, redirect},
        probe::{Http, ReadFlaw},
        route::Link,
    },
    text::{printable, start},
};

/// So much of a URL that a server names is repeated, in bytes.
const MOST: usize = 200;
/// After so many redirects go gives up (net/http `defaultCheckRedirect`).
const MOST_REDIRECTS: usize = 10;

/// Returns what a leg shows.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    if leg.purpose.is_sumdb() {
        return Vec::new();
    }
    if let Some(finding) = unclosed(leg) {
        return vec![finding];
    }
    let found = match leg.failed() {
        Some(Failed::Http(http)) => match &http.flaw {
            // An advertisement that is cut is `g`'s.
            Some(ReadFlaw::Closed(_) | ReadFlaw::Reset(_)) if is_advertisement(http) => None,
            Some(flaw) if !leg.purpose.is_module() => Some(broken(leg, http, flaw)),
            Some(_) => None,
            None if leg.purpose.is_module() => None,
            None => forbidden(leg, http, case).or_else(|| status(leg, http, case)),
        },
        None => leg.answer().and_then(|http| content(leg, http)),
        Some(_) => downgraded(leg),
    };
    found.into_iter().collect()
}

fn is_advertisement(http: &Http) -> bool {
    http.field("content-type").is_some_and(|kind| kind.contains("x-git-upload-pack"))
}

/// An answer that is not whole.
fn broken(leg: &Leg<'_>, http: &Http, flaw: &ReadFlaw) -> Finding {
    let place = leg.origin_endpoint();
    let (code, cause) = match flaw {
        ReadFlaw::Silent(0) => (
            "H01",
            format!("{place} takes the request and never answers. go and git wait for ever."),
        ),
        // Only the head came, or a part of the body.
        ReadFlaw::Silent(_) => {
            ("H02", format!("{place} stops in the middle of its answer. go and git wait for ever."))
        }
        ReadFlaw::Slow(_) => (
            "H03",
            format!("{place} sends a few bytes a second: somebody on the way throttles it."),
        ),
        ReadFlaw::Closed(_) | ReadFlaw::Reset(_) if http.status.is_none() => (
            "H05",
            format!("{place} takes the request and closes the connection without an answer."),
        ),
        ReadFlaw::Closed(_) | ReadFlaw::Reset(_) => {
            ("H04", format!("The answer of {place} breaks off before its end."))
        }
        ReadFlaw::TooLarge => {
            ("H12", format!("The head of the answer of {place} is too large for go, git and curl."))
        }
        ReadFlaw::NotHttp(_) => ("H05", format!("{place} does not answer with HTTP.")),
    };
    let finding = say::about(leg, code, cause);
    let finding = if matches!(flaw, ReadFlaw::NotHttp(_)) {
        finding.confidence(Confidence::Possible)
    } else {
        finding
    };
    say::answered(finding, leg, http, say::flaw(flaw), "a whole answer")
}

/// H04 of who trusts no end but one that is told: nothing but the end of the connection says how long the answer is,
/// and TLS ended without `close_notify` (RFC 8446 §6.1). go takes what came; libcurl fails, whether it is built with
/// `GnuTLS` or `OpenSSL` 3.
fn unclosed(leg: &Leg<'_>) -> Option<Finding> {
    let last = (&leg.asked, leg.seen.as_ref());
    let mut all = leg.earlier.iter().map(|(asked, trace)| (asked, *trace)).chain([last]);
    let (asked, http) = all.find_map(|(asked, trace)| {
        Some((asked, trace.http.as_ref().filter(|http| http.is_unclosed)?))
    })?;
    if leg.tool == Tool::Go {
        return None;
    }
    let place = &asked.link.origin;
    let cause = format!(
        "{place} names no length of its answer and ends TLS without saying so (close_notify): git and curl take \
         the answer for one that was cut, go does not."
    );
    let finding = say::about(leg, "H04", cause).explains(&["G20", "G21", "G22", "G23", "G24"]);
    let observed = "no Content-Length, no close_notify";
    Some(say::answered(finding, leg, http, observed, "one of them"))
}

/// A status that no login explains.
fn status(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    let status = http.status?;
    let (code, why) = match status {
        300..=399 => return redirected(leg, http),
        // Who one is.
        401 | 407 => return None,
        403 if http.has_login && a::forbidden(leg, http, case).is_some() => return None,
        500.. => of_server(leg, http, status),
        _ => of_request(leg, http, status),
    };
    let finding = say::about(leg, code, why);
    let is_exact =
        matches!(status, 400 | 403 | 404 | 410 | 429 | 451 | 500 | 502 | 503 | 504 | 511);
    let finding = if is_exact { finding } else { finding.confidence(Confidence::Possible) };
    let finding = if code == "H09" { finding.run("gocred portal open") } else { finding };
    Some(say::answered(finding, leg, http, say::status(http.status, &http.reason), "200"))
}

/// 4xx: it does not take this request.
fn of_request(leg: &Leg<'_>, http: &Http, status: u16) -> (&'static str, String) {
    let (place, words) = (leg.origin_endpoint(), say::it_says(&http.body));
    match status {
        403 if !say::is_html(http) && !words.is_empty() => {
            ("H20", format!("{place} refuses by a policy.{words}"))
        }
        403 => (
            "H19",
            format!(
                "{place} refuses everybody who comes from here (403): a list of addresses, a firewall for web applications, or a policy.{words}"
            ),
        ),
        404 => {
            let path = leg.asked.link.path.split('?').next().unwrap_or_default();
            ("H21", format!("{place} does not know {path} (404)."))
        }
        410 => ("H22", format!("{place} says that this is gone for good (410).{words}")),
        429 => ("H14", format!("{place} was asked too often (429).{}", retry_after(http))),
        451 => ("H23", format!("{place} may not serve this for legal reasons (451).{words}")),
        _ => {
            let said = say::status(http.status, &http.reason);
            ("H24", format!("{place} does not take the request ({said}).{words}"))
        }
    }
}

/// 5xx: it takes none, or what stands in front of it.
fn of_server(leg: &Leg<'_>, http: &Http, status: u16) -> (&'static str, String) {
    let (place, words) = (leg.origin_endpoint(), say::it_says(&http.body));
    match status {
        500 => ("H15", format!("{place} has an error of its own (500).{words}")),
        502 => {
            ("H16", format!("The gateway in front of {place} gets no answer from it (502).{words}"))
        }
        503 => ("H17", format!("{place} is not available (503).{}{words}", retry_after(http))),
        504 => (
            "H18",
            format!("The gateway in front of {place} gets no answer from it in time (504).{words}"),
        ),
        511 => (
            "H09",
            format!(
                "A portal wants somebody to sign in before {place} can be reached (511).{words}"
            ),
        ),
        _ => {
            let said = say::status(http.status, &http.reason);
            ("H15", format!("{place} answers with {said}.{words}"))
        }
    }
}

/// G40: a redirect that git was told not to follow.
fn forbidden(leg: &Leg<'_>, http: &Http, case: &Case<'_>) -> Option<Finding> {
    let (asked, machine) = (&leg.asked.link, case.machine);
    http.status.filter(|status| (300..400).contains(status))?;
    if !redirect::is_forbidden(leg.tool, asked, machine) {
        return None;
    }
    let setting = redirect::setting(asked, machine)?;
    let to = http.field("location").map(|to| printable(start(to, MOST))).unwrap_or_default();
    let place = leg.origin_endpoint();
    let why = format!(
        "{place} redirects to {to}, and git is told to follow no redirect ({}).",
        setting.place
    );
    let finding = say::about(leg, "G40", why)
        .seen(Kind::File, setting.place.clone(), "http.followRedirects=false", "initial")
        .run("git config --global http.followRedirects initial");
    Some(say::answered(finding, leg, http, say::status(http.status, &http.reason), "200"))
}

/// Says when it may be asked again.
fn retry_after(http: &Http) -> String {
    let retry = http.field("retry-after").map(printable);
    retry.map_or_else(String::new, |retry| {
        format!(" It may be asked again after {retry} (Retry-After).")
    })
}

/// A redirect that the tool does not follow, or that leads astray.
fn redirected(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    let location = http.field("location").unwrap_or_default();
    let shown = printable(start(location, MOST));
    let to = redirect::resolve(&leg.asked.link, location);
    let (code, cause) = astray(leg, to.as_ref(), &shown)?;
    let finding = say::about(leg, code, cause);
    let finding = if matches!(code, "H06" | "H07") {
        finding.run("gocred portal open").explains(&["A13"])
    } else {
        finding
    };
    let observed = format!("{} to {shown}", http.status.unwrap_or_default());
    Some(say::answered(finding, leg, http, observed, "200"))
}

/// Returns what is wrong with where a redirect leads.
pub(super) fn astray(
    leg: &Leg<'_>,
    to: Option<&Link>,
    shown: &str,
) -> Option<(&'static str, String)> {
    let from = &leg.asked.link;
    let (place, tool) = (leg.origin_endpoint(), leg.tool.name());
    let is_known = to
        .is_some_and(|to| to == from || leg.earlier.iter().any(|(earlier, _)| earlier.link == *to));
    let is_other_host = to.is_some_and(|to| to.origin.host() != leg.first_link().origin.host());
    let is_clear =
        to.is_some_and(|to| to.origin.scheme() == "http") && from.origin.scheme() == "https";
    Some(if is_known || leg.earlier.len() >= MOST_REDIRECTS {
        ("H10", format!("{place} redirects in a circle."))
    } else if is_other_host && is_clear {
        (
            "H06",
            format!(
                "Something in the way sends {tool} from {place} to {shown}: a portal that wants somebody to sign in."
            ),
        )
    } else if leg.purpose == Purpose::Plain {
        // A server that is only looked at may redirect as it likes.
        return None;
    } else if is_clear {
        (
            "H11",
            format!(
                "{place} redirects from https to {shown}: its base URL is wrong. go refuses that."
            ),
        )
    } else if is_other_host {
        ("H07", format!("{place} sends {tool} to {shown}, where somebody has to sign in."))
    } else {
        (
            "H07",
            format!(
                "{place} redirects to {shown}, which is not what was asked for: a page to sign in, most likely."
            ),
        )
    })
}

/// A redirect from https to http, which git follows, and where nobody answers.
fn downgraded(leg: &Leg<'_>) -> Option<Finding> {
    let (from, trace) = leg.earlier.last()?;
    let is_clear = from.link.origin.scheme() == "https" && leg.asked.link.origin.scheme() == "http";
    let http = trace.http.as_ref().filter(|_| is_clear)?;
    let (place, to) = (from.link.origin.authority(), leg.origin_endpoint());
    let (code, cause) = if from.link.origin.host() == leg.host() {
        (
            "H11",
            format!(
                "{place} redirects from https to {to}: its base URL is wrong, and nobody listens there."
            ),
        )
    } else {
        (
            "H06",
            format!(
                "Something in the way sends {} from {place} to {to}, without TLS.",
                leg.tool.name()
            ),
        )
    };
    let place = Place::Endpoint(from.link.to_string());
    let finding = say::about(leg, code, cause)
        .explains(&["D01", "D02", "D03", "N01", "N02", "N03", "N04", "N05", "P10", "P12"])
        .seen(Kind::Http, place, say::status(http.status, &http.reason), "200")
        .took(http.took);
    Some(finding)
}

/// A whole answer with 200 that comes from somebody else.
fn content(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    if leg.purpose.is_module() || http.status != Some(200) {
        return None;
    }
    damaged(leg, http).or_else(|| page(leg, http))
}

/// H13: an answer that is not packed as it says.
fn damaged(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    let coding = http.field("content-encoding").unwrap_or("identity");
    if coding.eq_ignore_ascii_case("identity")
        || leg.purpose == Purpose::Plain
        || packed::is_good(&http.body, coding)
    {
        return None;
    }
    let coding = printable(coding);
    let cause = format!(
        "{} says that its answer is packed with {coding}, and it is not: something on the way damages it.",
        leg.origin_endpoint()
    );
    let finding = say::about(leg, "H13", cause).explains(&["G17", "G20", "G22"]);
    let observed = format!("content-encoding: {coding}");
    Some(say::answered(finding, leg, http, observed, "an answer that can be unpacked"))
}

/// H07 and H08: a page where somebody has to sign in, in place of a go-import page or a repository.
fn page(leg: &Leg<'_>, http: &Http) -> Option<Finding> {
    let is_wanted = match leg.purpose {
        Purpose::Meta => go_import::tags(&http.body).is_empty(),
        Purpose::Repository => true,
        _ => false,
    };
    if !is_wanted || !say::is_html(http) {
        return None;
    }
    let place = leg.origin_endpoint();
    let (code, cause) = if leg.has_left() {
        (
            "H07",
            format!(
                "{} sends {} to {place}, where somebody has to sign in.",
                leg.first_link().origin.authority(),
                leg.tool.name()
            ),
        )
    } else if say::is_login_page(&http.body) {
        (
            "H08",
            format!(
                "In place of {place} a page answers where somebody has to sign in. git takes it for an empty repository."
            ),
        )
    } else {
        return None;
    };
    let finding = say::about(leg, code, cause)
        .run("gocred portal open")
        .explains(&["G16", "G17", "G20", "G22"]);
    let observed = format!("200, a page: {}", say::words(&http.body));
    Some(say::answered(finding, leg, http, observed, "what was asked for"))
}

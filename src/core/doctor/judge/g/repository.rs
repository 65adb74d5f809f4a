//! What a repository answered with 200: references, or something that is none.
//!
//! git ends with 0 and an empty list on most of what is judged here, so that only go fails, with "unknown
//! revision" (remote-curl.c `discover_refs`).

use super::{answered, revision};
use crate::core::doctor::{
    finding::{Confidence, Finding},
    judge::Case,
    leg::Leg,
    probe::ReadFlaw,
    refs::{self, Answer},
};

/// Judges an answer.
pub(super) fn finding(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let http = leg.seen.http.as_ref().filter(|http| http.status == Some(200))?;
    let kind = http.field("content-type").unwrap_or_default();
    let is_smart = refs::is_advertisement(kind);
    let url = leg.url();
    match &http.flaw {
        None => {}
        // What stands still or trickles in is slow, not cut: `h`.
        Some(ReadFlaw::Closed(bytes) | ReadFlaw::Reset(bytes)) if is_smart => {
            let reason = format!(
                "{url} broke off its list of references after {bytes} bytes, of {} that it announced.",
                http.length.map_or_else(|| "more".to_owned(), |length| length.to_string())
            );
            return Some(answered("G23", reason, leg, http).explains(&["H04", "H05"]));
        }
        Some(_) => return None,
    }
    let is_all = http.length.is_none_or(|length| usize::try_from(length) == Ok(http.body.len()))
        && http.body.len() < LIMIT;
    let (code, reason) = match refs::read(kind, &http.body) {
        Answer::Smart(refs) if !refs.is_whole && is_all => cut(&url),
        Answer::Cut if is_all => cut(&url),
        Answer::Smart(refs) | Answer::Dumb(refs) => {
            return revision::finding(leg, http, &refs, case);
        }
        Answer::Cut | Answer::Second => return None,
        Answer::Empty if is_smart => ("G21", format!("{url} answers 200, and nothing in it.")),
        Answer::Page => {
            let reason = format!(
                "{url} is a page for people, not a repository: git ends well with an empty list, and go says \
                 `unknown revision`."
            );
            ("G20", reason)
        }
        Answer::Refused(_) => {
            let reason =
                format!("the git of {} refuses to read this repository.", leg.origin_endpoint());
            return Some(answered("A05", reason, leg, http).confidence(Confidence::Likely));
        }
        Answer::Empty | Answer::Other => {
            let reason = format!(
                "{url} is not answered by git's http-backend ({}): a web server gives files there, and no \
                 reference is among them.",
                if kind.is_empty() { "no Content-Type" } else { "another Content-Type" }
            );
            ("G22", reason)
        }
    };
    Some(answered(code, reason, leg, http))
}

/// How much of a body is read.
const LIMIT: usize = 64 * 1024;

fn cut(url: &str) -> (&'static str, String) {
    ("G23", format!("the list of references of {url} ends in its middle."))
}

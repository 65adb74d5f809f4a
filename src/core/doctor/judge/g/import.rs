//! What the go-import page of a module says, and what follows from it for the requests after it.

use super::{NETWORK, answered, other_host};
use crate::core::{
    doctor::{
        finding::{Confidence, Finding, Kind, Severity, Tool},
        judge::Case,
        leg::{Leg, Purpose},
        place::Place,
        plan::go_import::{self, Discovery, Import},
        shell::quoted,
    },
    text,
};

/// The systems whose programs go starts (cmd/go `vcsList`), each by its program.
const PROGRAMS: &[(&str, &str)] =
    &[("bzr", "bzr"), ("fossil", "fossil"), ("git", "git"), ("hg", "hg"), ("svn", "svn")];

/// So much of a page is read, in bytes (`net::doctor`).
const MOST_READ: usize = 64 * 1024;

/// Judges a page that came.
pub(super) fn page(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let http = leg.answer().filter(|http| http.status == Some(200))?;
    let module = &leg.module.as_ref()?.path;
    let url = leg.url();
    match go_import::discover(&http.body, module) {
        Discovery::Found(import) => system(&import, leg, case),
        // The tag may stand behind what was read of a long page.
        Discovery::None if http.body.len() >= MOST_READ => None,
        Discovery::None => {
            let reason = format!(
                "{url} has no go-import tag, so go does not learn where the repository of {module} is."
            );
            Some(answered("G17", reason, leg, http).run(dot_git(module)))
        }
        Discovery::Several => {
            let reason = format!(
                "{url} has more than one go-import tag for {module}, and go takes none of them then."
            );
            Some(answered("G18", reason, leg, http))
        }
        Discovery::Mismatch(imports) => {
            let prefixes: Vec<&str> =
                imports.iter().take(3).map(|import| import.prefix.as_str()).collect();
            let prefixes = text::printable(&prefixes.join(", "));
            if let Some(from) = other_host(leg) {
                let reason = format!(
                    "{from} redirects to {}, whose go-import tag is for {prefixes}: a module of one host, served \
                     by another. A login for {from} is not sent there, either.",
                    leg.origin_endpoint()
                );
                return Some(answered("A13", reason, leg, http).explains(&["G16"]));
            }
            let reason = format!("the go-import tag of {url} is for {prefixes}, not for {module}.");
            Some(answered("G16", reason, leg, http))
        }
    }
}

/// Judges a request for a repository that a page names by http://: it fails where nobody listens there, and
/// it is read by anybody on the way where it works.
pub(super) fn clear(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let (page, import) = of(leg, case)?;
    if !import.root.starts_with("http://") || leg.asked.link.origin.scheme() != "http" {
        return None;
    }
    let works = leg.answer().is_some_and(|http| http.status == Some(200));
    let reason = format!(
        "the go-import tag of {} names the repository by http://: {}.",
        page.url(),
        if works { "everybody on the way can change it" } else { "nothing useful answers there" }
    );
    let host = leg.asked.link.origin.authority();
    let http = page.answer()?;
    let finding = answered("G15", reason, page, http)
        .seen(Kind::Http, Place::Endpoint(leg.url()), "http://", "https://")
        .affects(&[Tool::Go])
        .run(format!("git config --global url.https://{host}/.insteadOf http://{host}/"));
    if works {
        return Some(finding.severity(Severity::Warning));
    }
    Some(finding.explains(NETWORK).explains(&["A01", "H06", "H11", "H21"]))
}

/// Judges a 404 of the module proxy that a page names (`mod`).
pub(super) fn proxy(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let http = leg.answer().filter(|http| matches!(http.status, Some(404 | 410)))?;
    let (page, import) = of(leg, case)?;
    let base = leg.base.as_ref()?.to_string();
    if import.vcs != "mod" || import.root.trim_end_matches('/') != base.trim_end_matches('/') {
        return None;
    }
    let module = &leg.module.as_ref()?.path;
    let reason = format!(
        "{} sends go to the module proxy {base} for {module}, which does not have it.",
        page.url()
    );
    Some(answered("G19", reason, leg, http).explains(&["M01", "M02"]))
}

/// A repository that does not exist, because the page was for a group above it: a forge that hides a
/// module of a nested group answers with the first two elements (GitLab's `go-get` page).
pub(in crate::core::doctor::judge) fn nested(leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let http = leg.answer().filter(|http| http.status == Some(404))?;
    if leg.purpose != Purpose::Repository {
        return None;
    }
    let module = &leg.module.as_ref()?.path;
    let (page, import) = of(leg, case)?;
    let rest = module.strip_prefix(&import.prefix)?.trim_start_matches('/');
    // `/v2` is no folder of a group.
    if rest.is_empty()
        || super::revision::major(&format!("/{rest}")).is_some_and(|(stem, _)| stem.is_empty())
    {
        return None;
    }
    let reason = format!(
        "{} names {} as the repository of {module}, and that does not exist: to who is not logged in, the page \
         tells of a group only.",
        page.url(),
        text::printable(&import.root)
    );
    let finding = answered("G32", reason, leg, http).explains(&["A04", "H21", "A01"]);
    Some(finding.confidence(Confidence::Likely).run(dot_git(module)))
}

/// Returns the page that named the repository, or the proxy, that a leg asks, and its tag.
pub(super) fn of<'a>(leg: &Leg<'_>, case: &'a Case<'_>) -> Option<(&'a Leg<'a>, Import)> {
    let module = &leg.module.as_ref()?.path;
    case.legs.iter().find_map(|page| {
        let is_it = page.purpose == Purpose::Meta
            && page.module.as_ref().is_some_and(|own| own.path == *module);
        let http = page.answer().filter(|_| is_it)?;
        match go_import::discover(&http.body, module) {
            Discovery::Found(import) => Some((page, import)),
            Discovery::Mismatch(_) | Discovery::None | Discovery::Several => None,
        }
    })
}

/// Judges which program go needs for a repository.
fn system(import: &Import, leg: &Leg<'_>, case: &Case<'_>) -> Option<Finding> {
    let http = leg.answer()?;
    let url = leg.url();
    // cmd/go vcs `validateRepoRoot`
    let scheme = import.root.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_none_or(|scheme| scheme == "file") {
        let reason = format!(
            "the go-import tag of {url} names {}, which go does not take for a repository: {}.",
            text::printable(&import.root),
            if scheme.is_some() {
                "no file of this machine may be one"
            } else {
                "it has no scheme"
            }
        );
        return Some(answered("G17", reason, leg, http).run(dot_git(&leg.module.as_ref()?.path)));
    }
    if matches!(import.vcs.as_str(), "git" | "mod") {
        return None;
    }
    let Some((name, program)) = PROGRAMS.iter().find(|(name, _)| *name == import.vcs) else {
        let reason = format!(
            "the go-import tag of {url} names `{}`, a kind of repository that go does not know.",
            text::printable(&import.vcs)
        );
        return Some(answered("G17", reason, leg, http));
    };
    let found = case.machine.programs.get(*program).and_then(Option::as_ref);
    if found.is_some() {
        return None;
    }
    let reason = format!(
        "the repository of {} is one of {name}, and go finds no `{program}` on PATH.",
        text::printable(&import.prefix)
    );
    let package = match *program {
        "hg" => "mercurial",
        "svn" => "subversion",
        "bzr" => "brz",
        other => other,
    };
    Some(answered("G13", reason, leg, http).run(format!("sudo apt-get install {package}")))
}

/// A path with `.git` in it needs no page (`vcsPaths` of cmd/go).
fn dot_git(module: &str) -> String {
    format!("go mod download {}", quoted(&format!("{module}.git@latest")))
}

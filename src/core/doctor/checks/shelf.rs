//! `file://` in GOPROXY: a folder that is not there, or that lacks a wanted module. M01, M03, M07, M09, M10, M11,
//! M14, as a module proxy would answer.
//!
//! Only a list that ends before any host is judged here: what a host answers is the probes' to say.

use std::path::PathBuf;

use crate::core::{
    doctor::{
        checks::{Facts, facts::Wanted, fix},
        finding::{Finding, Kind, Severity, Tool},
        machine::What,
        place::Place,
        probe::Http,
        shelf::{self, Query},
    },
    goproxy::{Next, pieces},
    text::printable,
};

/// Returns the code of what go cannot use of a file.
type Check<'a> = &'a dyn Fn(&Http) -> Option<&'static str>;

/// How the list ended for a file.
enum Ended {
    /// A folder has it.
    Good,
    /// A host is asked.
    Unknown,
    Bad(Flaw),
}

/// What is wrong with a file.
struct Flaw {
    code: &'static str,
    folder: PathBuf,
    file: PathBuf,
    observed: &'static str,
}

/// Returns what is wrong, once a code.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if !facts.is_for_go() {
        return found;
    }
    for module in facts.proxied() {
        let Some(flaw) = flaw(facts, module) else { continue };
        if found.iter().all(|finding| finding.entry.code != flaw.code) {
            found.push(finding(facts, module, &flaw));
        }
    }
    found
}

/// Returns the first file of a module that go does not get.
fn flaw(facts: &Facts<'_>, module: &Wanted) -> Option<Flaw> {
    let ask = |name: &str, is_good: Check<'_>| walk(facts, module, name, is_good);
    let any = |_: &Http| None;
    let told = |name: &str, read: &dyn Fn(&[u8]) -> Option<String>| {
        facts.elements().iter().filter_map(|it| shelf::folder(it)).find_map(|folder| {
            let file = shelf::file(&folder, &module.path, name);
            read(&facts.machine.shelves.get(&file)?.body)
        })
    };
    let asked = |name: &str, is_good: Check<'_>| match ask(name, is_good) {
        Ended::Bad(flaw) => Err(flaw),
        Ended::Good => Ok(told(name, &shelf::told)),
        Ended::Unknown => Ok(None),
    };
    let version = match Query::of(module.version.as_deref()) {
        Query::Exactly(version) => Ok(Some(version.to_owned())),
        Query::Told(name) => {
            asked(&shelf::of_version(name, "info"), &|http| info(&http.body, name))
        }
        Query::Listed(prefix) => match told("@v/list", &|list| shelf::chosen(list, prefix)) {
            Some(version) => Ok(Some(version)),
            None if prefix.is_some() => asked("@v/list", &|_| Some("M01")),
            None => asked("@latest", &any),
        },
    };
    let version = match version {
        Ok(version) => version?,
        Err(flaw) => return Some(flaw),
    };
    let is_info = |http: &Http| info(&http.body, &version);
    let is_zip = |http: &Http| (!http.body.starts_with(b"PK")).then_some("M09");
    let files: [(&str, Check<'_>); 3] = [("info", &is_info), ("mod", &any), ("zip", &is_zip)];
    files.into_iter().find_map(|(end, is_good)| {
        match ask(&shelf::of_version(&version, end), is_good) {
            Ended::Bad(flaw) if end == "zip" && flaw.code == "M01" => {
                Some(Flaw { code: "M14", ..flaw })
            }
            Ended::Bad(flaw) => Some(flaw),
            Ended::Good | Ended::Unknown => None,
        }
    })
}

/// Walks GOPROXY for one file (modfetch `TryProxies`): after what is not there go asks the next element, after
/// anything else only behind a pipe.
fn walk(facts: &Facts<'_>, module: &Wanted, name: &str, is_good: Check<'_>) -> Ended {
    let (list, _) = facts.goproxy();
    let mut bad: Option<Flaw> = None;
    for (element, next) in pieces(list.raw()) {
        if element == "off" {
            break;
        }
        let Some(folder) = shelf::folder(element) else { return Ended::Unknown };
        let file = shelf::file(&folder, &module.path, name);
        let (code, observed) = match facts.machine.shelves.get(&file) {
            None => ("M01", "it is not there"),
            Some(Http { status: Some(403), .. }) => ("M03", "it may not be read"),
            Some(Http { status: None, .. }) => ("M01", "it is no file"),
            Some(http) => match is_good(http) {
                None => return Ended::Good,
                Some(code) => (code, said(code)),
            },
        };
        let is_missing = code == "M01";
        if bad.as_ref().is_none_or(|bad| bad.code == "M01") {
            bad = Some(Flaw { code, folder, file, observed });
        }
        if !is_missing && next == Next::WhenMissing {
            break;
        }
    }
    bad.map_or(Ended::Unknown, Ended::Bad)
}

/// Returns the code of a description that go does not take.
fn info(body: &[u8], version: &str) -> Option<&'static str> {
    if body.trim_ascii().is_empty() {
        return Some("M11");
    }
    let Ok(info) = serde_json::from_slice::<serde_json::Value>(body) else { return Some("M07") };
    // A branch is answered with the version that it is.
    let is_asked = matches!(Query::of(Some(version)), Query::Exactly(_));
    let said = info.get("Version").and_then(serde_json::Value::as_str);
    (is_asked && said != Some(version)).then_some("M10")
}

fn said(code: &str) -> &'static str {
    match code {
        "M11" => "it is empty",
        "M09" => "it is no zip file",
        "M10" => "it names another version",
        "M01" => "it has no such version",
        _ => "it is no JSON",
    }
}

fn finding(facts: &Facts<'_>, module: &Wanted, flaw: &Flaw) -> Finding {
    let (list, place) = facts.goproxy();
    let name = match &module.version {
        Some(version) => format!("{}@{version}", module.path),
        None => module.path.clone(),
    };
    let name = printable(&name);
    let folder = printable(&flaw.folder.display().to_string());
    let is_there = facts.machine.stat(&flaw.folder).what == What::Folder;
    let cause = match (flaw.code, is_there) {
        ("M01", false) => format!(
            "GOPROXY ({place}) names the folder {folder}, which is not there or cannot be read: go finds no module in it."
        ),
        ("M01", true) => {
            format!("The folder {folder}, which GOPROXY ({place}) names, does not have {name}.")
        }
        ("M14", _) => format!(
            "The folder {folder}, which GOPROXY ({place}) names, describes {name} and does not have its zip."
        ),
        _ => format!(
            "The folder {folder}, which GOPROXY ({place}) names, has a file for {name} that go cannot use: {}.",
            flaw.observed
        ),
    };
    let is_cached = facts.machine.cached.get(&name).is_some_and(|zip| zip.is_whole);
    let is_needless = is_cached || super::govars::is_vendored(facts);
    let severity = if is_needless { Severity::Info } else { Severity::Error };
    let shown = if is_there { &flaw.file } else { &flaw.folder };
    let finding = facts
        .finding(flaw.code, severity, cause)
        .seen(Kind::Variable, place, format!("GOPROXY={list}"), "a folder that has it")
        .seen(Kind::File, Place::File(flaw.file.clone(), None), flaw.observed, "a file for go")
        .affects(&[Tool::Go])
        .reproduce(format!("ls -l {}", fix::quoted(&shown.display().to_string())))
        .explains(&["M17"]);
    finding.run("go env -w GOPROXY=https://YOUR-PROXY,direct")
}

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::core::doctor::{
        checks::Facts,
        finding::Severity,
        machine::{Machine, Text},
        probe::Http,
        target::Target,
    };

    fn judged(list: &str, files: &[(&str, &str)]) -> Vec<(&'static str, Severity)> {
        let files: Vec<_> =
            files.iter().map(|(file, body)| (format!("@v/v1.0.0.{file}"), *body)).collect();
        of_version("v1.0.0", list, &files)
    }

    fn of_version(
        version: &str,
        list: &str,
        files: &[(String, &str)],
    ) -> Vec<(&'static str, Severity)> {
        let shelves = files.iter().map(|(file, body)| {
            let answer = Http { status: Some(200), body: (*body).into(), ..Http::default() };
            (format!("/s/h.test/m/{file}").into(), answer)
        });
        let machine = Machine {
            goenv: Some(Text::of("/home/a/.config/go/env", &format!("\nGOPROXY={list}\n"))),
            shelves: shelves.collect(),
            ..Machine::default()
        };
        let version = Some(version.to_owned());
        let target = Target::Module { path: "h.test/m".to_owned(), version };
        let found = findings(&Facts::of(&target, &machine));
        for finding in &found {
            assert_eq!(finding.evidence[0].place.to_string(), "/home/a/.config/go/env:2");
        }
        found.into_iter().map(|finding| (finding.entry.code, finding.severity)).collect()
    }

    #[test]
    fn a_folder_is_judged_as_a_module_proxy_is() {
        let info = ("info", r#"{"Version":"v1.0.0"}"#);
        let (file, zip) = (("mod", "module h.test/m"), ("zip", "PK\x03\x04"));
        for (list, files, code) in [
            ("file:///s", vec![info, file, zip], None),
            ("file:///s", vec![], Some("M01")),
            ("file:///s,off", vec![], Some("M01")),
            ("file:///gone,file:///s", vec![info, file, zip], None),
            ("file:///s", vec![info, zip], Some("M01")),
            ("file:///s", vec![info, file], Some("M14")),
            ("file:///s", vec![info, file, ("zip", "<htm")], Some("M09")),
            ("file:///s", vec![("info", "")], Some("M11")),
            ("file:///s", vec![("info", "<html>")], Some("M07")),
            ("file:///s", vec![("info", r#"{"Version":"v1.0.1"}"#)], Some("M10")),
            // What is not there is the next one's; what is wrong is nobody's.
            ("file:///s,https://h", vec![], None),
            ("file:///s,https://h", vec![("info", "")], Some("M11")),
            ("file:///s|https://h", vec![("info", "")], None),
            ("https://h,file:///s", vec![], None),
        ] {
            let wanted = code.map(|code| (code, Severity::Error));
            assert_eq!(judged(list, &files), Vec::from_iter(wanted), "{list}");
        }
    }

    /// As `go mod download` does with such a folder.
    #[test]
    fn a_question_for_a_version_is_answered_by_the_list_or_by_the_description() {
        let whole =
            [("info", r#"{"Version":"v1.2.3"}"#), ("mod", "module m"), ("zip", "PK\x03\x04")];
        let whole = whole.map(|(end, body)| (format!("@v/v1.2.3.{end}"), body));
        let with = |file: &str, body: &'static str| {
            [whole.as_slice(), &[(file.to_owned(), body)]].concat()
        };
        let listed = with("@v/list", "v1.2.3\nv1.2.1\nv1.20.0-rc.1\n");
        for version in ["v1", "v1.2", "latest", "upgrade", "patch"] {
            assert_eq!(of_version(version, "file:///s", &listed), [], "{version}");
        }
        let missing = [("M01", Severity::Error)];
        for version in ["v2", "v1.3", "v1.20", "master"] {
            assert_eq!(of_version(version, "file:///s", &listed), missing, "{version}");
            assert_eq!(of_version(version, "file:///s,https://h", &listed), [], "{version}");
        }
        assert_eq!(of_version("v1", "file:///s", &whole), missing);
        let told = with("@v/master.info", r#"{"Version":"v1.2.3"}"#);
        assert_eq!(of_version("master", "file:///s", &told), []);
        let latest = with("@latest", r#"{"Version":"v1.2.3"}"#);
        assert_eq!(of_version("latest", "file:///s", &latest), []);
    }
}

//! E62: go's environment file with the line ends of Windows. go takes the carriage return into the value (cmd/go
//! `cfg.readEnvFile`), and nothing that it prints shows it.
//!
//! GOPROXY, GOFLAGS, GOAUTH and GOVCS are trimmed where they are read, so that they work all the same.

use crate::core::{
    doctor::{
        checks::{Facts, NOT_THERE, fix},
        finding::{Change, Finding, Kind, Severity, Tool},
        gosettings,
        place::Place,
    },
    pattern,
};

/// Where go trims the value.
const TRIMMED: &[&str] = &["GOPROXY", "GOFLAGS", "GOAUTH", "GOVCS"];
/// Lists of patterns: the last pattern matches nothing.
const PATTERNS: &[&str] = &["GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE"];

/// Returns what is wrong.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(file) = &facts.machine.goenv else { return Vec::new() };
    let lines = file.lines.iter().flatten().enumerate();
    let mut spoilt: Vec<(&'static str, usize, Severity)> = lines
        .filter_map(|(index, line)| {
            let (name, value) = line.raw().split_once('=')?;
            let name = gosettings::KNOWN.iter().find(|known| **known == name)?;
            let trimmed = value.strip_suffix('\r')?;
            // What a variable hides, or a later line, is not read.
            let place = Place::File(file.path.clone(), Some(index + 1));
            let is_read = facts.machine.go_setting(name).is_some_and(|(_, own)| own == place);
            is_read.then(|| (*name, index + 1, severity(facts, name, value, trimmed)))
        })
        .collect();
    spoilt.sort_by_key(|(_, line, severity)| (std::cmp::Reverse(*severity), *line));
    let Some((name, line, severity)) = spoilt.first().copied() else { return Vec::new() };
    let place = Place::File(file.path.clone(), Some(line));
    let others = match spoilt.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    let why = if severity == Severity::Info {
        "which go trims there"
    } else {
        "which go takes for a part of the value"
    };
    let cause = format!(
        "The line of {name} ({place}{others}) ends with a carriage return, as Windows writes it, {why}."
    );
    let shown = fix::quoted(&file.path.display().to_string());
    let finding = facts
        .finding("E62", severity, cause)
        .seen(Kind::File, place, format!("{name}=…\\r"), "a line that ends with a line feed alone")
        .affects(&[Tool::Go])
        .reproduce(format!("go env {name} | od -c"))
        .run(format!("sed -i 's/\\r$//' {shown}"))
        .explains(&[NOT_THERE, &["E12", "E14", "E22", "E50", "E23", "S01", "S03", "S06"]].concat());
    if !fix::is_own(facts, &file.path) {
        return vec![finding];
    }
    vec![finding.change(Change::Foreign { file: file.path.clone() })]
}

/// Returns how bad it is for one of the variables.
fn severity(facts: &Facts<'_>, name: &str, value: &str, trimmed: &str) -> Severity {
    if trimmed.is_empty() || TRIMMED.contains(&name) {
        return Severity::Info;
    }
    match name {
        // `invalid GOTOOLCHAIN "local\r"`, `unknown environment setting GO111MODULE=on\r`
        "GOTOOLCHAIN" | "GO111MODULE" => facts.for_go(),
        // `off` is compared; anything else is cut into words.
        "GOSUMDB" if trimmed == "off" => facts.for_go(),
        "GOSUMDB" => Severity::Info,
        _ if PATTERNS.contains(&name) => {
            let differs =
                |path: &str| pattern::matches(trimmed, path) != pattern::matches(value, path);
            let is_concerned = facts.modules.iter().any(|module| differs(&module.path));
            if is_concerned { Severity::Warning } else { Severity::Info }
        }
        _ => Severity::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::core::doctor::{
        checks::Facts,
        finding::Severity,
        machine::{Machine, Text},
        private::Private,
        target::Target,
    };

    fn judged(lines: &[&str]) -> Option<Severity> {
        let text = Text {
            path: "/home/a/.config/go/env".into(),
            lines: Some(lines.iter().map(|line| Private::new(*line)).collect()),
        };
        let mut machine =
            Machine { goenv: Some(text), home: Some("/home/a".into()), ..Machine::default() };
        machine.variables.insert("GONOSUMDB".to_owned(), Private::new("x"));
        let version = Some("v1.0.0".to_owned());
        let target = Target::Module { path: "git.corp.test/m".to_owned(), version };
        findings(&Facts::of(&target, &machine)).first().map(|finding| finding.severity)
    }

    #[test]
    fn a_carriage_return_counts_where_go_does_not_trim_it() {
        for (lines, severity) in [
            (&["GOTOOLCHAIN=local"][..], None),
            (&["GOTOOLCHAIN=local\r"], Some(Severity::Error)),
            (&["GOPROXY=https://h\r", "GOTOOLCHAIN=local\r"], Some(Severity::Error)),
            (&["GOPROXY=https://h\r"], Some(Severity::Info)),
            (&["GOPRIVATE=*.corp.test\r"], Some(Severity::Warning)),
            (&["GOPRIVATE=*.other.test\r"], Some(Severity::Info)),
            (&["GOSUMDB=off\r"], Some(Severity::Error)),
            (&["GOSUMDB=sum.golang.org\r"], Some(Severity::Info)),
            (&["GONOSUMDB=y\r"], None),
            (&["# mine\r", "\r", "GOPROXY=x"], None),
            (&["GOTOOLCHAIN=local\r", "GOTOOLCHAIN=auto"], None),
        ] {
            assert_eq!(judged(lines), severity, "{lines:?}");
        }
    }
}

//! GOAUTH: lists that go refuses, programs that are not there. A18, A19, A23, A35. What the programs answer
//! is seen only when they are run.

use crate::core::doctor::{
    checks::{Facts, NO_LOGIN, fix},
    finding::{Finding, Kind, Severity, Tool},
    place::Place,
    private::Private,
};

/// Sets it. What the other commands of the list are given may be a token, which neither a command line nor
/// the record of what was changed may hold: then a person edits the line.
fn set(facts: &Facts<'_>, finding: Finding, place: &Place, value: Option<&str>) -> Finding {
    let has_words = value.is_some_and(|value| Private::new(value).programs().contains('…'));
    if !has_words {
        return fix::go(facts, finding, "GOAUTH", value);
    }
    match place {
        Place::File(file, Some(line)) => {
            let file = fix::quoted(&file.display().to_string());
            finding.run(format!("\"${{EDITOR:-vi}}\" +{line} {file}"))
        }
        _ => finding,
    }
}

/// Returns what is wrong with it.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let Some((value, place)) = facts.go("GOAUTH") else { return Vec::new() };
    let start = |code, severity, cause: String, expected: &str| {
        facts
            .finding(code, severity, cause)
            .seen(Kind::Variable, place.clone(), format!("GOAUTH={}", value.programs()), expected)
            .affects(&[Tool::Go])
            .reproduce("go env GOAUTH")
    };
    let parts: Vec<&str> = value.raw().split(';').map(str::trim).collect();
    if parts == ["off"] {
        let cause = format!("GOAUTH=off ({place}): go sends no login, not even netrc's.");
        let finding = start("A18", Severity::Warning, cause, "not set").explains(NO_LOGIN);
        return vec![set(facts, finding, &place, None)];
    }
    let wrong = parts.iter().find(|part| part.is_empty() || parts.len() > 1 && **part == "off");
    if let Some(part) = wrong {
        let what = if part.is_empty() { "an empty command" } else { "`off` beside others" };
        let cause = format!("GOAUTH ({place}) holds {what}, which go refuses as a whole.");
        let is_kept = |it: &&str| !it.is_empty() && *it != "off";
        let kept = parts.iter().copied().filter(is_kept).collect::<Vec<_>>().join(";");
        let kept_shown = Private::new(kept.as_str()).programs();
        let finding = start("A35", facts.for_go(), cause, &kept_shown).explains(NO_LOGIN);
        return vec![set(facts, finding, &place, Some(kept.as_str()).filter(|it| !it.is_empty()))];
    }
    let mut found = Vec::new();
    for part in &parts {
        let mut words = part.split_whitespace();
        let program = words.next().unwrap_or_default().trim_matches(['"', '\'']);
        let kept = parts.iter().copied().filter(|it| it != part).collect::<Vec<_>>().join(";");
        let new = (!kept.is_empty()).then_some(kept.as_str());
        match program {
            "netrc" => {}
            "git" => {
                let folder = words.next().unwrap_or_default().trim_matches(['"', '\'']);
                if folder.starts_with('/') {
                    continue;
                }
                let cause = format!("GOAUTH ({place}): git's folder must be an absolute path.");
                let finding = start("A23", facts.for_go(), cause, "git /").explains(NO_LOGIN);
                let mended = value.raw().replacen(part, "git /", 1);
                found.push(set(facts, finding, &place, Some(&mended)));
            }
            _ => {
                if facts.machine.programs.get(program).is_none_or(Option::is_some) {
                    continue;
                }
                let shown = Private::new(program).programs();
                let cause = format!(
                    "GOAUTH ({place}) runs `{shown}`, which is not there; go says nothing of it."
                );
                let mut finding = start("A19", Severity::Warning, cause, "a program on PATH");
                if shown == program {
                    finding.reproduce = format!("command -v {}", fix::quoted(program));
                }
                let finding = finding.explains(NO_LOGIN);
                found.push(set(facts, finding, &place, new));
            }
        }
    }
    found
}

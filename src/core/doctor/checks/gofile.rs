//! Lines of go.mod that go cannot read, and for which it reads none of the file. E51, M19.

use crate::core::{
    doctor::{
        checks::{Facts, fix},
        finding::{Finding, Kind, Severity, Tool},
        gomod,
        place::Place,
        target::Target,
    },
    text::printable,
};

/// Returns the first one (x/mod `modfile.parseToFile`).
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let module = facts.machine.module.as_ref().filter(|_| *facts.target == Target::Here);
    let lines = module.into_iter().flat_map(|module| gomod::statements(&module.go_mod));
    let broken = lines.filter_map(|(line, words)| Some((flaw(&words)?, line, words)));
    let Some((module, (code, line, words))) = module.zip(broken.into_iter().next()) else {
        return Vec::new();
    };
    let place = Place::File(module.go_mod.path.clone(), Some(line));
    let expected = match code {
        "M19" => "a module path and a version",
        _ => "a folder that begins with ./ or ../, or a module path and a version",
    };
    let cause = format!(
        "{place} is no line of a go.mod, so go reads none of it: go wants {expected} there."
    );
    let file = fix::quoted(&module.go_mod.path.display().to_string());
    let finding = facts
        .finding(code, Severity::Error, cause)
        .seen(Kind::File, place, printable(&words.join(" ")), expected)
        .affects(&[Tool::Go])
        .reproduce("go list -m")
        .run(format!("\"${{EDITOR:-vi}}\" +{line} {file}"))
        .explains(&["M17", "M01", "E51"]);
    vec![finding]
}

/// Returns the code of a statement that go refuses.
fn flaw(words: &[String]) -> Option<&'static str> {
    let (name, rest) = words.split_first()?;
    match (name.as_str(), rest) {
        ("require" | "exclude", [_, _]) => None,
        ("require" | "exclude", _) => Some("M19"),
        ("replace", [.., arrow, new]) if arrow == "=>" => (!gomod::is_folder(new)).then_some("E51"),
        ("replace", [.., arrow, _, _]) if arrow == "=>" => None,
        ("replace", _) => Some("E51"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::flaw;

    #[test]
    fn a_requirement_has_a_version_and_a_replacement_without_one_is_a_folder() {
        let of = |line: &str| flaw(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in [
            "module m",
            "require a.test/x v1.0.0",
            "replace a.test/x => ../x",
            "replace a.test/x v1.0.0 => /srv/x",
            "replace a.test/x => b.test/y v1.0.0",
            "retract v1.0.0",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
        assert_eq!(of("require a.test/x"), Some("M19"));
        assert_eq!(of("replace a.test/x => b.test/y"), Some("E51"));
        assert_eq!(of("replace a.test/x b.test/y"), Some("E51"));
    }
}

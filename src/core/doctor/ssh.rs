//! The program that git runs for ssh, as git finds it (connect.c `git_connect`): `GIT_SSH_COMMAND`, then
//! `core.sshCommand`, both lines for a shell; then `GIT_SSH`, a program; then `ssh`.

use std::path::PathBuf;

use crate::core::doctor::{
    machine::{GitValue, Machine},
    place::Place,
    private::Private,
};

/// What a shell has itself, or where the program stands further behind.
const BUILT_IN: &[&str] =
    &[".", "[", "cd", "command", "eval", "exec", "export", "if", "set", "test", "true", "{"];

/// What names the program.
pub(crate) struct Command<'a> {
    /// Where it stands.
    pub(crate) place: Place,
    /// Its line of git's configuration; `None` for a variable, and where nothing is set.
    pub(crate) setting: Option<&'a GitValue>,
    /// The program, where the value tells it without a shell.
    pub(crate) program: Option<String>,
    /// The program and its arguments, where the whole value tells them so.
    pub(crate) words: Option<Vec<String>>,
}

/// Returns it, for git or for the git that go starts.
pub(crate) fn command(machine: &Machine, is_for_go: bool) -> Command<'_> {
    let line = |value: &Private, place, setting| {
        let words = words(value.raw(), machine);
        let program = first(value.raw(), machine);
        Command { place, setting, program, words }
    };
    let of_variable =
        |name: &str| Some((machine.variable(name)?, Place::Variable(name.to_owned())));
    if let Some((value, place)) = of_variable("GIT_SSH_COMMAND") {
        return line(value, place, None);
    }
    let program = of_variable("GIT_SSH");
    if is_for_go && program.is_none() && is_old(machine) {
        let value = Private::new("ssh -o ControlMaster=no -o BatchMode=yes");
        return line(&value, Place::Default("go"), None);
    }
    if let Some(setting) = machine.git_value("core.sshcommand") {
        return line(&setting.value, setting.place.clone(), Some(setting));
    }
    let plain = (Private::new("ssh"), Place::Default("git"));
    let (value, place) = program.map_or(plain, |(value, place)| (value.clone(), place));
    let name = value.raw().to_owned();
    let words = Some(vec![name.clone()]);
    Command { place, setting: None, program: Some(name), words }
}

/// Returns the files that any of the lines above names in place of ssh's own (`-F`).
pub(crate) fn files(machine: &Machine) -> Vec<PathBuf> {
    let of_go = machine.git_of_go.iter().flat_map(|(values, _)| values);
    let settings = machine.git_config.iter().chain(of_go);
    let settings = settings.filter(|it| it.key == "core.sshcommand").map(|it| &it.value);
    let lines = settings.chain(machine.variable("GIT_SSH_COMMAND"));
    let words = lines.filter_map(|line| words(line.raw(), machine));
    words.filter_map(|words| file(&words).map(PathBuf::from)).collect()
}

/// Returns the file of `-F`.
pub(crate) fn file(words: &[String]) -> Option<&str> {
    let at = words.iter().position(|word| word.starts_with("-F"))?;
    match words.get(at)?.strip_prefix("-F").filter(|rest| !rest.is_empty()) {
        Some(file) => Some(file),
        None => words.get(at + 1).map(String::as_str),
    }
}

/// Whether go sets `GIT_SSH_COMMAND` itself where nobody has (cmd/go/internal/modload of 1.24 and before): then
/// `core.sshCommand` does not count.
fn is_old(machine: &Machine) -> bool {
    let Some(go) = &machine.go else { return false };
    let mut numbers = go.version.trim_start_matches("go").split('.');
    let mut number = || numbers.next().and_then(|number| number.parse::<u32>().ok());
    matches!((number(), number()), (Some(1), Some(..=24)))
}

/// Returns all words of a line, where no shell is needed for any.
fn words(line: &str, machine: &Machine) -> Option<Vec<String>> {
    let mut words = vec![first(line, machine)?];
    let mut rest = line.trim();
    let mut is_behind = false;
    while !rest.is_empty() {
        let (word, after) = word(rest)?;
        rest = after.trim_start();
        if is_behind {
            let path = match (word.strip_prefix("~/"), &machine.home) {
                (Some(below), Some(home)) => home.join(below).to_string_lossy().into_owned(),
                _ => word,
            };
            words.push(path);
        } else {
            is_behind = !is_assignment(&word);
        }
    }
    Some(words)
}

/// Returns the first word of a shell's line that is a program; `None` where only a shell knows it.
fn first(line: &str, machine: &Machine) -> Option<String> {
    let mut rest = line.trim_start();
    loop {
        let (word, after) = word(rest)?;
        if is_assignment(&word) {
            rest = after.trim_start();
            continue;
        }
        let word = match (word.strip_prefix("~/"), &machine.home) {
            (Some(below), Some(home)) => home.join(below).to_string_lossy().into_owned(),
            _ => word,
        };
        let is_known = !word.is_empty() && !BUILT_IN.contains(&word.as_str());
        return is_known.then_some(word);
    }
}

/// `NAME=value`
fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// Cuts a word off, without its quotation marks.
fn word(line: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(own), c) if own == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ' | '\t' | '\n') => return Some((word, line.get(at..)?)),
            (None, c) if "|&;<>()*?[#".contains(c) => return None,
            // Within single quotation marks nothing means anything else.
            (quote, '$' | '`' | '\\') if quote != Some('\'') => return None,
            (_, c) => word.push(c),
        }
    }
    quote.is_none().then_some((word, ""))
}

#[cfg(test)]
mod tests {
    use super::{command, first};
    use crate::core::doctor::{
        machine::{GitValue, Machine, Program},
        place::Place,
        private::Private,
    };

    #[test]
    fn the_program_of_a_line_is_its_first_word() {
        let machine = Machine { home: Some("/home/ana".into()), ..Machine::default() };
        for (line, program) in [
            ("ssh -F x", Some("ssh")),
            (" /opt/ssh", Some("/opt/ssh")),
            ("'/opt/my ssh' -v", Some("/opt/my ssh")),
            ("\"/opt/ssh\"", Some("/opt/ssh")),
            ("~/bin/ssh -i key", Some("/home/ana/bin/ssh")),
            ("A=1 B='x y' ssh", Some("ssh")),
            ("$HOME/bin/ssh", None),
            ("exec ssh", None),
            ("(ssh)", None),
            ("'ssh", None),
            ("", None),
        ] {
            assert_eq!(first(line, &machine).as_deref(), program, "{line}");
        }
    }

    #[test]
    fn the_variables_and_the_configuration_have_an_order() {
        let mut machine = Machine::default();
        let program = |machine: &Machine| command(machine, false).program.unwrap();
        assert_eq!(program(&machine), "ssh");
        machine.variables.insert("GIT_SSH".to_owned(), Private::new("/a b/ssh"));
        assert_eq!(program(&machine), "/a b/ssh");
        machine.git_config.push(GitValue {
            key: "core.sshcommand".to_owned(),
            value: Private::new("A=1 c -i '/a key' -x"),
            place: Place::Default("a test"),
            is_local: false,
        });
        assert_eq!(program(&machine), "c");
        let words = command(&machine, false).words.unwrap();
        assert_eq!(words, ["c", "-i", "/a key", "-x"]);
        machine.variables.clear();
        let version = "1.24.11".to_owned();
        machine.go = Some(Program { path: "/go".into(), version });
        assert_eq!(program(&machine), "c");
        assert_eq!(command(&machine, true).program.as_deref(), Some("ssh"));
        machine.variables.insert("GIT_SSH_COMMAND".to_owned(), Private::new("d -x"));
        assert_eq!(program(&machine), "d");
    }
}

//! The program that git runs for ssh, as git finds it (connect.c `git_connect`): `GIT_SSH_COMMAND`, then
//! `core.sshCommand`, both lines for a shell; then `GIT_SSH`, a program; then `ssh`.

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
    /// The whole value.
    pub(crate) value: Private,
    /// Where it stands.
    pub(crate) place: Place,
    /// Its line of git's configuration; `None` for a variable, and where nothing is set.
    pub(crate) setting: Option<&'a GitValue>,
    /// The program, where the value tells it without a shell.
    pub(crate) program: Option<String>,
}

/// Returns it.
pub(crate) fn command(machine: &Machine) -> Command<'_> {
    let of_variable = |name: &str| {
        let value = machine.variable(name)?.clone();
        let place = Place::Variable(name.to_owned());
        Some(Command { value, place, setting: None, program: None })
    };
    if let Some(command) = of_variable("GIT_SSH_COMMAND") {
        return Command { program: first(command.value.raw(), machine), ..command };
    }
    if let Some(setting) = machine.git_value("core.sshcommand") {
        let program = first(setting.value.raw(), machine);
        let (value, place) = (setting.value.clone(), setting.place.clone());
        return Command { value, place, setting: Some(setting), program };
    }
    if let Some(command) = of_variable("GIT_SSH") {
        return Command { program: Some(command.value.raw().to_owned()), ..command };
    }
    let (value, place) = (Private::new("ssh"), Place::Default("git"));
    Command { value, place, setting: None, program: Some("ssh".to_owned()) }
}

/// Returns the first word of a shell's line that is a program; `None` where only a shell knows it.
fn first(line: &str, machine: &Machine) -> Option<String> {
    let mut rest = line.trim_start();
    loop {
        let (word, after) = word(rest)?;
        let is_assignment = word
            .split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        if is_assignment {
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
        machine::{GitValue, Machine},
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
        let program = |machine: &Machine| command(machine).program.unwrap();
        assert_eq!(program(&machine), "ssh");
        machine.variables.insert("GIT_SSH".to_owned(), Private::new("/a b/ssh"));
        assert_eq!(program(&machine), "/a b/ssh");
        machine.git_config.push(GitValue {
            key: "core.sshcommand".to_owned(),
            value: Private::new("c -x"),
            place: Place::Default("a test"),
            is_local: false,
        });
        assert_eq!(program(&machine), "c");
        machine.variables.insert("GIT_SSH_COMMAND".to_owned(), Private::new("d -x"));
        assert_eq!(program(&machine), "d");
    }
}

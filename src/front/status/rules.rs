//! The rules of `[account."…"]`, and whether each of them can do what it says.

use crate::{
    core::{
        account::Rule,
        credential::{Entry, Kind as Namespace},
        origin::Origin,
        text::printable,
    },
    front::{self, Context, setup, wiring::Wiring},
};

/// A rule, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The rule.
    pub(super) rule: Rule,
    /// The file that has it, and the line.
    pub(super) set: Option<(String, usize)>,
    /// Whether its account is stored.
    pub(super) is_stored: bool,
    /// What keeps it from working, and what to run.
    pub(super) hint: Option<String>,
}

/// Returns the rules of a host, or of all.
pub(super) fn all(
    host: Option<&str>,
    entries: &[Entry],
    wiring: &Wiring,
    context: &Context,
) -> Vec<Shown> {
    let rules = context.config.accounts.iter();
    let rules = rules.filter(|rule| host.is_none_or(|host| host == rule.host));
    rules.map(|rule| shown(rule, entries, wiring, context)).collect()
}

fn shown(rule: &Rule, entries: &[Entry], wiring: &Wiring, context: &Context) -> Shown {
    let is_its = |entry: &Entry| {
        let key = &entry.key;
        key.kind == Namespace::Git && key.origin.authority() == rule.host && key.user == rule.user
    };
    let origin = Origin::new("https", &rule.host).ok();
    let has_source = origin.as_ref().is_some_and(|origin| context.config.has_source(origin));
    let is_stored = entries.iter().any(is_its) || has_source;
    let is_silent = rule.path.is_some()
        && origin.is_some_and(|it| wiring.is_git_wired(Some(&it)) && !wiring.tells_paths(&it));
    let hint = if !is_stored {
        let user = front::ui::word(&rule.user);
        let login = format!("gocred login {} --username {user}", rule.host);
        Some(format!("{} is not stored; run: {}", printable(&rule.user), printable(&login)))
    } else if is_silent {
        Some("git does not say which path it asks for; run: gocred setup --git".to_owned())
    } else {
        None
    };
    let set = place(&format!("account.\"{}\".username", rule.table()), context);
    Shown { rule: rule.clone(), set, is_stored, hint }
}

/// Returns the file and the line that set a key.
pub(super) fn place(key: &str, context: &Context) -> Option<(String, usize)> {
    let mut settings = context.config.origins.settings.iter();
    let (_, setting) = settings.find(|(known, _)| known.to_string() == key)?;
    let file = front::file(&context.paths, setting.place);
    Some((setup::short(file, context), setting.line))
}

/// Writes it as `FILE:LINE`.
pub(super) fn line(set: Option<&(String, usize)>) -> String {
    set.map_or_else(|| "the configuration".to_owned(), |(file, line)| format!("{file}:{line}"))
}

impl Shown {
    /// Says it in words.
    pub(super) fn words(&self) -> String {
        let place = printable(&self.rule.table());
        let user = printable(&self.rule.user);
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        format!("{place}: {user}, says {}{hint}", line(self.set.as_ref()))
    }
}

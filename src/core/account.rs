//! Which account a URL gets: the rules of `[account."host/path"]`.
//!
//! It deliberately knows no patterns: a rule is a host and the first elements of a path.

use crate::core::origin::Origin;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `host` or `host:port`, exactly.
    pub host: String,
    /// The elements that the path starts with, without slash at either end. `None` is the whole host.
    pub path: Option<String>,
    /// The account.
    pub user: String,
}

/// Returns the rule that is nearest to a URL: the one of the exact host, whose path is the longest
/// that the URL's path starts with, by whole elements. `.git` at the end of an element is not told
/// apart: git and go name one repository both ways.
pub fn choose<'a>(rules: &'a [Rule], origin: &Origin, path: Option<&str>) -> Option<&'a Rule> {
    let authority = origin.authority();
    let fits = |rule: &&Rule| {
        rule.host == authority && rule.path.as_deref().is_none_or(|own| is_below(path, own))
    };
    rules.iter().filter(fits).max_by_key(|rule| rule.path.as_ref().map_or(0, String::len))
}

/// Returns the rules for paths of a host. Where there are any, a path chooses an account and nothing
/// else: credentials of the host are kept and looked for once, for all of its paths.
pub fn of_paths<'a>(rules: &'a [Rule], origin: &Origin) -> impl Iterator<Item = &'a Rule> {
    let authority = origin.authority();
    rules.iter().filter(move |rule| rule.path.is_some() && rule.host == authority)
}

/// Returns whether a path begins with the elements of another one. A path that leads somewhere else
/// than it says (curl resolves `..` before it sends it) is below none.
fn is_below(path: Option<&str>, own: &str) -> bool {
    let path = path.unwrap_or_default().trim_matches('/');
    if path.split('/').any(leads_elsewhere) {
        return false;
    }
    let mut elements = path.split('/');
    own.split('/').all(|wanted| elements.next().is_some_and(|found| plain(found) == plain(wanted)))
}

fn leads_elsewhere(element: &str) -> bool {
    matches!(element.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

fn plain(element: &str) -> &str {
    element.strip_suffix(".git").unwrap_or(element)
}

impl Rule {
    /// Returns the name of its table.
    pub fn table(&self) -> String {
        let Self { host, path, user: _ } = self;
        path.as_ref().map_or_else(|| host.clone(), |path| format!("{host}/{path}"))
    }
}

/// Parses the name of a rule's table, `host[:port][/path]`, into a rule without account. `None`: it is
/// not one.
pub fn name(text: &str) -> Option<Rule> {
    let (host, path) = match text.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (text, None),
    };
    let origin = Origin::new("https", host).ok()?;
    let is_whole = |path: &str| path.split('/').all(|element| !matches!(element, "" | "." | ".."));
    let is_path = |path: &str| is_whole(path) && !path.contains(char::is_control);
    path.is_none_or(is_path).then(|| Rule {
        host: origin.authority(),
        path: path.map(str::to_owned),
        user: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Rule, choose, name, of_paths};
    use crate::core::origin::Origin;

    fn rules(names: &[&str]) -> Vec<Rule> {
        let rule = |text: &&str| Rule { user: (*text).to_owned(), ..name(text).unwrap() };
        names.iter().map(rule).collect()
    }

    #[test]
    fn the_longest_rule_of_the_exact_host_is_chosen_by_whole_elements() {
        let rules = rules(&["h", "h/acme", "h/acme/deep", "h:8443/acme", "x/only"]);
        for (host, path, user) in [
            ("h", None, Some("h")),
            ("h", Some("acme"), Some("h/acme")),
            ("h", Some("/acme/lib.git/"), Some("h/acme")),
            ("h", Some("acme/deep.git"), Some("h/acme/deep")),
            ("h", Some("acme2/lib"), Some("h")),
            ("h", Some("Acme/lib"), Some("h")),
            ("h:8443", Some("acme/lib"), Some("h:8443/acme")),
            ("h:8443", Some("other"), None),
            ("h:443", Some("acme"), None),
            ("sub.h", Some("acme"), None),
            ("x", Some("on"), None),
            ("x", None, None),
            ("h", Some("acme/../evil/lib"), Some("h")),
            ("h", Some("acme/%2E./evil"), Some("h")),
            ("h", Some("acme/..lib"), Some("h/acme")),
        ] {
            let origin = Origin::new("https", host).unwrap();
            let found = choose(&rules, &origin, path).map(|rule| rule.user.as_str());
            assert_eq!(found, user, "{host} {path:?}");
        }
    }

    #[test]
    fn a_host_has_the_rules_of_its_own_paths() {
        let rules = rules(&["h", "h/acme", "h:8443/acme", "x/only", "h/other"]);
        let of = |host: &str| {
            let origin = Origin::new("https", host).unwrap();
            of_paths(&rules, &origin).map(Rule::table).collect::<Vec<_>>()
        };
        assert_eq!(of("h"), ["h/acme", "h/other"]);
        assert_eq!(of("y"), [""; 0]);
    }

    #[test]
    fn a_name_is_a_host_and_whole_elements() {
        for text in ["h", "h:1", "h/acme", "[::1]:8443/a/b"] {
            assert_eq!(name(text).unwrap().table(), text);
        }
        for text in ["", "/", "h/", "h//a", "h/../b", "ana@h/x", "https://h", "h/a\u{7}"] {
            assert_eq!(name(text), None, "{text:?}");
        }
    }
}

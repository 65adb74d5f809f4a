//! What go sends of logins: GOAUTH's commands, netrc (`go help goauth`, cmd/go/internal/auth).

use std::fmt::Write as _;

use crate::core::{
    doctor::{
        machine::Machine,
        place::Place,
        plan::{
            follow::{Credential, Follower},
            helper,
        },
        probe::{Exchange, Http, Probe},
        route::{Link, Login, Route, Scheme},
    },
    secret::SecretString,
};

/// One command of GOAUTH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `off`.
    Off,
    /// `netrc`.
    Netrc,
    /// `git DIR`.
    Git,
    /// Anything else: a program and its arguments.
    Program(Vec<String>),
}

/// URLs and the fields that are sent to them.
pub(in crate::core::doctor) struct Set {
    urls: Vec<String>,
    fields: Vec<(String, String)>,
}

/// Returns GOAUTH's commands and where they are said. A go before 1.24 knows netrc only.
pub(crate) fn commands(machine: &Machine) -> (Vec<Command>, Place) {
    let default = (vec![Command::Netrc], Place::Default("go"));
    if minor(machine).is_some_and(|minor| minor < 24) {
        return default;
    }
    let Some((value, place)) = machine.go_setting("GOAUTH") else { return default };
    let commands = value.raw().split(';').filter_map(|text| {
        let words = words(text)?;
        Some(match words.first().map(String::as_str)? {
            "off" => Command::Off,
            "netrc" => Command::Netrc,
            "git" => Command::Git,
            _ => Command::Program(words),
        })
    });
    (commands.collect(), place)
}

/// Returns N of `go1.N`.
pub(in crate::core::doctor) fn minor(machine: &Machine) -> Option<u32> {
    let (_, rest) = machine.go.as_ref()?.version.split_once("go1.")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns the login that go sends at once.
pub(super) fn eager(follower: &mut Follower<'_>, way: &Route) -> Credential {
    if way.link.origin.scheme() != "https" {
        return Credential::None;
    }
    let (commands, place) = commands(follower.machine);
    let mut found = None;
    let mut is_known = true;
    for command in commands {
        let login = match command {
            Command::Off => return Credential::None,
            Command::Netrc => way.login.clone(),
            // It answers only after a 4xx.
            Command::Git => None,
            Command::Program(words) if is_gocred(&words) => follower.wallet.login(&way.link),
            Command::Program(words) => match follower.program(probe(&words, None, String::new())) {
                Ok(ran) if ran.code == Some(0) => {
                    login(&sets(ran.output.raw()).unwrap_or_default(), &way.link, &place)
                }
                Ok(_) => None,
                Err(()) => {
                    is_known = false;
                    None
                }
            },
        };
        // The one listed first wins.
        found = found.or(login);
    }
    if is_known { found.into() } else { Credential::Pending }
}

/// Returns the login with which go asks once more after a 4xx: commands are run again for this URL.
pub(super) fn after(
    follower: &mut Follower<'_>,
    exchange: &Exchange,
    http: Option<&Http>,
) -> Credential {
    if exchange.link.origin.scheme() != "https" {
        return Credential::None;
    }
    let (commands, place) = commands(follower.machine);
    for command in commands {
        match command {
            Command::Off => return Credential::None,
            Command::Netrc => {}
            Command::Git => match helper::answer(follower, &exchange.link) {
                Credential::None => {}
                later => return later,
            },
            Command::Program(words) if is_gocred(&words) => {}
            Command::Program(words) => {
                let url = exchange.link.to_string();
                let Ok(ran) = follower.program(probe(&words, Some(url), head(http))) else {
                    return Credential::Pending;
                };
                let sets = sets(ran.output.raw()).filter(|_| ran.code == Some(0));
                if let Some(login) = sets.and_then(|sets| login(&sets, &exchange.link, &place)) {
                    return Credential::Login(login);
                }
            }
        }
    }
    Credential::None
}

/// What gocred answers is known without running it.
fn is_gocred(words: &[String]) -> bool {
    let name = words.first().and_then(|word| word.rsplit('/').next());
    name == Some("gocred") && words.get(1).is_some_and(|word| word == "goauth")
}

/// Whether go asks gocred for its logins.
pub(in crate::core::doctor) fn names_gocred(machine: &Machine) -> bool {
    let (commands, _) = commands(machine);
    commands.iter().any(|command| matches!(command, Command::Program(words) if is_gocred(words)))
}

/// Returns what runs a command as go does; `url` after a 4xx, with the answer's head as its input.
pub(in crate::core::doctor) fn probe(
    words: &[String],
    url: Option<String>,
    input: String,
) -> Probe {
    let mut command = words.to_vec();
    command.extend(url);
    let variables = [("GIT_TERMINAL_PROMPT", "0"), ("GCM_INTERACTIVE", "never")];
    Probe::Program {
        command,
        input,
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
    }
}

/// Writes the head of an answer as go gives it to a command.
fn head(http: Option<&Http>) -> String {
    let Some(http) = http else { return String::new() };
    let mut text = format!("HTTP/1.1 {} {}\n", http.status.unwrap_or_default(), http.reason);
    for (name, value) in &http.fields {
        let _ = writeln!(text, "{name}: {value}");
    }
    text.push('\n');
    text
}

/// Reads what a command printed. `None`: go does not understand it, and says nothing (A20).
pub(in crate::core::doctor) fn sets(output: &str) -> Option<Vec<Set>> {
    let mut sets = Vec::new();
    let mut lines = output.split_inclusive('\n').peekable();
    while lines.peek().is_some() {
        let mut set = Set { urls: Vec::new(), fields: Vec::new() };
        loop {
            let line = lines.next()?.strip_suffix('\n')?;
            if line.is_empty() {
                break;
            }
            let is_url = line.contains("://") && !line.contains(|c: char| c.is_control());
            set.urls.push(is_url.then(|| line.to_owned())?);
        }
        loop {
            let line = lines.next()?.strip_suffix('\n')?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ")?;
            set.fields.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        if set.urls.is_empty() {
            return None;
        }
        sets.push(set);
    }
    Some(sets)
}

/// Returns the login for a URL: the whole URL is looked up, then cut at its last `/` until one is found.
fn login(sets: &[Set], link: &Link, place: &Place) -> Option<Login> {
    let url = link.to_string();
    let mut prefix = url.strip_prefix("https://")?;
    let set = loop {
        let is_it = |own: &String| {
            own.strip_prefix("https://").map(|own| own.trim_end_matches('/')) == Some(prefix)
        };
        if let Some(set) = sets.iter().rev().find(|set| set.urls.iter().any(is_it)) {
            break set;
        }
        (prefix, _) = prefix.rsplit_once('/')?;
    };
    let (name, value) = set
        .fields
        .iter()
        .find(|(name, _)| name == "authorization")
        .or_else(|| set.fields.first())?;
    Some(Login {
        user: String::new(),
        secret: SecretString::from(value.clone()),
        scheme: Scheme::Header(name.clone()),
        place: place.clone(),
    })
}

/// Splits a command as cmd/internal/quoted does: quotes group, and nothing escapes.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, behind) = match first {
            '\'' | '"' => rest.get(1..)?.split_once(first)?,
            _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    Some(words).filter(|words| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{login, sets, words};
    use crate::core::doctor::{place::Place, plan::redirect};

    #[test]
    fn what_a_command_printed_is_read_as_go_reads_it() {
        let text = "https://h.test\n\nAuthorization: Basic eA==\n\nhttps://h.test/deep\n\nAuthorization: Basic eQ==\n\n";
        let sets_of = sets(text).unwrap();
        let at = |url: &str| {
            let link = redirect::url(url).unwrap();
            login(&sets_of, &link, &Place::Default("go")).is_some()
        };
        assert!(at("https://h.test/x/@v/list") && at("https://h.test/deep/x"));
        assert!(!at("https://i.test/x") && !at("http://h.test/x"));
        for bad in ["https://h.test\n\nAuthorization: x\n", "x\n\n\n", "https://h\r\n\n\n", "\n\n"]
        {
            assert!(sets(bad).is_none(), "{bad:?}");
        }
        assert!(sets("").is_some());
    }

    #[test]
    fn words_are_grouped_by_quotes() {
        assert_eq!(words(" '/a b/c' d \"e\"").unwrap(), ["/a b/c", "d", "e"]);
        assert_eq!(words("'a"), None);
        assert_eq!(words("  "), None);
    }
}

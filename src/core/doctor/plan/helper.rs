//! git's credential helpers, as git would run them (gitcredentials(7)). Those that a repository itself names are
//! not run.

use std::fmt::Write as _;

use crate::core::{
    doctor::{
        machine::{GitValue, Machine},
        place::Place,
        plan::follow::{Credential, Follower},
        probe::{Probe, Ran},
        route::{Link, Login, Scheme, git_config},
    },
    secret::SecretString,
    setup::gitconfig::runs_gocred,
};

/// What the helper's own text stands in: it may hold a secret, which belongs in no argument.
const VARIABLE: &str = "GOCRED_HELPER";

/// A helper that is configured for a URL.
pub(in crate::core::doctor) struct Helper<'a> {
    /// Where it is said.
    pub(in crate::core::doctor) value: &'a GitValue,
    /// What runs it.
    pub(in crate::core::doctor) probe: Probe,
}

/// Returns the helpers for a URL, in git's order.
pub(in crate::core::doctor) fn all<'a>(machine: &'a Machine, link: &Link) -> Vec<Helper<'a>> {
    all_for(machine, link, user(machine, link).as_deref())
}

/// See [`all`]; they are asked for the login of this user, where one is known.
fn all_for<'a>(machine: &'a Machine, link: &Link, user: Option<&str>) -> Vec<Helper<'a>> {
    let url = link.to_string();
    let url = url.split("/info/refs?").next().unwrap_or_default();
    let values = git_config::credential(machine, "helper", url);
    let values = values.into_iter().filter(|value| !value.is_local);
    values.map(|value| Helper { value, probe: probe(machine, value, link, user) }).collect()
}

/// Returns a helper that the repository itself names for a URL. git would run it, we do not.
pub(in crate::core::doctor) fn of_repository<'a>(
    machine: &'a Machine,
    link: &Link,
) -> Option<&'a GitValue> {
    let url = link.to_string();
    let url = url.split("/info/refs?").next().unwrap_or_default();
    git_config::credential(machine, "helper", url).into_iter().rfind(|value| value.is_local)
}

fn probe(machine: &Machine, value: &GitValue, link: &Link, user: Option<&str>) -> Probe {
    let helper = value.value.raw();
    let command = match helper.strip_prefix('!') {
        Some(shell) => shell.to_owned(),
        None if helper.starts_with('/') => helper.to_owned(),
        None => format!("git credential-{helper}"),
    };
    let mut input =
        format!("protocol={}\nhost={}\n", link.origin.scheme(), link.origin.authority());
    let url = link.to_string();
    let has_path = git_config::credential(machine, "usehttppath", &url).pop();
    if has_path.is_some_and(|value| matches!(value.value.raw(), "true" | "yes" | "on" | "1")) {
        let path = link.path.split("/info/refs?").next().unwrap_or_default();
        let _ = writeln!(input, "path={}", path.trim_start_matches('/'));
    }
    // A line of the protocol ends with it: what no user can be is not said.
    if let Some(user) = user.filter(|user| !user.contains(['\n', '\r', '\0'])) {
        let _ = writeln!(input, "username={user}");
    }
    input.push('\n');
    Probe::Program {
        command: ["sh", "-c", &format!("eval \"${VARIABLE} get\""), &value.place.to_string()]
            .map(str::to_owned)
            .to_vec(),
        input,
        variables: vec![
            (VARIABLE.to_owned(), command),
            ("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned()),
            ("GCM_INTERACTIVE".to_owned(), "never".to_owned()),
        ],
    }
}

/// Asks the helpers one after the other, as git does, until one has an answer; then the program that git would
/// ask in place of the user.
pub(super) fn answer(follower: &mut Follower<'_>, link: &Link) -> Credential {
    let user = user(follower.machine, link);
    answer_for(follower, link, user)
}

/// See [`answer`]; the user is known, and not from the configuration alone.
pub(super) fn answer_for(
    follower: &mut Follower<'_>,
    link: &Link,
    user: Option<String>,
) -> Credential {
    for helper in all_for(follower.machine, link, user.as_deref()) {
        // gocred is asked without a process: what it would answer is known.
        if runs_gocred(helper.value.value.raw()) {
            match follower.wallet.login(link) {
                Some(login) => return Credential::Login(login),
                None => continue,
            }
        }
        let Ok(ran) = follower.program(helper.probe) else { return Credential::Pending };
        if let Some(login) = login(ran, helper.value, user.as_deref()) {
            return Credential::Login(login);
        }
        if ran.output.raw().lines().any(|line| matches!(line, "quit=1" | "quit=true")) {
            return Credential::None;
        }
    }
    asked(follower, link, user)
}

/// Returns whose login git looks up: the URL's own user, else that of `credential.username` (credential.c
/// `credential_config_callback`).
fn user(machine: &Machine, link: &Link) -> Option<String> {
    if let Some(user) = machine.asked_user() {
        return Some(user.to_owned());
    }
    let values = git_config::credential(machine, "username", &link.to_string());
    values.last().map(|value| value.value.raw().to_owned())
}

/// Runs `GIT_ASKPASS`, `core.askPass` or `SSH_ASKPASS`, the first that is set (git `prompt.c`).
fn asked(follower: &mut Follower<'_>, link: &Link, user: Option<String>) -> Credential {
    let machine = follower.machine;
    let variable = |name: &str| {
        let value = machine.variable(name)?;
        Some((value.raw().to_owned(), Place::Variable(name.to_owned())))
    };
    let own = machine.git_value("core.askpass").filter(|value| !value.is_local);
    let found = variable("GIT_ASKPASS")
        .or_else(|| own.map(|value| (value.value.raw().to_owned(), value.place.clone())))
        .or_else(|| variable("SSH_ASKPASS"));
    let Some((program, place)) = found.filter(|(program, _)| !program.is_empty()) else {
        return Credential::None;
    };
    let (scheme, host) = (link.origin.scheme(), link.origin.authority());
    let mut ask = |question: String| {
        let probe = Probe::Program {
            command: vec![program.clone(), question],
            input: String::new(),
            variables: Vec::new(),
        };
        follower.program(probe).map(|ran| {
            let first = ran.output.raw().lines().next().unwrap_or_default();
            (ran.code == Some(0) && !first.is_empty()).then(|| first.to_owned())
        })
    };
    let user = match user {
        Some(user) => user,
        None => match ask(format!("Username for '{scheme}://{host}': ")) {
            Err(()) => return Credential::Pending,
            Ok(None) => return Credential::None,
            Ok(Some(user)) => user,
        },
    };
    match ask(format!("Password for '{scheme}://{user}@{host}': ")) {
        Err(()) => Credential::Pending,
        Ok(None) => Credential::None,
        Ok(Some(secret)) => Credential::Login(Login {
            user,
            secret: SecretString::from(secret),
            scheme: Scheme::Basic,
            place,
        }),
    }
}

/// Reads what a helper answered.
pub(in crate::core::doctor) fn login(
    ran: &Ran,
    value: &GitValue,
    user: Option<&str>,
) -> Option<Login> {
    let field = |name: &str| {
        let lines = ran.output.raw().lines();
        lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).next_back()
    };
    let place = value.place.clone();
    if let (Some(kind), Some(secret)) = (field("authtype"), field("credential")) {
        let secret = SecretString::from(format!("{kind} {secret}"));
        let scheme = Scheme::Header("authorization".to_owned());
        return Some(Login { user: String::new(), secret, scheme, place });
    }
    let user = field("username").or(user)?.to_owned();
    let secret = SecretString::from(field("password")?);
    Some(Login { user, secret, scheme: Scheme::Basic, place })
}

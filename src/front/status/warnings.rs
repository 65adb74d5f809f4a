//! What is wrong without a network: secrets in clear, and settings that fight each other. No value
//! that may hold a secret is repeated.

use crate::{
    core::{
        door, netrc::Netrc, origin::Origin, secret::ExposeSecret, setup::gitconfig, text::printable,
    },
    front::{
        Context, proxy_cmd,
        wiring::{NoGit, Wiring},
    },
    store,
};

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Warning {
    /// What is wrong, and where.
    pub(super) what: String,
    /// What to do.
    pub(super) hint: String,
}

/// Looks for everything.
pub(super) fn find(wiring: &Wiring, context: &Context) -> Vec<Warning> {
    let mut found = variables(context);
    found.extend(git(wiring));
    found.extend(front(wiring, context));
    found.extend(netrc(context));
    found
}

/// A module proxy front that go asks and nobody serves.
fn front(wiring: &Wiring, context: &Context) -> Option<Warning> {
    let url = wiring.front.as_deref()?;
    context.paths.control.as_ref()?;
    let address = url.strip_prefix("http://")?;
    (!proxy_cmd::serves(address, context)).then(|| {
        warning(
            format!("GOPROXY names {url}, where nobody serves go"),
            "`gocred proxy install` starts it, `gocred setup --undo` sends go back",
        )
    })
}

/// The passwords of the netrc, by their lines.
fn netrc(context: &Context) -> Option<Warning> {
    let file = &context.paths.netrc;
    let place = printable(&file.display().to_string());
    let source = match store::netrc::read(file) {
        Ok(source) => source?,
        Err(error) => {
            let why = printable(&error.to_string());
            return Some(warning(
                format!("the netrc cannot be read: {why}"),
                format!("`ls -l {place}`"),
            ));
        }
    };
    let entries = Netrc::parse(source.expose_secret()).entries;
    let lines: Vec<String> = entries
        .iter()
        .filter(|entry| entry.password.is_some())
        .map(|entry| entry.line.to_string())
        .collect();
    (!lines.is_empty()).then(|| {
        warning(
            format!("{place} keeps secrets in clear, line {}", lines.join(", ")),
            "`gocred import netrc --remove` moves them into the keyring",
        )
    })
}

fn warning(what: impl Into<String>, hint: impl Into<String>) -> Warning {
    Warning { what: what.into(), hint: hint.into() }
}

/// The variables of the environment.
fn variables(context: &Context) -> Vec<Warning> {
    let env = &context.env;
    let mut found = Vec::new();
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        if env.text(name).is_some_and(has_account) {
            found.push(warning(
                format!(
                    "the variable {name} holds an account in clear; every program of yours reads it"
                ),
                format!("`gocred login --proxy`, then `unset {name}` and `eval \"$(gocred env)\"`"),
            ));
        }
    }
    if env.text("GOPROXY").is_some_and(|list| list.split([',', '|']).any(has_userinfo)) {
        found.push(warning(
            "the variable GOPROXY holds an account in clear; go passes it on in argv",
            "`gocred login` to its host, then take the account out of GOPROXY",
        ));
    }
    if let (Some(upper), Some(lower)) = (env.text("HTTPS_PROXY"), env.text("https_proxy"))
        && upper != lower
    {
        found.push(warning(
            "HTTPS_PROXY and https_proxy differ: go takes the first, git the second",
            "`eval \"$(gocred env)\"` sets both",
        ));
    }
    found
}

/// The values of git's configuration.
fn git(wiring: &Wiring) -> Vec<Warning> {
    let listed = match &wiring.git {
        Ok(listed) => listed,
        Err(NoGit::Missing) => return Vec::new(),
        Err(NoGit::Broken(why)) => {
            return vec![warning(
                format!("git cannot read its configuration: {}", printable(why)),
                "`git config --list --show-origin`",
            )];
        }
    };
    let mut found = Vec::new();
    if let Some(helper) = gitconfig::clear_text_helper(listed) {
        found.push(warning(
            format!(
                "credential.helper = store in {} writes what git is answered into \
                 ~/.git-credentials, in clear",
                place(&helper.origin)
            ),
            format!("`{}`, and remove that file", printable(&gitconfig::removal(helper))),
        ));
    }
    for setting in listed {
        let (section, key) = setting.key.rsplit_once('.').unwrap_or_default();
        let (is_secret, what) = match key {
            "proxy" if section.starts_with("http") => (has_account(&setting.value), "http.proxy"),
            "extraheader" => {
                let value = setting.value.trim_start().to_ascii_lowercase();
                (value.starts_with("authorization:"), "http.extraHeader")
            }
            "insteadof" | "pushinsteadof" => (has_userinfo(section), "url.….insteadOf"),
            _ => (false, ""),
        };
        if is_secret {
            found.push(warning(
                format!("{what} in {} keeps a secret in clear", place(&setting.origin)),
                "`gocred login` to its host, then remove that line",
            ));
        }
    }
    found
}

/// Returns the file of a value, for display.
pub(super) fn place(origin: &str) -> String {
    printable(origin.strip_prefix("file:").unwrap_or(origin))
}

/// Returns whether the URL of a proxy carries an account. What opens our own loopback proxy is none
/// (decisions.md, "Loopback token").
fn has_account(proxy: &str) -> bool {
    let rest = proxy.strip_prefix("http://").unwrap_or(proxy).trim_end_matches('/');
    let is_ours = rest.rsplit_once('@').is_some_and(|(login, place)| {
        let user = login.split_once(':').map_or(login, |(user, _)| user);
        user == door::USER && Origin::new("http", place).is_ok_and(|place| door::may_be_at(&place))
    });
    has_userinfo(proxy) && !is_ours
}

/// Returns whether a URL carries a user name or password.
fn has_userinfo(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password with an unescaped slash or hash ends up behind the authority.
    authority.contains('@') || rest.contains('@')
}

#[cfg(test)]
mod tests {
    use super::{has_account, has_userinfo};

    #[test]
    fn what_opens_our_own_proxy_is_no_account() {
        for url in ["http://gocred@127.0.0.1:7407", "http://gocred:ab12@[::1]:7407/"] {
            assert!(!has_account(url), "{url}");
        }
        for url in
            ["http://gocred:x@p:1", "http://ana@127.0.0.1:1", "http://gocred@127.0.0.1:1/x@h"]
        {
            assert!(has_account(url), "{url}");
        }
    }

    #[test]
    fn an_account_in_a_url_is_seen_however_it_is_written() {
        for url in ["http://a:b@h", "a@h:1", "http://a:p/w@h", "http://a:p#w@h", "url.https://t@h/"]
        {
            assert!(has_userinfo(url), "{url}");
        }
        for url in ["http://h:1", "h", "", "http://h/x"] {
            assert!(!has_userinfo(url), "{url}");
        }
    }
}

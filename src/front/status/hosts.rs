//! One row of `status`: an account, and what git and go will do with its host.

use crate::{
    core::{
        config::Upstream,
        credential::{Entry, Key, Kind as Namespace, UnixTime},
        setup::gitconfig::{Listed, runs_gocred},
        text::printable,
    },
    front::{
        Context,
        status::{age, warnings::place},
        ui,
        wiring::{NoGit, Wiring},
    },
};

/// How an account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its secret has ended.
    Expired,
    /// Somebody erased it.
    Hidden,
    /// It is answered.
    Ok,
}

impl State {
    /// Returns its word.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Hidden => "hidden",
            Self::Ok => "ok",
        }
    }
}

/// What a client will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// In words.
    pub(super) says: String,
    /// Whether the credential gets there.
    pub(super) reach: Reach,
}

/// Whether the credential gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It does.
    Reached,
    /// It does not.
    Missed,
    /// Nothing says that the client needs it.
    Unasked,
}

/// Everything that is said of an account.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The account.
    pub(super) entry: Entry,
    /// How it stands.
    pub(super) state: State,
    /// git, for hosts.
    pub(super) git: Option<Client>,
    /// go, for https hosts.
    pub(super) go: Option<Client>,
    /// The loopback proxy, for upstreams.
    pub(super) proxy: Option<Client>,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

/// Judges an entry.
pub(super) fn row(entry: Entry, wiring: &Wiring, context: &Context, now: UnixTime) -> Row {
    let host = ui::place(&entry.key.origin);
    let login = match entry.key.kind {
        Namespace::Proxy => format!("gocred login --proxy {}", entry.key.origin),
        Namespace::Git | Namespace::Internal => format!("gocred login {host}"),
    };
    let (state, hint) = match (&entry.hidden, entry.expires) {
        (Some(hidden), _) => (
            State::Hidden,
            Some(format!(
                "{} hid it {}; run: gocred undo {host}",
                printable(&hidden.by),
                age::ago(hidden.at, now)
            )),
        ),
        (None, Some(at)) if at < now => {
            (State::Expired, Some(format!("expired {}; run: {login}", age::ago(at, now))))
        }
        (None, _) => (State::Ok, None),
    };
    let is_host = entry.key.kind == Namespace::Git;
    let is_https = entry.key.origin.scheme() == "https";
    let git = is_host.then(|| git(&entry, wiring));
    let go = (is_host && is_https).then(|| go(&entry, wiring, context));
    let proxy = (entry.key.kind == Namespace::Proxy).then(|| proxy(&entry, context));
    Row { entry, state, git, go, proxy, hint }
}

/// Says whose secret is answered in place of this account's, where the question names none.
pub(super) fn second(
    entry: &Entry,
    entries: &[Entry],
    context: &Context,
    now: UnixTime,
) -> Option<String> {
    let Key { kind, origin, path, user } = &entry.key;
    let is_rival = |other: &&Entry| {
        let Key { kind: of, origin: at, path: below, user: _ } = &other.key;
        let is_alive = other.hidden.is_none() && other.expires.is_none_or(|end| end >= now);
        (of, at, below) == (kind, origin, path) && is_alive
    };
    let rivals = || entries.iter().filter(is_rival);
    let named = context.config.host(origin).and_then(|host| host.username.as_deref());
    let first = match named.filter(|_| *kind == Namespace::Git) {
        Some(name) => name,
        None => &rivals().max_by_key(|rival| rival.stored)?.key.user,
    };
    (rivals().count() > 1 && first != user).then(|| {
        format!(
            "{} is answered in its place; `[host.\"{}\"] username` in config.toml decides",
            printable(first),
            origin.authority()
        )
    })
}

fn git(entry: &Entry, wiring: &Wiring) -> Client {
    let missed = |says: String| Client { says, reach: Reach::Missed };
    match &wiring.git {
        Err(NoGit::Missing) => return missed("git is not on PATH".to_owned()),
        Err(NoGit::Broken(_)) => return missed("git cannot read its configuration".to_owned()),
        Ok(_) => {}
    }
    let helpers = wiring.helpers(Some(&entry.key.origin));
    let ours = helpers.iter().position(|helper| runs_gocred(&helper.value));
    match (ours, helpers.first()) {
        (Some(0), _) => Client { says: "git asks gocred first".to_owned(), reach: Reach::Reached },
        (Some(_), Some(first)) => Client {
            says: format!("git asks {} before gocred", helper_name(first)),
            reach: Reach::Reached,
        },
        (None, Some(first)) => missed(format!(
            "git asks {}, and not gocred; run: gocred setup --git",
            helper_name(first)
        )),
        (_, None) => missed("git asks nobody; run: gocred setup --git".to_owned()),
    }
}

/// Names a helper by its program; a snippet may hold a secret, and so may arguments.
fn helper_name(helper: &Listed) -> String {
    let program = helper.value.split_whitespace().next().unwrap_or_default();
    let name = if program.starts_with('!') { "a shell snippet" } else { program };
    format!("`{}` ({})", printable(name), place(&helper.origin))
}

fn go(entry: &Entry, wiring: &Wiring, context: &Context) -> Client {
    let origin = &entry.key.origin;
    let missed = |says: String| Client { says, reach: Reach::Missed };
    if !wiring.is_go_wired() {
        if context.env.text("GOAUTH").is_some() {
            let says = "the variable GOAUTH keeps go from gocred; run: unset GOAUTH";
            return missed(says.to_owned());
        }
        return missed("go does not ask gocred; run: gocred setup --go".to_owned());
    }
    let reached = |says: &str| Client { says: says.to_owned(), reach: Reach::Reached };
    if wiring.is_module_proxy(origin) {
        return reached("go asks gocred for this module proxy");
    }
    if wiring.go.is_private(origin.host()) {
        return reached("go asks gocred, and fetches its modules itself (GOPRIVATE)");
    }
    if wiring.go.is_direct() {
        return reached("go asks gocred, and fetches every module itself");
    }
    Client {
        says: format!(
            "neither GOPRIVATE nor GOPROXY names it; if import paths of private modules begin with \
             it, run: gocred setup --private {}",
            printable(origin.host())
        ),
        reach: Reach::Unasked,
    }
}

fn proxy(entry: &Entry, context: &Context) -> Client {
    let ours = Upstream::Via(entry.key.origin.clone());
    if context.config.proxy.upstream.contains(&ours) {
        Client { says: "`gocred proxy run` uses it".to_owned(), reach: Reach::Reached }
    } else {
        Client {
            says: "`[proxy] upstream` in config.toml does not name it".to_owned(),
            reach: Reach::Missed,
        }
    }
}

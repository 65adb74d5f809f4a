//! One row of `status`: an account, and what git and go will do with its host.

use std::collections::BTreeMap;

use crate::{
    broker,
    core::{
        account,
        config::Upstream,
        credential::{Entry, Key, Kind as Namespace, UnixTime},
        setup::gitconfig::{Listed, runs_gocred},
        text::printable,
    },
    front::{
        Context,
        status::{age, detail::Detail, used::Used, warnings::place},
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
    /// What its record tells, if it opens.
    pub(super) detail: Option<Detail>,
    /// When it was last released, if that is known.
    pub(super) used: Option<UnixTime>,
    /// Of several accounts, whether it is the one that the whole host gets.
    pub(super) is_first: bool,
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

/// What is known of all accounts.
pub(super) struct Known<'a> {
    /// All of them.
    pub(super) entries: &'a [Entry],
    /// What their records tell.
    pub(super) details: BTreeMap<Key, Detail>,
    /// When they were released.
    pub(super) used: Used,
    /// What git and go will do.
    pub(super) wiring: &'a Wiring,
}

/// Judges an entry.
pub(super) fn row(entry: &Entry, known: &Known<'_>, context: &Context, now: UnixTime) -> Row {
    let wiring = known.wiring;
    let (entry, detail) = (entry.clone(), known.details.get(&entry.key).cloned());
    let host = ui::place(&entry.key.origin);
    let name = ui::word(&printable(&entry.key.user));
    let rivals = rivals(&entry, known.entries);
    let login = match entry.key.kind {
        Namespace::Proxy => format!("gocred login --proxy {}", entry.key.origin),
        Namespace::Git | Namespace::Internal if rivals.len() > 1 => {
            format!("gocred login {host} --username {name}")
        }
        Namespace::Git | Namespace::Internal => format!("gocred login {host}"),
    };
    let renews = detail.as_ref().is_some_and(|detail| detail.renews);
    let (state, hint) = match (&entry.hidden, entry.expires) {
        (Some(hidden), _) => (
            State::Hidden,
            Some(format!(
                "{} hid it {}; run: gocred undo {host}",
                printable(&hidden.by),
                age::ago(hidden.at, now)
            )),
        ),
        (None, Some(at)) if at < now && !renews => {
            (State::Expired, Some(format!("expired {}; run: {login}", age::ago(at, now))))
        }
        (None, _) => (State::Ok, None),
    };
    let is_host = entry.key.kind == Namespace::Git;
    let is_https = entry.key.origin.scheme() == "https";
    let git = is_host.then(|| git(&entry, wiring));
    let go = (is_host && is_https).then(|| go(&entry, wiring, context));
    let proxy = (entry.key.kind == Namespace::Proxy).then(|| proxy(&entry, context));
    let first = first(&entry, &rivals, context, now);
    let is_first = rivals.len() > 1 && first.is_some_and(|first| first.key == entry.key);
    let hint = hint.or_else(|| second(&entry, first?, context));
    let used = known.used.last(&entry.key);
    Row { entry, detail, used, is_first, state, git, go, proxy, hint }
}

/// Returns the accounts that a question could mean where it means this one, itself included.
fn rivals<'e>(entry: &Entry, entries: &'e [Entry]) -> Vec<&'e Entry> {
    let Key { kind, origin, path, user: _ } = &entry.key;
    let is_rival = |other: &&Entry| {
        let Key { kind: of, origin: at, path: below, user: _ } = &other.key;
        (of, at, below) == (kind, origin, path)
    };
    entries.iter().filter(is_rival).collect()
}

/// Returns whose secret is answered where the question names no account.
fn first<'e>(
    entry: &Entry,
    rivals: &[&'e Entry],
    context: &Context,
    now: UnixTime,
) -> Option<&'e Entry> {
    let Key { kind, origin, path, user: _ } = &entry.key;
    let mut rivals = rivals.to_vec();
    if *kind == Namespace::Git {
        match account::choose(&context.config.accounts, origin, path.as_deref()) {
            Some(rule) => rivals.retain(|rival| rival.key.user == rule.user),
            None => broker::of_host(&mut rivals, &context.config, origin),
        }
    }
    broker::choose(rivals, now)
}

/// Says whose secret is answered in place of this account's, which no rule gives a path of its own.
fn second(entry: &Entry, first: &Entry, context: &Context) -> Option<String> {
    let Key { kind, origin, path, user } = &entry.key;
    let mut rules = account::of_paths(&context.config.accounts, origin);
    if *first == *entry || rules.any(|rule| rule.user == *user) {
        return None;
    }
    let first = printable(&first.key.user);
    let path = path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
    Some(match kind {
        Namespace::Proxy | Namespace::Internal => format!("{first} is answered in its place"),
        Namespace::Git => format!(
            "{first} is answered in the place of {}; to change that, run: gocred switch {} {}",
            printable(user),
            printable(&format!("{}{path}", origin.authority())),
            ui::word(&printable(user))
        ),
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
    let reached = |says: &str| Client { says: says.to_owned(), reach: Reach::Reached };
    if wiring.is_behind(origin) {
        return reached("go asks the module proxy front, which signs in here");
    }
    if !wiring.is_go_wired() {
        if context.env.text("GOAUTH").is_some() {
            let says = "the variable GOAUTH keeps go from gocred; run: unset GOAUTH";
            return missed(says.to_owned());
        }
        return missed("go does not ask gocred; run: gocred setup --go".to_owned());
    }
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

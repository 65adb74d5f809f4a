//! Which account a URL gets, from git and from go, and who decided that.
//!
//! git is asked what it would ask: its own configuration may name an account, or keep the path to
//! itself. Nothing is released.

use serde::Serialize;

use crate::{
    broker::{self, Broker, Proofs, Question, Reason, Why},
    core::{
        account,
        credential::{Entry, Key, Kind as Namespace, UnixTime},
        fault::Fault,
        text::printable,
    },
    front::{
        Context, goauth, keyring,
        status::{age, asked::Asked, hosts::Row, rules, warnings},
        ui,
        wiring::Wiring,
    },
    store::Store,
    sys::git,
};

/// What each client gets.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Answers {
    url: String,
    git: Got,
    go: Option<Got>,
}

/// What a client gets.
#[derive(Clone, Debug, Serialize)]
struct Got {
    account: Option<String>,
    answered: bool,
    reason: &'static str,
    rule: Option<String>,
    file: Option<String>,
    line: Option<usize>,
    /// The path that the client tells.
    path: Option<String>,
    /// The reason in words.
    why: String,
    hint: Option<String>,
}

/// Says what a URL gets.
pub(super) fn answers(
    asked: &Asked,
    rows: &[Row],
    wiring: &Wiring,
    (store, context): (&mut dyn Store, &Context),
    now: UnixTime,
) -> Result<Answers, Fault> {
    let asks = git::program(&context.env).and_then(|git| git::asks(&git, &asked.url()).ok());
    let (path, user) = match asks {
        Some(request) => (request.path, request.username),
        None => (None, asked.user.clone()),
    };
    let question = Question {
        origin: &asked.origin,
        path: path.as_deref(),
        user: user.as_deref(),
        proofs: Proofs::All,
    };
    let Context { env, paths, config } = context;
    let mut broker = Broker::new(store, env, paths, config, now);
    let why = broker.why(&question).map_err(keyring::fault)?;
    let mut git = got(&why, asked, rows, context, now);
    git.path.clone_from(&path);
    if why.reason == Reason::Named && user != asked.user {
        let file = named_by(user.as_deref().unwrap_or_default(), wiring);
        git.why = format!("git asks for it: credential.username{file}");
    }
    let wants_path = account::choose(&config.accounts, &asked.origin, asked.path.as_deref());
    if wants_path.is_some_and(|rule| rule.path.is_some()) && path.is_none() && user.is_none() {
        git.hint = Some(
            "git does not say which path it asks for, so that no rule for paths is asked; run: \
             gocred setup --git"
                .to_owned(),
        );
    } else if !git.answered
        && path.is_some()
        && account::of_paths(&config.accounts, &asked.origin).next().is_none()
    {
        git.hint = alone(asked, rows);
    }
    let go = (asked.origin.scheme() == "https").then(|| {
        let why = of_go(asked, &why, rows, context, now);
        Got { path: asked.path.clone(), ..got(&why, asked, rows, context, now) }
    });
    Ok(Answers { url: asked.shown(), git, go })
}

/// Says that git's `useHttpPath` keeps the accounts of the host from being asked.
fn alone(asked: &Asked, rows: &[Row]) -> Option<String> {
    let is_there = |row: &&Row| {
        let key = &row.entry.key;
        key.origin == asked.origin && key.kind == Namespace::Git && key.path.is_none()
    };
    let row = rows.iter().find(is_there)?;
    let place = ui::place(&asked.origin);
    let owner = asked.path.as_deref()?.split('/').next()?;
    let user = ui::word(&row.entry.key.user);
    Some(printable(&format!(
        "git says the path (useHttpPath), for which nothing is kept; run: gocred switch \
         {place}/{owner} {user}"
    )))
}

/// go tells the path always, and asks for no account.
fn of_go<'a>(
    asked: &Asked,
    git: &Why<'_>,
    rows: &[Row],
    context: &'a Context,
    now: UnixTime,
) -> Why<'a> {
    let config = &context.config;
    let path = asked.path.as_deref().unwrap_or_default();
    let is_here =
        |row: &&Row| row.entry.key.origin == asked.origin && row.entry.key.kind == Namespace::Git;
    let entries: Vec<&Entry> = rows.iter().filter(is_here).map(|row| &row.entry).collect();
    let rule = account::choose(&config.accounts, &asked.origin, Some(path));
    if git.reason == Reason::Source {
        return Why { reason: Reason::Source, user: git.user.clone(), entry: None };
    }
    let chosen = goauth::chosen(&entries, config, &asked.origin, path, now).copied();
    let Some(entry) = chosen else {
        if git.reason == Reason::Netrc && rule.is_none() {
            // go reads it itself.
            return Why { reason: Reason::Netrc, user: git.user.clone(), entry: None };
        }
        let ended = entries.iter().filter(|it| rule.is_none_or(|rule| rule.user == it.key.user));
        let entry = ended.max_by_key(|entry| entry.stored).copied().cloned();
        let user = entry.as_ref().map(|entry| entry.key.user.clone());
        let reason = match rule {
            Some(rule) => Reason::Rule(rule),
            None if entry.is_some() => Reason::Only,
            None => Reason::Nothing,
        };
        return Why { reason, user: user.or_else(|| rule.map(|rule| rule.user.clone())), entry };
    };
    let user = &entry.key.user;
    let configured = config.host(&asked.origin).and_then(|host| host.username.as_ref());
    let is_other = |it: &&Entry| {
        let is_free =
            account::of_paths(&config.accounts, &asked.origin).all(|rule| rule.user != it.key.user);
        broker::is_live(it, now) && it.key.user != *user && is_free
    };
    let reason = match rule {
        Some(rule) => Reason::Rule(rule),
        None if entry.key.path.is_some() => Reason::Path,
        None if configured == Some(user) => Reason::Configured,
        None if entries.iter().copied().any(|it| is_other(&it)) => Reason::Newest,
        None => Reason::Only,
    };
    Why { reason, user: Some(user.clone()), entry: Some(entry.clone()) }
}

fn got(why: &Why<'_>, asked: &Asked, rows: &[Row], context: &Context, now: UnixTime) -> Got {
    let host = asked.origin.authority();
    let set = match &why.reason {
        Reason::Configured => {
            let named = |name: &str| rules::place(&format!("host.\"{name}\".username"), context);
            named(&host).or_else(|| named(asked.origin.host()))
        }
        Reason::Rule(rule) => {
            rules::place(&format!("account.\"{}\".username", rule.table()), context)
        }
        Reason::Source => rules::place(&format!("source.\"{host}\".from"), context),
        Reason::Nothing
        | Reason::Named
        | Reason::Newest
        | Reason::Netrc
        | Reason::Only
        | Reason::Path => None,
    };
    let at = rules::line(set.as_ref());
    let (reason, words) = match &why.reason {
        Reason::Configured => ("configured", format!("`username` of the host says so ({at})")),
        Reason::Nothing => ("nothing", "nothing is kept for it".to_owned()),
        Reason::Named => ("named", "the URL names it".to_owned()),
        Reason::Newest => ("newest", "it was stored last, and nothing else decides".to_owned()),
        Reason::Netrc => ("netrc", format!("the netrc has it ({})", context.paths.netrc.display())),
        Reason::Only => ("only", "there is no other for it".to_owned()),
        Reason::Path => ("path", "it is kept for this very path".to_owned()),
        Reason::Rule(rule) => ("rule", format!("the rule for {} says so ({at})", rule.table())),
        Reason::Source => ("source", format!("the source of the host answers ({at})")),
    };
    let rule = match &why.reason {
        Reason::Rule(rule) => Some(rule.table()),
        _ => None,
    };
    let (answered, hint) = stands(why, &host, rows, now);
    let (file, line) = set.unzip();
    let (account, why) = (why.user.clone(), printable(&words));
    Got { account, answered, reason, rule, file, line, path: None, why, hint }
}

/// Says whether the account is really answered, and else what to do.
fn stands(why: &Why<'_>, host: &str, rows: &[Row], now: UnixTime) -> (bool, Option<String>) {
    let renews = |key: &Key| {
        rows.iter()
            .any(|row| row.entry.key == *key && row.detail.as_ref().is_some_and(|it| it.renews))
    };
    let login =
        |user: &str| printable(&format!("run: gocred login {host} --username {}", ui::word(user)));
    match (&why.reason, &why.entry, &why.user) {
        (Reason::Source | Reason::Netrc, _, _) => (true, None),
        (_, Some(entry), _) => match (&entry.hidden, entry.expires) {
            (Some(hidden), _) => {
                let (by, when) = (printable(&hidden.by), age::ago(hidden.at, now));
                (false, Some(format!("{by} hid it {when}; run: gocred undo {}", printable(host))))
            }
            (None, Some(at)) if at < now && !renews(&entry.key) => {
                let user = &entry.key.user;
                (false, Some(format!("expired {}; {}", age::ago(at, now), login(user))))
            }
            (None, _) => (true, None),
        },
        (_, None, Some(user)) => (false, Some(format!("it is not stored; {}", login(user)))),
        (_, None, None) => (false, Some(printable(&format!("run: gocred login {host}")))),
    }
}

/// Returns the file of git's that names an account, for display.
fn named_by(user: &str, wiring: &Wiring) -> String {
    let listed = wiring.git.iter().flatten();
    let mut named = listed.filter(|it| {
        it.key.starts_with("credential.") && it.key.ends_with("username") && it.value == user
    });
    let last = named.next_back();
    last.map_or_else(String::new, |it| format!(" in {}", warnings::place(&it.origin)))
}

impl Answers {
    /// Returns whether somebody is answered, by git at least.
    pub(super) fn is_answered(&self) -> bool {
        self.git.answered
    }

    /// Says it in words.
    pub(super) fn words(&self) {
        ui::out(&self.url);
        let git = self.git.words();
        ui::out(&format!("  git: {git}"));
        if let Some(go) = self.go.as_ref().map(Got::words) {
            ui::out(&if go == git { "  go:  the same".to_owned() } else { format!("  go:  {go}") });
        }
    }
}

impl Got {
    fn words(&self) -> String {
        let user = self.account.as_ref().map(|user| printable(user));
        let said = match (&user, self.answered) {
            (Some(user), true) => format!("{user}: {}", self.why),
            (Some(user), false) => format!("nobody; {user} would be it: {}", self.why),
            (None, true) => self.why.clone(),
            (None, false) => format!("nobody: {}", self.why),
        };
        self.hint.as_ref().map_or_else(|| said.clone(), |hint| format!("{said}; {hint}"))
    }
}

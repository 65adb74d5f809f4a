//! `gocred switch`: which account of a host answers, for all of it or below a path.
//!
//! It writes a rule into `config.toml` and nothing else: no secret is moved or read.

use crate::{
    cli::Switch,
    core::{
        account,
        config::Config,
        credential::Kind as Namespace,
        fault::{Fault, Kind},
        origin::Origin,
        text::printable,
    },
    front::{
        self, Answer, Context, Outcome, keyring,
        login::{
            configure, prompt,
            target::{self, Target},
        },
        setup::{self, Ask, Wanted},
        ui,
        wiring::Wiring,
    },
    store::{
        Store,
        netrc::{self, Dialect},
    },
};

/// Runs the command.
pub fn run(arguments: &Switch, context: &Context) -> Outcome {
    let Target { origin, path } = target::parse_any(&arguments.host)?;
    let scope = Scope::of(origin, &path)?;
    let user = &arguments.account;
    scope.refuse_locked("gocred switch", context)?;
    is_known(&scope.origin, user, &mut *keyring::open(context), context)?;
    let place = scope.place();
    match assign(&scope, user, context)? {
        None => ui::out(&format!("{place} is for {} already", printable(user))),
        Some(changed) => {
            let file = setup::short(&changed.paths.config, &changed);
            ui::out(&format!("{place} is for {} from now on: wrote {file}", printable(user)));
            if scope.path.is_some() {
                tell_paths(&scope.origin, &changed)?;
            }
        }
    }
    Ok(Answer::Yes)
}

/// What an account is for: a host, or what is below one of its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) origin: Origin,
    path: Option<String>,
}

impl Scope {
    /// Makes one of a path as a URL or a person writes it. A rule has no place for what a URL escapes.
    pub(crate) fn of(origin: Origin, path: &str) -> Result<Self, Fault> {
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let path = (!path.is_empty()).then(|| path.to_owned());
        let is_plain = |path: &String| !path.contains(['%', '?', '#', '\\', '"']);
        let scope = Self { origin, path };
        if scope.path.as_ref().is_none_or(is_plain) && account::name(&scope.table()).is_some() {
            return Ok(scope);
        }
        Err(Fault::new(Kind::Usage, "an account is for a host, or for the paths below another")
            .hint("write `host` or `host/path`, such as `github.com/acme`"))
    }

    /// Returns the name of its rule.
    fn table(&self) -> String {
        let host = self.origin.authority();
        self.path.as_ref().map_or_else(|| host.clone(), |path| format!("{host}/{path}"))
    }

    /// Returns it for people.
    pub(crate) fn place(&self) -> String {
        printable(&self.table())
    }

    /// Returns which key says it: the settings of a host are the place for the account of all of it,
    /// unless a rule speaks for it or a table of its own would hide those of the same host without
    /// port.
    fn key(&self, config: &Config) -> [String; 3] {
        let table = self.table();
        let has_rule = config.accounts.iter().any(|rule| rule.table() == table);
        let would_hide = self.origin.port().is_some()
            && config.hosts.get(&table).is_none()
            && config.hosts.get(self.origin.host()).is_some();
        let parent = if self.path.is_some() || has_rule || would_hide { "account" } else { "host" };
        [parent.to_owned(), table, "username".to_owned()]
    }

    /// Refuses what the administrator has locked.
    pub(crate) fn refuse_locked(&self, what: &str, context: &Context) -> Result<(), Fault> {
        let key = self.key(&context.config);
        front::refuse_locked(what, &key.each_ref().map(String::as_str), context)
    }
}

/// Writes that an account is for a host or a path. Returns the configuration of afterwards; `None`: it
/// said so already.
pub(crate) fn assign(
    scope: &Scope,
    user: &str,
    context: &Context,
) -> Result<Option<Context>, Fault> {
    let [parent, table, _] = scope.key(&context.config);
    let Config { hosts, accounts, .. } = &context.config;
    let old = if parent == "host" {
        hosts.get(&table).and_then(|host| host.username.as_deref())
    } else {
        accounts.iter().find(|rule| rule.table() == table).map(|rule| rule.user.as_str())
    };
    if old == Some(user) {
        return Ok(None);
    }
    configure::username(&parent, &table, user, context)?;
    let config = front::config(&context.paths)?;
    Ok(Some(Context { config, ..context.clone() }))
}

/// Makes git tell the paths of a host, without which its rules for paths are never asked. A person is
/// asked first; else it is said.
fn tell_paths(origin: &Origin, context: &Context) -> Result<(), Fault> {
    if !Wiring::read(context).is_git_wired(Some(origin)) {
        return Ok(());
    }
    let wanted = Wanted { paths: true, ..Wanted::default() };
    if prompt::is_attended(&context.env) {
        setup::offer(&wanted, Ask::First, context)?;
    } else if !setup::is_done(&wanted, context)? {
        ui::err(&format!("note: {}", silent(origin)));
    }
    Ok(())
}

/// Says that git keeps the paths of a host to itself.
pub(crate) fn silent(origin: &Origin) -> String {
    let place = printable(&origin.authority());
    format!("git does not say yet which path of {place} it asks for; run `gocred setup --git`")
}

/// Refuses an account that nobody could answer with.
fn is_known(
    origin: &Origin,
    user: &str,
    store: &mut dyn Store,
    context: &Context,
) -> Result<(), Fault> {
    let authority = origin.authority();
    let entries = keyring::entries(store, None)?.into_iter();
    let entries = entries
        .filter(|it| it.key.kind == Namespace::Git && it.key.origin.authority() == authority);
    let mut known: Vec<String> = entries.map(|entry| entry.key.user).collect();
    if let Ok(Some((record, _))) = netrc::find(&context.paths, origin, Dialect::Curl, Some(user)) {
        known.push(record.entry.key.user);
    }
    if known.iter().any(|name| name == user) || context.config.has_source(origin) {
        return Ok(());
    }
    known.sort();
    known.dedup();
    let place = printable(&authority);
    let known: Vec<String> = known.iter().map(|name| printable(name)).collect();
    let fault =
        Fault::new(Kind::NotFound, format!("no account {} is kept for {place}", printable(user)));
    let fault = match known.as_slice() {
        [] => fault.cause("there is none at all"),
        known => fault.cause(format!("there are: {}", known.join(", "))),
    };
    Err(fault.hint(format!("run `gocred login {place} --username {}`", ui::word(&printable(user)))))
}

#[cfg(test)]
mod tests {
    use super::{Scope, assign};
    use crate::{
        core::{config::Config, origin::Origin},
        front::Context,
        sys::{env::Env, files, paths::Paths},
    };

    fn scope(host: &str, path: &str) -> Scope {
        Scope::of(Origin::new("https", host).unwrap(), path).unwrap()
    }

    /// Returns what the file says after an account was given a host or a path.
    fn written(before: &str, scope: &Scope, user: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::of(&[]);
        let paths = Paths {
            config: folder.path().join("config.toml"),
            system_config: folder.path().join("none"),
            ..Paths::resolve(&env).unwrap()
        };
        files::write_private(&paths.config, before.as_bytes()).unwrap();
        let context = Context { env, config: Config::parse(before).unwrap(), paths };
        let changed = assign(scope, user, &context).unwrap();
        if let Some(changed) = changed {
            assert!(assign(scope, user, &changed).unwrap().is_none(), "it says so now");
        }
        String::from_utf8(files::read(&context.paths.config, 9999).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn only_the_name_changes_and_every_comment_stays() {
        let before = "# top\n[account.\"h/acme\"] # the company\n# why\nusername  = \"ana\" # mine\n\n\
                      [host.h]\nca = \"/ca.pem\" # own\n# end\n";
        assert_eq!(
            written(before, &scope("h", "/acme/"), "bot"),
            before.replace("\"ana\"", "\"bot\"")
        );
        assert_eq!(written(before, &scope("h", "acme.git"), "ana"), before);
        let whole = written(before, &scope("h", ""), "bot");
        assert!(whole.contains("ca = \"/ca.pem\" # own\nusername = \"bot\"\n"), "{whole}");
        let other = written(before, &scope("h", "tools/x"), "bot");
        let added = "\n[account.\"h/tools/x\"]\nusername = \"bot\"\n";
        assert!(other.contains(added) && other.replace(added, "") == before, "{other}");
    }

    #[test]
    fn a_host_is_said_where_it_is_said_already_and_hides_no_settings() {
        let said = written("[account.h]\nusername = \"ana\"\n", &scope("h", ""), "bot");
        assert_eq!(said, "[account.h]\nusername = \"bot\"\n");
        assert_eq!(written("", &scope("h", ""), "bot"), "[host.h]\nusername = \"bot\"\n");
        let port = written("[host.h]\nca = \"/c\"\n", &scope("h:8443", ""), "bot");
        assert!(port.contains("[account.\"h:8443\"]\nusername = \"bot\"\n"), "{port}");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["a/../b", "a//b", "a%2fb", "a?x", "a#x", "a\"b", "."] {
            assert!(Scope::of(Origin::new("https", "h").unwrap(), path).is_err(), "{path}");
        }
    }
}

//! Where the module proxy front gets its credentials: for an origin the one that `gocred goauth` gives go,
//! or else the netrc's, which go no longer looks into for a server that it does not ask itself.
//!
//! A host about which nothing is known is answered without the store, so that a locked one keeps nobody
//! from public modules. Each credential is written down before the front has it. What a module proxy has
//! rejected stands in the guard's memory.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    broker::{self, Asked, Found, Journal, Log, Proofs, Question, Release, Secret},
    core::{
        account,
        audit::Via,
        config::{Config, Host},
        credential::{Entry, Kind, Proof, Query, Record},
        gitproto::receipt::Source,
        goauth::authorization,
        origin::Origin,
        secret::{ExposeSecret, SecretString, without_traces},
        text::printable,
    },
    front::{
        Context,
        goauth::{chosen, is_same},
        parts::Parts,
        proxy_cmd::vault::trouble,
        sources, ui,
    },
    proxy::{
        Trouble,
        goproxy::{Given, Secrets},
    },
    store::{
        self, Store,
        guard::{Attempt, Guard},
        index::{self, Index},
        netrc::{self, Dialect},
    },
    sys::{clock, paths::Paths},
};

/// The field that takes a credential where `[host."…"] header` names no other.
const FIELD: &str = "Authorization";

/// For so long an index is not looked at again: no `gocred login` ends and no go starts within it, and a
/// download asks many times.
const GLANCE: Duration = Duration::from_millis(5);

/// The credentials of a user, as one configuration has them.
pub(crate) struct GoSecrets {
    context: Context,
    /// Outlives the configuration.
    guard: Arc<Guard>,
    /// The last look at the index.
    seen: Mutex<Option<(Instant, Option<u64>)>>,
}

impl GoSecrets {
    pub(crate) fn new(context: &Context, guard: &Arc<Guard>) -> Self {
        let (context, guard) = (context.clone(), Arc::clone(guard));
        Self { context, guard, seen: Mutex::default() }
    }

    /// Asks the guard about what an origin is given for a path.
    fn ask_guard<T>(
        &self,
        (origin, path): (&Origin, &str),
        given: &Given,
        ask: impl FnOnce(&Guard, &Attempt<'_>, &mut dyn Store) -> T,
    ) -> T {
        let Given { name, value, user, .. } = given;
        let realm = format!("{name} {path}");
        let attempt = Attempt { upstream: origin, realm: &realm, user, password: value };
        let answer = ask(&self.guard, &attempt, &mut *store::open(&self.context.desk()));
        if let Some(damage) = self.guard.damage() {
            ui::err(&printable(&damage.to_string()));
        }
        answer
    }
}

impl Secrets for GoSecrets {
    fn given(&self, origin: &Origin, path: &str) -> Result<Option<Given>, Trouble> {
        find(origin, path, &self.context)
    }

    fn era(&self) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            Some((at, stamp)) if at.elapsed() < GLANCE => stamp,
            _ => {
                let stamp = index::stamp(&self.context.paths.state);
                *seen = Some((Instant::now(), stamp));
                stamp
            }
        }
    }

    fn is_rejected(&self, origin: &Origin, path: &str, given: &Given) -> bool {
        self.ask_guard((origin, path), given, |guard, attempt, store| guard.knows(attempt, store))
    }

    fn refused(&self, origin: &Origin, path: &str, given: &Given) -> bool {
        if self.context.config.has_source(origin)
            && let Some(mut sources) = sources::of(&self.context)
        {
            sources.forget(origin, &|_| true);
        }
        self.ask_guard((origin, path), given, |guard, attempt, store| {
            guard.remember(attempt, store);
        });
        true
    }
}

/// Returns what is shown to an origin for a path of it.
pub(crate) fn find(
    origin: &Origin,
    path: &str,
    context: &Context,
) -> Result<Option<Given>, Trouble> {
    let Some(allowed) = allowed(context, origin) else { return Ok(None) };
    without_traces(|| {
        let found = if allowed.config.has_source(origin) {
            fetched(origin, &allowed)
        } else {
            let is_named = context.config.host(origin).is_some();
            kept(origin, below(path), is_named, &allowed)
        };
        let Some(record) = found.map_err(|error| trouble(&error))? else { return Ok(None) };
        given(&record, allowed.config.host(origin)).map(Some)
    })
}

/// Returns the configuration by which an origin is answered. `None`: nothing may go there. In clear text
/// that is anything but this machine, unless the user allows the host.
fn allowed(context: &Context, origin: &Origin) -> Option<Context> {
    let config = &context.config;
    if broker::is_our_listener(config, origin) {
        return None;
    }
    let host = config.host(origin);
    match origin.scheme() {
        "https" => return Some(context.clone()),
        "http" if host.is_some_and(|host| host.allow_http) => return Some(context.clone()),
        "http" => {}
        _ => return None,
    }
    let name = origin.authority();
    let is_locked = config.origins.lock_on(&["host", &name, "allow_http"]).is_some();
    if !is_loopback(origin) || is_locked {
        return None;
    }
    let mut context = context.clone();
    let host = Host { allow_http: true, ..host.cloned().unwrap_or_default() };
    context.config.hosts.insert(name, host);
    Some(context)
}

fn is_loopback(origin: &Origin) -> bool {
    let host = origin.host().trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Asks the source of an origin, which alone answers for it.
fn fetched(origin: &Origin, context: &Context) -> Result<Option<Record>, store::Error> {
    let mut store = store::open(&context.desk());
    let mut parts = Parts::of(context).asked(context, Via::Goproxy, Asked::ByItself);
    let mut broker = parts.broker(&mut *store, context);
    let question = Question { origin, path: None, user: None, proofs: Proofs::All };
    let found = broker.ask(&question)?;
    tell(broker.damage());
    Ok(match found {
        Some(Found::Complete(record, _)) => Some(record),
        Some(Found::Renewable(_)) | None => None,
    })
}

/// Asks the store, and then the netrc. A host that the configuration names may have something in a store
/// of which nothing is known because it is locked.
fn kept(
    origin: &Origin,
    path: &str,
    is_named: bool,
    context: &Context,
) -> Result<Option<Record>, store::Error> {
    let mut store = store::open(&context.desk());
    let stored = match known(origin, is_named, &mut *store, context) {
        Ok(Some(own)) => stored(&own, path, &mut *store, context),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    let source = store.source();
    match stored {
        Ok(Some(record)) => {
            write_down(&record, source, origin, path, context).map(|()| Some(record))
        }
        other => match in_netrc(origin, &context.paths, &context.config) {
            Some(record) => {
                write_down(&record, Source::Netrc, origin, path, context).map(|()| Some(record))
            }
            None => other,
        },
    }
}

/// Returns the origin as the store has it, which may be written in other letters; `None`: there is
/// nothing in it.
fn known(
    origin: &Origin,
    is_named: bool,
    store: &mut dyn Store,
    context: &Context,
) -> Result<Option<Origin>, store::Error> {
    let Context { env: _, paths, config } = context;
    let index = match Index::load(&paths.state) {
        Ok(Some(index)) => Ok(index),
        Ok(None) | Err(_) => index::learn(&paths.state, store).map(|(index, _)| index),
    };
    let index = match index {
        Ok(index) => index,
        Err(error) if is_named && error.waits_for_a_person() => return Err(error),
        Err(_) => return Ok(None),
    };
    let listed = index.origins(Kind::Git).find(|listed| is_same(listed, origin)).cloned();
    // What others keep is in no index of ours.
    let elsewhere = (!config.store.fallback.is_empty()).then(|| origin.clone());
    Ok(listed.or(elsewhere))
}

fn stored(
    origin: &Origin,
    path: &str,
    store: &mut dyn Store,
    context: &Context,
) -> Result<Option<Record>, store::Error> {
    let config = &context.config;
    let mut records = store.find(&Query::origin(Kind::Git, origin.clone()))?;
    let now = clock::now();
    let user = config.host(origin).and_then(|host| host.username.clone());
    let mut failure = None;
    for record in &mut records {
        let Entry { key, expires: _, stored: _, hidden } = &record.entry;
        let is_wanted = hidden.is_none() && user.as_ref().is_none_or(|user| *user == key.user);
        if !is_wanted || !broker::is_expired(record, now) {
            continue;
        }
        let mut parts = Parts::of(context);
        match parts.broker(store, context).renewed(record) {
            Some(Ok(new)) => *record = new,
            // Where one renewal has failed, others are not tried: go waits.
            Some(Err(error)) => {
                failure = Some(error.into());
                break;
            }
            None => {}
        }
    }
    match (chosen(&records, config, origin, path, now), failure) {
        (Some(record), _) => Ok(Some(record.clone())),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// Returns what go itself would send, if it asked this server. What is wrong with the file is for
/// git's helper to say.
fn in_netrc(origin: &Origin, paths: &Paths, config: &Config) -> Option<Record> {
    let user = config.host(origin).and_then(|host| host.username.as_deref());
    let found = netrc::find(paths, origin, Dialect::Go, user).ok()??;
    Some(found.0)
}

/// Writes down that the front gets it.
fn write_down(
    record: &Record,
    source: Source,
    origin: &Origin,
    path: &str,
    context: &Context,
) -> Result<(), store::Error> {
    let Context { env: _, paths, config } = context;
    let Some(mut log) = Log::of(config, paths, Via::Goproxy, Asked::ByItself) else {
        return Ok(());
    };
    let rule = account::choose(&config.accounts, origin, Some(path));
    let rule = rule.filter(|rule| rule.user == record.entry.key.user);
    let question = Question { origin, path: None, user: None, proofs: Proofs::All };
    let release = Release { record, part: Secret::Proof, source, question: &question, rule };
    log.record(&release)?;
    tell(log.omission().map(Into::into));
    Ok(())
}

fn tell(damage: Option<store::Error>) {
    if let Some(damage) = damage {
        ui::err(&format!("gocred[{}]: {}", damage.code(), printable(&damage.to_string())));
    }
}

/// Writes a credential as the host takes it.
fn given(record: &Record, host: Option<&Host>) -> Result<Given, Trouble> {
    let Record { entry, secrets } = record;
    let user = &entry.key.user;
    let (name, value) = match host.and_then(|host| host.header.as_ref()) {
        Some(name) => (name.as_str(), bare(&secrets.proof)),
        None => (FIELD, authorization(user, &secrets.proof)),
    };
    let value = value.ok_or_else(|| {
        let place = ui::place(&entry.key.origin);
        Trouble::Failed(format!("what is stored for {place} does not fit into `{name}`"))
    })?;
    Ok(Given {
        name: name.to_owned(),
        value,
        user: user.clone(),
        stored: (entry.stored > 0).then_some(entry.stored),
        expires: entry.expires,
    })
}

/// Returns the secret itself, if a header field can carry it (RFC 9110 §5.5).
fn bare(proof: &Proof) -> Option<SecretString> {
    let secret = match proof {
        Proof::Password(secret) | Proof::Encoded { authtype: _, credential: secret } => secret,
    };
    let text = secret.expose_secret();
    let is_value = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    (is_value && text.trim() == text).then(|| secret.clone())
}

/// Returns a path as records and rules have it.
fn below(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{GoSecrets, allowed, below, is_loopback};
    use crate::{
        core::{
            config::Config,
            credential::{Key, Kind, Proof, Secrets},
            origin::Origin,
            secret::ExposeSecret,
        },
        front::Context,
        proxy::{
            Trouble,
            goproxy::{Given, Secrets as _},
        },
        store::{
            self,
            guard::{Guard, Of},
            index,
            plaintext::Plaintext,
        },
        sys::{env::Env, files, paths::Paths},
    };

    /// A home whose store is a file in clear text, and a netrc.
    struct Home {
        folder: tempfile::TempDir,
        context: Context,
    }

    impl Home {
        fn new(config: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path().to_str().unwrap();
            let env = Env::of(&[
                ("HOME", home),
                ("GOCRED_STORE", "plaintext"),
                ("XDG_CONFIG_HOME", home),
                ("XDG_STATE_HOME", home),
                ("XDG_RUNTIME_DIR", home),
            ]);
            let paths = Paths::resolve(&env).unwrap();
            let config = Config::parse(config).unwrap().at_home(folder.path());
            Self { folder, context: Context { env, paths, config } }
        }

        fn with_netrc(self, text: &str) -> Self {
            files::write_private(&self.folder.path().join(".netrc"), text.as_bytes()).unwrap();
            self
        }

        /// Stores a secret, as `login` does; at this time, and until that one.
        fn with(self, url: &str, user: &str, proof: Proof, times: (u64, Option<u64>)) -> Self {
            let desk = self.context.desk();
            Plaintext::create(&desk).unwrap();
            let (origin, path) = Origin::from_url(url).unwrap();
            let path = Some(path.trim_matches('/')).filter(|path| !path.is_empty());
            let path = path.map(str::to_owned);
            let key = Key { kind: Kind::Git, origin, path, user: user.to_owned() };
            let mut store = store::open(&desk);
            let record = store::record(key, Secrets::of(proof), times.1, times.0);
            store.save(&record).unwrap();
            index::learn(&self.context.paths.state, &mut *store).unwrap();
            drop(store);
            self
        }

        fn ask(&self, url: &str) -> Result<Option<Given>, Trouble> {
            let (origin, path) = Origin::from_url(url).unwrap();
            self.secrets().given(&origin, path)
        }

        /// As after a start of the daemon.
        fn secrets(&self) -> GoSecrets {
            let guard = Guard::open(&self.context.paths.state, Of::ModuleProxies).unwrap();
            GoSecrets::new(&self.context, &Arc::new(guard))
        }

        fn shown(&self, url: &str) -> String {
            let Some(given) = self.ask(url).unwrap() else { return String::new() };
            format!("{}: {}", given.name, given.value.expose_secret())
        }

        fn audit(&self) -> String {
            std::fs::read_to_string(&self.context.paths.audit).unwrap_or_default()
        }
    }

    fn password(text: &str) -> Proof {
        Proof::Password(text.into())
    }

    #[test]
    fn the_store_answers_before_the_netrc_and_says_whose_and_since_when() {
        let home = Home::new("").with_netrc(NETRC);
        let home = home.with("https://h.test", "bob", password("own"), (70, None));
        let given = home.ask("https://h.test/x").unwrap().unwrap();
        assert_eq!(given.value.expose_secret(), "Basic Ym9iOm93bg==");
        assert_eq!((given.user.as_str(), given.stored, given.expires), ("bob", Some(70), None));
        // Host names have no case; a port is another origin.
        assert_eq!(home.shown("https://H.Test/x"), "Authorization: Basic Ym9iOm93bg==");
        assert_eq!(home.shown("https://h.test:8443/x"), "");
        assert!(!home.audit().contains("own"));
    }

    #[test]
    fn a_token_is_sent_as_it_is_and_one_that_has_ended_is_not() {
        let bearer = |token: &str| Proof::Encoded {
            authtype: "Bearer".to_owned(),
            credential: token.into(),
        };
        let home = Home::new("[host.\"k.test\"]\nheader = \"PRIVATE-TOKEN\"\n");
        let home = home
            .with("https://h.test", "", bearer("t1"), (1, None))
            .with("https://k.test", "", bearer("t2"), (1, None))
            .with("https://old.test", "", bearer("t3"), (1, Some(2)));
        assert_eq!(home.shown("https://h.test/x"), "Authorization: Bearer t1");
        assert_eq!(home.shown("https://k.test/x"), "PRIVATE-TOKEN: t2");
        assert_eq!(home.shown("https://old.test/x"), "");
    }

    #[test]
    fn a_path_has_the_account_of_its_rule() {
        let rules = "[account.\"h.test/team\"]\nusername = \"bot\"\n";
        let home = Home::new(rules).with("https://h.test", "ana", password("a"), (2, None)).with(
            "https://h.test",
            "bot",
            password("b"),
            (1, None),
        );
        assert_eq!(home.shown("https://h.test/team/x/@v/list"), "Authorization: Basic Ym90OmI=");
        assert_eq!(home.shown("https://h.test/other/@v/list"), "Authorization: Basic YW5hOmE=");
        let home = Home::new("").with("https://h.test/team", "bot", password("b"), (1, None));
        assert_eq!(home.shown("https://h.test/team/x/@v/list"), "Authorization: Basic Ym90OmI=");
        assert_eq!(home.shown("https://h.test/teams/@v/list"), "");
    }

    #[test]
    fn what_no_header_can_carry_is_said_without_it() {
        let home = Home::new("").with("https://h.test", "a:b", password("hunter2"), (1, None));
        let trouble = home.ask("https://h.test/x").unwrap_err().to_string();
        assert!(trouble.contains("h.test") && !trouble.contains("hunter2"), "{trouble}");
    }

    const NETRC: &str = "machine h.test login ana password key\n";

    #[test]
    fn the_netrc_answers_for_the_host_that_it_names_and_is_written_down() {
        let home = Home::new("").with_netrc(NETRC);
        assert_eq!(home.shown("https://h.test/x/@v/list"), "Authorization: Basic YW5hOmtleQ==");
        let audit = home.audit();
        assert!(audit.contains("\"goproxy\"") && audit.contains("\"h.test\""), "{audit}");
        assert_eq!(home.shown("https://other.test/x/@v/list"), "");
        assert_eq!(home.audit(), audit);
    }

    #[test]
    fn a_host_gets_its_secret_in_the_field_that_it_wants() {
        let config = "[host.\"h.test\"]\nheader = \"X-JFrog-Art-Api\"\n";
        let home = Home::new(config).with_netrc(NETRC);
        assert_eq!(home.shown("https://h.test/x"), "X-JFrog-Art-Api: key");
        let home = Home::new(config).with_netrc("machine h.test login ana password k\u{e9}y\n");
        let trouble = home.ask("https://h.test/x").unwrap_err().to_string();
        assert!(trouble.contains("X-JFrog-Art-Api") && !trouble.contains("k\u{e9}y"), "{trouble}");
    }

    #[test]
    fn what_cannot_be_written_down_is_not_given() {
        let home = Home::new("[audit]\nrequired = true\nfile = \"/proc/none/audit\"\n");
        let home = home.with_netrc(NETRC);
        assert!(matches!(home.ask("https://h.test/x"), Err(Trouble::Withheld { code: "K15", .. })));
        assert_eq!(home.shown("https://other.test/x"), "");
    }

    #[test]
    fn a_source_answers_alone() {
        let config = "[source.\"h.test\"]\nfrom = \"exec\"\ncommand = [\"/bin/echo\", \"tok\"]\n";
        let home = Home::new(config).with_netrc(NETRC);
        let shown = home.shown("https://h.test/x/@v/list");
        assert!(shown.starts_with("Authorization: ") && !shown.contains("YW5hOmtleQ"), "{shown}");
        assert!(home.audit().contains("\"goproxy\""));
    }

    #[test]
    fn what_a_source_gave_is_fetched_anew_where_it_was_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let write = |text: &str| files::write_private(&file, text.as_bytes()).unwrap();
        let config = format!(
            "[source.\"refused.test\"]\nfrom = \"exec\"\ncommand = [\"/bin/cat\", \"{}\"]\n\
             cache = \"1h\"\n[host.\"refused.test\"]\nheader = \"X-Key\"\n",
            file.display()
        );
        let home = Home::new(&config);
        write("one");
        assert_eq!(home.shown("https://refused.test/x"), "X-Key: one");
        write("two");
        assert_eq!(home.shown("https://refused.test/x"), "X-Key: one");
        let (origin, _) = Origin::from_url("https://refused.test").unwrap();
        let given = home.ask("https://refused.test/x").unwrap().unwrap();
        assert!(home.secrets().refused(&origin, "/x", &given));
        assert_eq!(home.shown("https://refused.test/x"), "X-Key: two");
    }

    #[test]
    fn what_was_rejected_is_known_after_a_restart_for_its_place_and_value_only() {
        let home = Home::new("").with("https://h.test", "ana", password("stale"), (1, None));
        let (origin, _) = Origin::from_url("https://h.test").unwrap();
        let given = home.ask("https://h.test/go").unwrap().unwrap();
        assert!(!home.secrets().is_rejected(&origin, "/go", &given));
        assert!(home.secrets().refused(&origin, "/go", &given));
        assert!(home.secrets().is_rejected(&origin, "/go", &given));
        assert!(!home.secrets().is_rejected(&origin, "/other", &given));
        let (other, _) = Origin::from_url("https://h.test:8443").unwrap();
        assert!(!home.secrets().is_rejected(&other, "/go", &given));
        let new = Given { value: "Basic new".into(), ..given };
        assert!(!home.secrets().is_rejected(&origin, "/go", &new));
        let file = store::guard::file(&home.context.paths.state, Of::ModuleProxies);
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.starts_with("v1 https://h.test ") && !text.contains("stale"), "{text}");
    }

    #[test]
    fn clear_text_is_for_this_machine_and_for_hosts_that_are_allowed() {
        let home =
            Home::new("[host.\"h.test\"]\nallow_http = true\n[host.\"127.0.0.1\"]\nca = \"/c\"\n");
        let is_allowed = |url: &str| {
            let (origin, _) = Origin::from_url(url).unwrap();
            allowed(&home.context, &origin)
        };
        for url in ["https://x.test", "http://h.test", "http://[::1]:80", "http://localhost:81"] {
            assert!(is_allowed(url).is_some(), "{url}");
        }
        for url in
            ["http://x.test", "http://127.0.0.1.x.test", "http://127.0.0.1:7407", "ftp://h.test"]
        {
            assert!(is_allowed(url).is_none(), "{url}");
        }
        let context = is_allowed("http://127.0.0.1:9000").unwrap();
        let (origin, _) = Origin::from_url("http://127.0.0.1:9000").unwrap();
        let host = context.config.host(&origin).unwrap();
        assert!(host.allow_http && host.ca.is_some());
        assert!(!is_loopback(&Origin::new("http", "127.test").unwrap()));
    }

    #[test]
    fn an_administrator_forbids_clear_text_on_this_machine_too() {
        let mut home = Home::new("");
        let system = "lock = ['host.\"127.0.0.1\".allow_http']\n";
        home.context.config = Config::merge(Some(system), None).unwrap();
        let (origin, _) = Origin::from_url("http://127.0.0.1:9000").unwrap();
        assert!(allowed(&home.context, &origin).is_none());
    }

    #[test]
    fn a_path_is_as_rules_have_it() {
        assert_eq!(below("/go/x/@v/list?y=/z"), "go/x/@v/list");
        assert_eq!(below(""), "");
    }
}

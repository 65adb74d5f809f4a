//! `gocred goauth`: what go runs as its GOAUTH command, to learn what it may send to whom.
//!
//! It deliberately never fails, prompts or waits: an exit code other than 0 helps nobody, and go
//! waits for ever. It runs no program and reads nothing below the current folder, which is the
//! user's project. netrc is not answered: go reads it itself (`GOAUTH='gocred goauth;netrc'`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, IsTerminal, Read, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::{
    broker::{self, Asked, Journal, Log, Proofs, Release, Secret},
    cli::Goauth,
    core::{
        account::{self, Rule},
        audit::Via,
        config::Config,
        credential::{Entry, Key, Kind, Query, Record, UnixTime},
        fault::{self, Fault},
        goauth::{self, CredentialSet, Refused},
        goenv::GoEnv,
        goproxy,
        origin::Origin,
        secret::{ExposeSecret, SecretString},
        text::printable,
    },
    front::{Answer, Context, Outcome, goauth_sources, parts::Parts, ui},
    store::{self, Store, index::Index},
    sys::{clock, goenv},
};

/// How long go waits for us at most; the store's own limit is shorter.
const LIMIT: Duration = Duration::from_millis(1_950);
/// How much longer where a login is renewed, or something may have to be fetched: without it go is refused.
const LONGER: Duration = Duration::from_secs(10);
/// The largest response head that is read, in bytes; go stops at 1 MiB.
const MAX_HEAD: u64 = 1024 * 1024;
/// From this many origins on, one question to the store for everything is cheaper.
const MANY: usize = 4;

/// Runs the command. Always exits with 0; without an answer, standard output is empty, and standard
/// error has one line, which go shows with `-x`.
pub fn run(arguments: &Goauth, context: &Context) -> Outcome {
    let (sender, answers) = mpsc::channel();
    let (url, context) = (arguments.url.clone(), context.clone());
    let has_sources = !context.config.source_names.is_empty();
    let is_longer = Arc::new(AtomicBool::new(has_sources));
    let renewing = Arc::clone(&is_longer);
    // Where it hangs - the store, or standard input left open - the end of `main` ends it.
    let worker = thread::Builder::new().spawn(move || {
        let _ = sender.send(ask(url.as_deref(), &context, &renewing));
    });
    let answer = match worker {
        Ok(_) => {
            let late = |_| {
                if is_longer.load(Ordering::Relaxed) {
                    let late = "no answer within 12 s";
                    answers.recv_timeout(LONGER).map_err(|_| late.to_owned())
                } else {
                    Err("no answer within 2 s".to_owned())
                }
            };
            answers.recv_timeout(LIMIT).or_else(late)
        }
        Err(error) => Err(error.to_string()),
    };
    match answer.map_err(|why| Fault::new(fault::Kind::Store, why)).flatten() {
        Ok(answer) => {
            let _ = io::stdout().lock().write_all(answer.expose_secret().as_bytes());
        }
        Err(fault) => complain(&fault),
    }
    Ok(Answer::Yes)
}

/// Ends a call that cannot even begin, because of a broken `config.toml`, say.
pub fn decline(fault: &Fault) -> Answer {
    complain(fault);
    Answer::Yes
}

fn complain(fault: &Fault) {
    let code = fault.code.map(|code| format!("[{code}]")).unwrap_or_default();
    ui::err(&format!("gocred{code} goauth: {}", printable(&fault.one_line())));
}

/// What go asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// The first call, before any request: everything that go will need.
    Eager,
    /// A server refused a request.
    Refused {
        /// The URL, which may carry a password of the user's own making.
        url: &'a str,
        /// The status on standard input, where there was one.
        status: Option<u16>,
    },
}

/// Where the answer comes from.
pub struct Sources<'a> {
    /// What go will ask, and whom.
    pub go: &'a GoEnv,
    /// `[host."…"] username` chooses among accounts.
    pub config: &'a Config,
    /// The folder of the index.
    pub state: &'a Path,
    /// The keyring.
    pub store: &'a mut dyn Store,
    /// What writes releases down.
    pub journal: Option<&'a mut dyn Journal>,
    /// Renews a login that has ended. `None`: it does not work, or it cannot be renewed.
    pub renew: &'a mut dyn FnMut(&mut dyn Store, &Record) -> Option<Record>,
}

/// Returns what goes to standard output.
pub fn answer(
    question: Question<'_>,
    sources: &mut Sources<'_>,
    now: UnixTime,
) -> Result<SecretString, store::Error> {
    let sets = match question {
        Question::Eager => eager(sources, now)?,
        Question::Refused { url, status } => {
            // A text that is no URL is nothing that go sends.
            let Ok(refused) = Refused::parse(url) else { return Ok(SecretString::default()) };
            // The server does not know the path, although it was told who asks.
            let missing = matches!(status, Some(404 | 410));
            // Unless go up to 1.24 told it the account of the whole host, which it also sends below a
            // path with a rule: such a server says 404, too.
            let rule = account::choose(rules(sources), &refused.origin, Some(below(&refused.path)));
            let is_host_wide = rule.is_none_or(|rule| rule.path.is_none());
            if missing && is_host_wide && is_eager(sources.go, &refused.origin) {
                return Ok(SecretString::default());
            }
            after_refusal(&refused, sources, now)?
        }
    };
    Ok(goauth::encode(&sets))
}

fn ask(url: Option<&str>, context: &Context, renewing: &AtomicBool) -> Result<SecretString, Fault> {
    let question = match url {
        None => Question::Eager,
        Some(url) => Question::Refused { url, status: refusal() },
    };
    let Context { env, paths, config } = context;
    let go = goenv::read(env, paths.goenv.as_deref());
    let fetched = goauth_sources::sets(question, &go, context);
    let mut store = store::open(&context.desk());
    let (mut parts, mut failure) = (Parts::of(context), None);
    let mut renew = |store: &mut dyn Store, record: &Record| {
        // Go waits: where one renewal has failed, others are not tried.
        if failure.is_some() {
            return None;
        }
        renewing.store(true, Ordering::Relaxed);
        let renewed = parts.broker(store, context).renewed(record)?;
        renewed.map_err(|error| failure = Some(error.into())).ok()
    };
    let mut log = Log::of(config, paths, Via::Goauth, Asked::ByParent);
    let mut sources = Sources {
        go: &go,
        config,
        state: &paths.state,
        store: &mut *store,
        journal: log.as_mut().map(|log| log as &mut dyn Journal),
        renew: &mut renew,
    };
    let stored = answer(question, &mut sources, clock::now());
    if let Some(omission) = log.and_then(|mut log| log.omission()) {
        complain(&Fault::new(fault::Kind::Store, omission.to_string()).code("K15"));
    }
    if !fetched.is_empty() {
        // What the store says against its own part is no reason to keep these back.
        let stored = stored.unwrap_or_default();
        let fetched = goauth::encode(&fetched);
        return Ok([fetched.expose_secret(), stored.expose_secret()].concat().into());
    }
    match (stored, failure) {
        (Ok(answer), Some(error)) if answer.expose_secret().is_empty() => Err(withheld(error)),
        (Ok(answer), _) => Ok(answer),
        (Err(error), _) => Err(withheld(error)),
    }
}

fn withheld(error: store::Error) -> Fault {
    let (code, command) = (error.code(), error.command());
    Fault::new(fault::Kind::Store, "go gets no credentials")
        .code(code)
        .cause(error)
        .hint(format!("run `{command}`"))
}

/// Reads the status from standard input, where go writes the head of the refusal.
fn refusal() -> Option<u16> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return None;
    }
    let mut head = Vec::new();
    stdin.lock().take(MAX_HEAD).read_to_end(&mut head).ok()?;
    goauth::status(&head)
}

/// Returns whether the first call answers for an origin if there is something to answer.
fn is_eager(go: &GoEnv, origin: &Origin) -> bool {
    origin.scheme() == "https"
        && (go.is_direct()
            || go.is_private(&origin.authority())
            || goproxy::origins(&go.goproxy).any(|proxy| is_same(proxy, origin)))
}

fn eager(sources: &mut Sources<'_>, now: UnixTime) -> Result<Vec<CredentialSet>, store::Error> {
    let index = index(sources)?;
    let wanted = index.origins(Kind::Git).filter(|origin| is_eager(sources.go, origin));
    let wanted: Vec<&Origin> = wanted.filter(|origin| !sources.config.has_source(origin)).collect();
    let mut sets = Vec::new();
    for (origin, records) in records(&wanted, sources, now)? {
        let spellings = spellings(&origin, sources.go);
        for (path, record) in best(&records, sources.config, &origin, now) {
            // Go 1.25 and later find a credential for a path by itself, 1.24 after a refusal.
            let urls = spellings.iter().filter_map(|spelling| url_below(spelling, path)).collect();
            sets.extend(release(record, path, urls, sources)?);
        }
    }
    Ok(sets)
}

/// Answers for one URL. The URL itself is among the answer's, because Go up to 1.27.3 cuts the path
/// at its last slash and so takes `/lib?go-get=1` for something else than `/lib` (golang/go#80597).
fn after_refusal(
    refused: &Refused,
    sources: &mut Sources<'_>,
    now: UnixTime,
) -> Result<Vec<CredentialSet>, store::Error> {
    let index = index(sources)?;
    let stored = index.origins(Kind::Git).find(|origin| is_same(origin, &refused.origin));
    let is_stored =
        |origin: &&Origin| origin.scheme() == "https" && !sources.config.has_source(origin);
    let Some(stored) = stored.filter(is_stored) else {
        return Ok(Vec::new());
    };
    let path = below(&refused.path);
    let rule = account::choose(rules(sources), stored, Some(path));
    let mut sets = Vec::new();
    for (_, records) in records(&[stored], sources, now)? {
        if let Some(record) = chosen(&records, sources.config, stored, path, now) {
            let limit = rule.map_or(record.entry.key.path.as_deref(), |rule| rule.path.as_deref());
            let host = limit.is_none().then(|| refused.origin.to_string());
            let urls = host.into_iter().chain([refused.url()]).collect();
            sets.extend(release(record, Some(path), urls, sources)?);
        }
    }
    Ok(sets)
}

fn rules<'a>(sources: &Sources<'a>) -> &'a [Rule] {
    &sources.config.accounts
}

/// Returns what answers for a path of an origin, of all that is kept for the origin.
pub(crate) fn chosen<'r, T: AsRef<Entry>>(
    records: &'r [T],
    config: &Config,
    origin: &Origin,
    path: &str,
    now: UnixTime,
) -> Option<&'r T> {
    let covers = |record: &&T| covers(record.as_ref().key.path.as_deref(), path);
    candidates(records.iter().filter(covers), config, origin, Some(path), now)
}

/// Chooses among records by the rule of a path; without one, among the accounts of the host.
fn candidates<'r, T: AsRef<Entry>>(
    records: impl Iterator<Item = &'r T>,
    config: &Config,
    origin: &Origin,
    path: Option<&str>,
    now: UnixTime,
) -> Option<&'r T> {
    let mut records: Vec<&T> = records.collect();
    match account::choose(&config.accounts, origin, path) {
        Some(rule) => records.retain(|record| record.as_ref().key.user == rule.user),
        None => broker::of_host(&mut records, config, origin),
    }
    broker::choose(records, now)
}

/// Loads the index; a missing or damaged one is rebuilt from the store. What is wrong with the file
/// is for git's helper to say: go discards what we say beside an answer.
fn index(sources: &mut Sources<'_>) -> Result<Index, store::Error> {
    match Index::load(sources.state) {
        Ok(Some(index)) => Ok(index),
        Ok(None) | Err(_) => {
            store::index::learn(sources.state, sources.store).map(|(index, _)| index)
        }
    }
}

/// Asks the store for the records of some origins, in as few questions as is cheap.
fn records(
    origins: &[&Origin],
    sources: &mut Sources<'_>,
    now: UnixTime,
) -> Result<BTreeMap<Origin, Vec<Record>>, store::Error> {
    let mut found = Vec::new();
    if origins.len() >= MANY {
        found = sources.store.find(&Query::all(Kind::Git))?;
    } else {
        for origin in origins {
            found.extend(sources.store.find(&Query::origin(Kind::Git, (*origin).clone()))?);
        }
    }
    let mut by_origin: BTreeMap<Origin, Vec<Record>> = BTreeMap::new();
    for record in found {
        let Key { origin, user, .. } = &record.entry.key;
        if !origins.contains(&origin) {
            continue;
        }
        // Of several accounts the configured one is renewed.
        let host = sources.config.host(origin);
        let account = host.and_then(|host| host.username.as_ref());
        let is_over = broker::is_expired(&record, now) && record.entry.hidden.is_none();
        let is_wanted = is_over && account.is_none_or(|account| account == user);
        let renewed = if is_wanted { (sources.renew)(sources.store, &record) } else { None };
        let record = renewed.unwrap_or(record);
        by_origin.entry(record.entry.key.origin.clone()).or_default().push(record);
    }
    Ok(by_origin)
}

/// Returns the record to release for the whole origin, for each path that a rule names, and for each
/// that a record is kept for.
fn best<'r>(
    records: &'r [Record],
    config: &'r Config,
    origin: &Origin,
    now: UnixTime,
) -> Vec<(Option<&'r str>, &'r Record)> {
    let rules = &config.accounts;
    let named: BTreeSet<&str> =
        account::of_paths(rules, origin).filter_map(|rule| rule.path.as_deref()).collect();
    // What a record says of a path that a rule is about is the rule's matter.
    let is_ruled = |path: &&str| {
        account::choose(rules, origin, Some(path)).is_some_and(|rule| rule.path.is_some())
    };
    let kept = records.iter().filter_map(|record| record.entry.key.path.as_deref());
    let kept: BTreeSet<&str> = kept.filter(|path| !is_ruled(path)).collect();
    let by_rule = named
        .into_iter()
        .filter_map(|path| Some((Some(path), chosen(records, config, origin, path, now)?)));
    let by_record = std::iter::once(None).chain(kept.into_iter().map(Some)).filter_map(|path| {
        let records = records.iter().filter(|record| record.entry.key.path.as_deref() == path);
        Some((path, candidates(records, config, origin, path, now)?))
    });
    by_record.chain(by_rule).collect()
}

/// Returns what go is told of a record, which is written down first.
fn release(
    record: &Record,
    path: Option<&str>,
    urls: Vec<String>,
    sources: &mut Sources<'_>,
) -> Result<Option<CredentialSet>, store::Error> {
    let set = credential_set(record, urls);
    if let (Some(_), Some(journal)) = (&set, &mut sources.journal) {
        let Key { kind: _, origin, path: _, user } = &record.entry.key;
        let rule = account::choose(&sources.config.accounts, origin, path);
        let rule = rule.filter(|rule| rule.user == *user);
        let question = broker::Question { origin, path, user: None, proofs: Proofs::All };
        let (part, source) = (Secret::Proof, sources.store.source());
        journal.record(&Release { record, part, source, question: &question, rule })?;
    }
    Ok(set)
}

pub(crate) fn credential_set(record: &Record, urls: Vec<String>) -> Option<CredentialSet> {
    let authorization = goauth::authorization(&record.entry.key.user, &record.secrets.proof)?;
    (!urls.is_empty()).then_some(CredentialSet { urls, authorization })
}

/// Returns how go will spell an origin: in lower case, as module paths are, and as GOPROXY has it.
pub(crate) fn spellings(origin: &Origin, go: &GoEnv) -> BTreeSet<String> {
    let proxies = goproxy::origins(&go.goproxy).filter(|proxy| is_same(proxy, origin));
    let lower = origin.to_string().to_ascii_lowercase();
    proxies.map(ToString::to_string).chain([lower]).collect()
}

/// Returns the URL of a path below an origin. `None` for a path that a URL spells in another way:
/// one line that go cannot read makes it drop the whole answer.
fn url_below(origin: &str, path: Option<&str>) -> Option<String> {
    let Some(path) = path else { return Some(origin.to_owned()) };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    path.chars().all(is_plain).then(|| format!("{origin}/{path}"))
}

/// Returns whether two origins are one server: host names have no case.
pub(crate) fn is_same(left: &Origin, right: &Origin) -> bool {
    left.scheme() == right.scheme() && left.authority().eq_ignore_ascii_case(&right.authority())
}

/// Returns the path of what go was refused, without its slash and its query.
fn below(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/')
}

/// Returns whether a record for a path may be used for another path: whole elements only.
fn covers(own: Option<&str>, path: &str) -> bool {
    let Some(own) = own else { return true };
    let rest = path.strip_prefix(own);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{Question, Sources, answer, below, covers};
    use crate::{
        core::{
            config::Config,
            credential::{Entry, Hidden, Key, Kind, Proof, Record, Secrets},
            goenv::GoEnv,
            origin::Origin,
            secret::ExposeSecret,
        },
        store::{self, Error, memory::Memory},
    };

    /// A machine with these URLs stored, each with the password `p`, and these go settings.
    struct Machine {
        go: GoEnv,
        config: Config,
        state: tempfile::TempDir,
        store: Memory,
    }

    impl Machine {
        fn new(file: &str, urls: &[&str]) -> Self {
            let store = Memory::of(urls.iter().map(|url| stored(url)).collect());
            let state = tempfile::tempdir().unwrap();
            let entries: Vec<Entry> =
                store.records.iter().map(|record| record.entry.clone()).collect();
            store::index::rebuild(state.path(), &entries).unwrap();
            let go = GoEnv::resolve(|_| None, file);
            Self { go, config: Config::default(), state, store }
        }

        fn ask(&mut self, question: Question<'_>) -> String {
            let mut sources = Sources {
                go: &self.go,
                config: &self.config,
                state: self.state.path(),
                store: &mut self.store,
                journal: None,
                renew: &mut |_, _| None,
            };
            let answer = answer(question, &mut sources, 100).unwrap();
            answer.expose_secret().to_owned()
        }

        /// Returns the URLs of the eager answer.
        fn eager(&mut self) -> Vec<String> {
            let answer = self.ask(Question::Eager);
            let urls = answer.lines().filter(|line| line.starts_with("https://"));
            urls.map(str::to_owned).collect()
        }

        fn refused(&mut self, url: &str, status: u16) -> String {
            self.ask(Question::Refused { url, status: Some(status) })
        }
    }

    fn stored(url: &str) -> Record {
        let (origin, path) = Origin::from_url(url).unwrap();
        let path = path.strip_prefix('/').filter(|path| !path.is_empty()).map(str::to_owned);
        let key = Key { kind: Kind::Git, origin, path, user: "ana".to_owned() };
        let secrets = Secrets::of(Proof::Password("p".into()));
        store::record(key, secrets, None, 1)
    }

    /// `ana:p`
    const HEADER: &str = "Authorization: Basic YW5hOnA=";

    #[test]
    fn the_eager_answer_is_a_block_a_host() {
        let mut machine = Machine::new(
            "GOPRIVATE=b.test\nGOPROXY=https://a.test:8443/x\n",
            &["https://b.test", "https://a.test:8443"],
        );
        assert_eq!(
            machine.ask(Question::Eager),
            format!("https://a.test:8443\n\n{HEADER}\n\nhttps://b.test\n\n{HEADER}\n\n")
        );
    }

    #[test]
    fn only_the_hosts_that_go_will_ask_are_released() {
        let urls = [
            "https://proxy.test",
            "https://git.test",
            "https://no.test",
            "https://other.test",
            "https://git.test:8443",
            "http://git.test",
        ];
        let settings =
            "GOPROXY=https://proxy.test,direct\nGOPRIVATE=git.test/x\nGONOPROXY=no.test\n";
        let mut machine = Machine::new(settings, &urls);
        assert_eq!(
            machine.eager(),
            ["https://git.test", "https://git.test:8443", "https://no.test", "https://proxy.test"]
        );
        let mut machine = Machine::new("GOPROXY=direct\n", &urls);
        assert_eq!(machine.eager().len(), 5);
        let mut machine = Machine::new("", &urls);
        assert_eq!(machine.eager(), [""; 0]);
        assert_eq!(machine.store.reads, 0, "nothing is wanted");
    }

    #[test]
    fn the_port_and_the_case_are_those_that_go_will_spell() {
        let mut machine = Machine::new(
            "GOPROXY=https://Go.Test/x,https://h:443\n",
            &["https://go.test", "https://h"],
        );
        assert_eq!(machine.eager(), ["https://Go.Test", "https://go.test"]);
        let mut machine = Machine::new("GOPRIVATE=go.test\n", &["https://Go.Test"]);
        assert_eq!(machine.eager(), ["https://go.test"]);
    }

    #[test]
    fn a_password_in_goproxy_is_not_repeated() {
        let mut machine =
            Machine::new("GOPROXY=https://ana:hunter2@go.test\n", &["https://go.test"]);
        assert!(!machine.ask(Question::Eager).contains("hunter2"));
        assert_eq!(machine.eager(), ["https://go.test"]);
    }

    #[test]
    fn many_hosts_are_one_question_and_few_are_one_each() {
        let mut machine =
            Machine::new("GOPROXY=direct\n", &["https://a", "https://b", "https://c"]);
        assert_eq!((machine.eager().len(), machine.store.reads), (3, 3));
        let mut machine =
            Machine::new("GOPROXY=direct\n", &["https://a", "https://b", "https://c", "https://d"]);
        assert_eq!((machine.eager().len(), machine.store.reads), (4, 1));
    }

    #[test]
    fn one_question_for_everything_releases_no_more_than_several() {
        let urls = [
            "https://a.test",
            "https://b.test",
            "https://c.test",
            "https://d.test",
            "https://foreign.example",
        ];
        let mut machine = Machine::new("GOPRIVATE=*.test\n", &urls);
        assert_eq!((machine.eager().len(), machine.store.reads), (4, 1));
    }

    #[test]
    fn hidden_and_expired_records_are_not_answered() {
        let mut machine = Machine::new("GOPRIVATE=*.test\n", &["https://a.test", "https://b.test"]);
        machine.store.records[0].entry.hidden = Some(Hidden { at: 1, by: "git erase".to_owned() });
        machine.store.records[1].entry.expires = Some(99);
        assert_eq!(machine.ask(Question::Eager), "");
        assert_eq!(machine.refused("https://a.test/x", 401), "");
        assert_eq!(machine.refused("https://b.test/x", 401), "");
    }

    #[test]
    fn a_missing_path_of_a_known_host_is_not_asked_about_again() {
        let mut machine =
            Machine::new("GOPRIVATE=git.test\n", &["https://git.test", "https://late.test"]);
        for status in [404, 410] {
            assert_eq!(machine.refused("https://git.test/x?go-get=1", status), "");
        }
        assert_eq!(machine.store.reads, 0);
        assert!(machine.refused("https://late.test/x?go-get=1", 404).contains(HEADER));
    }

    #[test]
    fn a_refusal_is_answered_for_the_host_and_for_the_very_url() {
        let mut machine = Machine::new("GOPRIVATE=git.test\n", &["https://git.test"]);
        let answer = format!("https://git.test\nhttps://git.test/x/y?go-get=1\n\n{HEADER}\n\n");
        for status in [401, 403] {
            assert_eq!(machine.refused("https://git.test/x/y?go-get=1", status), answer);
        }
        assert_eq!(machine.refused("https://eve:hunter2@git.test/x/y?go-get=1", 401), answer);
        let url = "https://git.test/x/y?go-get=1";
        assert_eq!(machine.ask(Question::Refused { url, status: None }), answer);
    }

    #[test]
    fn a_foreign_host_a_clear_text_one_and_no_url_get_nothing() {
        let mut machine = Machine::new("", &["https://git.test", "http://clear.test"]);
        for url in [
            "https://foreign.test/x",
            "https://git.test:8443/x",
            "http://git.test/x",
            "http://clear.test/x",
            "x",
            "",
        ] {
            assert_eq!(machine.refused(url, 401), "", "{url}");
        }
        assert_eq!(machine.store.reads, 0);
    }

    #[test]
    fn a_credential_of_a_path_stays_below_it() {
        let mut machine = Machine::new(
            "GOPRIVATE=git.test\n",
            &["https://git.test/team/a", "https://git.test/b c"],
        );
        assert_eq!(machine.eager(), ["https://git.test/team/a"]);
        let answer = machine.refused("https://git.test/team/a/x?go-get=1", 401);
        assert!(answer.starts_with("https://git.test/team/a/x?go-get=1\n\n"), "{answer}");
        assert_eq!(machine.refused("https://git.test/team/ab", 401), "");
        assert!(covers(Some("a"), below("/a?x")) && covers(Some("a"), "a/b") && covers(None, ""));
        assert!(!covers(Some("a"), "b") && !covers(Some("a"), "") && !covers(Some("a"), "ab"));
        assert_eq!((below("/b?/a"), below(""), below("?x")), ("b", "", ""));
    }

    #[test]
    fn the_configured_account_is_answered() {
        let mut machine =
            Machine::new("GOPRIVATE=git.test\n", &["https://git.test", "https://git.test"]);
        machine.store.records[1].entry.key.user = "bot".to_owned();
        machine.store.records[1].entry.stored = 9;
        assert!(!machine.ask(Question::Eager).contains(HEADER), "the newest");
        machine.config = Config::parse("[host.\"git.test\"]\nusername = \"ana\"\n").unwrap();
        assert!(machine.ask(Question::Eager).contains(HEADER), "the configured one");
    }

    /// Two accounts of git.test; bot was stored last, and is for acme.
    fn two_accounts() -> Machine {
        let urls = ["https://git.test", "https://git.test", "https://git.test/acme/one"];
        let mut machine = Machine::new("GOPRIVATE=git.test\n", &urls);
        machine.store.records[1].entry.key.user = "bot".to_owned();
        machine.store.records[1].entry.stored = 9;
        let rules = "[account.\"git.test/acme\"]\nusername = \"bot\"\n\
                     [account.\"git.test/none\"]\nusername = \"nobody\"\n";
        machine.config = Config::parse(rules).unwrap();
        machine
    }

    /// `bot:p`
    const BOT: &str = "Authorization: Basic Ym90OnA=";

    #[test]
    fn a_rule_has_a_block_of_its_own_and_the_host_the_other_account() {
        let mut machine = two_accounts();
        assert_eq!(
            machine.ask(Question::Eager),
            format!("https://git.test\n\n{HEADER}\n\nhttps://git.test/acme\n\n{BOT}\n\n")
        );
        machine.config = Config::parse("[account.\"git.test\"]\nusername = \"bot\"\n").unwrap();
        let whole = machine.ask(Question::Eager);
        assert_eq!(whole, format!("https://git.test\n\n{BOT}\n\n"));
    }

    #[test]
    fn a_refusal_is_answered_by_the_rule_of_its_path_and_not_for_the_host() {
        let mut machine = two_accounts();
        let url = "https://git.test/acme/lib?go-get=1";
        // Also a 404: go 1.24 sends the account of the host.
        for status in [401, 404] {
            assert_eq!(machine.refused(url, status), format!("{url}\n\n{BOT}\n\n"));
        }
        let other = "https://git.test/other/lib?go-get=1";
        let answer = format!("https://git.test\n{other}\n\n{HEADER}\n\n");
        assert_eq!(machine.refused(other, 401), answer);
        assert_eq!(machine.refused(other, 404), "");
        assert_eq!(machine.refused("https://git.test/none/x", 401), "", "nobody is not stored");
    }

    #[test]
    fn what_a_header_cannot_carry_is_left_out_and_the_rest_is_answered() {
        let mut machine = Machine::new("GOPRIVATE=*.test\n", &["https://a.test", "https://b.test"]);
        machine.store.records[0].secrets.proof =
            Proof::Encoded { authtype: "Bearer".to_owned(), credential: "x\nHost: y".into() };
        assert_eq!(machine.eager(), ["https://b.test"]);
    }

    #[test]
    fn a_missing_or_damaged_index_is_rebuilt() {
        let mut machine = Machine::new("GOPRIVATE=git.test\n", &["https://git.test"]);
        std::fs::remove_dir_all(machine.state.path()).unwrap();
        assert_eq!(machine.eager(), ["https://git.test"]);
        crate::sys::files::write_private(&machine.state.path().join("hosts"), b"\0\xff").unwrap();
        assert_eq!(machine.eager(), ["https://git.test"]);
    }

    #[test]
    fn a_store_that_fails_is_an_error_and_never_an_answer() {
        let mut machine = Machine::new("GOPRIVATE=git.test\n", &["https://git.test"]);
        machine.store.trouble = Some(Error::Locked);
        let mut sources = Sources {
            go: &machine.go,
            config: &machine.config,
            state: machine.state.path(),
            store: &mut machine.store,
            journal: None,
            renew: &mut |_, _| None,
        };
        let error = answer(Question::Eager, &mut sources, 100).unwrap_err();
        assert_eq!(error, Error::Locked);
    }
}

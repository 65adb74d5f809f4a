//! Credentials that are fetched where they are needed: a secret manager, a CI job, a command.
//!
//! Each gives a `broker::Lease`, and stores nothing: what may be kept is kept in memory, sealed, and for
//! no longer than it lives.

mod ci;
mod env;
mod exec;
mod fields;
mod github_app;
mod held;
mod helper;
mod openbao;

use std::{
    path::Path,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

pub use self::held::Held;
use crate::{
    broker::{CacheFor, Lease, SourceError, Sources, Wanted},
    core::{
        config::{Config, Provider, SourceRule},
        credential::{Proof, UnixTime},
        forge::Forge,
        origin::Origin,
        secret::SecretString,
    },
    net::{api::Api, probe},
    source::held::Known,
    sys::{clock, env::Env},
};

/// How long everything that one answer needs may take.
const LIMIT: Duration = Duration::from_secs(8);
/// How long it may take to say that a login is over.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long one request may take.
const STEP: Duration = Duration::from_secs(5);
/// How long an answer is kept that names no end, where the configuration says nothing.
const CACHE: Duration = Duration::from_secs(5 * 60);

/// How the network is reached: by the corporate proxy, where one is on the way.
pub trait Network: Send {
    /// Prepares requests to an origin. `ca` is trusted beside what is trusted anyway.
    fn line(&self, origin: &Origin, ca: Option<&Path>) -> Result<Line, String>;
}

/// The way to one origin.
pub struct Line {
    /// Who asks there.
    pub api: Api,
    /// What is known of why nobody was reached, where the way has a proxy that says so.
    pub said: Box<dyn Fn() -> Option<String> + Send>,
}

/// The sources of the configuration.
pub struct Fleet {
    config: Config,
    env: Env,
    network: Box<dyn Network>,
    held: Arc<Held>,
}

impl Fleet {
    /// Starts with what was read once. Nothing is asked yet.
    pub fn new(config: Config, env: Env, network: Box<dyn Network>, held: Arc<Held>) -> Self {
        Self { config, env, network, held }
    }

    /// Ends what was begun elsewhere: the login at `OpenBao`, and what was made for it. For whoever knows
    /// that nobody uses it any more.
    pub fn log_out(&self) {
        if self.config.sources.iter().any(|(_, rule)| rule.from == Some(Provider::OpenBao)) {
            openbao::log_out(&self.post(Instant::now() + FAREWELL), &self.held, clock::now());
        }
    }

    fn post(&self, end: Instant) -> Post<'_> {
        Post { config: &self.config, env: &self.env, network: self.network.as_ref(), end }
    }
}

impl Sources for Fleet {
    fn resolve(&mut self, wanted: &Wanted<'_>) -> Result<Option<Lease>, SourceError> {
        let Some(rule) = self.config.source(wanted.origin) else { return Ok(None) };
        let name = self.name(rule, wanted);
        match self.held.find(&name) {
            Known::Good(lease) => return Ok(Some(lease)),
            Known::Failed(error) => return Err(error),
            Known::Due(_) | Known::Nothing => {}
        }
        // Whoever asks meanwhile waits for the same answer.
        let turn = self.held.turn(&name);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let old = match self.held.find(&name) {
            Known::Good(lease) => return Ok(Some(lease)),
            Known::Failed(error) => return Err(error),
            Known::Due(lease) => Some(lease),
            Known::Nothing => None,
        };
        match (self.fetch(rule, wanted), old) {
            (Ok(Some(lease)), _) => {
                self.held.keep(&name, wanted.origin, &lease, wanted.now);
                Ok(Some(lease))
            }
            (Ok(None), _) => Ok(None),
            // It is still good, and will be tried again.
            (Err(_), Some(old)) => {
                self.held.postpone(&name);
                Ok(Some(old))
            }
            (Err(error), None) => {
                self.held.fail(&name, &error);
                Err(error)
            }
        }
    }

    fn forget(&mut self, origin: &Origin, is_rejected: &dyn Fn(&Proof) -> bool) {
        self.held.forget(&start(origin), is_rejected);
    }
}

impl Fleet {
    /// Names what is kept for a question. It says what the source was, too: another configuration is
    /// another source.
    fn name(&self, rule: &SourceRule, wanted: &Wanted<'_>) -> String {
        let asked = match rule.from {
            Some(Provider::Helper) => (wanted.path, wanted.user),
            Some(_) | None => (None, None),
        };
        let bao = (rule.from == Some(Provider::OpenBao)).then_some(&self.config.openbao);
        format!("{}{asked:?} {rule:?} {bao:?}", start(wanted.origin))
    }

    fn fetch(&self, rule: &SourceRule, wanted: &Wanted<'_>) -> Result<Option<Lease>, SourceError> {
        let post = self.post(Instant::now() + LIMIT);
        match rule.from {
            Some(Provider::Ci) => Ok(ci::job_token(wanted.origin, &self.env)),
            Some(Provider::Env) => Ok(env::lease(rule, self.account(rule, wanted.origin))),
            Some(Provider::Exec) => {
                let account = self.account(rule, wanted.origin);
                exec::lease(rule, account, &self.env, wanted.now).map(Some)
            }
            Some(Provider::GithubApp) => github_app::lease(rule, wanted, &post).map(Some),
            Some(Provider::Helper) => helper::lease(rule, wanted, &self.env),
            Some(Provider::OpenBao) => {
                let default = self.account(&SourceRule::default(), wanted.origin);
                openbao::lease(rule, default, wanted, &post, &self.held).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Returns the account of a source that has no field for it: the one that is configured there or for
    /// the host, or else the one that goes with every token of such a forge.
    fn account(&self, rule: &SourceRule, origin: &Origin) -> String {
        let of_host = || self.config.host(origin)?.username.clone();
        let of_forge = || Forge::by_name(origin)?.token_user().map(str::to_owned);
        rule.user.clone().or_else(of_host).or_else(of_forge).unwrap_or_default()
    }
}

/// How the name of everything starts that is kept for an origin.
fn start(origin: &Origin) -> String {
    format!("{origin} ")
}

/// What requests are made with.
#[derive(Clone, Copy)]
struct Post<'a> {
    config: &'a Config,
    env: &'a Env,
    network: &'a dyn Network,
    /// When everything must have been answered.
    end: Instant,
}

impl Post<'_> {
    /// Returns how long the next request may take.
    fn limit(&self) -> Duration {
        // No time at all would be no limit.
        let left = self.end.saturating_duration_since(Instant::now()).min(STEP);
        left.max(Duration::from_millis(1))
    }

    /// Returns the way to an origin.
    fn line(&self, origin: &Origin, ca: Option<&Path>) -> Result<Line, SourceError> {
        let failed = |what| SourceError::Unreachable(format!("{origin}: {what}"));
        self.network.line(origin, ca).map_err(failed)
    }
}

/// Says why there was no answer. `who` is whom we asked, such as `OpenBao at https://bao:8200`.
fn unanswered(who: &str, error: &probe::Error, line: &Line) -> SourceError {
    let what = (line.said)().unwrap_or_else(|| error.to_string());
    match error {
        probe::Error::Timeout => SourceError::Silent(format!("{who} does not answer in time")),
        probe::Error::Authority(_) => SourceError::Unreachable(format!(
            "nobody that is trusted signed the certificate of {who}: {what}"
        )),
        probe::Error::Certificate(_) => {
            SourceError::Unreachable(format!("the certificate of {who} is wrong: {what}"))
        }
        probe::Error::Proxy | probe::Error::Refused | probe::Error::Unreachable(_) => {
            SourceError::Unreachable(format!("{who} cannot be reached: {what}"))
        }
    }
}

/// A credential that was just fetched. One that names no end is kept for as long as `unending` says, and
/// is not said to end.
fn lease(
    from: &'static str,
    (user, proof): (String, Proof),
    ends: Option<UnixTime>,
    unending: Option<Duration>,
    now: UnixTime,
) -> Lease {
    let cache = match (ends, unending) {
        (Some(end), _) => CacheFor::Until(end),
        (None, Some(cache)) => CacheFor::Until(now.saturating_add(cache.as_secs())),
        (None, None) => CacheFor::Never,
    };
    let refresh_at = ends.map(|end| now + end.saturating_sub(now) * 4 / 5);
    Lease { user, proof, ends, refresh_at, cache, from }
}

/// A password that was just fetched.
fn password(secret: SecretString) -> Proof {
    Proof::Password(secret)
}

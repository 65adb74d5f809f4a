//! The corporate proxies of the moment: each with its health, its login and its spare connections.
//!
//! Those of the configuration are known from the start; those that a PAC file names are met later, so
//! many at most. What is known of an upstream outlives a reload that leaves its settings alone.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Turnstile, OnceCell};

use crate::{
    core::{
        breaker::{Admission, Breaker, Health},
        config::{Config, Upstream as Configured, UpstreamSettings},
        origin::Origin,
        refusal::Refusal,
    },
    net::tls::{self, Client, UpstreamTls},
    proxy::{
        failure,
        login::{Login, Mint, Named, Vault},
        metrics::Outcomes,
        pool::Pool,
        status::UpstreamReport,
    },
};

/// The most upstreams that a PAC file may bring.
const MOST: usize = 64;

/// One corporate proxy.
pub(crate) struct Upstream {
    pub(crate) origin: Origin,
    settings: UpstreamSettings,
    named: Named,
    /// Outlives the upstream where a reload makes it anew: a secret that is being tried is tried once.
    pub(crate) login: Arc<Login>,
    pub(crate) pool: Pool,
    /// What became of the tunnels that were to go through it.
    pub(crate) outcomes: Outcomes,
    breaker: Mutex<Breaker>,
    /// Held by the one who is asking whether it answers.
    pub(crate) asked: Arc<Turnstile<()>>,
    tls: OnceCell<Client>,
}

/// All of them.
pub(crate) struct Upstreams {
    known: Mutex<Known>,
    vault: Arc<dyn Vault>,
    mint: Mint,
    /// Further certificate authorities: `SSL_CERT_FILE`, `GIT_SSL_CAINFO`.
    roots: Vec<PathBuf>,
}

#[derive(Default)]
struct Known {
    now: BTreeMap<Origin, Arc<Upstream>>,
    /// Those of before the last reload that nobody has named since.
    before: BTreeMap<Origin, Arc<Upstream>>,
}

impl Upstreams {
    pub(crate) fn new(vault: Arc<dyn Vault>, roots: Vec<PathBuf>) -> Self {
        Self { known: Mutex::default(), vault, mint: Mint::default(), roots }
    }

    /// Takes the upstreams of a configuration. One whose settings are as before stays as it is, unless
    /// they name files: what is in those may be new, and then only its login stays.
    pub(crate) fn configure(&self, config: &Config) {
        let wanted = config.proxy.upstream.iter().filter_map(|upstream| match upstream {
            Configured::Direct => None,
            Configured::Via(origin) => Some(origin),
        });
        let mut known = self.lock();
        known.before = std::mem::take(&mut known.now);
        for upstream in known.before.values() {
            upstream.login.doubt();
        }
        for origin in wanted {
            let settings = config.upstream(origin).cloned().unwrap_or_default();
            let before = known.before.remove(origin);
            let upstream = self.renew(before, origin, settings, Named::ByUser);
            known.now.insert(origin.clone(), upstream);
        }
    }

    /// Returns an upstream that takes the place of one of before the last reload.
    fn renew(
        &self,
        before: Option<Arc<Upstream>>,
        origin: &Origin,
        settings: UpstreamSettings,
        named: Named,
    ) -> Arc<Upstream> {
        let same =
            |upstream: &Arc<Upstream>| upstream.settings == settings && upstream.named == named;
        match before.filter(same) {
            // The files of certificates may be new.
            Some(before) if origin.scheme() == "https" => {
                Arc::new(Upstream::new(Arc::clone(&before.login), origin.clone(), settings, named))
            }
            Some(before) => before,
            None => Arc::new(self.make(origin.clone(), settings, named)),
        }
    }

    /// Returns an upstream; one that only a PAC file names is met for the first time.
    pub(crate) fn find(&self, origin: &Origin, config: &Config) -> Result<Arc<Upstream>, Refusal> {
        let mut known = self.lock();
        if let Some(upstream) = known.now.get(origin) {
            return Ok(Arc::clone(upstream));
        }
        if known.now.len() >= MOST + config.proxy.upstream.len() {
            return Err(failure::too_many_upstreams(MOST));
        }
        // A table of its own in the configuration names it, even an empty one.
        let (settings, named) = match config.upstream(origin) {
            Some(settings) => (settings.clone(), Named::ByUser),
            None => (UpstreamSettings::default(), Named::ByPac),
        };
        let before = known.before.remove(origin);
        let upstream = self.renew(before, origin, settings, named);
        known.now.insert(origin.clone(), Arc::clone(&upstream));
        Ok(upstream)
    }

    /// The network has changed: what was known of the way to them is not true any more.
    pub(crate) fn forget(&self) {
        let known = self.lock();
        for upstream in known.now.values().chain(known.before.values()) {
            upstream.breaker().forget();
            upstream.pool.clear();
            upstream.login.forget();
        }
    }

    pub(crate) fn report(&self) -> Vec<UpstreamReport> {
        self.lock().now.values().map(|upstream| upstream.report()).collect()
    }

    /// Returns all of them, in order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<Upstream>> {
        self.lock().now.values().cloned().collect()
    }

    /// Makes one that nobody else finds.
    pub(crate) fn make(
        &self,
        origin: Origin,
        settings: UpstreamSettings,
        named: Named,
    ) -> Upstream {
        let (mint, vault) = (self.mint.clone(), Arc::clone(&self.vault));
        let login = Login::new(origin.clone(), settings.clone(), named, mint, vault);
        Upstream::new(Arc::new(login), origin, settings, named)
    }

    /// Returns how TLS is spoken with an upstream. Certificates are read on first use.
    pub(crate) async fn tls<'a>(&self, upstream: &'a Upstream) -> Result<&'a Client, tls::Error> {
        let read = || async {
            let (settings, mut roots) = (upstream.settings.clone(), self.roots.clone());
            roots.extend(settings.ca);
            let read = tokio::task::spawn_blocking(move || {
                tls::upstream(UpstreamTls {
                    roots: &roots,
                    client_cert: settings.client_cert.as_deref(),
                    client_key: settings.client_key.as_deref(),
                })
            });
            read.await.unwrap_or_else(|error| Err(tls::Error::Setup(error.to_string())))
        };
        upstream.tls.get_or_try_init(read).await
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upstream {
    fn new(login: Arc<Login>, origin: Origin, settings: UpstreamSettings, named: Named) -> Self {
        Self {
            origin,
            settings,
            named,
            login,
            pool: Pool::default(),
            outcomes: Outcomes::default(),
            breaker: Mutex::default(),
            asked: Arc::default(),
            tls: OnceCell::new(),
        }
    }

    /// Decides whether a request tries it now.
    pub(crate) fn admit(&self) -> Admission {
        self.breaker().admit(Instant::now())
    }

    /// It answered.
    pub(crate) fn works(&self) {
        self.breaker().success(Instant::now());
    }

    /// It was not reached, or broke off.
    pub(crate) fn fails(&self) {
        self.breaker().failure(Instant::now(), jitter());
        self.pool.clear();
    }

    /// Another one served a request that this one kept waiting.
    pub(crate) fn was_overtaken(&self) {
        self.breaker().overtaken(Instant::now(), jitter());
    }

    /// It answers nothing: a request that waits for it goes to another one.
    pub(crate) fn is_passed_over(&self) {
        self.breaker().overtaken(Instant::now(), jitter());
        self.pool.clear();
    }

    /// Returns whether it answered anybody within this time.
    pub(crate) fn has_answered_within(&self, limit: Duration) -> bool {
        self.breaker().has_answered_within(limit, Instant::now())
    }

    /// Returns whether the user named it.
    pub(crate) fn is_configured(&self) -> bool {
        self.named == Named::ByUser
    }

    /// Returns how it is.
    pub(crate) fn health(&self) -> Health {
        self.breaker().health(Instant::now())
    }

    fn report(&self) -> UpstreamReport {
        let (login, scheme, reason) = self.login.report();
        let (opened, refused) = self.outcomes.sums();
        let health = match self.health() {
            Health::Good => "good".to_owned(),
            Health::OutOfOrder(left) if left.is_zero() => {
                "out of order, tried again with the next request".to_owned()
            }
            Health::OutOfOrder(left) => {
                format!("out of order, tried again in {} s", left.as_secs())
            }
            Health::Probed => "being tried again".to_owned(),
        };
        UpstreamReport {
            url: self.origin.to_string(),
            login: login.to_owned(),
            scheme: scheme.map(|scheme| scheme.as_str().to_owned()),
            reason,
            health,
            spare: self.pool.len() as u64,
            opened,
            refused,
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a random number; without randomness all wait equally long.
fn jitter() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Upstream, Upstreams};
    use crate::{
        core::{auth::floor::Floor, config, config::Config, origin::Origin},
        proxy::login::{Account, Trouble, Vault},
    };

    struct Empty;

    impl Vault for Empty {
        fn account(&self, _: &Origin, _: Option<&str>) -> Result<Option<Account>, Trouble> {
            Ok(None)
        }
        fn is_rejected(&self, _: &Origin, _: &str, _: &Account) -> bool {
            false
        }
        fn reject(&self, _: &Origin, _: &str, _: &Account) {}
        fn floor(&self, _: &Origin) -> Option<Floor> {
            None
        }
        fn raise_floor(&self, _: &Origin, _: Floor) {}
    }

    fn config(upstreams: &[&str]) -> Config {
        let mut config = Config::default();
        for upstream in upstreams {
            config.proxy.upstream.push(config::Upstream::parse(upstream).unwrap());
        }
        config
    }

    #[test]
    fn the_login_outlives_a_reload_that_makes_its_upstream_anew() {
        let named = config(&["http://p:3128", "https://p:3129"]);
        let upstreams = Upstreams::new(Arc::new(Empty), Vec::new());
        let find = |url: &str, config: &Config| {
            upstreams.find(&Origin::from_url(url).unwrap().0, config).ok().unwrap()
        };
        let all = |config: &Config| -> Vec<Arc<Upstream>> {
            let urls = ["http://p:3128", "https://p:3129", "http://pac:3128", "https://pac:3129"];
            urls.iter().map(|url| find(url, config)).collect()
        };
        upstreams.configure(&named);
        let before = all(&named);
        upstreams.configure(&named);
        // What only a PAC file names is not there before it is named again.
        assert_eq!(upstreams.all().len(), 2);
        for (old, new) in before.iter().zip(all(&named)) {
            assert!(Arc::ptr_eq(&old.login, &new.login), "{}", old.origin);
            let is_clear = old.origin.scheme() == "http";
            assert_eq!(Arc::ptr_eq(old, &new), is_clear, "{}", old.origin);
        }
        // Who is named by somebody else is another one.
        let fewer = config(&["http://pac:3128"]);
        upstreams.configure(&fewer);
        for (old, new) in before.iter().zip(all(&fewer)) {
            let is_same = old.origin.authority().starts_with("pac:3129");
            assert_eq!(Arc::ptr_eq(&old.login, &new.login), is_same, "{}", old.origin);
        }
    }
}

//! The PAC file of the configuration: loaded beside the traffic, asked for each target.
//!
//! A file that cannot be loaded, or gives no answer, is told and never means `DIRECT`: the last good
//! one stays in use, and where there is none, the way that is configured for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    core::{
        config::PacSource,
        pac::{
            answer::{self, Choice},
            question::Question,
        },
    },
    net::pac::{self, Pac, Program},
    proxy::{Shared, status::PacReport},
    sys::env::Env,
};

/// How long the first requests wait for the file.
const FIRST: Duration = Duration::from_secs(12);
/// A file that could not be loaded is tried again after this, when it is needed.
const RETRY: Duration = Duration::from_secs(30);
/// A file that is older than this is loaded anew, beside the request that finds it so.
const OLD: Duration = Duration::from_secs(3600);

/// What it takes to run scripts.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The program that runs them.
    pub program: Program,
    /// Where the desktop's settings are looked up.
    pub env: Env,
}

/// The PAC file of the moment.
pub(crate) struct Script {
    engine: Engine,
    inner: Mutex<Inner>,
    /// Changes when a load has ended, well or not.
    loads: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    source: Option<PacSource>,
    good: Option<Good>,
    /// Why the last load, or the last answer, was none.
    trouble: Option<String>,
    tried: Option<Instant>,
    loading: bool,
    /// Counts the sources, so that a load that was overtaken by another is dropped.
    era: u64,
}

#[derive(Clone)]
struct Good {
    pac: Arc<Pac>,
    place: String,
    since: Instant,
}

impl Script {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, inner: Mutex::default(), loads: watch::Sender::new(0) }
    }

    /// Takes the source of a configuration. Another one ends what was known.
    pub(crate) fn configure(&self, source: Option<&PacSource>) {
        let mut inner = self.lock();
        if inner.source.as_ref() != source {
            let era = inner.era + 1;
            *inner = Inner { source: source.cloned(), era, ..Inner::default() };
        }
    }

    /// Returns whether there is one to ask.
    pub(crate) fn is_configured(&self) -> bool {
        self.lock().source.is_some()
    }

    /// Loads the file, beside everything else. Needs a tokio runtime.
    pub(crate) fn load(shared: &Arc<Shared>) {
        let (source, era) = {
            let mut inner = shared.script.lock();
            let Some(source) = inner.source.clone().filter(|_| !inner.loading) else { return };
            inner.loading = true;
            inner.tried = Some(Instant::now());
            (source, inner.era)
        };
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let script = &shared.script;
            let loaded = script.load_from(&source).await;
            let told = script.take(loaded, era);
            script.loads.send_modify(|loads| *loads += 1);
            if let Some(told) = told {
                (shared.voice)(&told);
            }
        });
    }

    /// Forgets answers, and loads the file anew: the network is another one.
    pub(crate) fn network_changed(shared: &Arc<Shared>) {
        let good = shared.script.lock().good.clone();
        if let Some(good) = good {
            good.pac.forget();
        }
        Self::load(shared);
    }

    /// Asks for the ways to a target. The error is why there is no answer, printable.
    pub(crate) async fn ask(
        shared: &Arc<Shared>,
        question: &Question,
    ) -> Result<Vec<Choice>, String> {
        let script = &shared.script;
        let good = script.good(shared).await?;
        let answer = good.pac.find(question).await.map_err(|error| error.to_string())?;
        let answer = answer::parse(&answer);
        if answer.choices.is_empty() {
            let notes: Vec<String> = answer.notes.iter().map(ToString::to_string).collect();
            return Err(format!("its answer names no proxy: {}", notes.join("; ")));
        }
        Ok(answer.choices)
    }

    /// Tells a trouble, once.
    pub(crate) fn tell(&self, shared: &Shared, trouble: &str) {
        let is_new = self.lock().trouble.replace(trouble.to_owned()).as_deref() != Some(trouble);
        if is_new {
            (shared.voice)(&format!("gocred[P42]: the PAC file: {trouble}"));
        }
    }

    pub(crate) fn report(&self) -> Option<PacReport> {
        let inner = self.lock();
        inner.source.as_ref()?;
        let (place, age) = inner.good.as_ref().map_or((None, None), |good| {
            (Some(good.place.clone()), Some(good.since.elapsed().as_secs()))
        });
        Some(PacReport { place, age, trouble: inner.trouble.clone() })
    }

    /// Returns the file to ask; waits for the first load, and starts another one when it is time.
    async fn good(&self, shared: &Arc<Shared>) -> Result<Good, String> {
        let mut loads = self.loads.subscribe();
        loads.mark_unchanged();
        let (is_due, is_loading) = {
            let inner = self.lock();
            let age = |limit: Duration, since: Instant| since.elapsed() >= limit;
            let is_old = inner.good.as_ref().is_some_and(|good| age(OLD, good.since));
            let limit = if inner.good.is_some() && !is_old { Duration::MAX } else { RETRY };
            (inner.tried.is_none_or(|tried| age(limit, tried)), inner.loading)
        };
        if is_due {
            Self::load(shared);
        }
        if let Some(good) = self.lock().good.clone() {
            return Ok(good);
        }
        if is_due || is_loading {
            let _ = timeout(FIRST, loads.changed()).await;
        }
        let inner = self.lock();
        let trouble = || inner.trouble.clone().unwrap_or_else(|| "it is not loaded yet".to_owned());
        inner.good.clone().ok_or_else(trouble)
    }

    async fn load_from(&self, source: &PacSource) -> Result<(Pac, String), String> {
        let Engine { program, env } = &self.engine;
        let loaded = pac::load(source, env).await.map_err(|error| error.to_string())?;
        let started = Pac::start(loaded.text, program.clone()).await;
        let pac = started.map_err(|error| format!("{}: {error}", loaded.place))?;
        Ok((pac, loaded.place))
    }

    /// Takes what was loaded; returns what is to be told.
    fn take(&self, loaded: Result<(Pac, String), String>, era: u64) -> Option<String> {
        let mut inner = self.lock();
        inner.loading = false;
        if inner.era != era {
            return None;
        }
        match loaded {
            Ok((pac, place)) => {
                inner.good = Some(Good { pac: Arc::new(pac), place, since: Instant::now() });
                inner.trouble.take().map(|_| "the PAC file is in use again".to_owned())
            }
            Err(trouble) => {
                let is_new = inner.trouble.as_ref() != Some(&trouble);
                inner.trouble = Some(trouble.clone());
                let meanwhile = if inner.good.is_some() { "; the last good one stays" } else { "" };
                is_new.then(|| format!("gocred[P42]: the PAC file: {trouble}{meanwhile}"))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

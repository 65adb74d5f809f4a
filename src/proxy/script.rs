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
        config::{PacSource, Upstream},
        pac::question::Question,
    },
    net::pac::{Autoconfig, Failure, Program},
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
    file: Option<Arc<Autoconfig>>,
    /// When a good one was loaded last.
    loaded: Option<Instant>,
    /// When the last load began.
    tried: Option<Instant>,
    loading: bool,
    /// Why the last load, or the last answer, was none.
    trouble: Option<String>,
}

impl Script {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, inner: Mutex::default(), loads: watch::Sender::new(0) }
    }

    /// Takes the source of a configuration. Another one ends what was known.
    pub(crate) fn configure(&self, source: Option<&PacSource>) {
        let mut inner = self.lock();
        if inner.source.as_ref() == source {
            return;
        }
        let Engine { program, env } = self.engine.clone();
        let file = source.map(|source| Autoconfig::new(source.clone(), env, program));
        let file = file.map(Arc::new);
        *inner = Inner { source: source.cloned(), file, ..Inner::default() };
    }

    /// Returns whether there is one to ask.
    pub(crate) fn is_configured(&self) -> bool {
        self.lock().file.is_some()
    }

    /// Loads the file, beside everything else. Needs a tokio runtime.
    pub(crate) fn load(shared: &Arc<Shared>) {
        let file = {
            let mut inner = shared.script.lock();
            let Some(file) = inner.file.clone().filter(|_| !inner.loading) else { return };
            inner.loading = true;
            inner.tried = Some(Instant::now());
            file
        };
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let loaded = file.reload().await.map(drop).map_err(|error| error.to_string());
            let told = shared.script.take(&file, loaded);
            shared.script.loads.send_modify(|loads| *loads += 1);
            if let Some(told) = told {
                (shared.tell.voice)(&told);
            }
        });
    }

    /// Forgets answers, and loads the file anew: the network is another one.
    pub(crate) fn network_changed(shared: &Arc<Shared>) {
        if let Some(file) = &shared.script.lock().file {
            file.forget();
        }
        Self::load(shared);
    }

    /// Asks for the ways to a target; there is at least one. `None`: there is no file any more. The
    /// error is why there is none, printable.
    pub(crate) async fn ask(
        shared: &Arc<Shared>,
        question: &Question,
    ) -> Option<Result<Vec<Upstream>, String>> {
        let script = &shared.script;
        script.wait(shared).await;
        let file = script.lock().file.clone()?;
        Some(file.ways(question).await.map_err(|failure| match failure {
            Failure::Unloaded => {
                script.lock().trouble.clone().unwrap_or_else(|| failure.to_string())
            }
            Failure::Script(_) | Failure::Unusable(_) => failure.to_string(),
        }))
    }

    /// Tells a trouble, once.
    pub(crate) fn tell(&self, shared: &Shared, trouble: &str) {
        let is_new = self.lock().trouble.replace(trouble.to_owned()).as_deref() != Some(trouble);
        if is_new {
            (shared.tell.voice)(&format!("gocred[P42]: the PAC file: {trouble}"));
        }
    }

    pub(crate) fn report(&self) -> Option<PacReport> {
        let inner = self.lock();
        let source = inner.source.as_ref()?.to_string();
        let age = inner.loaded.map(|loaded| loaded.elapsed().as_secs());
        Some(PacReport { source, age, trouble: inner.trouble.clone() })
    }

    /// Waits for the first load, and starts another one when it is time.
    async fn wait(&self, shared: &Arc<Shared>) {
        let mut loads = self.loads.subscribe();
        loads.mark_unchanged();
        let (is_due, must_wait) = {
            let inner = self.lock();
            let is_over = |limit: Duration, since: Instant| since.elapsed() >= limit;
            let needs_one = inner.loaded.is_none_or(|loaded| is_over(OLD, loaded));
            let is_due = needs_one && inner.tried.is_none_or(|tried| is_over(RETRY, tried));
            (is_due, inner.loaded.is_none() && (is_due || inner.loading))
        };
        if is_due {
            Self::load(shared);
        }
        if must_wait {
            let _ = timeout(FIRST, loads.changed()).await;
        }
    }

    /// Takes what was loaded; returns what is to be told.
    fn take(&self, file: &Arc<Autoconfig>, loaded: Result<(), String>) -> Option<String> {
        let mut inner = self.lock();
        // A load that was overtaken by another source says nothing.
        if !inner.file.as_ref().is_some_and(|current| Arc::ptr_eq(current, file)) {
            return None;
        }
        inner.loading = false;
        match loaded {
            Ok(()) => {
                inner.loaded = Some(Instant::now());
                inner.trouble.take().map(|_| "the PAC file is in use again".to_owned())
            }
            Err(trouble) => {
                let is_new = inner.trouble.replace(trouble.clone()).as_ref() != Some(&trouble);
                let meanwhile = match inner.loaded {
                    Some(_) => "; the last good one stays in use",
                    None => "",
                };
                is_new.then(|| format!("gocred[P42]: the PAC file: {trouble}{meanwhile}"))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

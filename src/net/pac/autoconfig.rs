//! The script of a source, in use: loaded, asked, and loaded again. One that cannot be loaded or is
//! broken does not replace the last one that was good.

use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use crate::{
    core::{
        config::{PacSource, Upstream},
        pac::{
            answer::{self, Note},
            question::Question,
        },
    },
    net::pac::{self, LoadError, Pac, Program, load},
    sys::env::Env,
};

/// A source and the script that it gave last.
#[derive(Debug)]
pub struct Autoconfig {
    source: PacSource,
    env: Env,
    program: Program,
    script: Mutex<Option<Arc<Pac>>>,
    /// One load at a time.
    loading: tokio::sync::Mutex<()>,
}

/// What loading again has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// There is another script.
    Another,
    /// It is the script that was there; its answers were forgotten.
    Same,
}

/// Why there is no new script.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// None came.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What came does not work.
    #[error("{place}: {error}")]
    Script {
        /// Its path or URL, printable.
        place: String,
        /// What is wrong with it.
        error: pac::Error,
    },
}

/// Why a script names no way. It is never `DIRECT`: the way that is configured is taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Failure {
    /// It failed.
    #[error(transparent)]
    Script(#[from] pac::Error),
    /// There has been none yet.
    #[error("no PAC file has been loaded yet")]
    Unloaded,
    /// It named only what we do not speak or understand.
    #[error("the PAC file names nothing that gocred can use: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unusable(Vec<Note>),
}

impl Autoconfig {
    /// Prepares a source; nothing is loaded yet.
    pub fn new(source: PacSource, env: Env, program: Program) -> Self {
        Self {
            source,
            env,
            program,
            script: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
        }
    }

    /// Loads the script: at the start, when the network has changed, and now and then.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let _one = self.loading.lock().await;
        let loaded = load(&self.source, &self.env).await?;
        if let Some(script) = self.script().filter(|script| script.text() == loaded.text) {
            script.forget();
            return Ok(Reloaded::Same);
        }
        let script = Pac::start(loaded.text, self.program.clone()).await;
        let script = script.map_err(|error| ReloadError::Script { place: loaded.place, error })?;
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(script));
        Ok(Reloaded::Another)
    }

    /// Returns the ways to a target, the first to be tried first; there is at least one.
    pub async fn ways(&self, question: &Question) -> Result<Vec<Upstream>, Failure> {
        let script = self.script().ok_or(Failure::Unloaded)?;
        let answer = answer::parse(&script.find(question).await?);
        if answer.choices.is_empty() {
            return Err(Failure::Unusable(answer.notes));
        }
        Ok(answer.choices.into_iter().map(Upstream::from).collect())
    }

    /// Forgets answers and names: the network is another one.
    pub fn forget(&self) {
        if let Some(script) = self.script() {
            script.forget();
        }
    }

    fn script(&self) -> Option<Arc<Pac>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

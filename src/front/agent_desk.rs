//! What the agent answers with: the same as every command, and the configuration as it is now.

use std::{
    io::Read,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    agent::{Agent, Answers, Asker, Lifetime, Stamp},
    core::{
        agent::{Answer, Word},
        choice::Choice,
        fault::{Fault, Kind},
        gitproto::Operation,
    },
    front::{self, Context, git, sources},
    store::{self, Store, index},
    sys::{
        env::Env,
        files::{self, About},
        paths::Paths,
    },
};

/// Starts the agent of a daemon. `None`: this system does not tell its users apart.
pub(crate) fn agent(context: &Context) -> Result<Option<Arc<Agent>>, Fault> {
    let Context { env, paths, config: _ } = context;
    let desk = Desk { env: env.clone(), paths: paths.clone(), last: Mutex::default() };
    Agent::new(paths.place(env), Box::new(desk)).map_err(|error| {
        Fault::new(Kind::Internal, "the agent's thread does not start").cause(error)
    })
}

struct Desk {
    env: Env,
    paths: Paths,
    last: Mutex<Option<(Stamps, Arc<Context>)>>,
}

/// What changes when somebody writes a configuration file: the administrator's, and the user's.
type Stamps = [Option<About>; 2];

impl Desk {
    /// Returns what to work with: the configuration is read anew when one of its files has changed.
    fn context(&self) -> Result<Arc<Context>, Fault> {
        let about = |file: &Path| files::about(file).ok().flatten();
        let stamps = [about(&self.paths.system_config), about(&self.paths.config)];
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((old, context)) = &*last
            && *old == stamps
        {
            return Ok(Arc::clone(context));
        }
        let config = front::config(&self.paths)?;
        let (env, paths) = (self.env.clone(), self.paths.clone());
        let context = Arc::new(Context { env, paths, config });
        *last = Some((stamps, Arc::clone(&context)));
        Ok(context)
    }
}

impl Answers for Desk {
    fn git(&self, operation: Operation, request: &[u8], asker: &Asker<'_>) -> Answer {
        match self.context() {
            Ok(context) => {
                let stamp = stamp(&context);
                let choice = store::choice(&context.env, &context.config);
                let mut store: Box<dyn Store + '_> = if choice == Ok(Choice::Agent) {
                    Box::new(asker.agent.own())
                } else {
                    store::open(&context.desk())
                };
                let mut cached = asker.agent.cached(store.as_mut(), stamp);
                let by = (asker.pid, asker.flags);
                let answer = git::relayed(operation, request, &mut cached, &context, by);
                if cached.is_absent() { Answer::of(Word::No) } else { answer }
            }
            Err(fault) => {
                Answer { err: format!("gocred: {}", fault.one_line()), ..Answer::of(Word::Failed) }
            }
        }
    }
    fn lifetime(&self) -> Lifetime {
        let store = self.context().ok().map(|context| context.config.store.clone());
        let (whole, idle) = store.map_or((None, None), |store| (store.lifetime, store.idle));
        Lifetime::of(whole, idle)
    }

    fn forget(&self) {
        sources::forget();
    }
}

/// Returns what changes when a store does: the index, which whoever changes a store touches, and of the
/// encrypted file the head, where its generation stands.
fn stamp(context: &Context) -> Stamp {
    let Context { env: _, paths, config } = context;
    let index = index::stamp(&paths.state);
    let mut bytes = format!("{index:?} {:?}", config.store).into_bytes();
    let vault = config.store.file.as_ref().unwrap_or(&paths.vault);
    if let Ok(file) = std::fs::File::open(vault) {
        let _ = file.take(HEAD).read_to_end(&mut bytes);
    }
    Stamp(bytes)
}

/// How much of the encrypted file is another after each change.
const HEAD: u64 = 64;

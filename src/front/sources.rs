//! The configured sources, as every command and the agent ask them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::{
    broker::Sources,
    core::{
        config::{Login, Provider},
        fault::{Fault, Kind},
        origin::Origin,
    },
    front::{Context, engine, login::route},
    net::{api::Api, tls},
    source::{Fleet, Held, Line, Network},
    sys::env,
};

/// What was fetched outlives the broker that asked for it: an agent builds one for each question.
static HELD: OnceLock<Arc<Held>> = OnceLock::new();

/// Returns who asks them; `None` where none is configured.
pub(crate) fn of(context: &Context) -> Option<Box<dyn Sources>> {
    let has_sources = !context.config.source_names.is_empty();
    has_sources.then(|| Box::new(fleet(context)) as Box<dyn Sources>)
}

fn fleet(context: &Context) -> Fleet {
    let Context { env, paths: _, config } = context;
    let held = HELD.get_or_init(|| Arc::new(Held::new()));
    let network = Box::new(Road { context: context.clone() });
    Fleet::new(config.clone(), env.clone(), network, Arc::clone(held))
}

/// Ends the logins that this process has begun, and what was made for them.
#[cfg(target_os = "linux")]
pub(crate) fn log_out(context: &Context) {
    if HELD.get().is_some() {
        fleet(context).log_out();
    }
}

/// Forgets what was fetched.
pub(crate) fn forget() {
    if let Some(held) = HELD.get() {
        held.clear();
    }
}

/// Refuses a login at an origin that has a source: what it would store would never be answered.
pub(crate) fn refuse_login(origin: &Origin, context: &Context) -> Result<(), Fault> {
    if !context.config.has_source(origin) {
        return Ok(());
    }
    let host = origin.authority();
    let what = format!("`[source.\"{host}\"]` of the configuration alone answers for it");
    Err(Fault::new(Kind::Policy, what).hint("gocred config show --origin"))
}

/// Returns whether only the asking process can ask the source of an origin: the agent has another
/// environment, and variables of the time when it was started.
pub(crate) fn is_of_caller(origin: &Origin, context: &Context) -> bool {
    let bao = &context.config.openbao;
    match context.config.source(origin).and_then(|rule| rule.from) {
        Some(Provider::Ci | Provider::Env) => true,
        Some(Provider::OpenBao) if bao.login == Some(Login::Jwt) && bao.jwt_file.is_none() => {
            match &bao.jwt_variable {
                Some(name) => env::secret(name).is_none(),
                None => context.env.text("ACTIONS_ID_TOKEN_REQUEST_URL").is_none(),
            }
        }
        Some(Provider::Exec | Provider::GithubApp | Provider::Helper | Provider::OpenBao)
        | None => false,
    }
}

/// The way that `login` goes, too: by the corporate proxy, and with the roots of the user's other tools.
struct Road {
    context: Context,
}

impl Network for Road {
    fn line(&self, origin: &Origin, ca: Option<&Path>) -> Result<Line, String> {
        let way = route::to(origin, &self.context).map_err(|fault| fault.one_line())?;
        let roots: Vec<PathBuf> =
            engine::roots(&self.context).into_iter().chain(ca.map(Path::to_owned)).collect();
        let tls = tls::client(&roots).map_err(|error| error.to_string())?;
        let api = Api::new(tls, &way.route).map_err(|error| error.to_string())?;
        let context = self.context.clone();
        Ok(Line { api, said: Box::new(move || way.said(&context)) })
    }
}

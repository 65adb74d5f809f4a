//! What the engine of the loopback proxy is told: by `proxy run`, and by `login`, which uses it for a
//! trial at a corporate proxy and on the way to a host behind one.

use std::{path::PathBuf, sync::Arc};

use crate::{
    core::{
        config::Config,
        fault::{Fault, Kind},
    },
    front::{
        Context,
        proxy_cmd::{pac, vault::Keyring},
    },
    proxy::{Callers, Engine, Plan, Settings, Vault},
    store::guard::{Guard, Of},
};

/// Returns what it is told. `voice` hears each finding, and must not wait.
pub(crate) fn settings(
    config: Config,
    callers: Callers,
    vault: Arc<dyn Vault>,
    voice: impl Fn(&str) + Send + Sync + 'static,
    context: &Context,
) -> Result<Settings, Fault> {
    let program = pac::program(&context.env).map_err(|error| {
        Fault::new(Kind::Internal, "this program does not find itself").cause(error)
    })?;
    Ok(Settings {
        plan: plan(config, context)?,
        callers,
        vault,
        roots: roots(context),
        engine: Engine { program, env: context.env.clone() },
        voice: Box::new(voice),
    })
}

/// Reads the rules out of a configuration.
pub(crate) fn plan(config: Config, context: &Context) -> Result<Plan, Fault> {
    Plan::new(config).map_err(|number| {
        Fault::new(Kind::Config, "`proxy.allow` takes addresses and blocks such as 127.77.0.0/16")
            .cause(format!("element {number} is neither"))
            .at(context.paths.config.display())
    })
}

/// Opens the keyring for it, with the guard's memory of rejected passwords.
pub(crate) fn keyring(context: &Context) -> Result<Arc<dyn Vault>, Fault> {
    Ok(Arc::new(Keyring::new(context.clone(), guard(Of::Proxies, context)?)))
}

/// Opens the guard's memory of rejected secrets.
pub(crate) fn guard(of: Of, context: &Context) -> Result<Guard, Fault> {
    Guard::open(&context.paths.state, of).map_err(|error| {
        Fault::new(Kind::Internal, "the system gives no random numbers").cause(error)
    })
}

/// Returns the files with further certificate authorities that the user's other tools read.
pub(crate) fn roots(context: &Context) -> Vec<PathBuf> {
    ["SSL_CERT_FILE", "GIT_SSL_CAINFO"].iter().filter_map(|name| context.env.path(name)).collect()
}

//! The loopback proxy's engine, lent to `login`: for a trial at a corporate proxy, and on the way to a
//! host behind one.

use std::{path::PathBuf, sync::Arc};

use crate::{
    core::{
        config::Config,
        fault::{Fault, Kind},
    },
    front::Context,
    proxy::{Callers, Plan, Settings, Vault},
};

/// Returns what the engine is told. `voice` hears each finding.
pub(super) fn settings(
    config: Config,
    vault: Arc<dyn Vault>,
    voice: impl Fn(&str) + Send + Sync + 'static,
    context: &Context,
) -> Result<Settings, Fault> {
    let plan = Plan::new(config).map_err(|number| {
        Fault::new(Kind::Config, "`proxy.allow` takes addresses and blocks such as 127.77.0.0/16")
            .cause(format!("element {number} is neither"))
            .at(context.paths.config.display())
    })?;
    Ok(Settings {
        plan,
        // Nobody else finds it, and a uid does not tell two processes apart.
        callers: Callers::Token,
        vault,
        roots: roots(context),
        voice: Box::new(voice),
    })
}

/// Returns the files with further certificate authorities that the user's other tools read.
pub(super) fn roots(context: &Context) -> Vec<PathBuf> {
    ["SSL_CERT_FILE", "GIT_SSL_CAINFO"].iter().filter_map(|name| context.env.path(name)).collect()
}

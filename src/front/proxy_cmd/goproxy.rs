//! The module proxy front of `gocred proxy run`: what it is told, and when there is one.
//!
//! A reload may begin one; its address is that of its beginning. Without `upstream`, one that runs
//! answers that go should look elsewhere, as `direct` does.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{
    cli::ProxyRun,
    core::{
        config::{DEFAULT_GOPROXY, GoProxy, Loopback},
        fault::{Fault, Kind},
        modproxy::list::Upstreams,
    },
    front::{self, Context, engine, goproxy_secrets::GoSecrets, proxy_cmd::listen, ui},
    proxy::{
        Proxy,
        goproxy::{Front, Limits, Settings},
    },
    store::guard::{Guard, Of},
};

/// What a request is left beside the time for the head of its answer.
const SPARE: Duration = Duration::from_secs(4);

/// The front of a running proxy.
pub(super) struct Running {
    front: Option<Front>,
    /// What module proxies have rejected.
    guard: Arc<Guard>,
    /// Ends when the proxy was stopped.
    pub(super) task: JoinSet<()>,
}

impl Running {
    pub(super) fn new(context: &Context) -> Result<Self, Fault> {
        let guard = Arc::new(engine::guard(Of::ModuleProxies, context)?);
        Ok(Self { front: None, guard, task: JoinSet::new() })
    }

    /// Begins one on what is open. Needs a tokio runtime.
    pub(super) fn begin(&mut self, doors: listen::Doors, proxy: &Proxy, settings: Settings) {
        let (listeners, own) = doors;
        let front = Front::new(proxy, settings);
        let serving = front.clone();
        self.task.spawn(async move { serving.serve(listeners).await });
        for address in own {
            // What is said here ends in journals. Where nobody is served without the secret of this start,
            // `gocred env` has it.
            ui::out(&format!("goproxy on http://{address}"));
        }
        self.front = Some(front);
    }

    /// Goes on by another configuration, and begins what is new in it.
    pub(super) fn reload(
        &mut self,
        proxy: &Proxy,
        arguments: &ProxyRun,
        context: &Context,
    ) -> Result<(), Fault> {
        let settings = self.settings(arguments, context)?;
        match &self.front {
            Some(front) => front.reload(settings),
            None if list(arguments, context)?.is_some() => {
                let doors = listen::open(listen::front_at(address(arguments, context)?))?;
                self.begin(doors, proxy, settings);
            }
            None => {}
        }
        Ok(())
    }

    /// Returns what it is told.
    pub(super) fn settings(
        &self,
        arguments: &ProxyRun,
        context: &Context,
    ) -> Result<Settings, Fault> {
        let list = match list(arguments, context)? {
            Some(list) => list,
            None => Upstreams::parse("direct")
                .map_err(|error| Fault::new(Kind::Internal, "`direct` is no list").cause(error))?,
        };
        Ok(Settings {
            list,
            limits: limits(&context.config.goproxy),
            secrets: Arc::new(GoSecrets::new(context, &self.guard)),
            roots: engine::roots(context),
        })
    }
}

/// Returns where it listens, by the flag, the configuration, or else the default.
pub(super) fn address(arguments: &ProxyRun, context: &Context) -> Result<Loopback, Fault> {
    let usage = || {
        Fault::new(Kind::Usage, "--goproxy takes a loopback address and a port")
            .hint(format!("gocred proxy run --goproxy {DEFAULT_GOPROXY}"))
    };
    match (&arguments.goproxy, context.config.goproxy.listen) {
        (None, Some(configured)) => Ok(configured),
        (flag, _) => Loopback::parse(flag.as_deref().unwrap_or(DEFAULT_GOPROXY)).ok_or_else(usage),
    }
}

/// Returns whom it asks, by the flag or the configuration; `None`: there is no front.
pub(super) fn list(arguments: &ProxyRun, context: &Context) -> Result<Option<Upstreams>, Fault> {
    let example = "gocred proxy run --goproxy-upstream 'https://goproxy.corp.example,direct'";
    match (&arguments.goproxy_upstream, &context.config.goproxy.upstream) {
        (Some(flag), _) => Upstreams::parse(flag).map(Some).map_err(|error| {
            Fault::new(Kind::Usage, format!("--goproxy-upstream: {error}")).hint(example)
        }),
        (None, Some(configured)) => Ok(Some(configured.clone())),
        (None, None) if arguments.goproxy.is_some() => {
            let what = "--goproxy, and no module proxies to ask";
            Err(Fault::new(Kind::Usage, what).hint(example))
        }
        (None, None) => Ok(None),
    }
}

/// Refuses flags that would set what the administrator has locked.
pub(super) fn refuse_overrides(arguments: &ProxyRun, context: &Context) -> Result<(), Fault> {
    for (flag, value, key) in [
        ("--goproxy", &arguments.goproxy, "listen"),
        ("--goproxy-upstream", &arguments.goproxy_upstream, "upstream"),
    ] {
        if value.is_some() {
            front::refuse_locked(flag, &["goproxy", key], context)?;
        }
    }
    Ok(())
}

fn limits(config: &GoProxy) -> Limits {
    let default = Limits::default();
    let headers = config.header_timeout.unwrap_or(default.headers);
    Limits {
        connect: config.connect_timeout.unwrap_or(default.connect),
        tls: config.tls_timeout.unwrap_or(default.tls),
        headers,
        idle: config.idle_timeout.unwrap_or(default.idle),
        rate: config.min_rate.unwrap_or(default.rate),
        // Who is given longer for an answer is given it.
        whole: default.whole.max(headers.saturating_add(SPARE)),
        ..default
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, limits};
    use crate::core::config::{Config, Table};

    /// `config show` says the defaults of this layer.
    #[test]
    fn the_defaults_that_are_shown_are_those_that_hold() {
        let rows = Config::parse("[goproxy]\nupstream = \"direct\"").unwrap().rows();
        let (_, rows) = rows.into_iter().find(|(table, _)| *table == Table::GoProxy).unwrap();
        let set = rows.iter().filter(|row| row.set.is_none());
        let lines =
            set.map(|row| format!("{} = {}", row.key.name, row.item.as_ref().unwrap().to_toml()));
        let text = format!("[goproxy]\n{}", lines.collect::<Vec<_>>().join("\n"));
        let written = Config::parse(&text).unwrap().goproxy;
        assert!(written.min_rate.is_some() && written.tls_timeout.is_some());
        assert_eq!(limits(&written), Limits::default());
    }
}

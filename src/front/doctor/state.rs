//! What gocred knows of itself, for the checks: its configuration, its daemon, its store.

use std::net::SocketAddr;

use crate::{
    core::{
        config::{self, DEFAULT_GOPROXY, DEFAULT_LISTEN, Loopback},
        credential::Kind as Namespace,
        doctor::machine::{Account, Gocred},
    },
    front::{Context, keyring},
    proxy::control,
    store::index,
    sys::doctor::own,
};

/// Reads it. Without the network, the store is left alone: a keyring may ask a person, and a vault takes its time.
pub(super) fn read(context: &Context, offline: bool) -> Gocred {
    let Context { env: _, paths, config } = context;
    let wrong = super::super::config(paths).err();
    let config_error = wrong.map(|fault| {
        let what = fault.causes.first().unwrap_or(&fault.message).clone();
        (what, fault.at.unwrap_or_else(|| paths.config.display().to_string()))
    });
    let report = paths.control.as_deref().and_then(|path| control::status(path).ok());
    let own = own::look(paths);
    let mut state = Gocred {
        config: config_error,
        listen: listen(config),
        front: front(config),
        daemon: report.as_ref().map(|report| report.version.clone()),
        reported: Vec::new(),
        store: "its store",
        files: own.files,
        left: own.left,
        store_error: None,
        accounts: Vec::new(),
    };
    let findings = report.into_iter().flat_map(|report| report.findings);
    state.reported = findings.filter_map(|it| Some((it.code?, it.message))).collect();
    if offline || !index::is_used(&paths.state) {
        return state;
    }
    let mut store = keyring::open(context);
    state.store = store.name();
    match keyring::entries(&mut *store, None) {
        Err(fault) => state.store_error = fault.code.map(|code| (code, fault.message)),
        Ok(entries) => {
            let account = |entry: crate::core::credential::Entry| Account {
                origin: entry.key.origin.to_string(),
                user: entry.key.user,
                is_proxy: entry.key.kind == Namespace::Proxy,
                hidden: entry.hidden.map(|hidden| hidden.at),
                expires: entry.expires,
            };
            state.accounts = entries.into_iter().map(account).collect();
        }
    }
    state
}

fn listen(config: &config::Config) -> Vec<SocketAddr> {
    let own: Vec<SocketAddr> = config.proxy.listen.iter().map(|it| it.address()).collect();
    if !own.is_empty() {
        return own;
    }
    DEFAULT_LISTEN.iter().filter_map(|text| Loopback::parse(text)).map(Loopback::address).collect()
}

fn front(config: &config::Config) -> Option<SocketAddr> {
    config.goproxy.upstream.as_ref()?;
    let default = || Loopback::parse(DEFAULT_GOPROXY);
    config.goproxy.listen.or_else(default).map(Loopback::address)
}

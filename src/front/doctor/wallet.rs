//! What gocred itself would answer with, for the probes of a diagnosis: the credentials of the store, each
//! asked for once. What is taken is written down as every release is.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    sync::Arc,
};

use crate::{
    core::{
        doctor::{
            place::Place,
            plan,
            route::{Link, Login, Scheme},
        },
        origin::Origin,
    },
    front::{Context, goproxy_secrets::GoSecrets, keyring, proxy_cmd::vault::Keyring},
    proxy::{Trouble, Vault as _, goproxy::Secrets as _},
    store::guard::{Guard, Of},
};

/// The stores, asked once a host.
pub(super) struct Wallet<'a> {
    context: &'a Context,
    origins: RefCell<BTreeMap<String, Option<Login>>>,
    proxies: RefCell<BTreeMap<String, Option<Login>>>,
    troubles: RefCell<BTreeMap<String, (&'static str, String)>>,
    store: OnceCell<&'static str>,
}

impl<'a> Wallet<'a> {
    pub(super) fn of(context: &'a Context) -> Self {
        let (origins, proxies) = (RefCell::default(), RefCell::default());
        let (troubles, store) = (RefCell::default(), OnceCell::new());
        Self { context, origins, proxies, troubles, store }
    }

    fn place(&self) -> Place {
        Place::Store(self.store.get_or_init(|| keyring::open(self.context).name()))
    }

    fn of_origin(&self, link: &Link) -> Option<Login> {
        let guard = Arc::new(Guard::open(&self.context.paths.state, Of::ModuleProxies).ok()?);
        let secrets = GoSecrets::new(self.context, &guard);
        let given = match secrets.given(&link.origin, &link.path) {
            Ok(given) => given?,
            Err(trouble) => {
                let code = match trouble {
                    Trouble::Locked => "K05",
                    Trouble::Missing(_) => "K06",
                    Trouble::Failed(_) => "K07",
                    Trouble::Withheld { code, .. } => code,
                };
                let known = (code, trouble.to_string());
                self.troubles.borrow_mut().insert(link.origin.to_string(), known);
                return None;
            }
        };
        let (user, scheme) = (given.user, Scheme::Header(given.name));
        Some(Login { user, secret: given.value, scheme, place: self.place() })
    }

    fn of_proxy(&self, host: &str, port: u16) -> Option<Login> {
        let guard = Guard::open(&self.context.paths.state, Of::Proxies).ok()?;
        let vault = Keyring::new(self.context.clone(), guard);
        let upstream = Origin::from_parts("http", host, Some(port)).ok()?;
        let settings = self.context.config.upstream(&upstream);
        let username = settings.and_then(|settings| settings.username.as_deref());
        let account = vault.account(&upstream, username).ok()??;
        // One that the proxy rejected is not sent again (decisions.md, guard).
        if vault.is_rejected(&upstream, "", &account) {
            return None;
        }
        let (user, secret) = (account.user, account.password);
        Some(Login { user, secret, scheme: Scheme::Basic, place: self.place() })
    }
}

impl plan::Wallet for Wallet<'_> {
    fn login(&self, link: &Link) -> Option<Login> {
        let key = link.origin.to_string();
        if let Some(known) = self.origins.borrow().get(&key) {
            return known.clone();
        }
        let found = self.of_origin(link);
        self.origins.borrow_mut().insert(key, found.clone());
        found
    }

    fn trouble(&self, link: &Link) -> Option<(&'static str, String)> {
        self.troubles.borrow().get(&link.origin.to_string()).cloned()
    }

    fn proxy_login(&self, host: &str, port: u16) -> Option<Login> {
        let key = format!("{host}:{port}");
        if let Some(known) = self.proxies.borrow().get(&key) {
            return known.clone();
        }
        let found = self.of_proxy(host, port);
        self.proxies.borrow_mut().insert(key, found.clone());
        found
    }
}

//! The Secret Service client as a `keyring-core` store, for programs that know that interface.
//!
//! It deliberately sees nothing of gocred's own items: an entry is a service name and a user, under
//! the attributes that other `keyring` programs use. It opens no prompt: what is locked is
//! [`Error::NoStorageAccess`].

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use keyring_core::{
    Credential, Entry, Error, Result,
    api::{CredentialApi, CredentialStoreApi},
};
use secrecy::zeroize::Zeroizing;

use crate::{
    core::text,
    store::{
        self,
        conversation::{self, Conversation, Item, Need, New, Rest},
        item::{Attributes, MAX_PAYLOAD},
        secret_client::Client,
    },
    sys::env::Env,
};

/// The schema of items that have no schema of their own.
const SCHEMA: &str = "org.freedesktop.Secret.Generic";

/// A `keyring-core` store over one connection to the Secret Service.
#[derive(Clone)]
pub struct SecretServiceKeyring {
    client: Arc<Mutex<Client>>,
}

impl SecretServiceKeyring {
    /// Takes the address of the session bus from the environment; connects on the first question.
    pub fn new(env: &Env) -> Arc<Self> {
        #[cfg(feature = "full")]
        let client = Client::by(env, crate::core::config::Session::Plain);
        #[cfg(not(feature = "full"))]
        let client = Client::new(env);
        Arc::new(Self { client: Arc::new(Mutex::new(client)) })
    }
}

impl fmt::Debug for SecretServiceKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.vendor())
    }
}

impl CredentialStoreApi for SecretServiceKeyring {
    fn vendor(&self) -> String {
        "gocred: Secret Service, https://crates.io/crates/gocred".to_owned()
    }

    fn id(&self) -> String {
        format!("gocred {}, {:p}", env!("CARGO_PKG_VERSION"), Arc::as_ptr(&self.client))
    }

    fn build(
        &self,
        service: &str,
        user: &str,
        modifiers: Option<&HashMap<&str, &str>>,
    ) -> Result<Entry> {
        if let Some(modifier) = modifiers.and_then(|modifiers| modifiers.keys().next()) {
            return Err(Error::Invalid((*modifier).to_owned(), "is not known".to_owned()));
        }
        for (name, value) in [("service", service), ("user", user)] {
            if value.contains('\0') {
                return Err(Error::Invalid(name.to_owned(), "has a NUL".to_owned()));
            }
        }
        Ok(Specifier::entry(self.clone(), service.to_owned(), user.to_owned(), None))
    }

    /// Searches by `service` and `user`; either may be missing.
    fn search(&self, spec: &HashMap<&str, &str>) -> Result<Vec<Entry>> {
        let mut wanted = Attributes::default();
        for (name, value) in spec {
            let attribute = match *name {
                "service" => "service",
                "user" => "username",
                other => {
                    return Err(Error::Invalid(other.to_owned(), "is not known".to_owned()));
                }
            };
            wanted.insert(attribute.to_owned(), (*value).to_owned());
        }
        let items = self.ask(|service| matching(service, &wanted, None, Need::Attributes))?;
        Ok(items.into_iter().filter_map(|item| self.wrapper(item)).collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl SecretServiceKeyring {
    fn ask<T>(
        &self,
        question: impl Fn(&mut Conversation) -> std::result::Result<T, conversation::Error>,
    ) -> Result<T> {
        // A panic between two calls leaves nothing behind that the next question could trip over.
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.ask(question).map_err(|error| match error {
            store::Error::Locked
            | store::Error::NoCollection
            | store::Error::NoService(_)
            | store::Error::Prompt => Error::NoStorageAccess(Box::new(error)),
            #[cfg(feature = "full")]
            store::Error::InClear(_) | store::Error::NoAgent(_) => {
                Error::PlatformFailure(Box::new(error))
            }
            store::Error::Damaged(_)
            | store::Error::Elsewhere
            | store::Error::File { .. }
            | store::Error::Full(_)
            | store::Error::NotOpen { .. }
            | store::Error::ReadOnly(_)
            | store::Error::Refused(_)
            | store::Error::Rollback { .. }
            | store::Error::Service(_)
            | store::Error::Silent(_)
            | store::Error::Withheld { .. } => Error::PlatformFailure(Box::new(error)),
        })
    }

    fn wrapper(&self, mut item: Item) -> Option<Entry> {
        let service = item.attributes.remove("service")?;
        let user = item.attributes.remove("username")?;
        Some(Specifier::entry(self.clone(), service, user, Some(item.path)))
    }
}

/// One entry: what a service name and a user select, or one item of it.
#[derive(Clone)]
struct Specifier {
    store: SecretServiceKeyring,
    service: String,
    user: String,
    item: Option<String>,
}

impl fmt::Debug for Specifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Specifier")
            .field("service", &self.service)
            .field("user", &self.user)
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}

impl CredentialApi for Specifier {
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        if secret.len() > MAX_PAYLOAD {
            let limit = u32::try_from(MAX_PAYLOAD).unwrap_or(u32::MAX);
            return Err(Error::TooLong("secret".to_owned(), limit));
        }
        let label = text::printable(&format!("{} ({})", self.service, self.user));
        let several = self.store.ask(|service| {
            let items = self.matching(service, Need::Secrets)?;
            let (collection, attributes) = match items.as_slice() {
                [] => (service.missing(Rest::Nothing)?, self.attributes()),
                [item] => {
                    let collection = item.path.rsplit_once('/').map_or("/", |(path, _)| path);
                    (collection.to_owned(), item.attributes.clone())
                }
                _ => return Ok(items),
            };
            let twin = items.first().map(|item| item.path.as_str());
            let new = New { label: &label, attributes: &attributes, secret, twin };
            service.create(&collection, &new)?;
            Ok(Vec::new())
        })?;
        if several.is_empty() { Ok(()) } else { Err(self.ambiguous(several)) }
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        let (items, secrets) = self.store.ask(|service| {
            let items = self.matching(service, Need::Secrets)?;
            let one: Vec<&Item> = items.iter().take(1).collect();
            let secrets = service.secrets(&one)?;
            Ok((items, secrets))
        })?;
        self.only(items)?;
        let secret: Option<Zeroizing<Vec<u8>>> = secrets.into_iter().next().map(|(_, it)| it);
        secret.map(|secret| secret.to_vec()).ok_or(Error::NoEntry)
    }

    fn get_attributes(&self) -> Result<HashMap<String, String>> {
        let items = self.store.ask(|service| self.matching(service, Need::Attributes))?;
        Ok(self.only(items)?.attributes.into_iter().collect())
    }

    fn delete_credential(&self) -> Result<()> {
        let items = self.store.ask(|service| {
            let items = self.matching(service, Need::Attributes)?;
            if let [item] = items.as_slice() {
                service.delete(&item.path)?;
            }
            Ok(items)
        })?;
        self.only(items).map(drop)
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        let items = self.store.ask(|service| self.matching(service, Need::Attributes))?;
        let item = self.only(items)?;
        Ok(Some(Arc::new(Self { item: Some(item.path), ..self.clone() })))
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        Some((self.service.clone(), self.user.clone()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Specifier {
    fn entry(
        store: SecretServiceKeyring,
        service: String,
        user: String,
        item: Option<String>,
    ) -> Entry {
        Entry::new_with_credential(Arc::new(Self { store, service, user, item }))
    }

    fn wanted(&self) -> Attributes {
        [("service", &self.service), ("username", &self.user)]
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .into()
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = self.wanted();
        attributes.insert("xdg:schema".to_owned(), SCHEMA.to_owned());
        attributes
    }

    fn matching(
        &self,
        service: &mut Conversation,
        need: Need,
    ) -> std::result::Result<Vec<Item>, conversation::Error> {
        matching(service, &self.wanted(), self.item.as_deref(), need)
    }

    fn only(&self, items: Vec<Item>) -> Result<Item> {
        let mut items = items.into_iter();
        match (items.next(), items.len()) {
            (None, _) => Err(Error::NoEntry),
            (Some(item), 0) => Ok(item),
            (Some(item), _) => Err(self.ambiguous(std::iter::once(item).chain(items).collect())),
        }
    }

    fn ambiguous(&self, items: Vec<Item>) -> Error {
        Error::Ambiguous(items.into_iter().filter_map(|item| self.store.wrapper(item)).collect())
    }
}

/// Returns the items that really have the wanted attributes. None: the collection is open.
fn matching(
    service: &mut Conversation,
    wanted: &Attributes,
    path: Option<&str>,
    need: Need,
) -> std::result::Result<Vec<Item>, conversation::Error> {
    let mut found = service.search(wanted, need)?;
    found.items.retain(|item| {
        wanted.iter().all(|(name, value)| item.attributes.get(name) == Some(value))
            && path.is_none_or(|path| path == item.path)
    });
    if found.items.is_empty() {
        service.missing(found.rest)?;
    }
    Ok(found.items)
}

//! The calls of the Secret Service (freedesktop.org Secret Service API 0.2): search, read, create,
//! change, delete.
//!
//! It deliberately never opens a prompt, never unlocks, and knows nothing of what we keep.
//!
//! # The order of calls
//! A conversation begins with `SearchItems` and waits for its answer before it sends
//! `OpenSession`. gnome-keyring-daemon registers a new client from a callback that may run after
//! its first call (daemon/dbus/gkd-secret-service.c, `service_message_filter`, 42.1 to 50.0).
//! `OpenSession` then aborts the daemon; `SearchItems` answers `UnknownMethod`, about once in a
//! thousand short-lived clients, and is sent again. An answer to it proves the registration.

use std::time::Instant;

use secrecy::zeroize::Zeroizing;

pub(super) use crate::store::answers::{Error, Found, Item, Need, Rest};
#[cfg(feature = "full")]
use crate::{core::config, store::dh::Cipher};
use crate::{
    core::{
        dbus::{Body, Call, Malformed, Reply},
        sorted::Sorted,
    },
    store::{
        bus::{self, Bus, Pending},
        item::Attributes,
        transfer::Session,
        watched::Watched,
    },
};

/// At most so many calls go out before their answers are read: neither side's buffer fills up.
const BATCH: usize = 64;
/// So often a search is sent to a service that does not know it (see "The order of calls").
const MAX_SEARCHES: u32 = 3;

pub(super) const SERVICE: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const INTERFACE: &str = "org.freedesktop.Secret.Service";
pub(super) const NO_PATH: &str = "/";

/// One connection to the service.
pub(super) struct Conversation {
    pub(super) bus: Watched,
    pub(super) session: Session,
    /// `None`: only the plain one, and what takes more is left to the whole program.
    #[cfg(feature = "full")]
    pub(super) kind: Option<config::Session>,
    /// What seals secrets in an encrypted session.
    #[cfg(feature = "full")]
    pub(super) cipher: Option<Cipher>,
}

/// What an item becomes.
pub(super) struct New<'a> {
    /// What people see.
    pub(super) label: &'a str,
    pub(super) attributes: &'a Attributes,
    pub(super) secret: &'a [u8],
    /// The item that is there, and is to become this.
    pub(super) twin: Option<&'a str>,
}

impl Conversation {
    /// Starts on a new connection.
    pub(super) fn new(bus: Bus) -> Self {
        Self {
            bus: Watched::new(bus),
            session: Session::None,
            #[cfg(feature = "full")]
            kind: None,
            #[cfg(feature = "full")]
            cipher: None,
        }
    }

    /// Lets secrets travel in a session of this kind.
    #[cfg(feature = "full")]
    pub(super) fn by(self, kind: config::Session) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// Starts the next question.
    pub(super) fn begin(&mut self, deadline: Instant) {
        self.bus.begin(deadline);
    }

    /// Searches all collections, and reads the attributes of what is unlocked. What is gone by then is
    /// searched for again: it may have been locked, or its daemon have been restarted.
    pub(super) fn search(&mut self, wanted: &Attributes, need: Need) -> Result<Found, Error> {
        for _ in 1..MAX_SEARCHES {
            match self.search_once(wanted, need) {
                Err(Error::Moved) => {}
                answer => return answer,
            }
        }
        self.search_once(wanted, need)
    }

    fn search_once(&mut self, wanted: &Attributes, need: Need) -> Result<Found, Error> {
        let reply = self.search_items(wanted)?;
        let mut reader = reply.read("aoao")?;
        let mut unlocked = Vec::new();
        let mut paths = reader.array(4)?;
        while !paths.is_empty() {
            unlocked.push(paths.path()?.to_owned());
        }
        let mut locked = reader.array(4)?;
        let rest =
            if locked.is_empty() { Rest::Nothing } else { Rest::Locked(locked.path()?.to_owned()) };
        if need == Need::Secrets && !unlocked.is_empty() {
            self.open_session();
        }
        let mut items = Vec::with_capacity(unlocked.len());
        let mut is_moved = false;
        for batch in unlocked.chunks(BATCH) {
            let asked: Vec<_> = batch
                .iter()
                .map(|path| {
                    (path, self.property(path, "org.freedesktop.Secret.Item", "Attributes"))
                })
                .collect();
            for (path, pending) in asked {
                match self.bus.answer(pending) {
                    Ok(reply) => items
                        .push(Item { path: path.clone(), attributes: read_attributes(&reply)? }),
                    Err(bus::Error::Remote { name, .. }) if is_vanished(&name) => is_moved = true,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if is_moved { Err(Error::Moved) } else { Ok(Found { items, rest }) }
    }

    /// Sends the search until the service knows us: the repetition comes after the registration.
    fn search_items(&mut self, wanted: &Attributes) -> Result<Reply, Error> {
        let mut body = Body::default();
        body.dictionary(pairs(wanted));
        for _ in 1..MAX_SEARCHES {
            let search = self.service("SearchItems", "a{ss}", &body);
            match self.bus.answer(search) {
                Err(bus::Error::Remote { name, .. })
                    if name == "org.freedesktop.DBus.Error.UnknownMethod" => {}
                answer => return Ok(answer?),
            }
        }
        let search = self.service("SearchItems", "a{ss}", &body);
        Ok(self.bus.answer(search)?)
    }

    /// Says what it means that a search gave nothing that we can read: an error, unless the default
    /// collection is there and open; then its path. An account that has none yet is an error too: a
    /// person must create it, and what is stored cannot be known before.
    pub(super) fn missing(&mut self, rest: Rest) -> Result<String, Error> {
        if let Rest::Locked(item) = rest {
            let collection = item.rsplit_once('/').map_or("", |(collection, _)| collection);
            // An item that is locked in a collection that is open: its service asks for each program.
            let is_locked = self.is_locked(collection)?;
            return Err(if is_locked { Error::Locked } else { Error::Prompt });
        }
        let collection = self.default_collection()?.ok_or(Error::NoCollection)?;
        if self.is_locked(&collection)? { Err(Error::Locked) } else { Ok(collection) }
    }

    /// Returns the default collection; a fresh account has none.
    pub(super) fn default_collection(&mut self) -> Result<Option<String>, Error> {
        let mut body = Body::default();
        body.string("default");
        let alias = self.root(INTERFACE, "ReadAlias", "s", &body)?;
        let collection = alias.read("o")?.path()?;
        Ok((collection != NO_PATH).then(|| collection.to_owned()))
    }

    /// Returns whether a collection is locked.
    pub(super) fn is_locked(&mut self, collection: &str) -> Result<bool, Error> {
        let locked = self.get(collection, "org.freedesktop.Secret.Collection", "Locked")?;
        Ok(locked.read("v")?.variant("b")?.boolean()?)
    }

    /// Reads the secrets of items. One that was locked or deleted meanwhile is an error: it was there.
    pub(super) fn secrets(
        &mut self,
        items: &[&Item],
    ) -> Result<Sorted<String, Zeroizing<Vec<u8>>>, Error> {
        let mut secrets = Sorted::default();
        if items.is_empty() {
            return Ok(secrets);
        }
        let session = self.session()?;
        let mut body = Body::default();
        body.array(4, |body| {
            for item in items {
                body.string(&item.path);
            }
        });
        body.string(&session);
        let pending = self.service("GetSecrets", "aoo", &body);
        let reply = self.bus.answer(pending)?;
        let mut entries = reply.read("a{o(oayays)}")?.array(8)?;
        while !entries.is_empty() {
            let item = entries.structure()?.path()?.to_owned();
            let secret = entries.structure()?;
            let (_session, parameters) = (secret.path()?, secret.bytes()?);
            let value = secret.bytes()?;
            #[cfg(feature = "full")]
            let value = self.opened(parameters, value)?;
            #[cfg(not(feature = "full"))]
            let (_, value) = (parameters, Zeroizing::new(value.to_vec()));
            let _content_type = secret.string()?;
            secrets.insert(item, value);
        }
        if items.iter().all(|item| secrets.get(&item.path).is_some()) {
            Ok(secrets)
        } else {
            Err(Error::Moved)
        }
    }

    /// Creates an item, or replaces the one that has all of these attributes, in one step of the
    /// service's. Returns its path.
    pub(super) fn create(&mut self, collection: &str, new: &New<'_>) -> Result<String, Error> {
        let New { label, attributes, secret, twin } = *new;
        self.session()?;
        let text: usize = pairs(attributes).map(|(key, value)| key.len() + value.len() + 24).sum();
        let mut body = Body::with_capacity(secret.len() + text + label.len() + 1024);
        body.array(8, |body| {
            body.structure().string("org.freedesktop.Secret.Item.Label").signature("s");
            body.string(label);
            body.structure().string("org.freedesktop.Secret.Item.Attributes").signature("a{ss}");
            body.dictionary(pairs(attributes));
        });
        self.write_secret(&mut body, secret)?;
        body.u32(1); // replace
        let call = Call {
            destination: SERVICE,
            path: collection,
            interface: "org.freedesktop.Secret.Collection",
            member: "CreateItem",
            signature: "a{sv}(oayays)b",
        };
        let pending = self.bus.call(&call, &body);
        let reply = self.answer(pending)?;
        let mut reader = reply.read("oo")?;
        let (item, prompt) = (reader.path()?, reader.path()?);
        if prompt == NO_PATH {
            return Ok(item.to_owned());
        }
        #[cfg(feature = "full")]
        if let Some(twin) = twin.filter(|_| self.kind.is_some()) {
            // KeePassXC asks a person before it replaces, and not before it changes.
            self.dismiss(prompt);
            return match self.set_secret(twin, secret) {
                Ok(()) => Ok(twin.to_owned()),
                // The collection is open: it is the item that wants a person.
                Err(Error::Locked) => Err(Error::Prompt),
                Err(error) => Err(error),
            };
        }
        let _ = twin;
        self.pass(prompt)?;
        // The service has said which item it is to who listens for signals. We look for it.
        let found = self.search(attributes, Need::Secrets)?;
        let items: Vec<&Item> = found.items.iter().collect();
        let secrets = self.secrets(&items)?;
        let is_it = |(_, value): &(String, Zeroizing<Vec<u8>>)| value.as_slice() == secret;
        let item = secrets.into_iter().find(is_it);
        item.map(|(path, _)| path).ok_or(Error::Prompt)
    }

    /// Replaces the secret of an item.
    #[cfg(feature = "full")]
    fn set_secret(&mut self, item: &str, secret: &[u8]) -> Result<(), Error> {
        let mut body = Body::with_capacity(secret.len() + 1024);
        self.write_secret(&mut body, secret)?;
        let call = Call {
            destination: SERVICE,
            path: item,
            interface: "org.freedesktop.Secret.Item",
            member: "SetSecret",
            signature: "(oayays)",
        };
        let pending = self.bus.call(&call, &body);
        self.answer(pending).map(drop)
    }

    /// Replaces all attributes of an item.
    pub(super) fn set_attributes(
        &mut self,
        item: &str,
        attributes: &Attributes,
    ) -> Result<(), Error> {
        let mut body = Body::default();
        body.string("org.freedesktop.Secret.Item").string("Attributes").signature("a{ss}");
        body.dictionary(pairs(attributes));
        let call = Call {
            destination: SERVICE,
            path: item,
            interface: "org.freedesktop.DBus.Properties",
            member: "Set",
            signature: "ssv",
        };
        let pending = self.bus.call(&call, &body);
        self.answer(pending).map(drop)
    }

    /// Deletes an item. One that is gone already is no error.
    pub(super) fn delete(&mut self, item: &str) -> Result<(), Error> {
        let call = Call {
            destination: SERVICE,
            path: item,
            interface: "org.freedesktop.Secret.Item",
            member: "Delete",
            signature: "",
        };
        let pending = self.bus.call(&call, &Body::default());
        match self.answer(pending) {
            Ok(reply) => {
                let prompt = reply.read("o")?.path()?;
                if prompt == NO_PATH {
                    return Ok(());
                }
                self.pass(prompt)?;
                // It is gone, unless a person did not want that.
                match self.get(item, "org.freedesktop.Secret.Item", "Label") {
                    Err(bus::Error::Remote { name, .. }) if is_vanished(&name) => Ok(()),
                    answer => answer.map_err(Error::from).and(Err(Error::Prompt)),
                }
            }
            Err(Error::Bus(bus::Error::Remote { name, .. })) if is_vanished(&name) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn service(&mut self, member: &str, signature: &str, body: &Body) -> Pending {
        let call =
            Call { destination: SERVICE, path: ROOT, interface: INTERFACE, member, signature };
        self.bus.call(&call, body)
    }

    /// Calls a method of the service object.
    pub(super) fn root(
        &mut self,
        interface: &str,
        member: &str,
        signature: &str,
        body: &Body,
    ) -> Result<Reply, bus::Error> {
        let call = Call { destination: SERVICE, path: ROOT, interface, member, signature };
        let pending = self.bus.call(&call, body);
        self.bus.answer(pending)
    }

    /// Reads a property.
    pub(super) fn get(
        &mut self,
        object: &str,
        interface: &str,
        property: &str,
    ) -> Result<Reply, bus::Error> {
        let pending = self.property(object, interface, property);
        self.bus.answer(pending)
    }

    fn property(&mut self, object: &str, interface: &str, property: &str) -> Pending {
        let mut body = Body::default();
        body.string(interface).string(property);
        let call = Call {
            destination: SERVICE,
            path: object,
            interface: "org.freedesktop.DBus.Properties",
            member: "Get",
            signature: "ss",
        };
        self.bus.call(&call, &body)
    }

    /// Waits for the answer to a call that changes something.
    fn answer(&mut self, pending: Pending) -> Result<Reply, Error> {
        match self.bus.answer(pending) {
            Err(bus::Error::Remote { name, .. })
                if name == "org.freedesktop.Secret.Error.IsLocked" =>
            {
                Err(Error::Locked)
            }
            answer => Ok(answer?),
        }
    }
}

/// Returns whether an error says that an object is not there any more.
fn is_vanished(name: &str) -> bool {
    matches!(
        name,
        "org.freedesktop.Secret.Error.NoSuchObject"
            | "org.freedesktop.DBus.Error.UnknownMethod"
            | "org.freedesktop.DBus.Error.UnknownObject"
    )
}

fn read_attributes(reply: &Reply) -> Result<Attributes, Malformed> {
    let mut entries = reply.read("v")?.variant("a{ss}")?.array(8)?;
    let mut attributes = Attributes::default();
    while !entries.is_empty() {
        let entry = entries.structure()?;
        attributes.insert(entry.string()?.to_owned(), entry.string()?.to_owned());
    }
    Ok(attributes)
}

fn pairs(attributes: &Attributes) -> impl Iterator<Item = (&str, &str)> {
    attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

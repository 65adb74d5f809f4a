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

#[cfg(feature = "full")]
use std::time::Duration;
use std::time::Instant;

use secrecy::zeroize::Zeroizing;

#[cfg(feature = "full")]
use crate::core::config;
pub(super) use crate::store::answers::{Error, Found, Item, Need, Rest};
#[cfg(feature = "full")]
use crate::store::dh::{self, Cipher};
use crate::{
    core::{
        dbus::{Body, Call, Malformed, Reply},
        sorted::Sorted,
    },
    store::{
        bus::{self, Bus, Pending},
        item::Attributes,
        watched::Watched,
    },
};

/// At most so many calls go out before their answers are read: neither side's buffer fills up.
const BATCH: usize = 64;
/// So often a search is sent to a service that does not know it (see "The order of calls").
const MAX_SEARCHES: u32 = 3;

const SERVICE: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const INTERFACE: &str = "org.freedesktop.Secret.Service";
const NO_PATH: &str = "/";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
/// How long a prompt may take that asks nobody.
#[cfg(feature = "full")]
const PASSING: Duration = Duration::from_millis(500);

/// One connection to the service.
pub(super) struct Conversation {
    bus: Watched,
    session: Session,
    /// `None`: only the plain one, and what takes more is left to the whole program.
    #[cfg(feature = "full")]
    kind: Option<config::Session>,
    /// What seals secrets in an encrypted session.
    #[cfg(feature = "full")]
    cipher: Option<Cipher>,
}

/// The session that secrets travel in. `plain`: the bus is a socket of the user's own
/// (decisions.md, Secret Service session). Where the service refuses that, or the user wants it, it is
/// encrypted; only the whole program can do so.
enum Session {
    None,
    Opening(Pending),
    Open(String),
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
    /// service's. Returns its path. `twin` is the one that is there.
    pub(super) fn create(
        &mut self,
        collection: &str,
        label: &str,
        attributes: &Attributes,
        secret: &[u8],
        twin: Option<&str>,
    ) -> Result<String, Error> {
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
            let _ = self.on_prompt(prompt, PROMPT, "Dismiss", "", &Body::default());
            return self.set_secret(twin, secret).map(|()| twin.to_owned());
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

    /// Lets a prompt pass that asks nobody: `KeePassXC` answers every change with one, and most of them
    /// end by themselves. One that does not is dismissed, and never waited for.
    #[cfg(feature = "full")]
    fn pass(&mut self, prompt: &str) -> Result<(), Error> {
        if self.kind.is_none() {
            return self.refuse(prompt);
        }
        let mut window = Body::default();
        window.string("");
        self.on_prompt(prompt, PROMPT, "Prompt", "s", &window)?;
        let end = Instant::now() + PASSING;
        while Instant::now() < end {
            let about = "org.freedesktop.DBus.Introspectable";
            match self.on_prompt(prompt, about, "Introspect", "", &Body::default()) {
                Ok(about) if is_about_nothing(&about) => return Ok(()),
                Err(bus::Error::Remote { .. }) => return Ok(()),
                Ok(_) => std::thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error.into()),
            }
        }
        // What it says to that changes nothing: nobody answers the prompt.
        let _ = self.on_prompt(prompt, PROMPT, "Dismiss", "", &Body::default());
        Err(Error::Prompt)
    }

    /// Leaves a prompt to the whole program.
    #[cfg(not(feature = "full"))]
    fn pass(&mut self, prompt: &str) -> Result<(), Error> {
        self.refuse(prompt)
    }

    /// Makes the service forget a prompt: the whole program gets one of its own.
    fn refuse(&mut self, prompt: &str) -> Result<(), Error> {
        let _ = self.on_prompt(prompt, PROMPT, "Dismiss", "", &Body::default());
        Err(Error::Elsewhere)
    }

    fn on_prompt(
        &mut self,
        path: &str,
        interface: &str,
        member: &str,
        signature: &str,
        body: &Body,
    ) -> Result<Reply, bus::Error> {
        let call = Call { destination: SERVICE, path, interface, member, signature };
        let pending = self.bus.call(&call, body);
        self.bus.answer(pending)
    }

    /// Writes a secret as it travels: `(oayays)`.
    pub(super) fn write_secret(&mut self, body: &mut Body, secret: &[u8]) -> Result<(), Error> {
        let session = self.session()?;
        #[cfg(feature = "full")]
        if let Some(cipher) = &self.cipher {
            let broken = |error: std::io::Error| bus::Error::NoBus(error.to_string());
            let dh::Sealed { parameters, value } = cipher.seal(secret).map_err(broken)?;
            body.structure().string(&session).bytes(&parameters).bytes(&value).string("text/plain");
            return Ok(());
        }
        body.structure().string(&session).bytes(b"").bytes(secret).string("text/plain");
        Ok(())
    }

    /// Returns a secret that came.
    #[cfg(feature = "full")]
    fn opened(&self, parameters: &[u8], value: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        match &self.cipher {
            Some(cipher) => Ok(cipher.open(parameters, value).ok_or(Malformed::Value)?),
            None => Ok(Zeroizing::new(value.to_vec())),
        }
    }

    fn open_session(&mut self) {
        #[cfg(feature = "full")]
        if self.kind == Some(config::Session::Dh) {
            return;
        }
        if matches!(self.session, Session::None) {
            let mut body = Body::default();
            body.string("plain").signature("s").string("");
            self.session = Session::Opening(self.service("OpenSession", "sv", &body));
        }
    }

    /// Returns the session. The caller has completed a search on this connection.
    pub(super) fn session(&mut self) -> Result<String, Error> {
        self.open_session();
        let path = match &self.session {
            Session::Open(path) => path.clone(),
            Session::Opening(pending) => match self.bus.answer(*pending) {
                #[cfg(feature = "full")]
                Err(bus::Error::Remote { name, .. })
                    if self.kind.is_some() && name == NOT_SUPPORTED =>
                {
                    self.open_encrypted()?
                }
                reply => {
                    let reply = reply?;
                    let mut reader = reply.read("vo")?;
                    reader.variant("s")?.string()?;
                    reader.path()?.to_owned()
                }
            },
            #[cfg(feature = "full")]
            Session::None => self.open_encrypted()?,
            #[cfg(not(feature = "full"))]
            Session::None => NO_PATH.to_owned(),
        };
        self.session = Session::Open(path.clone());
        Ok(path)
    }

    /// Agrees with the service on a key, and returns the session.
    #[cfg(feature = "full")]
    fn open_encrypted(&mut self) -> Result<String, Error> {
        let broken = |error: std::io::Error| bus::Error::NoBus(error.to_string());
        let offer = dh::Offer::new().map_err(broken)?;
        let mut body = Body::default();
        body.string(dh::ALGORITHM).signature("ay").bytes(&offer.public());
        let pending = self.service("OpenSession", "sv", &body);
        let reply = self.bus.answer(pending)?;
        let mut reader = reply.read("vo")?;
        let cipher = offer.agreed(reader.variant("ay")?.bytes()?);
        self.cipher = Some(cipher.ok_or(Malformed::Value)?);
        Ok(reader.path()?.to_owned())
    }

    fn service(&mut self, member: &str, signature: &str, body: &Body) -> Pending {
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

/// Returns whether an object has no interface of its own any more: what is said of a path that is only
/// on the way to others.
#[cfg(feature = "full")]
fn is_about_nothing(about: &Reply) -> bool {
    let text = about.read("s").and_then(|mut reader| reader.string().map(str::to_owned));
    text.is_ok_and(|text| !text.contains(PROMPT))
}

/// What a service says of a kind of session that it does not have.
#[cfg(feature = "full")]
const NOT_SUPPORTED: &str = "org.freedesktop.DBus.Error.NotSupported";

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

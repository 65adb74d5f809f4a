//! Unlocks and creates the default keyring of GNOME from a terminal, without a window.
//!
//! The Secret Service can only be asked to show a prompt, which a machine without desktop cannot
//! show. gnome-keyring-daemon has an interface for its own login program, which takes the password
//! itself. It is not promised to others, so that it is looked for first: where it is missing, a person
//! unlocks the keyring in the program that provides it.

use crate::{
    core::{
        config::Session,
        dbus::Body,
        secret::{ExposeSecret, SecretString},
    },
    store::{
        self, bus,
        conversation::{Conversation, Error, Need},
        item::Attributes,
        secret_client::Client,
    },
    sys::env::Env,
};

/// Takes passwords (gnome-keyring, daemon/dbus/org.gnome.keyring…GuiltRiddenInterface.xml).
const INTERFACE: &str = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface";
/// What the default keyring is called: the login program of a desktop opens the one of this name with
/// the password of the account.
const LABEL: &str = "login";
/// Where that is, once it exists.
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";

/// The default keyring of the account.
pub struct Gnome {
    client: Client,
}

/// How it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none, and a password makes one.
    Absent,
    /// It is locked, or there is none; only the program that provides it takes a password.
    Elsewhere,
    /// It is locked, and its password opens it.
    Locked,
    /// It is open.
    Open,
}

/// What came of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The password is another.
    WrongPassword,
    /// It is open.
    Yes,
}

impl Gnome {
    /// Takes the address of the session bus from the environment; connects on the first question.
    /// The password travels as secrets do.
    pub fn new(env: &Env, session: Session) -> Self {
        Self { client: Client::by(env, session) }
    }

    /// Looks at the default keyring.
    pub fn state(&mut self) -> Result<State, store::Error> {
        self.client.ask(|service| {
            let state = match service.default_collection()? {
                Some(collection) if !service.is_locked(&collection)? => return Ok(State::Open),
                Some(_) => State::Locked,
                None if has_login(service)? => State::Locked,
                None => State::Absent,
            };
            Ok(if takes_passwords(service)? { state } else { State::Elsewhere })
        })
    }

    /// Unlocks the default keyring. The login keyring that is there without being it becomes it.
    pub fn unlock(&mut self, password: &SecretString) -> Result<Opened, store::Error> {
        self.client.ask(|service| {
            let default = service.default_collection()?;
            let collection = default.as_deref().unwrap_or(LOGIN);
            begin(service)?;
            let mut body = Body::with_capacity(room(password) + collection.len());
            body.string(collection);
            service.write_secret(&mut body, password.expose_secret().as_bytes())?;
            match service.root(INTERFACE, "UnlockWithMasterPassword", "o(oayays)", &body) {
                Err(bus::Error::Remote { name, .. }) if name.ends_with(".Denied") => {
                    return Ok(Opened::WrongPassword);
                }
                answer => drop(answer?),
            }
            if default.is_none() {
                set_default(service, collection)?;
            }
            Ok(Opened::Yes)
        })
    }

    /// Creates the login keyring with this password, open, and makes it the default one. Where there
    /// is a default one by now, it is left as it is.
    pub fn create(&mut self, password: &SecretString) -> Result<(), store::Error> {
        self.client.ask(|service| {
            if service.default_collection()?.is_some() {
                return Ok(());
            }
            begin(service)?;
            let mut body = Body::with_capacity(room(password));
            body.array(8, |body| {
                body.structure().string("org.freedesktop.Secret.Collection.Label");
                body.signature("s").string(LABEL);
            });
            service.write_secret(&mut body, password.expose_secret().as_bytes())?;
            let made =
                service.root(INTERFACE, "CreateWithMasterPassword", "a{sv}(oayays)", &body)?;
            set_default(service, made.read("o")?.path()?)
        })
    }
}

fn takes_passwords(service: &mut Conversation) -> Result<bool, Error> {
    let interface = "org.freedesktop.DBus.Introspectable";
    let about = service.root(interface, "Introspect", "", &Body::default())?;
    Ok(about.read("s")?.string()?.contains(INTERFACE))
}

/// Returns whether the login keyring is there, whatever the default one is.
fn has_login(service: &mut Conversation) -> Result<bool, Error> {
    let mut body = Body::default();
    body.string("org.freedesktop.Secret.Service").string("Collections");
    let all = service.root("org.freedesktop.DBus.Properties", "Get", "ss", &body)?;
    let mut reader = all.read("v")?;
    let mut paths = reader.variant("ao")?.array(4)?;
    let mut is_there = false;
    while !paths.is_empty() {
        is_there |= paths.path()? == LOGIN;
    }
    Ok(is_there)
}

fn set_default(service: &mut Conversation, collection: &str) -> Result<(), Error> {
    let mut body = Body::default();
    body.string("default").string(collection);
    service.root("org.freedesktop.Secret.Service", "SetAlias", "so", &body)?;
    Ok(())
}

/// Begins with a search, which finds nothing (see `conversation`, "The order of calls").
fn begin(service: &mut Conversation) -> Result<(), Error> {
    let nothing: Attributes = [("xdg:schema".to_owned(), "dev.gocred.None".to_owned())].into();
    service.search(&nothing, Need::Attributes).map(drop)
}

/// Returns how long a body with this password gets, about: it must not grow.
fn room(password: &SecretString) -> usize {
    password.expose_secret().len() + 512
}

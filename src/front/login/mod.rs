//! `gocred login`: one secret, asked for once, tried at the host, and stored in the keyring.
//!
//! It stores nothing that the host rejected, and nothing before the keyring was proved to work.

pub(crate) mod choose_store;
pub(crate) mod configure;
mod host;
pub(crate) mod prompt;
mod proxy;
mod report;
mod route;
mod survey;
pub(crate) mod target;
mod token;
mod upstream;

use crate::{
    cli::Login,
    core::{
        credential::{Key, Proof, Secrets},
        fault::{Fault, Kind},
        secret::SecretString,
        text::printable,
    },
    front::{Context, Outcome, keyring},
    store::{
        self, Saved, Store,
        index::{self, Index},
    },
    sys::clock,
};

/// Runs the command.
pub fn run(arguments: &Login, context: &Context) -> Outcome {
    match (&arguments.host, &arguments.proxy) {
        (Some(host), _) => host::run(host, arguments, context),
        (None, Some(url)) => proxy::run(url, arguments, context),
        (None, None) => Err(Fault::new(Kind::Usage, "which host?").hint("gocred login HOST")),
    }
}

/// Stores a secret and remembers its origin: first, because a secret that is stored and not listed is
/// never answered.
fn keep(
    store: &mut dyn Store,
    key: &Key,
    secret: &SecretString,
    context: &Context,
) -> Result<Saved, Fault> {
    let secrets = Secrets::of(Proof::Password(secret.clone()));
    let record = store::record(key.clone(), secrets, None, clock::now());
    let list = || keyring::index(context, |state| index::add(state, key.kind, &key.origin));
    list().map_err(|fault| Fault {
        message: format!("nothing was stored: {}", fault.message),
        ..fault
    })?;
    let saved = store.save(&record).map_err(keyring::fault)?;
    // A `logout` may have taken it out meanwhile.
    list()?;
    // The first login completes the index, while the store is open: what is not listed when it is
    // closed is nobody's, and a question about it would be met with silence.
    if let Ok(None) = Index::load(&context.paths.state) {
        let _ = index::learn(&context.paths.state, store);
    }
    Ok(saved)
}

/// Chooses the account: the flag, what is known, or what the person says.
fn account(
    flag: Option<&str>,
    known: Option<&str>,
    place: &str,
    context: &Context,
) -> Result<String, Fault> {
    if let Some(name) = flag.or(known) {
        return checked(name.to_owned());
    }
    if !prompt::is_attended(&context.env) {
        return Err(Fault::new(
            Kind::Usage,
            format!("nobody says which account {place} knows you by"),
        )
        .hint("pass `--username NAME`"));
    }
    checked(prompt::line(&format!("Account at {}: ", printable(place)))?)
}

/// Refuses what no protocol can carry: git's has lines, Basic ends the name at a colon
/// (RFC 7617 §2).
fn checked(name: String) -> Result<String, Fault> {
    if name.is_empty() || name.contains(|c: char| c.is_control() || c == ':') {
        return Err(Fault::new(
            Kind::Usage,
            "an account name is not empty and has no colon and no control character",
        ));
    }
    Ok(name)
}

//! `gocred login`: one secret, asked for once, tried at the host, and stored in the keyring.
//!
//! It stores nothing that the host rejected, and nothing before the keyring was proved to work.

pub(crate) mod choose_store;
pub(crate) mod configure;
mod facts;
mod first_store;
mod flow;
mod host;
pub(crate) mod line;
mod method;
pub(crate) mod prompt;
mod proxy;
mod report;
pub(crate) mod route;
mod rule;
mod signed;
mod survey;
pub(crate) mod target;
mod token;
mod token_check;
mod upstream;

use crate::{
    cli::Login,
    core::{
        credential::{Key, Kind as Namespace, Secrets, UnixTime},
        fault::{Fault, Kind},
        origin::Origin,
        text::printable,
    },
    front::{Context, Outcome, keyring, renew_worker, ui},
    store::{
        self, Saved, Store,
        guard::{self, Of},
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
    secrets: Secrets,
    expires: Option<UnixTime>,
    context: &Context,
) -> Result<Saved, Fault> {
    // A renewal that is under way would write what it brings over this.
    let is_git = key.kind == Namespace::Git;
    let _lock = is_git.then(|| renew_worker::settle(key, context));
    let record = store::record(key.clone(), secrets, expires, clock::now());
    let list = || keyring::index(context, |state| index::add(state, key.kind, &key.origin));
    list().map_err(|fault| Fault {
        message: format!("nothing was stored: {}", fault.message),
        ..fault
    })?;
    let saved = match store.save(&record) {
        // A keyring on a busy machine may be late by more than git would wait, and a login is not done twice
        // lightly. To write the same once more changes nothing.
        Err(store::Error::Silent(_)) => keyring::open(context).save(&record),
        saved => saved,
    };
    let saved = saved.map_err(keyring::fault)?;
    // A `logout` may have taken it out meanwhile.
    list()?;
    choose_store::settle(context);
    // The first login completes the index, while the store is open: what is not listed when it is
    // closed is nobody's, and a question about it would be met with silence.
    if let Ok(None) = Index::load(&context.paths.state) {
        let _ = index::learn(&context.paths.state, store);
    }
    Ok(saved)
}

/// Forgets what was held against what is stored for an origin: a login is the user's word that it may be
/// tried again. What a proxy has offered before is not forgotten.
fn forget(of: Of, origin: &Origin, context: &Context) -> Result<(), Fault> {
    let forgotten = guard::forget(&context.paths.state, of, origin);
    if let Some(damage) = forgotten.map_err(keyring::fault)? {
        ui::err(&format!("note: {damage}"));
    }
    Ok(())
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

//! The keyring, as people hear of it: opened, proved to work, and each failure with its own hint.

use std::path::Path;

use crate::{
    core::{
        choice::Choice,
        credential::{Entry, Key, Kind as Namespace, Proof, Query, Secrets},
        fault::{Fault, Kind},
        origin::Origin,
        text::printable,
    },
    front::{Context, ui},
    store::{self, Error, Store},
    sys::clock,
};

/// Opens the store of this system.
pub(crate) fn open(context: &Context) -> Box<dyn Store> {
    let mut store = store::open(&context.desk());
    // Of a file that can be read, the damage is told by who reads it.
    if store::choice(&context.env, &context.config) == Ok(Choice::Plaintext)
        && let Some(warning) = store.damage()
    {
        ui::err(&format!("warning: {}", printable(&warning.to_string())));
    }
    store
}

/// Proves that the store takes, gives and forgets a secret, before a person is asked for one.
pub(crate) fn prove(store: &mut dyn Store) -> Result<(), Fault> {
    let origin = Origin::new("https", "probe.gocred.invalid")
        .map_err(|error| Fault::new(Kind::Internal, error.to_string()))?;
    let key = Key {
        kind: Namespace::Internal,
        origin,
        path: None,
        user: format!("probe-{}", std::process::id()),
    };
    let secrets = Secrets::of(Proof::Password("probe".into()));
    let record = store::record(key.clone(), secrets, None, clock::now());
    let query = Query {
        kind: key.kind,
        origin: Some(key.origin.clone()),
        path: None,
        user: Some(key.user.clone()),
    };
    store.save(&record).map_err(fault)?;
    let found = store.find(&query);
    // Whatever the answer was, the item does not stay, unless a person is asked first.
    match (store.remove(&key), &found) {
        (Err(Error::Prompt), Ok(_)) => ui::err(&format!(
            "note: the keyring asks before it deletes: `gocred: {} ({})` is left in it",
            key.origin, key.user
        )),
        (removed, _) => removed.map_err(fault)?,
    }
    if found.map_err(fault)?.is_empty() {
        return Err(fault(Error::Service("it did not give back what it took".to_owned())));
    }
    Ok(())
}

/// Returns what is stored for people to see: hosts and proxies, without our own keys.
pub(crate) fn entries(store: &mut dyn Store, origin: Option<&Origin>) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::new();
    for kind in [Namespace::Git, Namespace::Proxy] {
        let query = Query { origin: origin.cloned(), ..Query::all(kind) };
        entries.extend(store.list(&query).map_err(fault)?);
    }
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(entries)
}

/// Says what a store's failure means and what to do about it. Locked, absent, silent and broken are
/// different things, and each has its code.
pub(crate) fn fault(error: Error) -> Fault {
    let fault = Fault::new(Kind::Store, printable(&error.to_string())).code(error.code());
    match error {
        Error::Locked => fault
            .hint("run `gocred unlock`, which asks for its password in this terminal")
            .hint("or log in to your desktop, or unlock it in its keyring application"),
        Error::NoCollection => fault
            .hint("run `gocred unlock`, which creates one with a password of your choice")
            .hint("or log in to your desktop, which creates one"),
        Error::Prompt => fault
            .hint("answer the window of your keyring program, then run the command again")
            .hint(
                "KeePassXC asks for each program: Settings, Secret Service Integration, `Confirm \
                 when passwords are retrieved by clients`; `gocred status --store` asks it again",
            ),
        Error::NoService(_) => fault
            .hint("without a desktop: `gocred login HOST --store file` keeps secrets in an encrypted file")
            .hint("install and start a Secret Service, such as `apt-get install gnome-keyring`")
            .hint(
                "over SSH or in a container: `dbus-run-session -- sh`, then \
                   `gnome-keyring-daemon --unlock --components=secrets`",
            ),
        Error::Silent(_) => fault.hint(
            "a window may wait for an answer on your desktop; else restart the keyring with \
             `systemctl --user restart gnome-keyring-daemon`",
        ),
        Error::Service(_) => fault.hint("look at `journalctl --user -e` for what the service says"),
        Error::Damaged(_) => {
            fault.hint("`gocred login HOST` writes it anew; `gocred logout HOST` removes it")
        }
        Error::File { file, line, what } => {
            let folder = file.parent().unwrap_or(&file).display().to_string();
            Fault::new(Kind::Config, printable(&what))
                .code("K08")
                .at(printable(&store::place(&file, line)))
                .hint(format!(
                    "`ls -l '{}'; ls -ld '{1}'; df '{1}'` shows its rights and its space; \
                     one with a secret wants `chmod 600`",
                    printable(&file.display().to_string()),
                    printable(&folder)
                ))
        }
        Error::NotOpen { store: _, hint } => fault
            .hint(hint)
            .hint("where nobody is: set GOCRED_PASSPHRASE_FILE to a file with its passphrase"),
        Error::NoAgent(_) => fault
            .hint("`gocred agent start`, then `gocred login HOST`: what another one held is gone")
            .hint("`gocred login HOST --store file` keeps secrets until you remove them"),
        Error::Full(_) => fault.hint("`df ~; gocred list` shows the space and what is stored"),
        Error::ReadOnly(_) | Error::Refused(_) | Error::Rollback { seen: _, found: _ } => {
            fault.hint(format!("`{}` shows which stores this machine has", error.command()))
        }
        // The configuration says that nothing leaves without a record.
        Error::Withheld { code: "K15", what: _ } => Fault { kind: Kind::Policy, ..fault }
            .hint("`gocred audit verify; df ~` shows the record and the space that is left"),
        Error::Elsewhere | Error::InClear(_) | Error::Withheld { code: _, what: _ } => fault,
    }
}

/// Changes the index of hosts. A damaged one was moved aside by the first try: that is told, and the
/// second begins a new one.
pub(crate) fn index(
    context: &Context,
    change: impl Fn(&Path) -> Result<(), Error>,
) -> Result<(), Fault> {
    let state = &context.paths.state;
    let Err(damage) = change(state) else { return Ok(()) };
    change(state).map_err(fault)?;
    ui::err(&format!("note: {}", printable(&damage.to_string())));
    Ok(())
}

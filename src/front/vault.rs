//! The encrypted file, as people meet it: made or opened with a passphrase that is asked for only where
//! nothing else opens it.

use crate::{
    core::{
        config::Remember,
        fault::{Fault, Kind},
        secret::{ExposeSecret, SecretString, same},
        text::printable,
    },
    front::{Context, agent_cmd, keyring, login::prompt, ui},
    store::{
        Error,
        file::{FileStore, Standing},
    },
};

/// How often a passphrase may be typed wrong.
const TRIES: u32 = 3;

/// Opens the file for a person: one that is not there is made, one that is closed is opened.
pub(crate) fn open(context: &Context) -> Result<FileStore, Fault> {
    let mut store = FileStore::new(&context.desk());
    let standing = match store.standing() {
        Ok(standing) => standing,
        // Another key failed: a person may still have the passphrase.
        Err(error) if wants_passphrase(&store, &error) && prompt::is_attended(&context.env) => {
            ui::err(&printable(&error.to_string()));
            Standing::Closed
        }
        Err(error) => return Err(keyring::fault(error)),
    };
    match standing {
        Standing::Open => {}
        Standing::Creatable => {
            store.create().map_err(keyring::fault)?;
            made(&store);
        }
        Standing::Missing => {
            attended(context, "there is no passphrase for a new encrypted file")?;
            ui::err("Secrets go into an encrypted file. It gets a passphrase now.");
            start_agent(context);
            store = store.typed(new_passphrase()?);
            store.create().map_err(keyring::fault)?;
            made(&store);
            store.remember();
        }
        Standing::Closed => store = unlock(store, context)?,
    }
    Ok(store)
}

/// Starts the agent for the key of the file, where it is to keep that. Without it the passphrase is
/// asked for again.
fn start_agent(context: &Context) {
    if context.config.store.remember == Remember::Agent
        && let Err(fault) = agent_cmd::start(context)
    {
        ui::err(&format!("note: {}", fault.one_line()));
    }
}

/// Returns whether a failure is that of one key of several, and the passphrase is another.
fn wants_passphrase(store: &FileStore, error: &Error) -> bool {
    let is_of_a_key = matches!(
        error,
        Error::Locked
            | Error::NoCollection
            | Error::NoService(_)
            | Error::Prompt
            | Error::Refused(_)
            | Error::Service(_)
            | Error::Silent(_)
    );
    let about = store.about().ok().flatten();
    is_of_a_key
        && about.is_some_and(|about| about.keys.iter().any(|(kind, _)| *kind == "passphrase"))
}

/// Opens a closed file with what the person types.
fn unlock(mut store: FileStore, context: &Context) -> Result<FileStore, Fault> {
    attended(context, "the encrypted file is not unlocked")?;
    start_agent(context);
    let question = format!("Passphrase of {}: ", store.path().display());
    for _ in 0..TRIES {
        store = store.typed(prompt::secret(&question)?);
        match store.standing() {
            Ok(_) => {
                store.remember();
                return Ok(store);
            }
            Err(error @ Error::Refused(_)) => ui::err(&error.to_string()),
            Err(error) => return Err(keyring::fault(error)),
        }
    }
    Err(Fault::new(Kind::Rejected, "the encrypted file was not opened; nothing was stored"))
}

/// Asks for a new passphrase, twice.
pub(crate) fn new_passphrase() -> Result<SecretString, Fault> {
    for _ in 0..TRIES {
        let passphrase = prompt::secret("New passphrase: ")?;
        if passphrase.expose_secret().is_empty() {
            ui::err("an empty passphrase protects nothing");
        } else if same(&passphrase, &prompt::secret("The same again: ")?) {
            return Ok(passphrase);
        } else {
            ui::err("the two are not the same");
        }
    }
    Err(Fault::new(Kind::Usage, "no passphrase was set; nothing was stored"))
}

fn made(store: &FileStore) {
    ui::err(&format!("made the encrypted file {}", store.path().display()));
}

fn attended(context: &Context, what: &str) -> Result<(), Fault> {
    if prompt::is_attended(&context.env) {
        return Ok(());
    }
    Err(Fault::new(Kind::Store, format!("{what}, and nobody is at the terminal to type it"))
        .hint("put it into a file of yours, `chmod 600`, and set GOCRED_PASSPHRASE_FILE to that")
        .hint("for a service: `LoadCredential=gocred.passphrase:FILE` in its unit"))
}

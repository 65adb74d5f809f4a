//! The first login of an account: which store it takes, in the order of `store::detect`.
//!
//! What works without anybody is taken. Else a person chooses, and where there is nothing to choose, is
//! only asked for a passphrase; where nobody is, the login fails and says what there is.

use crate::{
    core::{
        choice::Choice,
        fault::{Fault, Kind},
        text::printable,
    },
    front::{
        Context, keyring,
        login::{
            choose_store::{self, Chosen},
            prompt,
        },
        ui, vault,
    },
    store::{
        Error, Store,
        detect::{self, Candidate, State, Way},
        file::FileStore,
        keys::NewKey,
    },
};

/// So often a number may be mistyped.
const TRIES: usize = 3;

/// Chooses and opens it.
pub(super) fn choose(context: &Context) -> Result<Chosen, Fault> {
    let keyring = detect::first(&context.desk());
    let mut trouble = None;
    if keyring.state == State::Usable {
        match take(&keyring, context) {
            Ok(chosen) => return Ok(chosen),
            // It lists and does not store: another one may.
            Err(fault) => trouble = Some(fault),
        }
    }
    let found: Vec<_> = std::iter::once(keyring).chain(detect::others(&context.desk())).collect();
    let is_usable = |candidate: &&Candidate| candidate.state == State::Usable;
    if let Some(usable) = found.iter().skip(1).find(is_usable) {
        return take(usable, context);
    }
    if prompt::is_attended(&context.env) {
        return take(&offered(&found, trouble.as_ref())?, context);
    }
    Err(trouble.unwrap_or_else(|| unattended(&found)))
}

/// Says what keeps the keyring from being used, and what there is instead.
fn unattended(found: &[Candidate]) -> Fault {
    let keyring = found.iter().find(|candidate| candidate.way == Way::Keyring);
    let error = match keyring.map(|candidate| &candidate.state) {
        Some(State::Not(error)) => error.clone(),
        Some(State::Person(what)) if what.starts_with("locked") => Error::Locked,
        Some(State::Person(_) | State::ByName(_) | State::Usable) | None => Error::NoCollection,
    };
    keyring::fault(error)
        .hint("where nobody is: GOCRED_PASSPHRASE_FILE and `--store file` need no keyring")
        .hint("`gocred status --store` shows which stores this machine has")
}

/// Lets a person choose.
fn offered(found: &[Candidate], trouble: Option<&Fault>) -> Result<Candidate, Fault> {
    if let Some(fault) = trouble {
        ui::err(&format!("the keyring cannot be used: {}", printable(&fault.message)));
    }
    let is_offered = |candidate: &&Candidate| matches!(candidate.state, State::Person(_));
    let offers: Vec<&Candidate> = found.iter().filter(is_offered).collect();
    let is_simple = |candidate: &&&Candidate| matches!(candidate.way, Way::Passphrase | Way::Tpm);
    if offers.iter().all(|candidate| is_simple(&candidate))
        && let Some(passphrase) = offers.iter().find(|offer| offer.way == Way::Passphrase)
    {
        return Ok((*passphrase).clone());
    }
    match offers.as_slice() {
        [] => Err(unattended(found)),
        [only] => Ok((*only).clone()),
        several => ask(several),
    }
}

fn ask(offers: &[&Candidate]) -> Result<Candidate, Fault> {
    ui::err("Where shall secrets be kept?");
    for (number, offer) in offers.iter().enumerate() {
        ui::err(&format!("  {}  {}", number + 1, words(offer)));
    }
    for _ in 0..TRIES {
        let line = prompt::line("Number [1]: ")?;
        let number = if line.is_empty() { Some(1) } else { line.parse::<usize>().ok() };
        let offer = number.and_then(|number| offers.get(number.checked_sub(1)?));
        match offer {
            Some(offer) => return Ok((*offer).clone()),
            None => ui::err(&format!("that is no number from 1 to {}", offers.len())),
        }
    }
    Err(Fault::new(Kind::Usage, "no store was chosen; nothing was stored")
        .hint("`gocred login HOST --store NAME` chooses one"))
}

/// What a person reads of an offer.
fn words(offer: &Candidate) -> String {
    let file = "an encrypted file";
    match (&offer.way, &offer.state) {
        (Way::Keyring, State::Person(what)) if what.starts_with("locked") => {
            "the keyring, which is locked and asks for its password now".to_owned()
        }
        (Way::Keyring, _) => "a new keyring, with a password of your choice".to_owned(),
        (Way::File, _) => format!("{file} that is there, and asks for its passphrase"),
        (Way::Ssh(name), _) => format!("{file}, opened by your SSH key {}", printable(name)),
        (Way::Passphrase, _) => format!("{file}, opened by a passphrase of your choice"),
        (Way::Tpm, _) => {
            format!("{file}, opened by the TPM: on this machine only, for all that is you")
        }
        (Way::Agent | Way::Kernel | Way::Plaintext, _) => offer.choice.as_str().to_owned(),
    }
}

/// Opens a store, proves it, and writes the choice down.
fn take(candidate: &Candidate, context: &Context) -> Result<Chosen, Fault> {
    let mut chosen = context.clone();
    chosen.config.store.name = Some(candidate.choice);
    let made = |new: &NewKey| -> Result<Box<dyn Store>, Fault> {
        let mut store = FileStore::new(&chosen.desk());
        store.add_key(new).map_err(keyring::fault)?;
        ui::err(&format!("made the encrypted file {}", store.path().display()));
        Ok(Box::new(store))
    };
    let mut store = match &candidate.way {
        Way::Keyring => {
            #[cfg(target_os = "linux")]
            if candidate.state != State::Usable {
                crate::front::keyring_unlock::unlock(context)?;
            }
            keyring::open(&chosen)
        }
        Way::Ssh(name) => made(&NewKey::Ssh(name.clone()))?,
        Way::Tpm => made(&NewKey::Tpm)?,
        Way::File | Way::Passphrase => Box::new(vault::open(&chosen)?),
        Way::Agent | Way::Kernel | Way::Plaintext => choose_store::open(&chosen)?,
    };
    if candidate.choice == Choice::Keyring {
        keyring::prove(&mut *store)?;
    } else {
        choose_store::keep(candidate.choice, &mut *store, context)?;
    }
    Ok(Chosen { context: Some(chosen), store })
}

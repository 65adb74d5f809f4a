//! `gocred store`: what opens the encrypted file.

use crate::{
    cli::{AddKey, AddedKey, RemoveKey, Store},
    core::{
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, keyring, login::prompt, ui, vault},
    store::{
        file::{FileStore, Standing},
        keys::NewKey,
    },
};

/// Runs the command.
pub fn run(arguments: &Store, context: &Context) -> Outcome {
    match arguments {
        Store::AddKey(arguments) => add(arguments, context),
        Store::RemoveKey(arguments) => remove(arguments, context),
        Store::Show => show(context),
    }
}

fn add(AddKey { kind, words }: &AddKey, context: &Context) -> Outcome {
    let new = match (kind, words.as_slice()) {
        (AddedKey::Command, [_, ..]) => NewKey::Command(words.clone()),
        (AddedKey::Passphrase, []) => NewKey::Passphrase,
        (AddedKey::Ssh, []) => NewKey::Ssh(String::new()),
        (AddedKey::Ssh, [name]) => NewKey::Ssh(name.clone()),
        (AddedKey::Keyring, []) => NewKey::Keyring,
        (AddedKey::Tpm, []) => NewKey::Tpm,
        (AddedKey::Command, []) => return Err(Fault::new(Kind::Usage, "which command?")),
        (AddedKey::Keyring | AddedKey::Passphrase | AddedKey::Ssh | AddedKey::Tpm, _) => {
            return Err(Fault::new(Kind::Usage, "there are too many words"));
        }
    };
    let mut store = FileStore::new(&context.desk());
    let is_new = match store.standing().map_err(keyring::fault)? {
        Standing::Creatable | Standing::Missing => true,
        Standing::Open => false,
        Standing::Closed => {
            store = vault::open(context)?;
            false
        }
    };
    if new == NewKey::Passphrase && prompt::is_attended(&context.env) {
        store = store.typed(vault::new_passphrase()?);
    }
    store.add_key(&new).map_err(keyring::fault)?;
    let (file, name) = (store.path(), printable(&new.name()));
    ui::out(&if is_new {
        format!("made {}; {name} opens it", file.display())
    } else {
        format!("{name} opens {} from now on", file.display())
    });
    Ok(Answer::Yes)
}

fn remove(RemoveKey { name }: &RemoveKey, context: &Context) -> Outcome {
    let mut store = FileStore::new(&context.desk());
    let keys = keys(&store)?;
    if !keys.iter().any(|(_, other)| other == name) {
        let known: Vec<String> = keys.iter().map(|(_, name)| printable(name)).collect();
        let fault = Fault::new(Kind::NotFound, "no key of this name opens the file");
        return Err(fault.hint(format!("there are {}", known.join(", "))));
    }
    if store.standing().map_err(keyring::fault)? == Standing::Closed {
        store = vault::open(context)?;
    }
    if !store.remove_key(name).map_err(keyring::fault)? {
        return Err(Fault::new(Kind::Usage, "nothing else would open the file; it stays"));
    }
    ui::out(&format!("{} does not open {} any more", printable(name), store.path().display()));
    ui::out("whoever copied the file before can still open the copy with it");
    Ok(Answer::Yes)
}

fn show(context: &Context) -> Outcome {
    let store = FileStore::new(&context.desk());
    let keys = keys(&store)?;
    let mut table = vec![["KEY", "KIND"].map(str::to_owned)];
    table.extend(keys.iter().map(|(kind, name)| [printable(name), (*kind).to_owned()]));
    ui::out(&format!("file: {}", store.path().display()));
    ui::table(&table);
    Ok(Answer::Yes)
}

fn keys(store: &FileStore) -> Result<Vec<(&'static str, String)>, Fault> {
    let about = store.about().map_err(keyring::fault)?;
    about.map(|about| about.keys).ok_or_else(|| {
        let file = store.path();
        Fault::new(Kind::NotFound, format!("there is no encrypted file {}", file.display()))
            .hint("gocred login HOST --store file")
    })
}

//! `gocred unlock` and `gocred lock`: the keys of the stores, for every program.

use crate::{
    cli::Unlock,
    core::{
        choice::Choice,
        config::Remember,
        credential::{Kind as Namespace, Query},
        fault::{Fault, Kind},
    },
    front::{self, Answer, Context, Outcome, agent_cmd, keyring, ui, vault},
    store::{
        self, Desk,
        file::{FileStore, Standing},
    },
};

/// Runs `gocred unlock`.
pub fn run(arguments: &Unlock, context: &Context) -> Outcome {
    let choice = match &arguments.store {
        Some(name) => Choice::parse(name).ok_or_else(|| {
            let known = Choice::ALL.map(Choice::as_str).join(", ");
            Fault::new(Kind::Usage, format!("--store takes one of {known}"))
        })?,
        None => store::choice(&context.env, &context.config).map_err(keyring::fault)?,
    };
    match choice {
        Choice::File => file(context)?,
        Choice::Keyring => keyring(context)?,
        Choice::Agent | Choice::Kernel | Choice::OpenBao | Choice::Plaintext => {
            let what = format!("the store `{}` has no lock", choice.as_str());
            return Err(Fault::new(Kind::Usage, what));
        }
    }
    Ok(Answer::Yes)
}

/// Opens the encrypted file, and gives its key to who keeps it.
fn file(context: &Context) -> Result<(), Fault> {
    let mut store = FileStore::new(&context.desk());
    let path = store.path();
    let standing = store.standing().map_err(keyring::fault)?;
    if matches!(standing, Standing::Creatable | Standing::Missing) {
        return Err(Fault::new(Kind::NotFound, "there is no encrypted file yet")
            .at(path.display())
            .hint("gocred login HOST --store file"));
    }
    // Before a person types: the passphrase is for it.
    if context.config.store.remember == Remember::Agent {
        agent_cmd::start(context)?;
    }
    vault::open(context)?.remember();
    ui::out(&format!("{} is unlocked", path.display()));
    Ok(())
}

fn keyring(context: &Context) -> Result<(), Fault> {
    let mut store = store::keyring(&context.env);
    // To list does not tell whether it is locked; to ask for a secret does.
    let query = Query::all(Namespace::Git);
    store.find(&query).map_err(keyring::fault)?;
    ui::out(&format!("the keyring ({}) is unlocked", store.name()));
    Ok(())
}

/// Runs `gocred lock`. It works with a broken configuration, too: what it cannot read names no file.
pub fn lock(context: &Context) -> Outcome {
    let was_there = agent_cmd::lock(context)?;
    let config = front::config(&context.paths).unwrap_or_default();
    FileStore::new(&Desk { config: &config, ..context.desk() }).forget();
    ui::out(if was_there {
        "the agent has forgotten its keys and answers"
    } else {
        "no agent is running: nobody holds a key or an answer"
    });
    Ok(Answer::Yes)
}

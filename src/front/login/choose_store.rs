//! Where a login keeps its secret: the flag, or what was chosen before.

use crate::{
    cli::Login,
    core::{
        choice::Choice,
        fault::{Fault, Kind},
    },
    front::{self, Context, keyring, login::configure, ui, vault},
    store::{self, Store},
};

/// What was chosen, and opened.
pub(super) struct Chosen {
    /// The context in which it is chosen, where that is another one.
    pub(super) context: Option<Context>,
    /// The store.
    pub(super) store: Box<dyn Store>,
}

/// Chooses and opens the store, before a person is asked for a secret. A new choice is kept once the
/// store is proved to work, and changed by nothing else.
pub(super) fn choose(arguments: &Login, context: &Context) -> Result<Chosen, Fault> {
    let chosen = arguments.store.as_deref().map(|name| named(name, context)).transpose()?;
    let Some(choice) = chosen.flatten() else {
        return Ok(Chosen { context: None, store: open(context)? });
    };
    let mut chosen = context.clone();
    chosen.config.store.name = Some(choice);
    let mut store = open(&chosen)?;
    keyring::prove(&mut *store)?;
    configure::store(choice, context)?;
    ui::err(&format!("secrets are kept in the store `{}` from now on", choice.as_str()));
    Ok(Chosen { context: Some(chosen), store })
}

/// Reads the flag. `None`: it is what is chosen already.
fn named(name: &str, context: &Context) -> Result<Option<Choice>, Fault> {
    let unknown =
        || Fault::new(Kind::Usage, "`--store` names no store").hint("there are keyring and file");
    let choice = Choice::parse(name).ok_or_else(unknown)?;
    if store::choice(&context.env, &context.config) == Ok(choice) {
        return Ok(None);
    }
    if context.env.text("GOCRED_STORE").is_some() {
        return Err(Fault::new(Kind::Usage, "GOCRED_STORE names another store than `--store`")
            .hint("unset it: it goes before what is chosen"));
    }
    front::refuse_locked("--store", &["store", "name"], context)?;
    match choice {
        Choice::File | Choice::Keyring => Ok(Some(choice)),
        Choice::OpenBao => {
            Err(Fault::new(Kind::Policy, "OpenBao keeps what you put there yourself")
                .hint("`bao kv put PATH username=NAME password=-`"))
        }
        Choice::Agent | Choice::Kernel | Choice::Plaintext => Err(unknown()),
    }
}

/// Opens what was chosen before; a person at the terminal may have to unlock it.
pub(crate) fn open(context: &Context) -> Result<Box<dyn Store>, Fault> {
    match store::choice(&context.env, &context.config) {
        Ok(Choice::File) => Ok(Box::new(vault::open(context)?)),
        #[cfg(target_os = "linux")]
        Ok(Choice::Keyring) => {
            // Before a secret is asked for: a fresh token is not lost to a locked keyring.
            front::keyring_unlock::before_login(context)?;
            Ok(keyring::open(context))
        }
        Ok(_) | Err(_) => Ok(keyring::open(context)),
    }
}

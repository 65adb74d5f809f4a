//! Where a login keeps its secret: the flag, what was chosen before, or, the first time, the best store
//! that this machine has.
//!
//! It is chosen once, written down, and changed by nothing but the flag. A store that was chosen and
//! fails is an error, and never a reason to take another; clear text is taken for its flag only.

use crate::{
    cli::Login,
    core::{
        choice::Choice,
        fault::{Fault, Kind},
    },
    front::{
        self, Context, agent_cmd, keyring,
        login::{configure, first_store, prompt},
        ui, vault,
    },
    store::{self, Store, index, plaintext::Plaintext},
};

/// What was chosen, and opened.
pub(super) struct Chosen {
    /// The context in which it is chosen, where that is another one.
    pub(super) context: Option<Context>,
    /// The store.
    pub(super) store: Box<dyn Store>,
}

/// Chooses and opens the store, before a person is asked for a secret.
pub(super) fn choose(arguments: &Login, context: &Context) -> Result<Chosen, Fault> {
    match &arguments.store {
        Some(name) => named(name, arguments, context),
        None if is_chosen(context) => Ok(Chosen { context: None, store: open(context)? }),
        None => first_store::choose(context),
    }
}

/// Returns whether a store is chosen, or was used before there was a choice.
fn is_chosen(context: &Context) -> bool {
    let Context { env, paths, config } = context;
    env.text("GOCRED_STORE").is_some()
        || config.store.name.is_some()
        || config.origins.lock_on(&["store", "name"]).is_some()
        || index::is_used(&paths.state)
}

/// Takes the store of the flag. It is kept once it is proved to work.
fn named(name: &str, arguments: &Login, context: &Context) -> Result<Chosen, Fault> {
    let choice = Choice::parse(name).ok_or_else(|| {
        let all = Choice::ALL.map(Choice::as_str).join(", ");
        Fault::new(Kind::Usage, format!("`--store` names no store; there are {all}"))
            .hint("`gocred status --store` shows which of them this machine has")
    })?;
    if choice == Choice::OpenBao {
        return Err(in_openbao());
    }
    let env = context.env.text("GOCRED_STORE");
    if env.is_some_and(|env| env != name) {
        return Err(Fault::new(Kind::Usage, "GOCRED_STORE names another store than `--store`")
            .hint("unset it: it goes before what is chosen"));
    }
    let is_new = context.config.store.name != Some(choice) && env.is_none();
    if is_new {
        front::refuse_locked("--store", &["store", "name"], context)?;
    }
    if choice == Choice::Plaintext {
        allow_plaintext(arguments, context)?;
    }
    let mut chosen = context.clone();
    chosen.config.store.name = Some(choice);
    let mut store = open(&chosen)?;
    if is_new {
        keep(choice, &mut *store, context)?;
    }
    Ok(Chosen { context: Some(chosen), store })
}

/// Writes the keyring down as the choice, after the first secret went there: a login that fails leaves
/// nothing behind. It is what is used without a choice, too, so that a file that cannot be written
/// changes nothing.
pub(super) fn settle(context: &Context) {
    let is_written = |key: &crate::core::config::Key| key.to_string() == "store.name";
    let settings = &context.config.origins.settings;
    if context.config.store.name == Some(Choice::Keyring)
        && context.env.text("GOCRED_STORE").is_none()
        && !settings.iter().any(|(key, _)| is_written(key))
        && let Err(fault) = configure::store(Choice::Keyring, context)
    {
        ui::err(&format!("note: {}", fault.one_line()));
    }
}

/// Writes the choice down once the store is proved to work, and says so.
pub(super) fn keep(choice: Choice, store: &mut dyn Store, context: &Context) -> Result<(), Fault> {
    keyring::prove(store)?;
    configure::store(choice, context)?;
    ui::err(&format!("secrets are kept in the store `{}` from now on", choice.as_str()));
    Ok(())
}

/// Makes the file for clear text where somebody asks for it in so many words.
fn allow_plaintext(arguments: &Login, context: &Context) -> Result<(), Fault> {
    let file = Plaintext::path(&context.desk());
    let is_meant = arguments.yes_plaintext
        || file.exists()
        || {
            prompt::is_attended(&context.env)
                && {
                    ui::err(&format!(
                        "Secrets in {} are in clear text: every program of yours, and every backup, has them.",
                        file.display()
                    ));
                    prompt::line("Type `plaintext` if that is what you want: ")? == "plaintext"
                }
        };
    if !is_meant {
        return Err(Fault::new(Kind::Policy, "secrets are not kept in clear text by mistake")
            .hint("`--store file` keeps them in an encrypted file")
            .hint("`--store plaintext --yes-plaintext` says that you mean it"));
    }
    Plaintext::create(&context.desk()).map_err(keyring::fault)
}

fn in_openbao() -> Fault {
    Fault::new(Kind::Policy, "OpenBao keeps what you put there yourself")
        .hint("`bao kv put PATH username=NAME password=-`, and `[source.\"HOST\"]` to read it")
}

/// Opens the store that is chosen.
pub(crate) fn open(context: &Context) -> Result<Box<dyn Store>, Fault> {
    match store::choice(&context.env, &context.config) {
        Ok(Choice::OpenBao) => Err(in_openbao()),
        Ok(Choice::File) => Ok(Box::new(vault::open(context)?)),
        Ok(Choice::Agent) => {
            agent_cmd::start(context)?;
            Ok(keyring::open(context))
        }
        #[cfg(target_os = "linux")]
        Ok(Choice::Keyring) => {
            // Before a secret is asked for: a fresh token is not lost to a locked keyring.
            front::keyring_unlock::before_login(context)?;
            Ok(keyring::open(context))
        }
        Ok(_) | Err(_) => Ok(keyring::open(context)),
    }
}

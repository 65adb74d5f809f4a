//! `gocred undo`: brings back what git or go erased. It brings back nothing that `logout` removed.

use crate::{
    cli::Undo,
    core::text::printable,
    front::{Answer, Context, Outcome, keyring, login::target, status::age, ui},
    store::index,
    sys::clock,
};

/// Runs the command.
pub fn run(arguments: &Undo, context: &Context) -> Outcome {
    let origin =
        arguments.host.as_deref().map(target::parse_any).transpose()?.map(|target| target.origin);
    let mut store = keyring::open(context);
    let now = clock::now();
    let mut answer = Answer::No;
    for entry in keyring::entries(&mut *store, origin.as_ref())? {
        let Some(hidden) = entry.hidden else { continue };
        store.mark(&entry.key, None).map_err(keyring::fault)?;
        keyring::index(context, |state| index::add(state, entry.key.kind, &entry.key.origin))?;
        ui::out(&format!(
            "{} at {} is back; {} hid it {}",
            printable(&entry.key.user),
            printable(&entry.key.origin.authority()),
            printable(&hidden.by),
            age::ago(hidden.at, now),
        ));
        answer = Answer::Yes;
    }
    if answer == Answer::No {
        ui::err("nothing is hidden");
    }
    Ok(answer)
}

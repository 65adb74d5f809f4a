//! `gocred logout`: forgets the accounts of a host or proxy; with `--revoke` their tokens are taken back
//! at the server first.

use crate::{
    cli::Logout,
    core::{
        credential::{Kind as Namespace, Query},
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, keyring, login::target, renew_worker, revoke, ui},
    store::index,
};

/// Runs the command.
pub fn run(arguments: &Logout, context: &Context) -> Outcome {
    let (kind, origin) = match (&arguments.host, &arguments.proxy) {
        (Some(host), _) => (Namespace::Git, target::parse_any(host)?.origin),
        (None, Some(url)) => (Namespace::Proxy, target::proxy(url)?),
        (None, None) => return Err(Fault::new(Kind::Usage, "which host?")),
    };
    let place = printable(&origin.authority());
    let mut store = keyring::open(context);
    let all = store.list(&Query::origin(kind, origin.clone())).map_err(keyring::fault)?;
    let is_meant = |user: &str| arguments.username.as_ref().is_none_or(|username| username == user);
    let (gone, left): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|entry| is_meant(&entry.key.user));
    let revoked = if arguments.revoke { revoke::all(&gone, store.as_mut(), context)? } else { 0 };
    for entry in &gone {
        let _lock = renew_worker::settle(&entry.key, context);
        store.remove(&entry.key).map_err(keyring::fault)?;
        renew_worker::forget(&entry.key, context);
        let path = entry.key.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
        let user = printable(&entry.key.user);
        ui::out(&format!("removed {user} at {place}{} from {}", printable(&path), store.name()));
    }
    if left.is_empty() {
        keyring::index(context, |state| index::remove(state, kind, &origin))?;
    }
    if gone.is_empty() {
        ui::err(&format!("nothing is stored for {place}; see `gocred list`"));
        return Ok(Answer::No);
    }
    if revoked < gone.len() {
        ui::out("the token is still valid at the server; revoke it there if it leaked");
    }
    Ok(Answer::Yes)
}

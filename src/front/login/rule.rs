//! Which paths the account of a login is for, where the host has another account already.

use crate::{
    cli::Login,
    core::{account, credential::Key, fault::Fault, text::printable},
    front::{
        Context, keyring,
        login::{
            prompt,
            target::{self, Target},
        },
        setup::{self, Ask, Wanted},
        switch::{self, Scope},
        ui,
        wiring::Wiring,
    },
    store::Store,
};

/// Reads `--for`, before anybody is asked for a secret.
pub(super) fn scopes(
    target: &Target,
    arguments: &Login,
    context: &Context,
) -> Result<Vec<Scope>, Fault> {
    let scope = |path: &String| {
        let scope = Scope::of(target.origin.clone(), path)?;
        scope.refuse_locked("--for", context)?;
        Ok(scope)
    };
    arguments.for_paths.iter().map(scope).collect()
}

/// Writes what the account is for, now that it is stored: what `--for` says, or the person. Returns the
/// context of afterwards, where the configuration has changed.
pub(super) fn settle(
    mut scopes: Vec<Scope>,
    (target, key): (&Target, &Key),
    store: &mut dyn Store,
    (arguments, context): (&Login, &Context),
    notes: &mut Vec<String>,
) -> Result<Option<Context>, Fault> {
    let is_asked = prompt::is_attended(&context.env) && !arguments.with_token && !arguments.json;
    if scopes.is_empty() {
        let Some(others) = others(key, store, context)? else { return Ok(None) };
        if !is_asked {
            let place = ui::place(&key.origin);
            notes.push(format!(
                "{place} has another account, {others}: `gocred status {place}` shows whose turn it \
                 is, `gocred switch {place}[/PATH] ACCOUNT` changes it"
            ));
            return Ok(None);
        }
        scopes.push(asked(target, key, &others, context)?);
    }
    let mut changed = None;
    for scope in &scopes {
        let current = changed.as_ref().unwrap_or(context);
        if let Some(context) = switch::assign(scope, &key.user, current)? {
            let file = setup::short(&context.paths.config, &context);
            let user = printable(&key.user);
            notes.push(format!("{} is for {user}: wrote {file}", scope.place()));
            changed = Some(context);
        }
    }
    let current = changed.as_ref().unwrap_or(context);
    // Where git is not wired yet, the whole of it is offered in a moment.
    if Wiring::read(current).is_git_wired(Some(&key.origin)) {
        let wanted = Wanted { paths: true, ..Wanted::default() };
        if arguments.setup {
            setup::offer(&wanted, Ask::Never, current)?;
        } else if is_asked {
            setup::offer(&wanted, Ask::First, current)?;
        } else if !setup::is_done(&wanted, current)? {
            notes.push(switch::silent(&key.origin));
        }
    }
    Ok(changed)
}

/// Names the other accounts that this one could take the turn of. `None`: there is none, or a rule says
/// whose turn it is.
fn others(key: &Key, store: &mut dyn Store, context: &Context) -> Result<Option<String>, Fault> {
    let config = &context.config;
    let is_ruled = config
        .accounts
        .iter()
        .any(|rule| rule.host == key.origin.authority() && rule.user == key.user);
    let is_configured = config
        .host(&key.origin)
        .and_then(|host| host.username.as_ref())
        .is_some_and(|user| *user == key.user);
    if is_ruled || is_configured {
        return Ok(None);
    }
    let entries = keyring::entries(store, Some(&key.origin))?;
    let has_paths =
        |user: &str| account::of_paths(&config.accounts, &key.origin).any(|rule| rule.user == user);
    let others = entries.iter().filter(|it| {
        let Key { kind, origin: _, path: _, user } = &it.key;
        *kind == key.kind && *user != key.user && it.hidden.is_none() && !has_paths(user)
    });
    let mut names: Vec<String> = others.map(|entry| printable(&entry.key.user)).collect();
    names.dedup();
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

/// Asks which paths the account is for. The owner of the repository that was named is the proposal.
fn asked(target: &Target, key: &Key, others: &str, context: &Context) -> Result<Scope, Fault> {
    let place = ui::place(&key.origin);
    let user = printable(&key.user);
    let path = target.path.trim_matches('/');
    let owner = path.rsplit_once('/').map_or(path, |(owner, _)| owner);
    let proposal = if owner.is_empty() { "/" } else { owner };
    let answer = prompt::line(&format!(
        "{place} has the account {others} already. What is {user} for: a path such as `acme`, or all \
         of it, `/`? [{}] ",
        printable(proposal)
    ))?;
    let answer = if answer.is_empty() { proposal } else { &answer };
    let answer = answer.strip_prefix(&format!("{place}/")).unwrap_or(answer);
    // It may be pasted as a URL.
    let answer = match target::parse_any(answer) {
        Ok(pasted) if answer.contains("://") && pasted.origin == key.origin => pasted.path,
        Ok(_) | Err(_) => answer.to_owned(),
    };
    let scope = Scope::of(key.origin.clone(), &answer)?;
    scope.refuse_locked(&format!("an account for {}", scope.place()), context)?;
    Ok(scope)
}

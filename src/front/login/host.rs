//! `gocred login HOST`: a git host, a module host or a module proxy.

use crate::{
    cli::Login,
    core::{
        credential::{Key, Kind as Namespace},
        fault::{Fault, Kind},
        forge::Forge,
        text::printable,
    },
    front::{
        Context, Outcome, keyring,
        login::{
            account, configure, keep, prompt,
            report::{Form, Report},
            survey::{Checked, Question, survey},
            target::{self, Clear, Target},
            token,
        },
        setup::{self, Ask, Offered, Wanted},
        wiring::Wiring,
    },
};

/// Signs in.
pub(super) fn run(host: &str, arguments: &Login, context: &Context) -> Outcome {
    let clear = if arguments.allow_http { Clear::Allowed } else { Clear::Configured };
    let target = target::parse(host, clear, &context.config)?;
    let mut store = keyring::open(context);
    keyring::prove(&mut *store)?;
    let question = Question {
        target: &target,
        probe: arguments.probe.as_deref(),
        user: arguments.username.as_deref(),
    };
    let survey =
        if arguments.no_verify { None } else { Some(survey(&question, &mut *store, context)?) };
    let place = target.origin.authority();
    let forge = match &survey {
        Some(survey) => survey.forge,
        None => Forge::by_name(&target.origin),
    };
    let configured = context.config.host(&target.origin).and_then(|host| host.username.as_deref());
    let known = configured.or_else(|| forge.and_then(Forge::token_user));
    let user = account(arguments.username.as_deref(), known, &place, context)?;
    let from = if arguments.with_token { token::From::Stdin } else { token::From::Terminal };
    let what = forge.map_or_else(String::new, |forge| format!(" ({})", forge.name()));
    let asked = format!("Token or password of {} at {place}{what}: ", printable(&user));
    let secret = token::read(from, &asked, context)?;
    let checked = survey.map(|survey| survey.check(&user, &secret)).transpose()?;
    if let Some(Checked::Rejected(url)) = &checked {
        return Err(rejected(&place, &user, url));
    }
    let key = Key { kind: Namespace::Git, origin: target.origin.clone(), path: None, user };
    let saved = keep(&mut *store, &key, &secret, context)?;
    if clear == Clear::Allowed && target.origin.scheme() == "http" {
        configure::allow_http(&target.origin, context)?;
    }
    let setup = offer(&target, arguments, context)?;
    let mut notes = Vec::new();
    if setup != Some(Offered::Declined) {
        notes.extend(private_note(&target, context));
    }
    let form = if arguments.json { Form::Json } else { Form::Words };
    Report { key: &key, store: store.name(), saved, checked, setup, notes }.print(form)
}

fn rejected(place: &str, user: &str, url: &str) -> Fault {
    let user = printable(user);
    Fault::new(Kind::Rejected, format!("{place} rejected the secret of {user}; it was not stored"))
        .cause("401 without it and with it")
        .at(url)
        .hint(format!(
            "check the token and its expiry, then run `gocred login {place} --username {user}`"
        ))
        .hint("if this URL takes other secrets than git does, name one that tells: `--probe URL`")
}

/// Offers to wire git and go where they are not.
fn offer(target: &Target, arguments: &Login, context: &Context) -> Result<Option<Offered>, Fault> {
    let wiring = Wiring::read(context);
    let wanted = Wanted {
        git: !wiring.is_git_wired(Some(&target.origin)),
        go: !wiring.is_go_wired() && target.origin.scheme() == "https",
        ..Wanted::default()
    };
    if wanted == Wanted::default() {
        return Ok(Some(Offered::Wired));
    }
    if arguments.setup {
        return setup::offer(&wanted, Ask::Never, context).map(Some);
    }
    if prompt::is_attended(&context.env) && !arguments.with_token && !arguments.json {
        return setup::offer(&wanted, Ask::First, context).map(Some);
    }
    Ok(Some(Offered::Declined))
}

/// Says how go comes to treat the host's modules as private, where nothing says so yet.
fn private_note(target: &Target, context: &Context) -> Option<String> {
    let wiring = Wiring::read(context);
    let host = target.origin.host();
    let is_public = Forge::by_name(&target.origin).is_some();
    let is_known = wiring.go.is_private(host) || wiring.is_module_proxy(&target.origin);
    (!is_public && !is_known && target.origin.port().is_none()).then(|| {
        format!("if {host} serves Go modules: `gocred setup --private {host}` keeps them private")
    })
}

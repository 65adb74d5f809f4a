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
        ui,
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
        return Err(rejected(&target, &user, url));
    }
    let key = Key { kind: Namespace::Git, origin: target.origin.clone(), path: None, user };
    let saved = keep(&mut *store, &key, &secret, context)?;
    if clear == Clear::Allowed && target.origin.scheme() == "http" {
        configure::allow_http(&target.origin, context)?;
    }
    // The secret is stored by now: whatever happens to git's and go's files is told after that.
    let (setup, failed) = match offer(&target, arguments, context) {
        Ok(setup) => (Some(setup), None),
        Err(fault) => (None, Some(unwired(fault))),
    };
    let mut notes = Vec::new();
    if setup.is_some() && setup != Some(Offered::Declined) {
        notes.extend(private_note(&target, context));
    }
    let form = if arguments.json { Form::Json } else { Form::Words };
    let report = Report { key: &key, store: store.name(), saved, checked, setup, notes };
    let answer = report.print(form)?;
    failed.map_or(Ok(answer), Err)
}

fn unwired(fault: Fault) -> Fault {
    match fault.kind {
        Kind::Interrupted => {
            Fault::new(Kind::Interrupted, "interrupted; git and go are as they were")
        }
        Kind::NotFound
        | Kind::Usage
        | Kind::Config
        | Kind::Rejected
        | Kind::Store
        | Kind::Network
        | Kind::Policy
        | Kind::Internal => fault,
    }
}

fn rejected(target: &Target, user: &str, url: &str) -> Fault {
    let user = printable(user);
    let place = ui::place(&target.origin);
    Fault::new(Kind::Rejected, format!("{place} rejected the secret of {user}; it was not stored"))
        .cause("401 without it and with it")
        .at(url)
        .hint(format!(
            "check the token and its expiry, then run `gocred login {place} --username {user}`"
        ))
        .hint("if this URL takes other secrets than git does, name one that tells: `--probe URL`")
}

/// Offers to wire git and go where they are not.
fn offer(target: &Target, arguments: &Login, context: &Context) -> Result<Offered, Fault> {
    let wiring = Wiring::read(context);
    let wanted = Wanted {
        git: !wiring.is_git_wired(Some(&target.origin)),
        go: !wiring.is_go_wired() && target.origin.scheme() == "https",
        ..Wanted::default()
    };
    if wanted == Wanted::default() {
        return Ok(Offered::Wired);
    }
    if arguments.setup {
        return setup::offer(&wanted, Ask::Never, context);
    }
    if prompt::is_attended(&context.env) && !arguments.with_token && !arguments.json {
        return setup::offer(&wanted, Ask::First, context);
    }
    Ok(Offered::Declined)
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

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
        self, Context, Outcome, keyring,
        login::{
            choose_store::{self, Chosen},
            configure, forget, keep, method,
            prompt::{self, Consent},
            report::{Form, Report, Stored},
            rule,
            signed::{Desk, Signed},
            survey::{Checked, Question, survey},
            target::{self, Clear, Target},
        },
        setup::{self, Ask, Offered, Wanted},
        ui,
        wiring::Wiring,
    },
    store::guard::Of,
};

/// Signs in.
pub(super) fn run(host: &str, arguments: &Login, context: &Context) -> Outcome {
    let clear = if arguments.allow_http { Clear::Allowed } else { Clear::Configured };
    let target = target::parse(host, clear, &context.config)?;
    front::sources::refuse_login(&target.origin, context)?;
    if arguments.allow_http {
        let key = ["host", &target.origin.authority(), "allow_http"];
        front::refuse_locked("--allow-http", &key, context)?;
    }
    let scopes = rule::scopes(&target, arguments, context)?;
    let Chosen { context: chosen, mut store } = choose_store::choose(arguments, context)?;
    let (context, store) = (chosen.as_ref().unwrap_or(context), &mut *store);
    keyring::prove(store)?;
    let question = Question {
        target: &target,
        probe: arguments.probe.as_deref(),
        user: arguments.username.as_deref(),
    };
    let survey = if arguments.no_verify { None } else { Some(survey(&question, context)?) };
    let forge = match &survey {
        Some(survey) => survey.forge,
        None => Forge::by_name(&target.origin),
    };
    let desk = Desk { target: &target, forge, survey: survey.as_ref(), arguments, context };
    let plan = method::choose(arguments, &target.origin, forge, store, context)?;
    let signed = match &plan {
        Some(plan) => desk.by_oauth(plan)?,
        None => desk.by_secret()?,
    };
    let Signed { user, secrets, expires, checked, facts } = signed;
    let key = Key { kind: Namespace::Git, origin: target.origin.clone(), path: None, user };
    let saved = keep(store, &key, secrets, expires, context)?;
    // The secret is stored by now: whatever happens to other files is told after that.
    let form = if arguments.json { Form::Json } else { Form::Words };
    let stored = Stored::Saved(store.name(), saved);
    let notes = Vec::new();
    let mut report = Report { key: &key, stored, checked, facts, how: None, setup: None, notes };
    report.begin(form);
    let allowed = match (clear, target.origin.scheme()) {
        (Clear::Allowed, "http") => configure::allow_http(&target.origin, context),
        (Clear::Allowed | Clear::Configured, _) => Ok(()),
    };
    let wired = allowed
        .and_then(|()| forget(Of::ModuleProxies, &target.origin, context))
        .and_then(|()| {
            let (it, with) = ((&target, &key), (arguments, context));
            rule::settle(scopes, it, store, with, &mut report.notes)
        })
        .and_then(|new| offer(&target, arguments, new.as_ref().unwrap_or(context)));
    let failed = noted(wired, &mut report, &target, context);
    let answer = report.end(form)?;
    failed.map_or(Ok(answer), Err)
}

/// Notes what became of the wiring; returns why it failed.
fn noted(
    wired: Result<Offered, Fault>,
    report: &mut Report<'_>,
    target: &Target,
    context: &Context,
) -> Option<Fault> {
    match wired {
        Ok(setup) => {
            report.notes.extend(undecided_note(target, report.checked.as_ref()));
            report.notes.extend(front_note(target, context));
            if setup != Offered::Declined {
                report.notes.extend(private_note(target, context));
            }
            report.setup = Some(setup);
            None
        }
        Err(fault) => Some(unwired(fault)),
    }
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

pub(super) fn rejected(target: &Target, user: &str, url: &str) -> Fault {
    let user = printable(user);
    let place = ui::place(&target.origin);
    Fault::new(Kind::Rejected, format!("{place} rejected the secret of {user}; it was not stored"))
        .cause("401 without it and with it")
        .at(url)
        .hint(format!(
            "check the token and its expiry, then run `gocred login {place}{} --username {}`",
            target.path,
            ui::word(&user)
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
        // Without it go asks the public module proxy and checksum database for them, and fails.
        let host = target.origin.host();
        let private = if is_unknown_to_go(target, &wiring) {
            prompt::consent(&format!("Do import paths of private Go modules begin with {host}/?"))?
        } else {
            Consent::Refused
        };
        let private = match private {
            Consent::Given => vec![host.to_owned()],
            Consent::Refused => Vec::new(),
        };
        return setup::offer(&Wanted { private, ..wanted }, Ask::First, context);
    }
    Ok(Offered::Declined)
}

/// Says how to find out whether the secret works, where the host's own pages did not tell.
fn undecided_note(target: &Target, checked: Option<&Checked>) -> Option<String> {
    let is_open = matches!(checked, Some(Checked::Undecidable(_))) && target.path.is_empty();
    let origin = &target.origin;
    is_open.then(|| format!("name a repository to find out: `gocred login {origin}/PATH`"))
}

/// Says that gocred can stand before a module proxy that go asks.
fn front_note(target: &Target, context: &Context) -> Option<String> {
    let (origin, wiring) = (&target.origin, Wiring::read(context));
    (wiring.is_module_proxy(origin) && !wiring.is_behind(origin)).then(|| {
        let place = origin.authority();
        format!(
            "go asks the module proxy {place} itself; `gocred setup --goproxy` lets gocred ask for it, \
             with retries, limits of time, and the reason in go's own error"
        )
    })
}

/// Says how go comes to treat the host's modules as private, where nothing says so yet.
fn private_note(target: &Target, context: &Context) -> Option<String> {
    let host = target.origin.host();
    is_unknown_to_go(target, &Wiring::read(context)).then(|| {
        format!(
            "if import paths of private Go modules begin with {host}/: `gocred setup --private {host}`"
        )
    })
}

/// Whether the host may serve modules that go takes for public ones.
fn is_unknown_to_go(target: &Target, wiring: &Wiring) -> bool {
    let origin = &target.origin;
    let is_module_host = origin.scheme() == "https" && origin.port().is_none();
    let is_public = Forge::by_name(origin).is_some();
    let is_known = wiring.go.is_private(origin.host()) || wiring.is_module_proxy(origin);
    is_module_host && !is_public && !is_known
}

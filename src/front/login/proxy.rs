//! `gocred login --proxy`: the account at the corporate forward proxy.
//!
//! The proxy is asked what it wants before the person is: where the Kerberos ticket of the user does,
//! nobody types a password. A wrong password is tried once: the domain behind the proxy counts.

use crate::{
    cli::Login,
    core::{
        auth::{Scheme, choice::Method, floor::Floor},
        config::Config,
        credential::{Key, Kind as Namespace, Proof, Query, Secrets},
        fault::{Fault, Kind},
        origin::Origin,
        refusal::Refusal,
        secret::SecretString,
        target::Authority,
        text::printable,
    },
    front::{
        Context, Outcome, daemon, engine, keyring,
        login::{
            account,
            choose_store::{self, Chosen},
            forget, keep,
            report::{Form, Report, Stored},
            survey::Checked,
            token, upstream,
        },
        ui,
    },
    proxy::{
        Account, Callers,
        trial::{self, Finding, Given, Verdict},
    },
    store::{Store, guard::Of, strongest},
    sys::gss,
};

/// A host that every corporate proxy lets through, where no better one is known.
const HARMLESS: &str = "proxy.golang.org:443";

/// Signs in. `url` is empty for the configured proxy.
pub(super) fn run(url: &str, arguments: &Login, context: &Context) -> Outcome {
    let origin = upstream::named(url, context)?;
    upstream::refuse_foreign(&origin, context)?;
    let Chosen { context: chosen, mut store } = choose_store::choose(arguments, context)?;
    let (context, store) = (chosen.as_ref().unwrap_or(context), &mut *store);
    let place = origin.authority();
    // A ticket needs no keyring: whether there is one is told when it is needed.
    let proved = keyring::prove(store);
    let target = if proved.is_ok() { harmless(store) } else { None };
    let target = target.or_else(|| Authority::parse(HARMLESS).ok()).ok_or_else(|| {
        Fault::new(Kind::Internal, "there is no host that the proxy can be asked for")
    })?;
    let floor = strongest::read(&context.paths.state, &origin);
    let trial = Trial { origin: &origin, target: &target, floor, context };
    let before = if arguments.no_verify { None } else { Some(trial.ask(Given::Ticket)?) };
    let has_account = arguments.username.is_some() || arguments.with_token;
    if let Some(Finding { offer: _, verdict }) = &before {
        trial.refuse_hopeless(verdict, has_account)?;
        if let Some(how) = unneeded(verdict).filter(|_| !has_account) {
            return trial.end_without_login(how, arguments);
        }
    }
    proved?;
    trial.warn(before.as_ref());
    let user = account(arguments.username.as_deref(), None, &place, context)?;
    if let Some(note) = domain_note(&user, before.as_ref()).filter(|_| !arguments.json) {
        ui::err(&format!("note: {note}"));
    }
    let from = if arguments.with_token { token::From::Stdin } else { token::From::Terminal };
    let asked = format!("Password of {} at the proxy {place}: ", printable(&user));
    let secret = token::read(from, &asked, context)?;
    let checked = before.as_ref().map(|before| trial.check(before, &user, &secret)).transpose()?;
    let (checked, method) = match checked {
        Some((Checked::Rejected(_), _)) => return Err(trial.rejected(&user, before.as_ref())),
        Some((checked, method)) => (Some(checked), method),
        None => (None, None),
    };
    let key = Key { kind: Namespace::Proxy, origin: origin.clone(), path: None, user };
    let saved = keep(store, &key, Secrets::of(Proof::Password(secret)), None, context)?;
    forget(Of::Proxies, &origin, context)?;
    let stored = Stored::Saved(store.name(), saved);
    let how = method.map(|method| name(method, &origin));
    let report =
        Report { key: &key, stored, checked, facts: None, how, setup: None, notes: Vec::new() };
    trial.end(report, arguments)
}

/// Returns how a proxy serves this user without an account of the keyring, if it does.
fn unneeded(verdict: &Verdict) -> Option<String> {
    let ticket = || {
        let who = gss::ticket().map(|ticket| format!(" ({})", printable(&ticket.principal)));
        format!("it accepts your Kerberos ticket{}", who.unwrap_or_default())
    };
    match verdict {
        Verdict::Accepted(_) => Some(ticket()),
        Verdict::Open => Some("it serves everybody".to_owned()),
        // It asks for no login any more: the host that it was asked for is at fault.
        Verdict::Passed(_, refusal) => {
            Some(format!("{}; {}", ticket(), printable(&refusal.message)))
        }
        Verdict::Barred(_)
        | Verdict::Refused(_)
        | Verdict::Rejected(_)
        | Verdict::Unreachable(_)
        | Verdict::Wanted(..) => None,
    }
}

/// Whom it is about, and what it is asked.
struct Trial<'a> {
    origin: &'a Origin,
    target: &'a Authority,
    /// The best that it is known to have offered before.
    floor: Option<Floor>,
    context: &'a Context,
}

impl Trial<'_> {
    /// Asks the proxy once.
    fn ask(&self, given: Given) -> Result<Finding, Fault> {
        let question = trial::Question {
            upstream: self.origin,
            settings: self.context.config.upstream(self.origin).cloned().unwrap_or_default(),
            target: self.target,
            floor: self.floor,
        };
        let settings = |vault| {
            engine::settings(Config::default(), Callers::Token, vault, |_| {}, self.context)
        };
        trial::run(&question, given, settings)?.map_err(|error| {
            Fault::new(Kind::Internal, "the proxy cannot be asked from here").cause(error)
        })
    }

    /// Ends where no password would help, or nobody has said that there is one.
    fn refuse_hopeless(&self, verdict: &Verdict, has_account: bool) -> Result<(), Fault> {
        let origin = self.origin;
        let place = origin.authority();
        match verdict {
            Verdict::Unreachable(refusal) => Err(self.unreachable(refusal)),
            Verdict::Barred(refusal) => Err(self.barred(refusal)),
            // A server that does not know CONNECT, or takes it for a page, gets no password, and is
            // not configured as upstream.
            Verdict::Refused(refusal) if matches!(refusal.status, 400 | 404 | 405 | 501) => {
                let what = format!("{place} is a server, but no forward proxy; nothing was stored");
                Err(Fault::new(Kind::Network, what).cause(printable(&refusal.message)).hint(
                    "look up the proxy's host and port, and run \
                     `gocred login --proxy http://HOST:PORT`",
                ))
            }
            // Nobody can tell whether it takes a password there before it was given one.
            Verdict::Wanted(Method::NtlmInNegotiate, refusal) if !has_account => {
                Err(self.barred(refusal).hint(format!(
                    "if it takes a Windows password in place of a ticket: \
                     `gocred login --proxy {origin} --username 'DOMAIN\\USER'`"
                )))
            }
            Verdict::Accepted(_)
            | Verdict::Open
            | Verdict::Passed(..)
            | Verdict::Refused(_)
            | Verdict::Rejected(_)
            | Verdict::Wanted(..) => Ok(()),
        }
    }

    /// Warns where the password itself will be sent, for everybody on the way to read.
    fn warn(&self, before: Option<&Finding>) {
        let place = self.origin.authority();
        let (reads, permits) = (
            "who can read the network on the way reads the password",
            "signing in permits that for this proxy",
        );
        let verdict = before.map(|before| &before.verdict);
        match (self.origin.scheme(), verdict) {
            ("http", None) => ui::err(&format!(
                "warning: {place} is asked over clear text: where it wants Basic, {reads}; {permits}"
            )),
            ("socks5h", _) => ui::err(&format!(
                "warning: SOCKS is clear text: {reads}; signing in to {place} permits that"
            )),
            ("http", Some(_)) => {
                if let Some(scheme) = before.and_then(|before| self.clear(before)) {
                    ui::err(&format!(
                        "warning: {place} is asked over clear text, and takes {scheme}: {reads}; \
                         {permits}"
                    ));
                }
            }
            _ => {}
        }
    }

    /// Returns the scheme by which the password itself may be sent, now or later.
    fn clear(&self, before: &Finding) -> Option<Scheme> {
        let configured = self.context.config.upstream(self.origin).map(|it| &it.schemes);
        let configured = configured.filter(|schemes| !schemes.is_empty());
        match (&before.verdict, configured) {
            (Verdict::Open, _) => None,
            (Verdict::Wanted(method, _), _) if method.scheme().is_clear() => Some(method.scheme()),
            (_, Some(schemes)) => schemes.iter().copied().find(|scheme| scheme.is_clear()),
            // What stands beside Negotiate is what is left where that turns out not to work.
            (_, None) => before.offer.map(|offer| offer.beside).filter(|one| one.is_clear()),
        }
    }
    /// Proves the account, once.
    fn check(
        &self,
        before: &Finding,
        user: &str,
        secret: &SecretString,
    ) -> Result<(Checked, Option<Method>), Fault> {
        let undecidable = |reason: String| Ok((Checked::Undecidable(reason), None));
        match &before.verdict {
            Verdict::Open => {
                return undecidable("the proxy serves everybody, without a login".to_owned());
            }
            Verdict::Refused(refusal) => {
                let said = &refusal.message;
                return undecidable(format!("{said}, before it asks for a login"));
            }
            Verdict::Accepted(_)
            | Verdict::Barred(_)
            | Verdict::Passed(..)
            | Verdict::Rejected(_)
            | Verdict::Unreachable(_)
            | Verdict::Wanted(..) => {}
        }
        let account = Account { user: user.to_owned(), password: secret.clone() };
        // It was this offer that the person was warned of, or not. Over TLS nobody else makes one.
        let offer = before.offer.filter(|_| self.origin.scheme() == "http");
        let floor = self.floor.into_iter().chain(offer).reduce(Floor::raised);
        let with = Trial { floor, ..*self }.ask(Given::Account(account))?;
        let after = |refusal: &Refusal| {
            undecidable(format!("407 without the password, and with it: {}", refusal.message))
        };
        match &with.verdict {
            Verdict::Accepted(method) => Ok((Checked::Accepted, Some(*method))),
            Verdict::Rejected(_) => Ok((Checked::Rejected(self.origin.to_string()), None)),
            Verdict::Passed(_, refusal) | Verdict::Refused(refusal) => after(refusal),
            // It refused at once without a password: it may well be dialling by now.
            Verdict::Unreachable(refusal) if refusal.status == 504 => after(refusal),
            Verdict::Unreachable(refusal) => Err(self.unreachable(refusal)),
            Verdict::Barred(refusal) | Verdict::Wanted(_, refusal) => Err(self.barred(refusal)),
            Verdict::Open => undecidable("the proxy opened the tunnel without a login".to_owned()),
        }
    }

    fn rejected(&self, user: &str, before: Option<&Finding>) -> Fault {
        let (origin, shown) = (self.origin, printable(user));
        let fault = Fault::new(
            Kind::Rejected,
            format!(
                "the proxy {} rejected the password of {shown}; it was not stored",
                origin.authority()
            ),
        )
        .cause("407 without it and with it")
        .hint(format!(
            "it was tried once; run `gocred login --proxy {origin} --username {}`",
            ui::word(&shown)
        ));
        match domain_note(user, before) {
            Some(note) => fault.hint(note),
            None => fault,
        }
    }

    fn barred(&self, refusal: &Refusal) -> Fault {
        let place = self.origin.authority();
        let fault = Fault::new(Kind::Rejected, format!("nothing was stored for the proxy {place}"));
        let fault = fault.cause(printable(&refusal.message));
        let details = refusal.details.iter().map(|detail| printable(detail));
        let run = refusal.run.iter().map(|run| format!("run `{run}`"));
        run.chain(details).fold(fault, Fault::hint)
    }

    fn unreachable(&self, refusal: &Refusal) -> Fault {
        let place = self.origin.authority();
        Fault::new(Kind::Network, format!("the proxy {place} cannot be asked"))
            .cause(printable(&refusal.message))
            .hint("store it unseen with `--no-verify`")
    }

    fn end_without_login(&self, how: String, arguments: &Login) -> Outcome {
        forget(Of::Proxies, self.origin, self.context)?;
        let (kind, origin) = (Namespace::Proxy, self.origin.clone());
        let key = Key { kind, origin, path: None, user: String::new() };
        let report = Report {
            key: &key,
            stored: Stored::Unneeded(how),
            checked: Some(Checked::Accepted),
            facts: None,
            how: None,
            setup: None,
            notes: Vec::from_iter(self.pac_note()),
        };
        self.end(report, arguments)
    }

    /// Says how a proxy that only a PAC file names comes to be given the ticket.
    fn pac_note(&self) -> Option<String> {
        let (config, place) = (&self.context.config, self.origin.authority());
        let is_named = config.upstream(self.origin).is_some();
        (config.proxy.pac.is_some() && !is_named).then(|| {
            format!(
                "where the PAC file names this proxy, it is given your ticket if config.toml has a \
                 table for it: [upstream.\"{place}\"]"
            )
        })
    }

    /// Configures the proxy, tells a running daemon, and reports. What is stored is stored by now: what
    /// happens to the configuration is told after that.
    fn end(&self, mut report: Report<'_>, arguments: &Login) -> Outcome {
        let failed = match upstream::configured(self.origin, self.context) {
            Ok(note) => {
                report.notes.extend(note);
                None
            }
            Err(fault) => Some(fault),
        };
        report.notes.push(match daemon::reload(self.context) {
            None => "`gocred proxy run` serves it on loopback; `eval \"$(gocred env)\"` sends \
                     tools there"
                .into(),
            Some(Ok(())) => "the running loopback proxy has been told".into(),
            Some(Err(error)) => format!("the running loopback proxy was not told: {error}"),
        });
        let form = if arguments.json { Form::Json } else { Form::Words };
        report.begin(form);
        let answer = report.end(form)?;
        failed.map_or(Ok(answer), Err)
    }
}

/// Says how a Windows account is written, where one will be proven.
fn domain_note(user: &str, before: Option<&Finding>) -> Option<String> {
    let is_windows = before.is_some_and(|before| {
        matches!(before.verdict, Verdict::Wanted(Method::Ntlm | Method::NtlmInNegotiate, _))
    });
    let is_bare = !user.contains(['\\', '@']);
    (is_windows && is_bare).then(|| {
        "a proxy of Windows may want the domain, too: `--username 'DOMAIN\\USER'`, or `USER@DOMAIN`"
            .to_owned()
    })
}

/// Returns what a method is called.
fn name(method: Method, origin: &Origin) -> &'static str {
    match method {
        // The login of SOCKS (RFC 1929) carries what Basic does.
        Method::Basic if origin.scheme() == "socks5h" => "SOCKS",
        Method::Basic => "Basic",
        Method::Bearer => "Bearer",
        Method::Digest => "Digest",
        Method::Ntlm => "NTLM",
        Method::NtlmInNegotiate => "NTLM within Negotiate",
        Method::PasswordTicket => "Negotiate, with a ticket for the password",
        Method::Ticket => "Negotiate",
    }
}

/// Returns what the tunnel is asked for: a host that the person uses anyway.
fn harmless(store: &mut dyn Store) -> Option<Authority> {
    let entries = store.list(&Query::all(Namespace::Git)).ok()?;
    let origin = entries
        .into_iter()
        .filter(|entry| entry.key.origin.scheme() == "https")
        .max_by_key(|entry| entry.stored)
        .map(|entry| entry.key.origin)?;
    Authority::parse(&format!("{}:{}", origin.host(), origin.port().unwrap_or(443))).ok()
}

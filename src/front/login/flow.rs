//! Runs a flow to its token, with the person who signs in. Ctrl-C ends it at any point, and nothing is
//! stored.

use std::{
    thread,
    time::{Duration, Instant},
};

use secrecy::zeroize::Zeroizing;
use tokio::{runtime::Builder, time::timeout};

use crate::{
    core::{
        fault::{Fault, Kind},
        oauth::{
            code::{self, Proof, Request},
            device::{self, Device, Ended, Step},
            token::Grant,
        },
        origin::Origin,
    },
    front::{
        Context, browser,
        login::{
            line::Line,
            method::{Flow, Plan},
            prompt,
        },
        ui,
    },
    net::{
        callback::Callback,
        oauth::{self, Brought, Error},
    },
    sys::random,
};

/// How long a browser may take.
const BROWSING: Duration = Duration::from_secs(600);
/// So many questions in a row may fail on the way.
const FAILURES: usize = 3;

/// Runs it.
pub(super) fn run(plan: &Plan, host: &Origin, context: &Context) -> Result<Grant, Fault> {
    let (plan, host, context) = (plan.clone(), host.clone(), context.clone());
    prompt::interruptible(move || match plan.flow {
        Flow::Browser => by_browser(&plan, &host, &context),
        Flow::Device => by_device(&plan, &host, &context),
    })
}

fn by_device(plan: &Plan, host: &Origin, context: &Context) -> Result<Grant, Fault> {
    let Plan { flow: _, server, client, scopes } = plan;
    let url = server.device.as_deref().unwrap_or_default();
    let line = Line::to_url(url, host, context)?;
    let device = oauth::device(&line.api, url, client, scopes)
        .map_err(|error| fault(&error, &line, context))?;
    let Device { code, user_code, url, whole_url, lifetime, mut interval } = device;
    ui::err(&format!("open {url} on any device, and type the code: {user_code}"));
    if let Some(url) = whole_url {
        ui::err(&format!("or open {url}, and compare the code"));
    }
    let minutes = lifetime.as_secs().div_ceil(60);
    ui::err(&format!(
        "waiting; the code is good for {minutes} min (Ctrl-C ends it, nothing is stored)"
    ));
    let line = Line::to_url(&server.token, host, context)?;
    let (start, mut wait, mut failures) = (Instant::now(), interval, 0);
    loop {
        if start.elapsed() + wait >= lifetime {
            return Err(ended(Ended::Expired, host));
        }
        thread::sleep(wait);
        match oauth::poll(&line.api, &server.token, client, &code) {
            Ok(answer) => match device::step(answer, &mut interval) {
                Step::Wait(next) => (wait, failures) = (next, 0),
                Step::Granted(grant) => return Ok(grant),
                Step::Ended(why) => return Err(ended(why, host)),
            },
            // RFC 8628 §3.5: after a connection that failed, ask less often.
            Err(Error::Unreachable(_)) if failures < FAILURES => {
                failures += 1;
                wait = (wait * 2).min(Duration::from_secs(60));
            }
            Err(error) => return Err(fault(&error, &line, context)),
        }
    }
}

fn by_browser(plan: &Plan, host: &Origin, context: &Context) -> Result<Grant, Fault> {
    let Plan { flow: _, server, client, scopes } = plan;
    let internal = |cause: &dyn std::fmt::Display| {
        Fault::new(Kind::Internal, "no answer of a browser can be awaited").cause(cause)
    };
    let bytes = || {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(bytes.as_mut_slice()).map(|()| bytes)
    };
    let (verifier, state) =
        (bytes().map_err(|it| internal(&it))?, bytes().map_err(|it| internal(&it))?);
    let proof = Proof::of(&verifier, &state);
    // Before the browser opens: a server that is not reached is told here, and not there.
    let line = Line::to_url(&server.token, host, context)?;
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|error| internal(&error))?;
    let (code, redirect_uri) = runtime.block_on(async {
        let callback = Callback::open().await.map_err(|error| internal(&error))?;
        let redirect_uri = callback.url();
        let endpoint = server.authorize.as_deref().unwrap_or_default();
        let request = Request {
            endpoint,
            client_id: &client.id,
            redirect_uri: &redirect_uri,
            scopes,
            proof: &proof,
        };
        open(&request.url(), context);
        let answer = timeout(BROWSING, callback.code(&proof.state, &server.named())).await;
        let answer = answer.map_err(|_| ended(Ended::Expired, host))?;
        answer.map(|code| (code, redirect_uri)).map_err(|error| returned(error, host))
    })?;
    let brought = Brought { code: &code, redirect_uri: &redirect_uri, verifier: &proof.verifier };
    oauth::redeem(&line.api, &server.token, client, &brought)
        .map_err(|error| fault(&error, &line, context))
}

/// Opens a URL in the browser, or asks the person to.
fn open(url: &str, context: &Context) {
    if browser::open(url, context) {
        ui::err("your browser opens; if it does not, open this yourself:");
    } else {
        ui::err("open this in a browser on this machine (elsewhere: pass `--device`):");
    }
    ui::err(url);
    ui::err("waiting (Ctrl-C ends it, nothing is stored)");
}

fn returned(error: code::Error, host: &Origin) -> Fault {
    match error {
        code::Error::Refused(refusal) if refusal.error == "access_denied" => {
            ended(Ended::Denied, host)
        }
        code::Error::Refused(refusal) => ended(Ended::Refused(refusal), host),
        code::Error::Foreign | code::Error::Issuer | code::Error::NoCode => {
            Fault::new(Kind::Rejected, "what the browser brought is not used; nothing was stored")
                .cause(error)
        }
    }
}

fn ended(why: Ended, host: &Origin) -> Fault {
    let place = host.authority();
    match why {
        Ended::Denied => Fault::new(
            Kind::Rejected,
            format!("signing in to {place} was denied; nothing was stored"),
        ),
        Ended::Expired => Fault::new(
            Kind::Rejected,
            format!("nobody signed in to {place} in time; nothing was stored"),
        )
        .hint("run the command again"),
        Ended::Refused(refusal) => Fault::new(
            Kind::Rejected,
            format!("{place} refused to sign you in; nothing was stored"),
        )
        .cause(refusal),
    }
}

fn fault(error: &Error, line: &Line, context: &Context) -> Fault {
    match error {
        Error::Unreachable(error) => line.fault(error, context),
        Error::Malformed(_) => Fault::new(
            Kind::Network,
            format!(
                "{} does not answer as a server of OAuth 2 does; nothing was stored",
                line.place()
            ),
        )
        .cause(error),
        Error::Refused(refusal) => {
            let fault = Fault::new(
                Kind::Rejected,
                format!("{} gave no token; nothing was stored", line.place()),
            )
            .cause(refusal);
            match refusal.error.as_str() {
                "invalid_client" | "unauthorized_client" => {
                    fault.hint("check `--client-id`, and that its application may use this flow")
                }
                "invalid_scope" => fault.hint("check `--scopes`"),
                _ => fault,
            }
        }
    }
}

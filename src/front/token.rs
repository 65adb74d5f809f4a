//! `gocred token`: the secret itself, for a program that can ask nobody for it.
//!
//! It goes into a pipe, where it ends with its reader: on a screen it stays, and in a file even longer.

use std::io::{self, Write};

use secrecy::zeroize::Zeroizing;

use crate::{
    broker::{Found, Proofs, Question},
    cli::Token,
    core::{
        credential::Proof,
        fault::{Fault, Kind},
        secret::ExposeSecret,
        text::printable,
    },
    front::{
        Answer, Context, Outcome, keyring,
        login::target::{self, Target},
        parts::Parts,
        ui,
    },
    sys::tty,
};

/// Runs the command.
pub fn run(arguments: &Token, context: &Context) -> Outcome {
    let Target { origin, path } = target::parse_any(&arguments.host)?;
    let place = ui::place(&origin);
    if !arguments.show && !tty::stdout_is_pipe() {
        return Err(Fault::new(Kind::Policy, "the secret goes into a pipe only")
            .hint(format!("`gocred token {place} | PROGRAM`"))
            .hint("`--show` prints it nevertheless, on a screen or into a file"));
    }
    let path = path.trim_matches('/');
    let question = Question {
        origin: &origin,
        path: (!path.is_empty()).then_some(path),
        user: arguments.username.as_deref(),
        proofs: Proofs::All,
    };
    let mut store = keyring::open(context);
    let mut parts = Parts::of(context);
    let mut broker = parts.broker(&mut *store, context);
    let mut found = broker.ask(&question).map_err(keyring::fault)?;
    if found.is_none() && question.path.is_some() {
        // Where no rule is about paths, what is kept for the host is for all of them.
        let whole = Question { path: None, ..question };
        found = broker.ask(&whole).map_err(keyring::fault)?;
    }
    if let Some(damage) = broker.damage() {
        ui::err(&format!("note: {}", printable(&damage.to_string())));
    }
    match found {
        Some(Found::Complete(record, _)) => print(&record.secrets.proof),
        Some(Found::Renewable(record)) => Err(Fault::new(
            Kind::Rejected,
            format!("the login of {} at {place} has ended", printable(&record.entry.key.user)),
        )
        .hint(format!("run `gocred login {place}`"))),
        None => Err(Fault::new(Kind::NotFound, format!("no secret is kept for {place}"))
            .hint(format!("`gocred status {place}` says why; `gocred login {place}` stores one"))),
    }
}

/// Writes the secret and a line end, at once: nothing of it stays in a buffer of ours.
fn print(proof: &Proof) -> Outcome {
    let secret = match proof {
        Proof::Password(secret) | Proof::Encoded { authtype: _, credential: secret } => secret,
    };
    let secret = secret.expose_secret();
    let mut line = Zeroizing::new(Vec::with_capacity(secret.len() + 1));
    line.extend_from_slice(secret.as_bytes());
    line.push(b'\n');
    let mut out = io::stdout().lock();
    match out.write_all(&line).and_then(|()| out.flush()) {
        Ok(()) => Ok(Answer::Yes),
        Err(error) => {
            Err(Fault::new(Kind::Config, "standard output cannot be written").cause(error.kind()))
        }
    }
}

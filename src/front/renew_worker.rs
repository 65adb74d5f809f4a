//! `gocred renew-worker`: renews one login, in a process of its own.
//!
//! It is started on a locked file that names the login, and the lock is its own from then on: whoever
//! waits for it may be killed. What the server answers never enters a process that lives on. It is no
//! command for people: the command line does not know it.

use std::{
    fs::File,
    io::{self, Read},
    process::{Child, ExitCode},
    thread,
    time::{Duration, Instant},
};

use crate::{
    broker::{Renew, is_expired, renew},
    core::{
        credential::{Entry, Key, Proof, Record, Secrets, UnixTime},
        fault::Fault,
        oauth::{
            Session,
            renewal::{self, Outcome, What},
            token::Grant,
        },
        origin::Origin,
        secret::SecretString,
        text::printable,
    },
    front::{self, Context, keyring, login::line::Line, ui},
    net::oauth::{self, Error},
    store::{self, Store},
    sys::{clock, detached, env::Env, paths::Paths, random},
};

/// The word on the command line.
pub const WORD: &str = "renew-worker";
/// A longer ticket names no login.
const MAX_TICKET: u64 = 64 * 1024;
/// How often a save is tried that a store refuses: what was rotated exists nowhere else.
const SAVES: u32 = 5;

/// Starts the worker.
#[derive(Debug)]
pub(crate) struct Worker;

impl Renew for Worker {
    fn run(&mut self, locked: File, limit: Duration) -> io::Result<bool> {
        // A lock of Windows does not go over to a child.
        #[cfg(not(unix))]
        let _lock = locked.try_clone()?;
        let mut child = detached::start_with(&[WORD], locked)?;
        let start = Instant::now();
        let mut step = Duration::from_millis(1);
        while start.elapsed() < limit {
            if child.try_wait()?.is_some() {
                return Ok(true);
            }
            thread::sleep(step);
            step = (step * 2).min(Duration::from_millis(20));
        }
        bury(child);
        Ok(false)
    }
}

/// Lets a child go on that nobody waits for; a daemon must not collect dead ones.
fn bury(mut child: Child) {
    let _ = thread::Builder::new().spawn(move || child.wait());
}

/// Runs the worker, on the locked file as standard input.
pub fn run() -> ExitCode {
    detached::leave_terminal();
    match work() {
        Some(()) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

fn work() -> Option<()> {
    let mut ticket = String::new();
    io::stdin().lock().take(MAX_TICKET).read_to_string(&mut ticket).ok()?;
    let key = renewal::parse_ticket(&ticket)?;
    let env = Env::take();
    let paths = Paths::resolve(&env)?;
    let place = renew::place(&paths.state, &key);
    let what = match front::config(&paths) {
        Ok(config) => outcome(&key, &Context { env, paths, config }),
        Err(fault) => What::Failed(fault.one_line()),
    };
    let nonce = u64::from_ne_bytes(random::bytes().ok()?);
    place.finish(&Outcome { at: clock::now(), nonce, what }).ok()
}

fn outcome(key: &Key, context: &Context) -> What {
    let mut store = store::open(&context.desk());
    let failed = |error: store::Error| What::Failed(printable(&error.to_string()));
    let records = match renew::patient(|| store.find(&renew::query(key))) {
        Ok(records) => records,
        Err(error) => return failed(error),
    };
    let Some(record) = records.into_iter().find(|record| record.entry.key == *key) else {
        return What::Failed("it is not stored any more".to_owned());
    };
    if record.entry.hidden.is_none() && !is_expired(&record, clock::now()) {
        return What::Renewed;
    }
    let Secrets { proof, refresh_token, session } = record.secrets;
    let session = session.as_ref().and_then(Session::parse);
    let (Some(token), Some(session)) = (refresh_token, session) else {
        return What::Failed("it has nothing that renews it".to_owned());
    };
    // Before a token is sent that may be good only once.
    if let Err(fault) = proved(store.as_mut()) {
        return What::Failed(printable(&fault.message));
    }
    let place = renew::place(&context.paths.state, key);
    let fingerprint = renewal::fingerprint(&token);
    let was_cut = match place.begin(&fingerprint) {
        Ok(was_cut) => was_cut,
        Err(error) => return What::Failed(error.to_string()),
    };
    let now = clock::now();
    let grant = match asked(&key.origin, &session, &token, context) {
        Ok(grant) => grant,
        Err(Trouble::Rejected(why)) => {
            let cut = if was_cut { "; an earlier answer may have been lost" } else { "" };
            return What::Rejected { fingerprint, why: format!("{why}{cut}") };
        }
        Err(Trouble::Failed(why)) => return What::Failed(why),
    };
    let is_rotated = grant.refresh_token.is_some();
    let login = Login { key, proof, token, session };
    match save(store.as_mut(), &login.renewed(grant, now)) {
        Ok(()) => What::Renewed,
        Err(error) => {
            let why =
                format!("it was renewed and cannot be stored: {}", printable(&error.to_string()));
            if is_rotated { What::Rejected { fingerprint, why } } else { What::Failed(why) }
        }
    }
}

/// Proves that the store takes what will come; one that is only busy is asked again.
fn proved(store: &mut dyn Store) -> Result<(), Fault> {
    let is_busy = |fault: &Fault| fault.code == Some("K17");
    let proved = keyring::prove(store);
    if proved.as_ref().is_err_and(is_busy) {
        thread::sleep(Duration::from_secs(2));
        return keyring::prove(store);
    }
    proved
}

enum Trouble {
    Failed(String),
    Rejected(String),
}

/// Asks the server.
fn asked(
    origin: &Origin,
    session: &Session,
    token: &SecretString,
    context: &Context,
) -> Result<Grant, Trouble> {
    let line = Line::to_url(&session.token_url, origin, context)
        .map_err(|fault| Trouble::Failed(fault.one_line()))?;
    oauth::renew(&line.api, session, token).map_err(|error| {
        let place = Origin::from_url(&session.token_url)
            .map_or_else(|_| String::new(), |it| it.0.authority());
        match error {
            // Everything else may be different the next time (RFC 6749 §5.2).
            Error::Refused(refusal)
                if matches!(
                    refusal.error.as_str(),
                    "invalid_grant"
                        | "bad_refresh_token"
                        | "unauthorized_client"
                        | "invalid_client"
                ) =>
            {
                Trouble::Rejected(format!("{place} does not renew it: {refusal}"))
            }
            Error::Refused(refusal) => Trouble::Failed(format!("{place} says {refusal}")),
            Error::Malformed(what) => Trouble::Failed(format!("{place}: {what}")),
            Error::Unreachable(error) => {
                let why = line.said(context).unwrap_or_else(|| error.to_string());
                Trouble::Failed(format!("{place} cannot be asked: {}", printable(&why)))
            }
        }
    })
}

/// What was stored.
struct Login<'a> {
    key: &'a Key,
    proof: Proof,
    token: SecretString,
    session: Session,
}

impl Login<'_> {
    fn renewed(self, grant: Grant, now: UnixTime) -> Record {
        let expires = grant.ends(now);
        let Grant { access_token, lifetime: _, refresh_token, scopes } = grant;
        let proof = match self.proof {
            Proof::Password(_) => Proof::Password(access_token),
            Proof::Encoded { authtype, .. } => {
                Proof::Encoded { authtype, credential: access_token }
            }
        };
        let scopes = scopes.unwrap_or(self.session.scopes);
        let session = Session { scopes, obtained: now, ..self.session };
        let entry = Entry { key: self.key.clone(), expires, stored: now, hidden: None };
        let refresh_token = Some(refresh_token.unwrap_or(self.token));
        Record { entry, secrets: Secrets { proof, refresh_token, session: Some(session.encode()) } }
    }
}

fn save(store: &mut dyn Store, record: &Record) -> Result<(), store::Error> {
    let mut wait = Duration::from_millis(250);
    for _ in 1..SAVES {
        if store.save(record).is_ok() {
            return Ok(());
        }
        thread::sleep(wait);
        wait *= 2;
    }
    store.save(record).map(drop)
}

/// Waits until nobody renews this login, keeps anybody from it, and forgets what became of it: it is
/// about to be another one, or none. After some seconds it goes on without.
pub(crate) fn settle(key: &Key, context: &Context) -> Option<File> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let place = renew::place(&context.paths.state, key);
    if !place.exists() {
        return None;
    }
    let start = Instant::now();
    loop {
        match place.lock() {
            Ok(Some(lock)) => {
                place.forget();
                return Some(lock);
            }
            Ok(None) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                ui::err("note: this login is being renewed, and that does not end");
                return None;
            }
            Err(_) => return None,
        }
    }
}

/// Leaves nothing of the renewals of a login that is gone. The caller has [settled](settle) it.
pub(crate) fn forget(key: &Key, context: &Context) {
    renew::place(&context.paths.state, key).remove();
}

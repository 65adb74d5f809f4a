//! The Secret Service as something to ask: connects late, asks once more where that helps, and says
//! what went wrong in the words of a store.
//!
//! It deliberately knows no call of the service; those are in [`conversation`].

use std::time::{Duration, Instant};

use crate::{
    core::{config::Session, text},
    store::{
        self,
        bus::{self, Address, Bus, addresses},
        conversation::{Conversation, Error},
        watched,
    },
    sys::env::Env,
};

/// At most so many characters of an error text are shown.
const MAX_TEXT: usize = 200;
/// What an answer may take that costs the next question nothing.
const QUICK: Duration = Duration::from_millis(100);
/// So often a question begins anew because the keyring changed under it.
const MAX_MOVES: usize = 3;
/// What is said of a service that ended while it was asked, and nobody starts again.
const GONE: &str = "it ended in the middle of a question";

/// The service, connected when it is first asked.
pub(super) struct Client {
    addresses: Result<Vec<Address>, bus::Error>,
    connection: Option<Conversation>,
    /// How secrets travel. `None`: as they are, and what takes more is left to the whole program.
    session: Option<Session>,
    /// How much of the limit the last question left, and when it ended.
    last: Option<(Duration, Instant)>,
}

impl Client {
    /// Takes the addresses of the session bus from the environment; connects to nothing.
    pub(super) fn new(env: &Env) -> Self {
        Self { addresses: addresses(env), connection: None, session: None, last: None }
    }

    /// The same, with secrets travelling in a session of this kind.
    #[cfg(feature = "full")]
    pub(super) fn by(env: &Env, session: Session) -> Self {
        Self { session: Some(session), ..Self::new(env) }
    }

    /// Returns whether this is the whole program, and not what the small helper has of it.
    pub(super) fn is_whole(&self) -> bool {
        self.session.is_some()
    }

    /// Asks the service. A daemon that dies or is restarted in the middle is asked once more, on a
    /// new connection; questions are therefore such that asking twice does no harm.
    pub(super) fn ask<T>(
        &mut self,
        question: impl Fn(&mut Conversation) -> Result<T, Error>,
    ) -> Result<T, store::Error> {
        let start = Instant::now();
        let limit = self.limit(start);
        let answer = self.ask_by(start, start + limit, question);
        let end = Instant::now();
        let took = end.duration_since(start);
        let left = match &answer {
            Err(store::Error::Silent(_)) => Duration::ZERO,
            // It was at work, and not silent.
            Ok(_) | Err(_) if took > limit => watched::LIMIT,
            Ok(_) | Err(_) => limit.saturating_sub(took.saturating_sub(QUICK)),
        };
        self.last = Some((left, end));
        answer
    }

    /// Returns how long the next question may take. A command asks several: where one of them was
    /// slow, those that follow at once may only take what it left.
    fn limit(&self, now: Instant) -> Duration {
        let Some((left, end)) = self.last else { return watched::LIMIT };
        (left + now.duration_since(end)).clamp(QUICK, watched::LIMIT)
    }

    fn ask_by<T>(
        &mut self,
        start: Instant,
        deadline: Instant,
        question: impl Fn(&mut Conversation) -> Result<T, Error>,
    ) -> Result<T, store::Error> {
        let is_whole = self.is_whole();
        let say = |error| outcome(error, start.elapsed(), is_whole);
        match self.ask_once(deadline, &question) {
            Err(error) if is_worth_a_retry(&error) => {
                match self.ask_once(deadline, &question).map_err(say) {
                    // It was there a moment ago.
                    Err(store::Error::NoService(_)) => Err(store::Error::Service(GONE.to_owned())),
                    answer => answer,
                }
            }
            answer => answer.map_err(say),
        }
    }

    fn ask_once<T>(
        &mut self,
        deadline: Instant,
        question: impl Fn(&mut Conversation) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let addresses = self.addresses.as_ref().map_err(Clone::clone)?;
            let conversation = Conversation::new(Bus::connect(addresses, deadline)?);
            #[cfg(feature = "full")]
            let conversation = match self.session {
                Some(session) => conversation.by(session),
                None => conversation,
            };
            conversation
        };
        connection.begin(deadline);
        let mut answer = question(&mut connection);
        for _ in 0..MAX_MOVES {
            if answer.as_ref().err().is_none_or(|error| *error != Error::Moved) {
                break;
            }
            answer = question(&mut connection);
        }
        // After an error answers may still be on their way: the connection is not used again.
        if answer.as_ref().err().is_none_or(Error::is_settled) {
            self.connection = Some(connection);
        }
        answer
    }
}

fn is_worth_a_retry(error: &Error) -> bool {
    match error {
        Error::Bus(bus::Error::Gone) => true,
        Error::Bus(bus::Error::Remote { name, .. }) => matches!(
            name.as_str(),
            "org.freedesktop.DBus.Error.NoReply" | "org.freedesktop.Secret.Error.NoSession"
        ),
        Error::Bus(bus::Error::Malformed(_) | bus::Error::NoBus(_) | bus::Error::Silent)
        | Error::Elsewhere
        | Error::Locked
        | Error::Moved
        | Error::NoCollection
        | Error::Prompt => false,
    }
}

/// Translates for the caller of the store.
fn outcome(error: Error, waited: Duration, is_whole: bool) -> store::Error {
    let error = match error {
        Error::Bus(error) => error,
        Error::Elsewhere => return store::Error::Elsewhere,
        Error::Locked => return store::Error::Locked,
        Error::Moved => return store::Error::Service(error.to_string()),
        Error::NoCollection => return store::Error::NoCollection,
        Error::Prompt => return store::Error::Prompt,
    };
    match error {
        bus::Error::Gone => store::Error::Service(error.to_string()),
        bus::Error::Malformed(what) => {
            store::Error::Service(format!("its answer cannot be read: {what}"))
        }
        bus::Error::NoBus(why) => store::Error::NoService(why),
        bus::Error::Remote { name, text } => {
            let text: String = text.chars().take(MAX_TEXT).collect();
            let shown = text::printable(&format!("{name}: {text}"));
            if name == "org.freedesktop.Secret.Error.IsLocked" {
                return store::Error::Locked;
            }
            match name.strip_prefix("org.freedesktop.DBus.Error.") {
                Some("NameHasNoOwner" | "ServiceUnknown" | "TimedOut") => {
                    store::Error::NoService(shown)
                }
                Some(name) if name.starts_with("Spawn.") => store::Error::NoService(shown),
                Some("LimitsExceeded" | "NoMemory") => store::Error::Full(shown),
                Some("AccessDenied") => store::Error::Refused(shown),
                // No plain session. The whole program has tried the encrypted one by now.
                Some("NotSupported") if !is_whole => store::Error::Elsewhere,
                Some(_) | None => store::Error::Service(shown),
            }
        }
        bus::Error::Silent => {
            store::Error::Silent(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX))
        }
    }
}

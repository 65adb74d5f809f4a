//! The Secret Service as something to ask: connects late, asks once more where that helps, and says
//! what went wrong in the words of a store.
//!
//! It deliberately knows no call of the service; those are in [`conversation`].

use std::time::{Duration, Instant};

use crate::{
    core::text,
    store::{
        self,
        bus::{self, Address, Bus, addresses},
        conversation::{self, Conversation, Error},
    },
    sys::env::Env,
};

/// At most so many characters of an error text are shown.
const MAX_TEXT: usize = 200;

/// The service, connected when it is first asked.
pub(super) struct Client {
    addresses: Result<Vec<Address>, bus::Error>,
    connection: Option<Conversation>,
}

impl Client {
    /// Takes the addresses of the session bus from the environment; connects to nothing.
    pub(super) fn new(env: &Env) -> Self {
        Self { addresses: addresses(env), connection: None }
    }

    /// Asks the service. A daemon that dies or is restarted in the middle is asked once more, on a
    /// new connection; questions are therefore such that asking twice does no harm.
    pub(super) fn ask<T>(
        &mut self,
        question: impl Fn(&mut Conversation) -> Result<T, Error>,
    ) -> Result<T, store::Error> {
        let start = Instant::now();
        let first = self.ask_once(start + conversation::SILENCE, &question);
        match first {
            Err(error) if is_worth_a_retry(&error) => {
                self.ask_once(Instant::now() + conversation::SILENCE, &question)
            }
            Ok(_) | Err(_) => first,
        }
        .map_err(|error| outcome(error, start.elapsed()))
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
            Conversation::new(Bus::connect(addresses, deadline)?)
        };
        connection.begin(deadline);
        let answer = question(&mut connection);
        // After an error answers may still be on their way: the connection is not used again.
        if answer.is_ok() || answer.as_ref().is_err_and(|error| *error == Error::Locked) {
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
        | Error::Locked => false,
    }
}

/// Translates for the caller of the store.
fn outcome(error: Error, waited: Duration) -> store::Error {
    let error = match error {
        Error::Bus(error) => error,
        Error::Locked => return store::Error::Locked,
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
            match name.strip_prefix("org.freedesktop.DBus.Error.") {
                Some("NameHasNoOwner" | "ServiceUnknown" | "TimedOut") => {
                    store::Error::NoService(shown)
                }
                Some(name) if name.starts_with("Spawn.") => store::Error::NoService(shown),
                Some(_) | None => store::Error::Service(shown),
            }
        }
        bus::Error::Silent => {
            store::Error::Silent(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX))
        }
    }
}

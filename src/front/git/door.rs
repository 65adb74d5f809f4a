//! git's questions about our own loopback proxy, for `http.proxy = http://gocred@127.0.0.1:7407`: the
//! token that opens it, and on standard error what stands in the way behind it. git shows nothing of
//! what a proxy says, and this it shows (diagnosis.md, "channels").
//!
//! The running proxy is asked, not the keyring: the token is another one at every start. It goes only
//! where that proxy says that it listens.

use crate::{
    broker,
    core::{
        config::Config,
        door::{self, Door},
        gitproto::{
            Operation, Request,
            answer::{self, Unsendable},
        },
        origin::Origin,
    },
    front::git::{Reply, harmless},
    sys::{
        control::{self, Error},
        paths::Paths,
    },
};

/// Answers. `None`: the question is about something else.
pub(super) fn answer(
    operation: Operation,
    request: &Request,
    origin: &Origin,
    paths: &Paths,
    config: &Config,
) -> Option<Reply> {
    let is_user = request.username.as_deref().is_none_or(|user| user == door::USER);
    if !is_user || origin.scheme() != "http" || door::hosts(origin).is_empty() {
        return None;
    }
    let is_asked = operation == Operation::Get;
    // Without a user name it is another question; git erases without one (git-helper.md §1.7.2).
    if is_asked && request.username.is_none() {
        return None;
    }
    let is_configured = broker::is_our_listener(config, origin);
    let found = match &paths.control {
        Some(path) => control::ask(path, door::QUESTION).map(|line| Door::parse(&line)),
        None => Err(Error::NotRunning),
    };
    match found {
        Ok(Some(door)) if door.is_at(origin) => Some(match operation {
            Operation::Get => open(&door),
            Operation::Erase => {
                Reply { err: door.finding.as_deref().map(harmless), ..Reply::default() }
            }
            Operation::Capability | Operation::Store => Reply::default(),
        }),
        _ if !is_configured => None,
        _ if !is_asked => Some(Reply::default()),
        Ok(Some(door)) => {
            let places: Vec<String> = door.listen.iter().map(ToString::to_string).collect();
            let (here, there) = (origin.authority(), places.join(" and "));
            Some(Reply::trouble(format!(
                "the loopback proxy listens on {there}, not on {here}; run: gocred setup --proxy"
            )))
        }
        Err(Error::NotRunning) => {
            Some(Reply::trouble(format!("{}; run: gocred proxy start", Error::NotRunning)))
        }
        Ok(None) => Some(Reply::trouble(format!("{}; run: gocred proxy status", Error::Silent))),
        Err(error) => Some(Reply::trouble(format!("{error}; run: gocred proxy status"))),
    }
}

/// Gives the token, and says why it will not be enough, where that is known.
fn open(door: &Door) -> Reply {
    let said = door.trouble.as_deref().map(harmless);
    match answer::login(door::USER, &door.token) {
        Ok(out) => Reply { out, err: said },
        Err(error @ Unsendable(_)) => Reply::trouble(error),
    }
}

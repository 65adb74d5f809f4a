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
    // Elsewhere the running proxy has no control socket yet.
    if !cfg!(unix) {
        return None;
    }
    let is_user = request.username.as_deref().is_none_or(|user| user == door::USER);
    if !is_user || origin.scheme() != "http" || !door::may_be_at(origin) {
        return None;
    }
    let is_asked = operation == Operation::Get;
    // Without a user name it is another question; git erases without one (git-helper.md §1.7.2).
    if is_asked && request.username.is_none() {
        return None;
    }
    let line = match &paths.control {
        Some(path) => control::ask(path, door::QUESTION),
        None => Err(Error::NotRunning),
    };
    let door = line.as_deref().map(Door::parse);
    match door {
        Ok(Some(door)) if door.is_at(origin) => Some(match operation {
            Operation::Get => open(&door),
            Operation::Erase => Reply { err: said(door.finding), ..Reply::default() },
            Operation::Capability | Operation::Store => Reply::default(),
        }),
        _ if !broker::is_our_listener(config, origin) => None,
        _ if !is_asked => Some(Reply::default()),
        Ok(Some(door)) => Some(Reply::trouble(format!(
            "the loopback proxy listens on {}; run: gocred setup --proxy",
            door.listen
        ))),
        Ok(None) => Some(silent(Error::Silent)),
        Err(error) => Some(silent(*error)),
    }
}

fn silent(error: Error) -> Reply {
    let command = if error == Error::NotRunning { "start" } else { "status" };
    Reply::trouble(format!("{error}; run: gocred proxy {command}"))
}

/// Gives the token, and says why it will not be enough, where that is known.
fn open(door: &Door<'_>) -> Reply {
    match answer::login(door::USER, door.token) {
        Ok(out) => Reply { out, err: said(door.trouble) },
        Err(error @ Unsendable(_)) => Reply::trouble(error),
    }
}

fn said(line: &str) -> Option<String> {
    (!line.is_empty()).then(|| harmless(line))
}

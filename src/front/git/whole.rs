//! The whole of it: what the small helper hands over, with every store and source.

use std::{ffi::OsStr, io, process::ExitCode};

use secrecy::zeroize::Zeroizing;

use crate::{
    broker::{Asked, Broker},
    core::{
        agent::{Answer, Flags, Word},
        audit::Via,
        credential::{Entry, Key, Kind, Proof, Record},
        gitproto::Operation,
        origin::Origin,
        secret::ExposeSecret,
    },
    front::{
        self, Context,
        git::{
            Asker, Input, Reply,
            answering::{self, Elsewhere},
            door, origin, read, relay,
        },
        parts::Parts,
        sources,
    },
    store::{self, Store},
    sys::{clock, env::Env, paths::Paths},
};

/// Runs `gocred helper OPERATION`, with the request on standard input. It exits as the helper does.
pub(crate) fn helper(operation: Option<&OsStr>) -> ExitCode {
    let operation = operation.and_then(OsStr::to_str).and_then(Operation::parse);
    let Some(operation) = operation else { return ExitCode::SUCCESS };
    let reply = read(io::stdin().lock()).map_err(Reply::trouble).and_then(|input| {
        let env = Env::take();
        let paths = Paths::resolve(&env).ok_or_else(Reply::homeless)?;
        let config = front::config(&paths).map_err(|fault| Reply::trouble(fault.one_line()))?;
        let context = Context { env, paths, config };
        let mut store = store::open(&context.desk());
        let mut parts = Parts::of(&context).asked(&context, Via::Helper, Asked::ByParent);
        let mut broker = parts.broker(store.as_mut(), &context);
        let answer = answer(operation, &input, &mut broker, &context, Asker::of(&context.env));
        Ok(answer.unwrap_or_else(Elsewhere::said))
    });
    reply.unwrap_or_else(|reply| reply).say();
    ExitCode::SUCCESS
}

/// Answers what the agent was asked by a helper, with the request as it came and what the helper said of
/// itself.
pub(crate) fn relayed(
    operation: Operation,
    request: &[u8],
    store: &mut dyn Store,
    context: &Context,
    (pid, flags): (i32, Flags),
) -> Answer {
    let asker = Asker::told(flags);
    // The process that renews may need the key that is kept here: nobody may wait for it in the places
    // that such questions take, too.
    let parts = Parts::of(context).without_renewer();
    let mut parts = parts.asked(context, Via::Agent, Asked::ByParentOf(pid));
    let mut broker = parts.broker(store, context);
    let reply = match read(request) {
        Ok(input) if is_of_caller(&input, context) => return Answer::of(Word::No),
        Ok(input) => answer(operation, &input, &mut broker, context, asker),
        Err(what) => Ok(Reply::trouble(what)),
    };
    let Ok(Reply { out, err }) = reply else { return Answer::of(Word::No) };
    let is_empty = out.is_empty() && err.is_none();
    if is_empty && operation == Operation::Get && asker.is_private {
        // It may be private to who asks, who then looks further.
        return Answer::of(Word::No);
    }
    let word = if out.is_empty() && err.is_some() { Word::Failed } else { Word::Ok };
    Answer { word, out, err: err.unwrap_or_default() }
}

fn is_of_caller(input: &Input, context: &Context) -> bool {
    origin(&input.request).is_ok_and(|origin| sources::is_of_caller(&origin, context))
}

/// Asks for the credential of an origin as git would: the agent, where it runs, or else the broker.
/// `Err`: the line that says why there is none, if one does.
pub(crate) fn credential(host: &Origin, context: &Context) -> Result<Record, Option<String>> {
    let raw =
        format!("capability[]=authtype\nprotocol={}\nhost={}\n\n", host.scheme(), host.authority());
    let Context { env, paths, config: _ } = context;
    let reply = relay::relay(Operation::Get, raw.as_bytes(), env, paths);
    let Reply { out, err } = if let Some(reply) = reply {
        reply
    } else {
        let input = read(raw.as_bytes()).map_err(Some)?;
        let mut store = store::open(&context.desk());
        let mut parts = Parts::of(context).asked(context, Via::Goauth, Asked::ByParent);
        let mut broker = parts.broker(store.as_mut(), context);
        let answer = answer(Operation::Get, &input, &mut broker, context, Asker::of(env));
        answer.unwrap_or_else(Elsewhere::said)
    };
    let answered = read(out.as_slice()).map_err(Some)?.request;
    let Some(secrets) = answered.secrets() else { return Err(err) };
    let user = answered.username.unwrap_or_default();
    let key = Key { kind: Kind::Git, origin: host.clone(), path: None, user };
    Ok(store::record(key, secrets, answered.password_expiry_utc, clock::now()))
}

/// Says that an origin rejected a credential that [`credential`] gave.
pub(crate) fn rejected(record: &Record, context: &Context) {
    let Entry { key, .. } = &record.entry;
    let secret = match &record.secrets.proof {
        Proof::Password(secret) => ("password", secret),
        Proof::Encoded { authtype: _, credential } => ("credential", credential),
    };
    let (name, secret) = (secret.0, secret.1.expose_secret());
    let (scheme, host) = (key.origin.scheme(), key.origin.authority());
    let lines = ["protocol=", scheme, "\nhost=", &host, "\n", name, "=", secret, "\n\n"];
    let mut raw = Zeroizing::new(Vec::with_capacity(lines.iter().map(|it| it.len()).sum()));
    for piece in lines {
        raw.extend_from_slice(piece.as_bytes());
    }
    // Only who keeps something can forget it.
    let _ = relay::relay(Operation::Erase, &raw, &context.env, &context.paths);
}

/// Answers from a store and the configured sources.
fn answer(
    operation: Operation,
    input: &Input,
    broker: &mut Broker<'_>,
    context: &Context,
    asker: Asker,
) -> Result<Reply, Elsewhere> {
    let request = &input.request;
    let origin = match origin(request) {
        Ok(origin) => origin,
        Err(reply) => return Ok(reply),
    };
    if let Some(reply) = door::answer(operation, request, &origin, &context.paths, &context.config)
    {
        return Ok(reply);
    }
    answering::answer(operation, request, &origin, broker, asker)
}

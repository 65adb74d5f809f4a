//! The whole of it: what the small helper hands over, with every store and source.

use std::{ffi::OsStr, io, process::ExitCode};

use crate::{
    broker::Broker,
    core::{
        agent::{Answer, Flags, Word},
        gitproto::Operation,
    },
    front::{
        self, Context,
        git::{Asker, Input, Reply, answering, door, origin, read},
        parts::Parts,
    },
    store::{self, Store},
    sys::{env::Env, paths::Paths},
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
        let (mut parts, asker) = (Parts::of(&context), Asker::of(&context.env));
        let mut broker = parts.broker(store.as_mut(), &context);
        Ok(answer(operation, &input, &mut broker, &context, asker))
    });
    reply.unwrap_or_else(|reply| reply).say();
    ExitCode::SUCCESS
}

/// Answers what the agent was asked, with the request as it came.
pub(crate) fn relayed(
    operation: Operation,
    request: &[u8],
    store: &mut dyn Store,
    context: &Context,
    flags: Flags,
) -> Answer {
    let asker = Asker::told(flags);
    let reply = read(request).map_err(Reply::trouble).map_or_else(
        |reply| reply,
        // The process that renews may need the key that is kept here: nobody may wait for it in
        // the places that such questions take, too.
        |input| {
            let mut parts = Parts::of(context).without_renewer();
            answer(operation, &input, &mut parts.broker(store, context), context, asker)
        },
    );
    let Reply { out, err, is_renewable } = reply;
    if is_renewable {
        return Answer::of(Word::No);
    }
    let is_empty = out.is_empty() && err.is_none();
    if is_empty && operation == Operation::Get && asker.is_private {
        // It may be private to who asks, who then looks further.
        return Answer::of(Word::No);
    }
    let word = if out.is_empty() && err.is_some() { Word::Failed } else { Word::Ok };
    Answer { word, out, err: err.unwrap_or_default() }
}

/// Answers from a store and the configured sources.
fn answer(
    operation: Operation,
    input: &Input,
    broker: &mut Broker<'_>,
    context: &Context,
    asker: Asker,
) -> Reply {
    let request = &input.request;
    let origin = match origin(request) {
        Ok(origin) => origin,
        Err(reply) => return reply,
    };
    if let Some(reply) = door::answer(operation, request, &origin, &context.paths, &context.config)
    {
        return reply;
    }
    answering::answer(operation, request, &origin, broker, asker)
}

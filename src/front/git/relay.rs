//! Lets the agent answer, where it runs: it has the keys, and knows what was asked before.

use crate::{
    core::{
        agent::{Answer, Question, Verb, Word},
        gitproto::Operation,
    },
    front::git::{Asker, Reply},
    sys::{control, env::Env, paths::Paths},
};

/// Asks the agent, with the request as it came. `None`: it does not run, does not answer in time, or
/// leaves it to us.
pub(super) fn relay(
    operation: Operation,
    request: &[u8],
    env: &Env,
    paths: &Paths,
) -> Option<Reply> {
    let verb = match operation {
        Operation::Capability => return None,
        Operation::Erase => Verb::GitErase,
        Operation::Get => Verb::GitGet,
        Operation::Store => Verb::GitStore,
    };
    let (place, flags) = (paths.place(env), Asker::of(env).flags());
    let answer = control::agent(&paths.agent, &Question { verb, place, flags, body: request });
    let Answer { word, out, err } = answer.ok()?;
    // What comes is of the same user, and is still no protocol where git reads none.
    let err = (!err.is_empty()).then(|| super::harmless(&err));
    (word != Word::No).then_some(Reply { out, err })
}

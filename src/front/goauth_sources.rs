//! What `gocred goauth` answers for the hosts that have a source: their credentials are in no store and in
//! no index. The agent is asked first, which may know them.

use std::thread;

use crate::{
    core::{
        config::Config,
        credential::Record,
        goauth::{CredentialSet, Refused},
        goenv::GoEnv,
        origin::Origin,
    },
    front::{
        Context, git,
        goauth::{Question, credential_set, is_eager, is_same, spellings},
        ui,
    },
};

/// Returns the answers for the sources that a question is about. What a source says against it goes to
/// standard error, which go shows with `-x`.
pub(crate) fn sets(question: Question<'_>, go: &GoEnv, context: &Context) -> Vec<CredentialSet> {
    let refused = match question {
        Question::Eager => None,
        Question::Refused { url, status } => {
            let Ok(refused) = Refused::parse(url) else { return Vec::new() };
            if matches!(status, Some(404 | 410)) && is_eager(go, &refused.origin) {
                return Vec::new();
            }
            Some(refused)
        }
    };
    let wanted: Vec<Origin> = match &refused {
        None => origins(&context.config).filter(|origin| is_eager(go, origin)).collect(),
        Some(refused) => {
            origins(&context.config).filter(|origin| is_same(origin, &refused.origin)).collect()
        }
    };
    let urls = |origin: &Origin| match &refused {
        None => spellings(origin, go).into_iter().collect(),
        Some(refused) => vec![refused.origin.to_string(), refused.url()],
    };
    let records = records(&wanted, context);
    records.filter_map(|(origin, record)| credential_set(&record, urls(origin))).collect()
}

/// go sends credentials over https only.
fn origins(config: &Config) -> impl Iterator<Item = Origin> {
    config.source_names.iter().filter_map(|name| Origin::new("https", name).ok())
}

/// Asks for all of them at the same time: one that hangs costs no more than itself.
fn records<'a>(
    wanted: &'a [Origin],
    context: &Context,
) -> impl Iterator<Item = (&'a Origin, Record)> {
    let answers: Vec<_> = thread::scope(|scope| {
        let ask = |origin| scope.spawn(move || git::credential(origin, context));
        #[expect(clippy::needless_collect, reason = "all have started before one is waited for")]
        let asked: Vec<_> = wanted.iter().map(ask).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or(Err(None))).collect()
    });
    wanted.iter().zip(answers).filter_map(|(origin, answer)| match answer {
        Ok(record) => Some((origin, record)),
        Err(line) => {
            if let Some(line) = line {
                ui::err(&line);
            }
            None
        }
    })
}

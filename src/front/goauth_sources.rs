//! What `gocred goauth` answers for the hosts that have a source: their credentials are in no store and in
//! no index. The agent is asked first, which may know them.

use std::thread;

use crate::{
    core::{
        config::Config,
        credential::Record,
        goauth::{CredentialSet, Refused},
        goenv::GoEnv,
        goproxy,
        origin::Origin,
    },
    front::{
        Context, git,
        goauth::{Question, credential_set, is_same, spellings},
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
            if matches!(status, Some(404 | 410)) && is_expected(go, &refused.origin) {
                return Vec::new();
            }
            Some(refused)
        }
    };
    let wanted: Vec<Origin> = match &refused {
        None => origins(&context.config).filter(|origin| is_expected(go, origin)).collect(),
        Some(refused) => {
            origins(&context.config).filter(|origin| is_same(origin, &refused.origin)).collect()
        }
    };
    let urls = |origin: &Origin| match &refused {
        None => spellings(origin, go).into_iter().collect(),
        Some(refused) => vec![refused.origin.to_string(), refused.url()],
    };
    // It had what the first call gave.
    let is_rejected = |refused: &Refused| is_expected(go, &refused.origin);
    if let Question::Refused { url: _, status: Some(401) } = question
        && refused.as_ref().is_some_and(is_rejected)
    {
        for origin in &wanted {
            if let Ok(record) = git::credential(origin, context) {
                git::rejected(&record, context);
            }
        }
    }
    let records = records(&wanted, context);
    records.filter_map(|(origin, record)| credential_set(&record, urls(origin))).collect()
}

/// Returns whether the first call answers for an origin: where GOPRIVATE or GOPROXY names it. To fetch
/// something costs more than to read it, and go asks again for a host that refuses it.
fn is_expected(go: &GoEnv, origin: &Origin) -> bool {
    go.is_private(&origin.authority())
        || goproxy::origins(&go.goproxy).any(|proxy| is_same(proxy, origin))
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

//! What a host answers to nobody, and then to the credential.
//!
//! The first part runs before a person is asked for anything, and tells which forge it is. The
//! second sends the secret once, or more often only while the host does not refuse it.

use crate::{
    core::{
        fault::{Fault, Kind},
        forge::{Forge, Scheme},
        origin::Origin,
        probe::{Anonymous, Verdict, paths, verdict, worth_repeating},
        secret::SecretString,
    },
    front::{
        Context,
        login::{route, target::Target},
    },
    net::{
        probe::{Asker, Body, Error, Route, Signature},
        tls,
    },
    store::Store,
};

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    /// The host, and the path that the person named.
    pub(super) target: &'a Target,
    /// `--probe URL`
    pub(super) probe: Option<&'a str>,
    /// `--username`
    pub(super) user: Option<&'a str>,
}

/// What a host answered to nobody.
pub(super) struct Survey {
    asker: Asker,
    origin: Origin,
    /// Each URL with its answer.
    answers: Vec<(String, Anonymous)>,
    /// The forge, where it is known.
    pub(super) forge: Option<Forge>,
    /// Whether `answers` holds one of the forge's API.
    by_api: Option<Forge>,
}

/// What became of the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// The host took it.
    Accepted,
    /// The host refused it, at this URL.
    Rejected(String),
    /// Nobody can tell, because of this.
    Undecidable(String),
}

/// Asks without a credential.
pub(super) fn survey(
    question: &Question<'_>,
    store: &mut dyn Store,
    context: &Context,
) -> Result<Survey, Fault> {
    let origin = &question.target.origin;
    let tls = tls::client(&route::authorities(origin, context)).map_err(|error| {
        Fault::new(Kind::Config, "no certificate authorities to check the host with").cause(error)
    })?;
    let route = route::to(origin, store, context);
    let failed = |error| unreachable(&error, origin, &route);
    let asker = Asker::new(tls, &route).map_err(failed)?;
    let ask = |urls: Vec<String>| {
        urls.into_iter()
            .map(|url| asker.get(&url, Signature::None).map(|head| (url, head)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)
    };
    let named = Forge::by_name(origin);
    let path = &question.target.path;
    let is_open = question.probe.is_none() && path.trim_matches('/').is_empty();
    let mut forge = named;
    let mut by_api = named.filter(|_| is_open);
    let mut heads = match (question.probe, by_api) {
        (Some(url), _) => ask(vec![same_origin(url, origin)?])?,
        (None, Some(forge)) => ask(vec![forge.user_url(origin)])?,
        (None, None) => ask(paths(path).iter().map(|path| format!("{origin}{path}")).collect())?,
    };
    if named.is_none() && (is_open || question.user.is_none()) {
        let apis = ask(Forge::ALL.map(|forge| forge.user_url(origin)).to_vec())?;
        let refused: Vec<Forge> = Forge::ALL
            .into_iter()
            .zip(&apis)
            .filter(|(_, (_, head))| head.status == 401 && head.body == Body::Json)
            .map(|(forge, _)| forge)
            .collect();
        forge = Forge::by_refusal(&refused);
        if let Some(found) = forge.filter(|_| is_open) {
            by_api = Some(found);
            let url = found.user_url(origin);
            heads = apis.into_iter().filter(|(asked, _)| *asked == url).collect();
        }
    }
    let answers = heads
        .into_iter()
        .map(|(url, head)| (url, Anonymous { status: head.status, schemes: head.schemes }))
        .collect();
    Ok(Survey { asker, origin: origin.clone(), answers, forge, by_api })
}

impl Survey {
    /// Asks again with the credential.
    pub(super) fn check(&self, user: &str, secret: &SecretString) -> Result<Checked, Fault> {
        let signature = match self.by_api.map(|forge| forge.scheme(user)) {
            Some(Some(Scheme::Bearer)) => Signature::Bearer(secret),
            Some(Some(Scheme::Basic)) | None => Signature::Basic(user, secret),
            Some(None) => {
                return Ok(Checked::Undecidable(
                    "the forge's API takes other secrets than git does".to_owned(),
                ));
            }
        };
        let anonymous: Vec<Anonymous> =
            self.answers.iter().map(|(_, answer)| answer.clone()).collect();
        let mut reason = self.not_telling();
        for index in worth_repeating(&anonymous) {
            let Some((url, without)) = self.answers.get(index) else { continue };
            let with = self
                .asker
                .get(url, signature)
                .map_err(|error| unreachable(&error, &self.origin, &Route::Direct))?;
            match verdict(without.status, with.status) {
                Verdict::Accepted => return Ok(Checked::Accepted),
                Verdict::Rejected => return Ok(Checked::Rejected(url.clone())),
                Verdict::Undecidable => {
                    reason = format!(
                        "{url} answers {} without the credential and {} with it",
                        without.status, with.status
                    );
                }
            }
        }
        Ok(Checked::Undecidable(reason))
    }

    /// Says why nothing was worth repeating.
    fn not_telling(&self) -> String {
        let Some((url, answer)) = self.answers.first() else { return String::new() };
        if answer.status == 401 {
            format!("{url} offers {}, and not Basic", answer.schemes.join(", "))
        } else {
            format!("{url} answers {} to everybody", answer.status)
        }
    }
}

/// Refuses a probe of another origin, which would get the secret.
fn same_origin(url: &str, origin: &Origin) -> Result<String, Fault> {
    let asked = super::target::parse_any(url)?;
    if asked.origin == *origin {
        return Ok(format!("{origin}{}", asked.path));
    }
    Err(Fault::new(
        Kind::Usage,
        format!("`--probe` must be a URL of {origin}, which the secret is for"),
    ))
}

fn unreachable(error: &Error, origin: &Origin, route: &Route) -> Fault {
    let host = origin.authority();
    let store_anyway = "store it unseen with `--no-verify`";
    let fault = Fault::new(Kind::Network, format!("{host} cannot be asked; nothing was stored"))
        .cause(crate::core::text::printable(&error.to_string()));
    let via = match route {
        Route::Direct => None,
        Route::Via { url, login: _ } => Origin::from_url(url.trim_end_matches('/')).ok(),
    };
    let fault = match &via {
        Some((proxy, _)) => fault.at(format!("on the way through {proxy}")),
        None => fault,
    };
    match error {
        Error::Certificate(_) => fault.hint(format!(
            "name your company's authority in config.toml: `[host.\"{host}\"]` `ca = \"/path/ca.pem\"`"
        )),
        Error::Proxy => match via {
            Some((proxy, _)) => fault.hint(format!("run `gocred login --proxy {proxy}`")),
            None => fault.hint("run `gocred login --proxy`"),
        },
        Error::Timeout | Error::Unreachable(_) => fault.hint(store_anyway),
    }
}

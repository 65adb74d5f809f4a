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
        text::printable,
    },
    front::{
        Context,
        login::{
            route::{self, Way},
            target::Target,
        },
    },
    net::{
        probe::{Asker, Body, Error, Head, Signature},
        tls,
    },
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
    way: Way,
    asker: Asker,
    origin: Origin,
    /// Each page with its answer.
    pages: Vec<(String, Anonymous)>,
    /// The forge, where it is known.
    pub(super) forge: Option<Forge>,
    /// The forge's API with its answer, where that is to decide.
    api: Option<(Forge, String, Anonymous)>,
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
pub(super) fn survey(question: &Question<'_>, context: &Context) -> Result<Survey, Fault> {
    let origin = &question.target.origin;
    let tls = tls::client(&route::authorities(origin, context)).map_err(untrusting)?;
    let way = route::to(origin, context)?;
    let failed = |error: Error| unreachable(&error, origin, &way, context);
    let asker = Asker::new(tls, &way.route).map_err(failed)?;
    let ask = |url: String| match asker.get(&url, Signature::None) {
        Ok(head) => Ok((url, head)),
        Err(error) => Err(failed(error)),
    };
    let path = &question.target.path;
    let is_open = question.probe.is_none() && path.trim_matches('/').is_empty();
    let pages: Vec<String> = match question.probe {
        Some(url) => vec![same_origin(url, origin)?],
        None => paths(path).iter().map(|path| format!("{origin}{path}")).collect(),
    };
    let pages = pages.into_iter().map(ask).collect::<Result<Vec<_>, _>>()?;
    let mut forge = Forge::by_name(origin);
    let mut apis = Vec::new();
    if is_open || forge.is_none() && question.user.is_none() {
        for candidate in
            Forge::ALL.into_iter().filter(|one| forge.is_none_or(|forge| forge == *one))
        {
            let (url, head) = ask(candidate.user_url(origin))?;
            if head.status == 401 && head.body == Body::Json {
                apis.push((candidate, url, anonymous(head)));
            }
        }
    }
    forge =
        forge.or_else(|| Forge::by_refusal(&apis.iter().map(|(one, ..)| *one).collect::<Vec<_>>()));
    let api = apis.into_iter().find(|(one, ..)| is_open && Some(*one) == forge);
    let pages = pages.into_iter().map(|(url, head)| (url, anonymous(head))).collect();
    Ok(Survey { way, asker, origin: origin.clone(), pages, forge, api })
}

/// Says that there is nobody to trust.
pub(super) fn untrusting(error: tls::Error) -> Fault {
    Fault::new(Kind::Config, "no certificate authorities to check the host with").cause(error).hint(
        "mend the file, or what names it: SSL_CERT_FILE, GIT_SSL_CAINFO, or `ca` in config.toml",
    )
}

fn anonymous(head: Head) -> Anonymous {
    let Head { status, schemes, body: _ } = head;
    Anonymous { status, schemes }
}

impl Survey {
    /// Asks again with the credential.
    pub(super) fn check(
        &self,
        user: &str,
        secret: &SecretString,
        context: &Context,
    ) -> Result<Checked, Fault> {
        let api = self.api.as_ref().and_then(|(forge, url, without)| {
            Some((forge.scheme(user)?, vec![(url.clone(), without.clone())]))
        });
        let (scheme, answers) = api.unwrap_or_else(|| (Scheme::Basic, self.pages.clone()));
        let signature = match scheme {
            Scheme::Basic => Signature::Basic(user, secret),
            Scheme::Bearer => Signature::Bearer(secret),
        };
        let without: Vec<Anonymous> = answers.iter().map(|(_, answer)| answer.clone()).collect();
        let mut reason = not_telling(&answers);
        let mut has_passed = false;
        for index in worth_repeating(&without) {
            let Some((url, without)) = answers.get(index) else { continue };
            let with = self
                .asker
                .get(url, signature)
                .map_err(|error| unreachable(&error, &self.origin, &self.way, context))?;
            match verdict(without.status, with.status) {
                Verdict::Accepted => return Ok(Checked::Accepted),
                // Another page let it pass: this one is not for it.
                Verdict::Rejected if has_passed => {}
                Verdict::Rejected => return Ok(Checked::Rejected(url.clone())),
                Verdict::Undecidable => {
                    has_passed |= without.status == 401 && matches!(with.status, 403 | 404);
                    reason = format!(
                        "{url} answers {} without the credential and {} with it",
                        without.status, with.status
                    );
                }
            }
        }
        Ok(Checked::Undecidable(reason))
    }
}

impl Survey {
    /// Whether the host wants a Bearer token, and nothing that goes with an account.
    pub(super) fn wants_bearer(&self) -> bool {
        let offers = |scheme: &str| {
            let mut schemes = self.pages.iter().flat_map(|(_, answer)| &answer.schemes);
            schemes.any(|offered| offered == scheme)
        };
        offers("bearer") && !offers("basic")
    }

    /// Asks again with a Bearer token, where one is wanted.
    pub(super) fn check_bearer(
        &self,
        token: &SecretString,
        context: &Context,
    ) -> Result<Checked, Fault> {
        let mut reason = not_telling(&self.pages);
        for (url, without) in &self.pages {
            if !without.schemes.iter().any(|scheme| scheme == "bearer") {
                continue;
            }
            let with = self
                .asker
                .get(url, Signature::Bearer(token))
                .map_err(|error| unreachable(&error, &self.origin, &self.way, context))?;
            match verdict(without.status, with.status) {
                Verdict::Accepted => return Ok(Checked::Accepted),
                Verdict::Rejected => return Ok(Checked::Rejected(url.clone())),
                Verdict::Undecidable => {
                    reason = format!(
                        "{url} answers {} without the token and {} with it",
                        without.status, with.status
                    );
                }
            }
        }
        Ok(Checked::Undecidable(reason))
    }
}

/// Says why nothing was worth repeating.
fn not_telling(answers: &[(String, Anonymous)]) -> String {
    let Some((url, answer)) = answers.first() else { return String::new() };
    if answer.status == 401 {
        format!("{url} offers {}, and not Basic", answer.schemes.join(", "))
    } else {
        format!("{url} answers {} to everybody", answer.status)
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

/// Says why a host was not reached, and what to do about it.
pub(super) fn unreachable(error: &Error, origin: &Origin, way: &Way, context: &Context) -> Fault {
    let host = origin.authority();
    let store_anyway = "store it unseen with `--no-verify`";
    let fault = Fault::new(Kind::Network, format!("{host} cannot be asked; nothing was stored"));
    let with_cause = |fault: Fault| {
        let fault = fault.cause(printable(&error.to_string()));
        match &way.through {
            Some(proxy) => fault.at(format!("on the way through {proxy}")),
            None => fault,
        }
    };
    match error {
        Error::Authority(_) => with_cause(fault).hint(format!(
            "name your company's authority in config.toml: `[host.\"{host}\"]` `ca = \"/path/ca.pem\"`"
        )),
        Error::Certificate(_) => with_cause(fault).hint(format!(
            "`openssl s_client -connect {}:{} </dev/null` shows the certificate",
            origin.host(),
            origin.port().unwrap_or(443)
        )),
        Error::Proxy | Error::Refused | Error::Timeout => match (way.said(context), error) {
            // The engine knows more than the answer shows.
            (Some(said), _) => {
                let (what, run) = said.split_once("; run: ").unwrap_or((&said, ""));
                let fault = fault.cause(printable(what));
                if run.is_empty() { fault.hint(store_anyway) } else { fault.hint(format!("run `{run}`")) }
            }
            (None, Error::Proxy) => match &way.through {
                Some(proxy) => with_cause(fault).hint(format!("run `gocred login --proxy {proxy}`")),
                None => with_cause(fault).hint("run `gocred login --proxy`"),
            },
            (None, _) => with_cause(fault).hint(store_anyway),
        },
        Error::Unreachable(_) if way.is_loopback() => {
            with_cause(fault).hint("run `gocred proxy run`, or `unset HTTPS_PROXY https_proxy`")
        }
        Error::Unreachable(_) => with_cause(fault).hint(store_anyway),
    }
}

//! The two ways to a secret for a host: a person has it, or a server gives it.

use crate::{
    cli::Login,
    core::{
        credential::{Proof, Secrets, UnixTime},
        fault::{Fault, Kind},
        forge::Forge,
        forge_api::Holder,
        oauth::{self, Session},
        text::printable,
    },
    front::{
        Context,
        login::{
            account,
            facts::Facts,
            flow, host,
            method::Plan,
            survey::{Checked, Survey},
            target::Target,
            token,
            token_check::{self, Said, Subject},
        },
    },
    sys::clock,
};

/// What a login is made of.
pub(super) struct Desk<'a> {
    /// The host.
    pub(super) target: &'a Target,
    /// Its forge, where it is known.
    pub(super) forge: Option<Forge>,
    /// What it answered to nobody. `None`: it is not to be asked.
    pub(super) survey: Option<&'a Survey>,
    /// The command line.
    pub(super) arguments: &'a Login,
    /// The rest.
    pub(super) context: &'a Context,
}

/// A secret that is ready to be stored.
pub(super) struct Signed {
    /// The account.
    pub(super) user: String,
    /// The secret, and what renews it.
    pub(super) secrets: Secrets,
    /// When it ends.
    pub(super) expires: Option<UnixTime>,
    /// What became of it at the host; `None`: it was not asked.
    pub(super) checked: Option<Checked>,
    /// What else is known of it.
    pub(super) facts: Option<Facts>,
}

impl Desk<'_> {
    /// Asks the person, or standard input.
    pub(super) fn by_secret(&self) -> Result<Signed, Fault> {
        let Self { target, forge, survey, arguments, context } = self;
        let place = target.origin.authority();
        let configured = context.config.host(&target.origin);
        let configured = configured.and_then(|host| host.username.as_deref());
        let known = configured.or_else(|| forge.and_then(Forge::token_user));
        let user = account(arguments.username.as_deref(), known, &place, context)?;
        let from = if arguments.with_token { token::From::Stdin } else { token::From::Terminal };
        let what = forge.map_or_else(String::new, |forge| format!(" ({})", forge.name()));
        let asked = format!("Token or password of {} at {place}{what}: ", printable(&user));
        let secret = token::read(from, &asked, context)?;
        let checked = survey.map(|survey| survey.check(&user, &secret, context)).transpose()?;
        if let Some(Checked::Rejected(url)) = &checked {
            return Err(host::rejected(target, &user, url));
        }
        let mut facts = None;
        if checked == Some(Checked::Accepted) && forge.is_some() {
            let (origin, user) = (&target.origin, Some(user.as_str()));
            let subject = Subject { origin, forge: *forge, server: None, user, token: &secret };
            // The host took it: what its API says is only told.
            if let Ok(Said::Holder(holder)) = token_check::ask(&subject, clock::now(), context) {
                facts = Some(Facts::of(holder, *forge, &[], false));
            }
        }
        let expires = facts.as_ref().and_then(|facts| facts.expires);
        let secrets = Secrets::of(Proof::Password(secret));
        Ok(Signed { user, secrets, expires, checked, facts })
    }

    /// Asks a server, with the person's consent.
    pub(super) fn by_oauth(&self, plan: &Plan) -> Result<Signed, Fault> {
        let Self { target, forge, survey, arguments, context } = self;
        let grant = flow::run(plan, &target.origin, context)?;
        let now = clock::now();
        let said = if arguments.no_verify {
            Said::Nothing
        } else {
            let subject = Subject {
                origin: &target.origin,
                forge: *forge,
                server: Some(&plan.server),
                user: None,
                token: &grant.access_token,
            };
            token_check::ask(&subject, now, context)?
        };
        let mut holder = match said {
            Said::Holder(holder) => holder,
            Said::Nothing => Holder::default(),
            Said::Rejected(url) => {
                let user = arguments.username.as_deref().unwrap_or("oauth2");
                return Err(host::rejected(target, user, &url));
            }
        };
        let user = self.user(&holder)?;
        let is_bearer = forge.is_none() && survey.is_some_and(Survey::wants_bearer);
        let checked = match survey {
            // The API is the host's own.
            Some(_) if forge.is_some() && holder.login.is_some() => Some(Checked::Accepted),
            Some(survey) if is_bearer => Some(survey.check_bearer(&grant.access_token, context)?),
            Some(survey) => Some(survey.check(&user, &grant.access_token, context)?),
            None => None,
        };
        if let Some(Checked::Rejected(url)) = &checked {
            return Err(host::rejected(target, &user, url));
        }
        let expires = grant.ends(now).or(holder.expires);
        holder.expires = expires;
        let granted = grant.scopes.or_else(|| holder.scopes.take());
        // What is not said was granted as it was asked for (RFC 6749 §5.1).
        let granted = granted.unwrap_or_else(|| plan.scopes.clone());
        holder.scopes = Some(granted.clone());
        let missing = oauth::missing(&plan.scopes, &granted);
        let session = Session {
            token_url: plan.server.token.clone(),
            revoke_url: plan.server.revoke.clone(),
            client_id: plan.client.id.clone(),
            client_secret: plan.client.secret.clone(),
            client_auth: plan.client.auth,
            // What a later login asks for, too.
            scopes: if missing.is_empty() { plan.scopes.clone() } else { granted },
            obtained: now,
            name: holder.name.clone(),
        };
        let facts = Facts::of(holder, *forge, &missing, grant.refresh_token.is_some());
        let proof = if is_bearer {
            Proof::Encoded { authtype: "Bearer".to_owned(), credential: grant.access_token }
        } else {
            Proof::Password(grant.access_token)
        };
        let session = Some(session.encode());
        let secrets = Secrets { proof, refresh_token: grant.refresh_token, session };
        Ok(Signed { user, secrets, expires, checked, facts: Some(facts) })
    }

    /// Returns the account that git sends with the token; refuses somebody else's token for an account
    /// that was named.
    fn user(&self, holder: &Holder) -> Result<String, Fault> {
        let fixed = self.forge.and_then(Forge::oauth_user);
        let named = self.arguments.username.as_deref();
        let login = holder.login.as_deref().filter(|login| !login.contains(':'));
        match (named, login) {
            (Some(named), Some(login)) if named != login && Some(named) != fixed => {
                Err(Fault::new(
                    Kind::Rejected,
                    format!(
                        "you signed in as {}, and not as {}; nothing was stored",
                        printable(login),
                        printable(named)
                    ),
                )
                .hint("sign out in your browser, or take `--username` away"))
            }
            (named, login) => {
                super::checked(named.or(fixed).or(login).unwrap_or("oauth2").to_owned())
            }
        }
    }
}

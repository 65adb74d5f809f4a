//! A token of `OpenBao`: from a file, or for a login. One that we logged in for is kept in memory, renewed
//! before it ends, and given up for a new one when it has died.

use serde::Deserialize;

use crate::{
    broker::{CacheFor, Lease, SourceError},
    core::{
        config::Login,
        credential::{Proof, UnixTime},
        secret::{ExposeSecret, SecretString},
    },
    net::api::{Body, Response, Verb},
    source::{
        ci,
        fields::Field,
        held::Known,
        lease as leased,
        openbao::{Client, because, secret_of},
        password,
    },
};

/// A token without an end is asked for anew after this, in seconds: it may have been replaced.
const ENDLESS: UnixTime = 60 * 60;

/// What every request carries.
pub(super) struct Token {
    pub(super) secret: SecretString,
    pub(super) ends: Option<UnixTime>,
}

#[derive(Deserialize)]
struct Reply {
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: Field,
    #[serde(default)]
    lease_duration: u64,
}

impl Client<'_> {
    /// Returns a token: the one that is kept, or a new one.
    pub(super) fn token(&self) -> Result<Token, SourceError> {
        let name = self.name();
        let turn = self.held.turn(&name);
        let _turn = turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match self.held.find(&name) {
            Known::Good(lease) => Ok(token(lease)),
            Known::Due(lease) => Ok(self.renewed(token(lease))),
            Known::Failed(error) => Err(error),
            Known::Nothing => self.log_in(),
        }
    }

    /// Logs in anew.
    pub(super) fn new_token(&self) -> Result<Token, SourceError> {
        let turn = self.held.turn(&self.name());
        let _turn = turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match self.held.find(&self.name()) {
            // Somebody else was faster.
            Known::Good(lease) => Ok(token(lease)),
            Known::Failed(error) => Err(error),
            Known::Due(_) | Known::Nothing => self.log_in(),
        }
    }

    /// Forgets a token that has died.
    pub(super) fn give_up(&self, dead: &Token) {
        let dead = Proof::Password(dead.secret.clone());
        self.held.forget(&self.name(), &|kept| kept.same(&dead));
    }

    /// Revokes the token that we logged in for, where one is kept. One that cannot be revoked ends by itself.
    pub(super) fn log_out(&self) {
        let is_ours = matches!(self.settings.login, Some(Login::AppRole | Login::Jwt));
        if let (true, Known::Good(lease) | Known::Due(lease)) =
            (is_ours, self.held.find(&self.name()))
        {
            let token = token(lease);
            self.give_up(&token);
            let path = "auth/token/revoke-self";
            let _ = self.call(Verb::Post, path, Some(&token.secret), Body::Json(b"{}"));
        }
    }

    /// Returns whether a token that something was refused to is known at all.
    pub(super) fn is_alive(&self, token: &Token) -> Result<bool, SourceError> {
        let path = "auth/token/lookup-self";
        Ok(self.call(Verb::Get, path, Some(&token.secret), Body::Empty)?.status == 200)
    }

    /// Names the token in what is kept. Another configuration is another login.
    fn name(&self) -> String {
        format!("token {:?}", self.settings)
    }

    fn log_in(&self) -> Result<Token, SourceError> {
        let token = match self.settings.login {
            Some(Login::AppRole) => self.by_role(),
            Some(Login::Jwt) => self.by_identity(),
            Some(Login::Token) => {
                let secret = secret_of(self.settings.token_file.as_deref(), "token_file")?;
                // Whoever wrote it may write another one at any time, and sees to its life.
                return Ok(Token { secret, ends: None });
            }
            None => Err(SourceError::Broken(
                "`openbao.login` is not set: \"approle\", \"jwt\" or \"token\"".to_owned(),
            )),
        };
        match token {
            Ok(token) => {
                self.keep(&token);
                Ok(token)
            }
            Err(error) => {
                self.held.fail(&self.name(), &error);
                Err(error)
            }
        }
    }

    fn by_role(&self) -> Result<Token, SourceError> {
        let role = secret_of(self.settings.role_id_file.as_deref(), "role_id_file")?;
        let secret = match self.settings.secret_id_file.as_deref() {
            Some(file) => Some(secret_of(Some(file), "secret_id_file")?),
            None => None,
        };
        let secret = secret.as_ref().map(|secret| ("secret_id", secret));
        self.log_in_at("approle", [Some(("role_id", &role)), secret])
    }

    fn by_identity(&self) -> Result<Token, SourceError> {
        let settings = self.settings;
        let statement = if settings.jwt_file.is_some() {
            Some(secret_of(settings.jwt_file.as_deref(), "jwt_file")?)
        } else if let Some(name) = &settings.jwt_variable {
            Some(ci::from_variable(name)?)
        } else {
            ci::identity(settings.audience.as_deref(), self.post)?
        };
        let statement = statement.ok_or_else(|| {
            SourceError::Login(
                "there is nothing to log in to OpenBao with: neither `openbao.jwt_file` nor \
                 `openbao.jwt_variable` is set, and this is no job of GitHub with `id-token: write`"
                    .to_owned(),
            )
        })?;
        let role = settings.role.as_deref().map(SecretString::from);
        let role = role.as_ref().map(|role| ("role", role));
        self.log_in_at("jwt", [Some(("jwt", &statement)), role])
    }

    fn log_in_at(
        &self,
        method: &str,
        fields: [Option<(&str, &SecretString)>; 2],
    ) -> Result<Token, SourceError> {
        let mount = self.settings.mount.as_deref().unwrap_or(method).trim_matches('/');
        let body = json(&fields);
        let path = format!("auth/{mount}/login");
        let answer = self.call(Verb::Post, &path, None, Body::Json(&body))?;
        match answer.status {
            200 => self.granted(&answer).ok_or_else(|| {
                SourceError::Broken(format!("{} gives no token for the login", self.who()))
            }),
            status => Err(SourceError::Login(format!(
                "{} refuses the login by {method} ({status}){}",
                self.who(),
                because(&answer)
            ))),
        }
    }

    /// Renews a token most of whose life is over, or logs in anew. What fails is tried again later: it is
    /// still good.
    fn renewed(&self, old: Token) -> Token {
        let path = "auth/token/renew-self";
        let answer = self.call(Verb::Post, path, Some(&old.secret), Body::Json(b"{}"));
        let granted = answer.ok().filter(|answer| answer.status == 200);
        // A renewal that its largest life cuts short is none.
        let is_longer = |new: &Token| new.ends.is_none() || new.ends > old.ends;
        if let Some(new) = granted.and_then(|answer| self.granted(&answer)).filter(is_longer) {
            self.keep(&new);
            return new;
        }
        let again = match self.settings.login {
            Some(Login::AppRole) => self.by_role(),
            Some(Login::Jwt) => self.by_identity(),
            Some(Login::Token) | None => return old,
        };
        if let Ok(new) = again {
            self.keep(&new);
            return new;
        }
        self.held.postpone(&self.name());
        old
    }

    fn granted(&self, answer: &Response) -> Option<Token> {
        let Auth { client_token, lease_duration } =
            serde_json::from_slice::<Reply>(&answer.body).ok()?.auth?;
        let Field::Text(secret) = client_token else { return None };
        let ends = (lease_duration > 0).then(|| self.now + lease_duration);
        (!secret.expose_secret().is_empty()).then_some(Token { secret, ends })
    }

    fn keep(&self, token: &Token) {
        let Token { secret, ends } = token;
        let proof = password(secret.clone());
        let endless = ends.is_none().then(|| std::time::Duration::from_secs(ENDLESS));
        let lease = leased("openbao", (String::new(), proof), *ends, endless, self.now);
        debug_assert!(lease.cache != CacheFor::Never, "a token is kept");
        self.held.keep(&self.name(), &self.origin, &lease, self.now);
    }
}

fn token(lease: Lease) -> Token {
    let secret = match lease.proof {
        Proof::Password(secret) | Proof::Encoded { authtype: _, credential: secret } => secret,
    };
    Token { secret, ends: lease.ends }
}

/// Writes a JSON object of texts into a buffer that never grows.
fn json(fields: &[Option<(&str, &SecretString)>]) -> secrecy::zeroize::Zeroizing<Vec<u8>> {
    let texts = || fields.iter().flatten();
    // A control character is written as six.
    let size = texts().map(|(name, text)| name.len() + 6 * text.expose_secret().len() + 6).sum();
    let mut bytes = secrecy::zeroize::Zeroizing::new(Vec::with_capacity(size));
    for (index, (name, text)) in texts().enumerate() {
        bytes.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b"\":");
        // Writing a text into memory does not fail.
        let _ = serde_json::to_writer(&mut *bytes, text.expose_secret());
    }
    bytes.push(b'}');
    bytes
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn a_body_is_json_and_no_larger_than_was_reserved() {
        let (one, two) = ("a\"b\\c\u{1}é".into(), "x".into());
        let bytes = json(&[Some(("role_id", &one)), None, Some(("secret_id", &two))]);
        let expected = "{\"role_id\":\"a\\\"b\\\\c\\u0001é\",\"secret_id\":\"x\"}";
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
        assert!(bytes.capacity() <= 6 * 10 + 6 + 40);
    }
}

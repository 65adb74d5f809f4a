//! A read: what stands at a path, how long it lives, and whose fault it is when there is nothing.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    broker::SourceError,
    core::credential::UnixTime,
    net::api::{Body, Response, Verb},
    source::{
        fields::{Field, Fields},
        openbao::{Client, because, login::Token},
    },
};

/// What was read.
pub(super) struct Secret {
    pub(super) fields: Fields,
    /// When its lease ends, where it has one.
    pub(super) ends: Option<UnixTime>,
    /// How long it is advised to be kept, where it has none.
    pub(super) advised: Option<Duration>,
    /// When the token ends that it was read with: every lease of the token ends then, too.
    pub(super) token_ends: Option<UnixTime>,
}

#[derive(Deserialize)]
struct Reply {
    data: Option<Fields>,
    #[serde(default)]
    lease_id: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

impl Client<'_> {
    /// Reads a path. A token that has died since it was given is replaced, once.
    pub(super) fn read(&self, path: &str) -> Result<Secret, SourceError> {
        let mut token = self.token()?;
        let mut answer = self.call(Verb::Get, path, Some(&token.secret), Body::Empty)?;
        if answer.status == 403 && !self.is_alive(&token)? {
            self.give_up(&token);
            token = self.new_token()?;
            answer = self.call(Verb::Get, path, Some(&token.secret), Body::Empty)?;
            if answer.status == 403 && !self.is_alive(&token)? {
                self.give_up(&token);
                let what = format!("{} no longer takes our token: it was revoked", self.who());
                return Err(SourceError::Login(what));
            }
        }
        match answer.status {
            200 => self.secret(path, &answer, &token),
            403 => Err(SourceError::Refused(format!(
                "{} does not let us read {path}{}",
                self.who(),
                because(&answer)
            ))),
            404 => Err(SourceError::Missing(self.missing(path, &answer))),
            status => {
                let what = format!("{} answers {status} for {path}", self.who());
                Err(SourceError::Broken(format!("{what}{}", because(&answer))))
            }
        }
    }

    fn secret(&self, path: &str, answer: &Response, token: &Token) -> Result<Secret, SourceError> {
        let broken = |what| SourceError::Broken(format!("{} at {path}: {what}", self.who()));
        let reply: Reply = serde_json::from_slice(&answer.body)
            .map_err(|_| broken("its answer is not that of OpenBao"))?;
        let mut fields = reply.data.ok_or_else(|| broken("there are no fields"))?;
        // Version 2 of the key-value engine has them one deeper, beside what it knows of them.
        if matches!(fields.get("metadata"), Some(Field::Fields(_)))
            && let Some(Field::Fields(inner)) = fields.remove("data")
        {
            fields = inner;
        }
        let length = Some(reply.lease_duration).filter(|length| *length > 0);
        let is_lease = !reply.lease_id.is_empty();
        Ok(Secret {
            fields,
            ends: length.filter(|_| is_lease).map(|length| self.now + length),
            advised: length.filter(|_| !is_lease).map(Duration::from_secs),
            token_ends: token.ends.filter(|_| is_lease),
        })
    }

    /// Says why there is nothing: the usual mistake is the path that `bao kv get` takes.
    fn missing(&self, path: &str, answer: &Response) -> String {
        let who = self.who();
        let Ok(reply) = serde_json::from_slice::<Reply>(&answer.body) else {
            return format!("{who} has nothing at {path}");
        };
        if reply.data.is_some_and(|data| data.contains_key("metadata")) {
            return format!("{who} has nothing at {path} any more: its last version was deleted");
        }
        let is_versioned = |warning: &String| warning.contains("versioned");
        if reply.warnings.is_some_and(|warnings| warnings.iter().any(is_versioned)) {
            let (mount, rest) = path.split_once('/').unwrap_or((path, "{host}"));
            return format!(
                "{who} keeps versions at {path}: the path there is `{mount}/data/{rest}`"
            );
        }
        format!("{who} has nothing at {path}")
    }
}

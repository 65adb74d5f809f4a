//! `OpenBao`, or `HashiCorp` Vault, whose protocol it keeps: a secret is read at a path, with a token that
//! a login gives.
//!
//! A path may be one of the key-value engine (version 2 or 1), or of an engine that makes a credential for
//! each who asks, with a lease: whatever answers a GET.

mod login;
mod read;

use std::{fmt::Write as _, path::Path};

use crate::{
    broker::{Lease, SourceError, Wanted},
    core::{
        config::{OpenBao, SourceRule},
        origin::Origin,
        secret::SecretString,
        text::{self, printable},
    },
    net::{
        api::{Body, Call, Response, Verb},
        probe::Signature,
    },
    source::{CACHE, Held, Line, Post, fields, lease as leased, password, unanswered},
    sys::secret_file,
};

/// A running conversation with one server.
struct Client<'a> {
    settings: &'a OpenBao,
    post: &'a Post<'a>,
    held: &'a Held,
    line: Line,
    origin: Origin,
    /// Below this are all paths: `https://bao.corp.example:8200/v1`.
    base: String,
    now: u64,
}

/// Reads what is wanted. `account` is whom a secret without a field for it belongs to.
pub(super) fn lease(
    rule: &SourceRule,
    account: String,
    wanted: &Wanted<'_>,
    post: &Post<'_>,
    held: &Held,
) -> Result<Lease, SourceError> {
    let path = path(rule.path.as_deref().unwrap_or_default(), wanted.origin)?;
    let client = Client::new(post, held, wanted.now)?;
    let read::Secret { fields, ends, advised, token_ends } = client.read(&path)?;
    let at = |what: String| SourceError::Broken(format!("{} at {path}: {what}", client.who()));
    let named = fields::named(&fields, rule).map_err(at)?;
    // What a lease belongs to ends with the token that it was made for.
    let ends = match (ends, token_ends) {
        (Some(lease), Some(token)) => Some(lease.min(token)),
        (lease, _) => lease,
    };
    let ends = [ends, named.ends].into_iter().flatten().min();
    if ends.is_some_and(|end| end <= wanted.now) {
        return Err(at("it has ended".to_owned()));
    }
    let cache = rule.cache.unwrap_or(CACHE);
    let cache = advised.map_or(cache, |advised| advised.min(cache));
    let user = named.user.unwrap_or(account);
    Ok(leased("openbao", (user, password(named.secret)), ends, Some(cache), wanted.now))
}

/// Gives the token back that we logged in for, and with it everything that was made for it.
pub(super) fn log_out(post: &Post<'_>, held: &Held, now: u64) {
    if let Ok(client) = Client::new(post, held, now) {
        client.log_out();
    }
}

/// Puts the host into a path. What a path of ours never has is refused: it would be another question.
fn path(template: &str, origin: &Origin) -> Result<String, SourceError> {
    let mut host = String::new();
    for byte in origin.host().trim_matches(['[', ']']).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            host.push(char::from(byte));
        } else {
            let _ = write!(host, "%{byte:02X}");
        }
    }
    let path = template.trim_matches('/').replace("{host}", &host);
    let is_plain = |element: &str| {
        !matches!(element, "" | "." | "..")
            && element
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%@+=:".contains(&byte))
    };
    if path.split('/').all(is_plain) {
        return Ok(path);
    }
    Err(SourceError::Broken(format!(
        "`path` of the source of {} is no path of OpenBao, such as secret/data/git/{{host}}",
        origin.authority()
    )))
}

impl<'a> Client<'a> {
    fn new(post: &'a Post<'a>, held: &'a Held, now: u64) -> Result<Self, SourceError> {
        let settings = &post.config.openbao;
        let wrong = |what: &str| SourceError::Broken(format!("`openbao.address` {what}"));
        let address = settings.address.as_deref().ok_or_else(|| wrong("is not set"))?;
        let (origin, rest) =
            Origin::from_url(address).map_err(|error| wrong(&format!("is wrong: {error}")))?;
        if rest.contains(['?', '#']) {
            return Err(wrong("has a query"));
        }
        if origin.scheme() != "https" && !is_loopback(&origin) {
            return Err(wrong("must be https://: secrets would travel in clear text"));
        }
        let base = format!("{origin}{}/v1", rest.trim_end_matches('/'));
        let line = post.line(&origin, settings.ca.as_deref())?;
        Ok(Self { settings, post, held, line, origin, base, now })
    }

    fn who(&self) -> String {
        format!("OpenBao at {}", self.origin)
    }

    /// Sends a request, with a token where there is one.
    fn call(
        &self,
        method: Verb,
        path: &str,
        token: Option<&SecretString>,
        body: Body<'_>,
    ) -> Result<Response, SourceError> {
        let namespace = self.settings.namespace.as_deref().map(SecretString::from);
        // It answers no request without this where it demands that, and never wants more.
        let plain = SecretString::from("true");
        let mut fields = vec![("x-vault-request", &plain)];
        fields.extend(namespace.as_ref().map(|namespace| ("x-vault-namespace", namespace)));
        fields.extend(token.map(|token| ("x-vault-token", token)));
        let url = &format!("{}/{path}", self.base);
        let call = Call { method, url, signature: Signature::None, fields: &fields, body };
        let answer = self.line.api.call(&call, self.post.limit());
        let answer = answer.map_err(|error| unanswered(&self.who(), &error, &self.line))?;
        match answer.status {
            503 if said(&answer).contains("sealed") => Err(SourceError::Sealed(self.who())),
            429 | 500.. => {
                let what = format!("{} answers {}{}", self.who(), answer.status, because(&answer));
                Err(SourceError::Unreachable(what))
            }
            300..400 => {
                let what = format!("{} sends us elsewhere ({})", self.who(), answer.status);
                Err(SourceError::Broken(what))
            }
            _ => Ok(answer),
        }
    }
}

/// Reads a file that the configuration must name.
fn secret_of(file: Option<&Path>, key: &str) -> Result<SecretString, SourceError> {
    let Some(file) = file else {
        return Err(SourceError::Broken(format!("`openbao.{key}` is not set")));
    };
    let wrong = |what: String| SourceError::Login(format!("{}: {what}", file.display()));
    let secret = secret_file::read(file).map_err(|error| wrong(error.to_string()))?;
    secret.ok_or_else(|| wrong("there is no such file".to_owned()))
}

fn is_loopback(origin: &Origin) -> bool {
    let host = origin.host().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Returns what a refusal says, in one line.
fn said(answer: &Response) -> String {
    #[derive(Default, serde::Deserialize)]
    struct Errors {
        #[serde(default)]
        errors: Vec<String>,
    }
    let Errors { errors } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words: Vec<&str> = errors.iter().flat_map(|error| error.split_whitespace()).collect();
    printable(text::start(&words.join(" "), 200))
}

fn because(answer: &Response) -> String {
    let said = said(answer);
    if said.is_empty() { said } else { format!(": {said}") }
}

#[cfg(test)]
mod tests {
    use super::path;
    use crate::core::origin::Origin;

    #[test]
    fn a_path_has_the_host_in_it_and_nothing_that_makes_it_another() {
        let of = |template, host| {
            path(template, &Origin::new("https", host).unwrap()).map_err(|error| error.to_string())
        };
        assert_eq!(of("/secret/data/git/{host}", "h.x:8443").as_deref(), Ok("secret/data/git/h.x"));
        assert_eq!(of("kv/{host}", "[::1]").as_deref(), Ok("kv/%3A%3A1"));
        for wrong in ["", "a//b", "a/../b", "a?list=true", "a#b", "a b", "a\nb", "./a"] {
            assert!(of(wrong, "h").is_err(), "{wrong}");
        }
    }
}

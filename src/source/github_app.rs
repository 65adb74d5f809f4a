//! The installation token of a GitHub App: a statement signed with the app's key is exchanged for a
//! token that lives for an hour ("Generating an installation access token for a GitHub App").

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde::Deserialize;

use crate::{
    broker::{Lease, SourceError, Wanted},
    core::{
        config::SourceRule,
        credential::UnixTime,
        forge::Forge,
        origin::Origin,
        secret::{ExposeSecret, SecretString},
        text::{self, printable},
        time,
    },
    net::{
        api::{Body, Call, Response, Verb},
        probe::Signature,
    },
    source::{Post, fields::Field, lease as leased, password, unanswered},
    sys::secret_file,
};

/// The account that goes with every token of GitHub.
const USER: &str = "x-access-token";
/// How far its clock may be behind ours, and how long the statement lives: GitHub takes ten minutes at
/// most, from its own clock's point of view.
const BEHIND: UnixTime = 60;
const LIFE: UnixTime = 9 * 60;

/// Asks for a token.
pub(super) fn lease(
    rule: &SourceRule,
    wanted: &Wanted<'_>,
    post: &Post<'_>,
) -> Result<Lease, SourceError> {
    let statement = statement(rule, wanted.now)?;
    let (api, origin) = api(wanted.origin);
    let installation = rule.installation.as_deref().unwrap_or_default();
    if installation.is_empty() || !installation.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SourceError::Broken("`installation` of a GitHub app is a number".to_owned()));
    }
    let ca = post.config.host(wanted.origin).and_then(|host| host.ca.as_deref());
    let line = post.line(&origin, ca.map(std::path::Path::new))?;
    let who = format!("GitHub at {origin}");
    let version = SecretString::from("2022-11-28");
    let call = Call {
        method: Verb::Post,
        url: &format!("{api}/app/installations/{installation}/access_tokens"),
        signature: Signature::Bearer(&statement),
        fields: &[("x-github-api-version", &version)],
        body: Body::Empty,
    };
    let answer =
        line.api.call(&call, post.limit()).map_err(|error| unanswered(&who, &error, &line))?;
    let (token, ends) = read(&who, &answer)?;
    Ok(leased("github-app", (USER.to_owned(), password(token)), Some(ends), None, wanted.now))
}

/// Returns the URL below which the API is, and its origin: that of github.com has a host of its own.
fn api(origin: &Origin) -> (String, Origin) {
    let url = Forge::GitHub.user_url(origin);
    let base = url.strip_suffix("/user").unwrap_or(&url).to_owned();
    let of_api = Origin::from_url(&base).map_or_else(|_| origin.clone(), |(origin, _)| origin);
    (base, of_api)
}

#[derive(Deserialize)]
struct Issued {
    token: Field,
    expires_at: String,
}

#[derive(Default, Deserialize)]
struct Complaint {
    #[serde(default)]
    message: String,
}

fn read(who: &str, answer: &Response) -> Result<(SecretString, UnixTime), SourceError> {
    let said = || {
        let complaint: Complaint = serde_json::from_slice(&answer.body).unwrap_or_default();
        printable(text::start(&complaint.message, 200))
    };
    match answer.status {
        201 => {}
        401 => return Err(SourceError::Login(format!("{who} refuses the app: {}", said()))),
        403 | 422 => return Err(SourceError::Refused(format!("{who} refuses: {}", said()))),
        404 => {
            let what = format!("{who} knows no such installation of the app: {}", said());
            return Err(SourceError::Missing(what));
        }
        status @ (429 | 500..) => {
            return Err(SourceError::Unreachable(format!("{who} answers {status}: {}", said())));
        }
        status => return Err(SourceError::Broken(format!("{who} answers {status}: {}", said()))),
    }
    let broken = || SourceError::Broken(format!("{who} answers without a token or its end"));
    let issued: Issued = serde_json::from_slice(&answer.body).map_err(|_| broken())?;
    match (issued.token, time::timestamp(&issued.expires_at)) {
        (Field::Text(token), Some(ends)) if !token.expose_secret().is_empty() => Ok((token, ends)),
        (_, _) => Err(broken()),
    }
}

/// Signs a statement of who we are (RFC 7519, RS256).
fn statement(rule: &SourceRule, now: UnixTime) -> Result<SecretString, SourceError> {
    let key = key(rule)?;
    let app = rule.app_id.as_deref().unwrap_or_default();
    let claims = serde_json::json!({
        "iat": now.saturating_sub(BEHIND),
        "exp": now + LIFE,
        "iss": app,
    });
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| SourceError::Broken("the key of the GitHub app cannot sign".to_owned()))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}

/// Reads the app's key, as GitHub gives it (PKCS #1) or as openssl converts it (PKCS #8).
fn key(rule: &SourceRule) -> Result<RsaKeyPair, SourceError> {
    let file = rule.key.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    let broken = |what: String| SourceError::Broken(format!("{}: {what}", file.display()));
    let pem = secret_file::read(file).map_err(|error| broken(error.to_string()))?;
    let pem = pem.ok_or_else(|| broken("there is no such file".to_owned()))?;
    let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes())
        .map_err(|_| broken("it holds no private key in PEM".to_owned()))?;
    let pair = match &key {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(broken("it holds no RSA key".to_owned())),
    };
    pair.map_err(|error| broken(format!("it holds no RSA key that can sign: {error}")))
}

#[cfg(test)]
mod tests {
    use super::api;
    use crate::core::origin::Origin;

    #[test]
    fn the_api_is_that_of_the_host_itself() {
        let of = |host| {
            let (api, origin) = api(&Origin::new("https", host).unwrap());
            format!("{api} {origin}")
        };
        assert_eq!(of("github.com"), "https://api.github.com https://api.github.com");
        assert_eq!(of("ghe.corp.test"), "https://ghe.corp.test/api/v3 https://ghe.corp.test");
        assert_eq!(of("github.com:444"), "https://github.com:444/api/v3 https://github.com:444");
    }
}

//! What a CI system gives its job: a token for its own server, and a signed statement of which job asks,
//! which a secret manager takes for a login.
//!
//! A job's token goes to the server that gave it and nowhere else: scheme, host and port are compared.
//! Sources: GitLab, "CI/CD job token" and "Predefined CI/CD variables"; GitHub, "Automatic token
//! authentication", "Default environment variables" and "`OpenID` Connect reference".

use serde::Deserialize;

use crate::{
    broker::{CacheFor, Lease, SourceError},
    core::{
        origin::Origin,
        secret::{ExposeSecret, SecretString},
        text::printable,
    },
    net::{
        api::{Body, Call, Verb},
        probe::Signature,
    },
    source::{Post, fields::Field, password, unanswered},
    sys::env::{self, Env},
};

/// The account that goes with GitLab's token.
const GITLAB: &str = "gitlab-ci-token";
/// The account that goes with GitHub's token.
const GITHUB: &str = "x-access-token";

/// Returns the job's token for an origin. `None`: there is no job here, or it is another server's.
pub(super) fn job_token(origin: &Origin, env: &Env) -> Option<Lease> {
    let (user, secret) = if gitlab(env).as_ref() == Some(origin) {
        (GITLAB, env::secret("CI_JOB_TOKEN")?)
    } else if github(env).as_ref() == Some(origin) {
        (GITHUB, env::secret("GITHUB_TOKEN")?)
    } else {
        return None;
    };
    Some(Lease {
        user: user.to_owned(),
        proof: password(secret),
        // It ends with the job, which knows when that is.
        ends: None,
        refresh_at: None,
        cache: CacheFor::Never,
        from: "ci",
    })
}

/// The server of a GitLab job.
fn gitlab(env: &Env) -> Option<Origin> {
    let scheme = env.text("CI_SERVER_PROTOCOL").unwrap_or("https");
    let usual = if scheme == "http" { "80" } else { "443" };
    let port = match env.text("CI_SERVER_PORT") {
        Some(port) if port != usual => Some(port.parse().ok()?),
        Some(_) | None => None,
    };
    Origin::from_parts(scheme, env.text("CI_SERVER_HOST")?, port).ok()
}

/// The server of a GitHub workflow.
fn github(env: &Env) -> Option<Origin> {
    let (origin, rest) = Origin::from_url(env.text("GITHUB_SERVER_URL")?).ok()?;
    matches!(rest, "" | "/").then_some(origin)
}

/// The answer of GitHub's token service.
#[derive(Deserialize)]
struct Issued {
    value: Field,
}

/// Asks GitHub for the statement of who the job is (`OpenID` Connect). `Ok(None)`: this is no job, or it
/// has no permission `id-token: write`.
pub(super) fn identity(
    audience: Option<&str>,
    post: &Post<'_>,
) -> Result<Option<SecretString>, SourceError> {
    let Some(url) = post.env.text("ACTIONS_ID_TOKEN_REQUEST_URL") else { return Ok(None) };
    let Some(token) = env::secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN") else { return Ok(None) };
    let broken = |what: &str| SourceError::Broken(format!("ACTIONS_ID_TOKEN_REQUEST_URL: {what}"));
    let (origin, _) = Origin::from_url(url).map_err(|error| broken(&error.to_string()))?;
    if origin.scheme() != "https" {
        return Err(broken("the job's token goes to https:// only"));
    }
    let url = match audience {
        Some(audience) => {
            let audience: String = form_urlencoded::byte_serialize(audience.as_bytes()).collect();
            format!("{url}{}audience={audience}", if url.contains('?') { '&' } else { '?' })
        }
        None => url.to_owned(),
    };
    let line = post.line(&origin, None)?;
    let who = format!("the token service of the job at {origin}");
    let call = Call {
        method: Verb::Get,
        url: &url,
        signature: Signature::Bearer(&token),
        fields: &[],
        body: Body::Empty,
    };
    let answer =
        line.api.call(&call, post.limit()).map_err(|error| unanswered(&who, &error, &line))?;
    if answer.status != 200 {
        return Err(SourceError::Login(format!("{who} answers {}", answer.status)));
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Issued { value: Field::Text(value) }) if !value.expose_secret().is_empty() => {
            Ok(Some(value))
        }
        Ok(_) | Err(_) => Err(SourceError::Broken(format!("{who} answers without a token"))),
    }
}

/// Returns the statement that a variable holds, as `id_tokens` of GitLab puts it there.
pub(super) fn from_variable(name: &str) -> Result<SecretString, SourceError> {
    env::secret(name).ok_or_else(|| {
        SourceError::Login(format!(
            "the variable {} (`openbao.jwt_variable`) is not set here",
            printable(name)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::{github, gitlab};
    use crate::{core::origin::Origin, sys::env::Env};

    fn is(of: fn(&Env) -> Option<Origin>, env: &[(&'static str, &str)], url: &str) -> bool {
        let (origin, _) = Origin::from_url(url).unwrap();
        of(&Env::of(env)) == Some(origin)
    }

    #[test]
    fn the_token_of_a_job_belongs_to_its_exact_server() {
        let host = ("CI_SERVER_HOST", "gitlab.example.com");
        let usual = [host, ("CI_SERVER_PORT", "443"), ("CI_SERVER_PROTOCOL", "https")];
        assert!(is(gitlab, &usual, "https://gitlab.example.com"));
        assert!(is(gitlab, &[host], "https://gitlab.example.com"));
        let other = [host, ("CI_SERVER_PORT", "8443")];
        assert!(is(gitlab, &other, "https://gitlab.example.com:8443"));
        for url in [
            "https://gitlab.example.com:8443",
            "http://gitlab.example.com",
            "https://gitlab.example.com.evil.test",
            "https://evilgitlab.example.com",
            "https://Gitlab.example.com",
        ] {
            assert!(!is(gitlab, &usual, url), "{url}");
        }
        assert!(!is(gitlab, &other, "https://gitlab.example.com"));
        for broken in ["a b", "h@evil", "h/x"] {
            assert_eq!(gitlab(&Env::of(&[("CI_SERVER_HOST", broken)])), None);
        }
        let port = [host, ("CI_SERVER_PORT", "no")];
        assert_eq!(gitlab(&Env::of(&port)), None);
        let server = |url| [("GITHUB_SERVER_URL", url)];
        assert!(is(github, &server("https://github.com"), "https://github.com"));
        assert!(!is(github, &server("https://github.com"), "https://github.com.evil.test"));
        assert!(!is(github, &server("https://evil/github.com"), "https://evil"));
    }
}

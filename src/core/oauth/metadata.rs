//! What a server says of itself: RFC 8414, and the discovery of `OpenID` Connect, which it comes from.

use serde::Deserialize;
use thiserror::Error;

use crate::core::{
    oauth::{
        ClientAuth,
        server::{Secret, Server, endpoint},
    },
    origin::Origin,
};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// A place where metadata may be, and whose it must be then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The URL.
    pub url: String,
    /// The issuer; the same with a slash at its end is the same.
    pub issuer: String,
}

/// Returns where the metadata of an issuer may be. A URL that is a place itself is the only one.
pub fn places(url: &str) -> Vec<Place> {
    let Ok((origin, path)) = Origin::from_url(url) else { return Vec::new() };
    let path = path.trim_end_matches('/');
    for middle in [OAUTH, OPENID] {
        let issuer = match path.split_once(middle) {
            // RFC 8414 §3 puts it between host and path,
            Some(("", path)) if path.is_empty() || path.starts_with('/') => {
                format!("{origin}{path}")
            }
            // OpenID Connect Discovery §4 behind it.
            Some((path, "")) => format!("{origin}{path}"),
            _ => continue,
        };
        return vec![Place { url: url.to_owned(), issuer }];
    }
    let issuer = format!("{origin}{path}");
    let place = |url| Place { url, issuer: issuer.clone() };
    let mut places =
        vec![place(format!("{origin}{OAUTH}{path}")), place(format!("{issuer}{OPENID}"))];
    places.dedup();
    places
}

/// Why metadata is not used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It is none.
    #[error("it is not the metadata of a server (RFC 8414)")]
    Malformed,
    /// It is somebody else's (RFC 8414 §3.3).
    #[error("it is the metadata of another server than the one that was asked")]
    Issuer,
    /// A URL that no secret may be sent to.
    #[error("its `{0}` is no https:// URL")]
    Endpoint(&'static str),
}

#[derive(Deserialize)]
struct Json {
    issuer: String,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    scopes_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Reads the metadata of a place. `allows_http`: the person allows secrets in clear text there.
pub fn parse(body: &[u8], place: &Place, allows_http: bool) -> Result<Server, Error> {
    let json: Json = serde_json::from_slice(body).map_err(|_| Error::Malformed)?;
    if json.issuer.trim_end_matches('/') != place.issuer.trim_end_matches('/') {
        return Err(Error::Issuer);
    }
    let checked = |url: Option<String>, name| match url {
        None => Ok(None),
        Some(url) => endpoint(&url, allows_http).map(Some).ok_or(Error::Endpoint(name)),
    };
    let has = |list: &Option<Vec<String>>, name: &str| {
        list.as_ref().is_some_and(|list| list.iter().any(|one| one == name))
    };
    // Without a list a server may well know PKCE; with one it says so.
    let knows_pkce = json.code_challenge_methods_supported.is_none()
        || has(&json.code_challenge_methods_supported, "S256");
    let authorize = json.authorization_endpoint.filter(|_| knows_pkce);
    let methods = &json.token_endpoint_auth_methods_supported;
    let is_body = has(methods, "client_secret_post") && !has(methods, "client_secret_basic");
    let is_openid = has(&json.scopes_supported, "openid");
    let wanted = ["openid", "profile", "offline_access"].into_iter();
    let scopes = wanted.filter(|scope| is_openid && has(&json.scopes_supported, scope));
    Ok(Server {
        issuer: Some(json.issuer),
        names_itself: json.authorization_response_iss_parameter_supported,
        authorize: checked(authorize, "authorization_endpoint")?,
        device: checked(json.device_authorization_endpoint, "device_authorization_endpoint")?,
        token: checked(json.token_endpoint, "token_endpoint")?.ok_or(Error::Malformed)?,
        revoke: checked(json.revocation_endpoint, "revocation_endpoint")?,
        userinfo: checked(json.userinfo_endpoint, "userinfo_endpoint")?,
        scopes: scopes.map(str::to_owned).collect(),
        client_auth: if is_body { ClientAuth::Body } else { ClientAuth::Basic },
        secret: Secret::Never,
    })
}

#[cfg(test)]
mod tests {
    use super::{Error, Place, parse, places};

    fn urls(url: &str) -> Vec<(String, String)> {
        places(url).into_iter().map(|place| (place.url, place.issuer)).collect()
    }

    fn pair(url: &str, issuer: &str) -> (String, String) {
        (url.to_owned(), issuer.to_owned())
    }

    #[test]
    fn the_places_are_those_of_both_standards() {
        assert_eq!(
            urls("https://h/realms/corp/"),
            [
                pair(
                    "https://h/.well-known/oauth-authorization-server/realms/corp",
                    "https://h/realms/corp"
                ),
                pair(
                    "https://h/realms/corp/.well-known/openid-configuration",
                    "https://h/realms/corp"
                ),
            ]
        );
        assert_eq!(urls("https://h")[1].0, "https://h/.well-known/openid-configuration");
        for (url, issuer) in [
            ("https://h/a/.well-known/openid-configuration", "https://h/a"),
            ("https://h/.well-known/oauth-authorization-server/a", "https://h/a"),
            ("https://h/.well-known/openid-configuration", "https://h"),
        ] {
            assert_eq!(urls(url), [pair(url, issuer)]);
        }
        assert_eq!(urls("no url"), []);
    }

    fn of(text: &str, allows_http: bool) -> Result<super::Server, Error> {
        let place = Place { url: String::new(), issuer: "https://h".to_owned() };
        parse(text.as_bytes(), &place, allows_http)
    }

    #[test]
    fn another_issuer_and_an_endpoint_in_clear_text_are_refused() {
        let good = r#"{"issuer":"https://h/","token_endpoint":"https://h/t","scopes_supported":["openid","x"]}"#;
        let server = of(good, false).unwrap();
        assert_eq!(
            (server.token.as_str(), server.scopes),
            ("https://h/t", vec!["openid".to_owned()])
        );
        assert_eq!(of(&good.replace("//h/\"", "//evil\""), false), Err(Error::Issuer));
        let clear = good.replace("https://h/t", "http://h/t");
        assert_eq!(of(&clear, false), Err(Error::Endpoint("token_endpoint")));
        assert!(of(&clear, true).is_ok());
        for url in ["https://ana:pw@h/t", "file:///t", "https://h/t#x", "https://h/t\\u000a", ""] {
            let text = good.replace("https://h/t", url);
            assert_eq!(of(&text, true), Err(Error::Endpoint("token_endpoint")), "{url}");
        }
        assert_eq!(of(r#"{"issuer":"https://h"}"#, false), Err(Error::Malformed));
        assert_eq!(of("[]", false), Err(Error::Malformed));
    }

    #[test]
    fn a_server_that_knows_no_pkce_gets_no_browser() {
        let of = |methods: &str| {
            let text = format!(
                r#"{{"issuer":"https://h","token_endpoint":"https://h/t",
                "authorization_endpoint":"https://h/a"{methods}}}"#
            );
            of(&text, false).unwrap().authorize
        };
        assert!(of("").is_some());
        assert!(of(r#","code_challenge_methods_supported":["plain","S256"]"#).is_some());
        assert!(of(r#","code_challenge_methods_supported":["plain"]"#).is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_metadata_makes_it_panic(text in ".{0,200}") {
            let _ = of(&text, true);
            let _ = places(&text);
        }
    }
}

//! The authorization code flow of a native program: PKCE (RFC 7636), the URL for the browser, and what
//! the browser brings back to the loopback address (RFC 8252 §7.3, RFC 9207).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use form_urlencoded::{Serializer, parse};
use hmac_sha256::Hash;
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::core::{
    oauth::{OFFLINE, token::Refusal},
    secret::{ExposeSecret, SecretString, same},
};

/// The path that the browser is sent back to.
pub const CALLBACK: &str = "/callback";

/// What proves that who redeems the code is who asked for it.
#[derive(Debug)]
pub struct Proof {
    /// `code_verifier`
    pub verifier: SecretString,
    /// `state`, which the browser must bring back.
    pub state: SecretString,
}

impl Proof {
    /// Makes one of random bytes: 43 characters each (RFC 7636 §4.1).
    pub fn of(verifier: &Zeroizing<[u8; 32]>, state: &Zeroizing<[u8; 32]>) -> Self {
        let text = |bytes: &[u8; 32]| {
            let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
            SecretString::from(text.as_str())
        };
        Self { verifier: text(verifier), state: text(state) }
    }

    /// Returns the challenge of S256; there is no other method that is worth having.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Hash::hash(self.verifier.expose_secret().as_bytes()))
    }
}

/// What the browser is sent to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The authorization endpoint.
    pub endpoint: &'a str,
    /// Our name.
    pub client_id: &'a str,
    /// Where the browser is sent back to.
    pub redirect_uri: &'a str,
    /// What is asked for.
    pub scopes: &'a [String],
    /// The proof.
    pub proof: &'a Proof,
}

impl Request<'_> {
    /// Returns the URL for the browser. The state in it is worth nothing without the verifier.
    pub fn url(&self) -> String {
        let Self { endpoint, client_id, redirect_uri, scopes, proof } = *self;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        let mut query = Serializer::new(String::new());
        query.append_pair("response_type", "code");
        query.append_pair("client_id", client_id);
        query.append_pair("redirect_uri", redirect_uri);
        if !scopes.is_empty() {
            query.append_pair("scope", &scopes.join(" "));
        }
        query.append_pair("state", proof.state.expose_secret());
        query.append_pair("code_challenge", &proof.challenge());
        query.append_pair("code_challenge_method", "S256");
        if scopes.iter().any(|scope| scope == OFFLINE) {
            // OpenID Connect Core §11: without it the scope must be ignored.
            query.append_pair("prompt", "consent");
        }
        format!("{endpoint}{joint}{}", query.finish())
    }
}

/// What a browser brought that is no code of ours.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It is not an answer to our question: somebody else's, or none. The wait goes on.
    #[error("the browser brought an answer to another question")]
    Foreign,
    /// The server says no.
    #[error("{0}")]
    Refused(Refusal),
    /// Another server answered than the one that was asked (RFC 9207 §2.4).
    #[error("another server answered than the one that was asked")]
    Issuer,
    /// There is no code.
    #[error("the answer has no code")]
    NoCode,
}

/// Reads the target of the request that the browser made. The state decides first: what does not have
/// it says nothing about our question.
pub fn returned(
    target: &str,
    state: &SecretString,
    issuer: &Issuer<'_>,
) -> Result<SecretString, Error> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (mut code, mut error, mut words, mut their_state, mut iss) = (None, None, None, None, None);
    for (key, value) in parse(query.as_bytes()) {
        let place = match key.as_ref() {
            "code" => &mut code,
            "error" => &mut error,
            "error_description" => &mut words,
            "iss" => &mut iss,
            "state" => &mut their_state,
            _ => continue,
        };
        // A parameter must not come twice (RFC 6749 §3.1).
        if place.replace(Zeroizing::new(value.into_owned())).is_some() {
            return Err(Error::Foreign);
        }
    }
    let is_ours = their_state.is_some_and(|text| same(&SecretString::from(text.as_str()), state));
    if path != CALLBACK || !is_ours {
        return Err(Error::Foreign);
    }
    match (issuer.name, iss) {
        (Some(name), Some(iss)) if *iss != name => return Err(Error::Issuer),
        (_, None) if issuer.is_promised => return Err(Error::Issuer),
        _ => {}
    }
    if let Some(error) = error {
        return Err(Error::Refused(Refusal::new(
            &error,
            words.as_ref().map(|words| words.as_str()),
        )));
    }
    match code {
        Some(code) if !code.is_empty() => Ok(SecretString::from(code.as_str())),
        _ => Err(Error::NoCode),
    }
}

/// Who must have answered.
#[derive(Clone, Copy, Debug)]
pub struct Issuer<'a> {
    /// The issuer, where its metadata was read.
    pub name: Option<&'a str>,
    /// Whether it promises to name itself in each answer.
    pub is_promised: bool,
}

#[cfg(test)]
mod tests {
    use super::{Error, Issuer, Proof, Request, Zeroizing, returned};
    use crate::core::secret::ExposeSecret;

    /// RFC 7636, appendix B.
    const BYTES: [u8; 32] = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];

    fn proof() -> Proof {
        Proof::of(&Zeroizing::new(BYTES), &Zeroizing::new([0; 32]))
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        assert_eq!(proof().verifier.expose_secret(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(proof().challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn the_url_asks_for_the_code_with_the_challenge_only() {
        let scopes = ["openid".to_owned(), "offline_access".to_owned()];
        let proof = proof();
        let request = Request {
            endpoint: "https://h/auth?tenant=a",
            client_id: "go cred",
            redirect_uri: "http://127.0.0.1:7/callback",
            scopes: &scopes,
            proof: &proof,
        };
        let url = request.url();
        assert!(url.starts_with("https://h/auth?tenant=a&response_type=code&client_id=go+cred&"));
        assert!(url.contains("redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback"), "{url}");
        assert!(url.contains("scope=openid+offline_access") && url.contains("prompt=consent"));
        assert!(url.contains("code_challenge_method=S256") && !url.contains("dBjft"), "{url}");
    }

    #[test]
    fn only_the_answer_to_our_own_question_has_a_code() {
        let (proof, state) = (proof(), "A".repeat(43));
        let of = |query: &str, name, is_promised| {
            let target = format!("/callback?{query}&state={state}");
            returned(&target, &proof.state, &Issuer { name, is_promised })
                .map(|code| code.expose_secret().to_owned())
        };
        let us = Some("https://h");
        assert_eq!(of("code=c%2Fd", us, false).as_deref(), Ok("c/d"));
        assert_eq!(of("code=c&iss=https://h", us, true).as_deref(), Ok("c"));
        assert_eq!(of("code=c&iss=https://evil", us, false), Err(Error::Issuer));
        assert_eq!(of("code=c", us, true), Err(Error::Issuer));
        assert_eq!(of("error=access_denied&iss=https://evil", us, true), Err(Error::Issuer));
        assert!(matches!(of("error=access_denied", None, false), Err(Error::Refused(_))));
        assert_eq!(of("x=y", None, false), Err(Error::NoCode));
        assert_eq!(of("code=a&code=b", None, false), Err(Error::Foreign));
        assert_eq!(of("state=x&code=a", None, false), Err(Error::Foreign));
        let issuer = Issuer { name: None, is_promised: false };
        for target in
            ["/callback?code=c", "/?code=c&state=x", "/favicon.ico", "", "/callback?state="]
        {
            assert_eq!(returned(target, &proof.state, &issuer).unwrap_err(), Error::Foreign);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_target_makes_it_panic(target in ".{0,99}") {
            let issuer = Issuer { name: None, is_promised: false };
            let _ = returned(&target, &proof().state, &issuer);
        }
    }
}

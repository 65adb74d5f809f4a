//! What a login leaves behind for its renewals: where to ask, as whom, and for what.
//!
//! It is kept as one text (`Secrets::session`), because it may hold a client's secret.

use form_urlencoded::{Serializer, parse};
use secrecy::zeroize::Zeroizing;

use crate::core::{
    credential::UnixTime,
    secret::{ExposeSecret, SecretString},
};

/// How a client shows its secret (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// `Authorization: Basic`, which every server must take.
    #[default]
    Basic,
    /// In the body.
    Body,
}

/// The session of a login.
#[derive(Clone, Debug)]
pub struct Session {
    /// The token endpoint (RFC 6749 §3.2).
    pub token_url: String,
    /// The revocation endpoint (RFC 7009), where there is one.
    pub revoke_url: Option<String>,
    /// The client.
    pub client_id: String,
    /// Its secret, where the server wants one of a native client, too.
    pub client_secret: Option<SecretString>,
    /// How the secret is shown.
    pub client_auth: ClientAuth,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When the token was obtained: with its end, what 80 % of its life are.
    pub obtained: UnixTime,
    /// The person, such as `Ana Lima`, for `status`.
    pub name: Option<String>,
}

impl Session {
    /// Writes it as `application/x-www-form-urlencoded`, which has no line break.
    pub fn encode(&self) -> SecretString {
        let Self { token_url, revoke_url, client_id, client_secret, .. } = self;
        let Self { client_auth, scopes, obtained, name, .. } = self;
        let (scopes, obtained) = (scopes.join(" "), obtained.to_string());
        let secret = client_secret.as_ref().map(ExposeSecret::expose_secret);
        let pairs = [
            ("token_url", Some(token_url.as_str())),
            ("revoke_url", revoke_url.as_deref()),
            ("client_id", Some(client_id)),
            ("client_secret", secret),
            ("client_auth", (*client_auth == ClientAuth::Body).then_some("body")),
            ("scope", Some(&scopes)),
            ("obtained", Some(&obtained)),
            ("name", name.as_deref()),
        ];
        let pairs = pairs.into_iter().filter_map(|(key, value)| Some((key, value?)));
        // A byte becomes three at most: it never grows, and leaves no copy behind.
        let size = pairs.clone().map(|(key, value)| key.len() + 3 * value.len() + 2).sum();
        let mut text = Zeroizing::new(String::with_capacity(size));
        Serializer::new(&mut *text).extend_pairs(pairs);
        SecretString::from(text.as_str())
    }

    /// Reads what [`Self::encode`] wrote. What a later version adds is passed over.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let (mut token_url, mut revoke_url, mut client_id) = (None, None, None);
        let (mut client_secret, mut scope, mut obtained, mut name) = (None, None, None, None);
        let mut client_auth = ClientAuth::Basic;
        for (key, value) in parse(text.expose_secret().as_bytes()) {
            match key.as_ref() {
                "client_auth" if value == "body" => client_auth = ClientAuth::Body,
                "client_id" => client_id = Some(value.into_owned()),
                "client_secret" => client_secret = Some(SecretString::from(value.into_owned())),
                "name" => name = Some(value.into_owned()),
                "obtained" => obtained = value.parse().ok(),
                "revoke_url" => revoke_url = Some(value.into_owned()),
                "scope" => scope = Some(value.into_owned()),
                "token_url" => token_url = Some(value.into_owned()),
                _ => {}
            }
        }
        let scopes = scope.unwrap_or_default();
        Some(Self {
            token_url: token_url?,
            revoke_url,
            client_id: client_id?,
            client_secret,
            client_auth,
            scopes: scopes.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
            obtained: obtained?,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ClientAuth, ExposeSecret, SecretString, Session};

    proptest! {
        #[test]
        fn a_session_survives_its_text(
            url: String,
            revoke_url: Option<String>,
            secret: Option<String>,
            scopes in proptest::collection::vec("[^ ]{1,9}", 0..4),
            obtained: u64,
            name: Option<String>,
        ) {
            let session = Session {
                token_url: url.clone(),
                revoke_url: revoke_url.clone(),
                client_id: url.clone(),
                client_secret: secret.clone().map(SecretString::from),
                client_auth: if obtained.is_multiple_of(2) { ClientAuth::Basic } else { ClientAuth::Body },
                scopes: scopes.clone(),
                obtained,
                name: name.clone(),
            };
            let text = session.encode();
            prop_assert!(!text.expose_secret().contains(['\n', '\0']));
            let read = Session::parse(&text).unwrap();
            prop_assert_eq!((&read.token_url, read.revoke_url), (&url, revoke_url));
            prop_assert_eq!(read.client_secret.map(|it| it.expose_secret().to_owned()), secret);
            prop_assert_eq!((read.client_id, read.scopes), (url, scopes));
            prop_assert_eq!(read.client_auth, session.client_auth);
            prop_assert_eq!((read.obtained, read.name), (obtained, name));
        }
    }

    #[test]
    fn a_text_without_endpoint_client_or_time_is_no_session() {
        let whole = "token_url=u&client_id=c&obtained=1&later=x";
        assert!(Session::parse(&whole.into()).is_some());
        for missing in ["token_url=u&", "client_id=c&", "obtained=1&"] {
            assert!(Session::parse(&whole.replace(missing, "").into()).is_none(), "{missing}");
        }
    }
}

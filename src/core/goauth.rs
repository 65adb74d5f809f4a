//! The two grammars of a GOAUTH command: what it answers, and what go tells it (`go help goauth`).
//!
//! It deliberately writes one header, `Authorization`, because go forwards every other one to
//! another host on a redirect.

use crate::core::{
    auth,
    credential::Proof,
    origin::{self, Origin},
    secret::{ExposeSecret, SecretString},
};

/// An `Authorization` and what it is for.
#[derive(Debug)]
pub struct CredentialSet {
    /// URLs as go will write them. Go 1.24 knows only a whole URL or `https://host[:port]` without
    /// a slash; later ones also know path prefixes.
    pub urls: Vec<String>,
    /// The value of the header.
    pub authorization: SecretString,
}

/// Encodes the answer. Every line ends in LF, on Windows too: go takes CR for a part of the URL.
/// No credentials are the empty answer.
pub fn encode(sets: &[CredentialSet]) -> SecretString {
    let mut pieces = Vec::new();
    for CredentialSet { urls, authorization } in sets {
        pieces.extend(urls.iter().flat_map(|url| [url.as_str(), "\n"]));
        pieces.extend(["\nAuthorization: ", authorization.expose_secret(), "\n\n"]);
    }
    joined(&pieces)
}

/// Joins pieces in a text that never grows: growth would leave a copy of a secret behind.
fn joined(pieces: &[&str]) -> SecretString {
    let mut whole = String::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        whole.push_str(piece);
    }
    whole.into()
}

/// Returns the value of the `Authorization` header, or `None` where the header cannot carry it: a
/// colon in the account of a Basic credential (RFC 7617 §2), a control character or a character
/// beyond ASCII in an encoded one (RFC 9110 §11.4).
pub fn authorization(user: &str, proof: &Proof) -> Option<SecretString> {
    match proof {
        Proof::Password(_) if user.contains(':') => None,
        Proof::Password(password) => Some(auth::basic(user, password)),
        Proof::Encoded { authtype, credential } => {
            let credential = credential.expose_secret();
            let is_value = |text: &str| {
                !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
            };
            (is_value(authtype) && !authtype.contains([' ', ':']) && is_value(credential))
                .then(|| joined(&[authtype, " ", credential]))
        }
    }
}

/// The URL that go was refused, without user name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its origin, as written.
    pub origin: Origin,
    /// Path and query, from the first slash or question mark on; may be empty.
    pub path: String,
}

impl Refused {
    /// Parses the argument that go appends. User name and password are dropped before anything
    /// else looks at it.
    pub fn parse(url: &str) -> Result<Self, origin::Error> {
        let (scheme, rest) = url.split_once("://").ok_or(origin::Error::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
        if path.contains(char::is_control) {
            return Err(origin::Error::Host);
        }
        Ok(Self { origin: Origin::new(scheme, authority)?, path: path.to_owned() })
    }

    /// Returns the URL.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }
}

/// Returns the status of the response head that go writes to standard input; `None` where there is
/// none, as in the first call. `HTTP/2.0 401` has no reason. The header lines, in random order and
/// with equal names joined by commas, decide nothing.
pub fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.next().filter(|protocol| protocol.starts_with("HTTP/"))?;
    let status = words.next().filter(|status| status.len() == 3)?;
    status.parse().ok().filter(|status| (100..1000).contains(status))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CredentialSet, Refused, authorization, encode, status};
    use crate::core::{credential::Proof, secret::ExposeSecret};

    fn set(urls: &[&str], authorization: &str) -> CredentialSet {
        CredentialSet {
            urls: urls.iter().map(ToString::to_string).collect(),
            authorization: authorization.into(),
        }
    }

    #[test]
    fn a_set_is_urls_then_one_header_each_closed_by_an_empty_line() {
        let sets = [
            set(&["https://h", "https://h/x?go-get=1"], "Basic YTpi"),
            set(&["https://i:8"], "B t"),
        ];
        assert_eq!(
            encode(&sets).expose_secret(),
            "https://h\nhttps://h/x?go-get=1\n\nAuthorization: Basic YTpi\n\n\
             https://i:8\n\nAuthorization: B t\n\n"
        );
        assert_eq!(encode(&[]).expose_secret(), "");
    }

    #[test]
    fn a_password_becomes_basic_and_an_encoded_credential_stays() {
        let value = |user: &str, proof: &Proof| {
            authorization(user, proof).map(|value| value.expose_secret().to_owned())
        };
        let password = Proof::Password("open sesame".into());
        // RFC 7617 §2
        assert_eq!(
            value("Aladdin", &password).as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(value("a:b", &password), None);
        let encoded = |authtype: &str, credential: &str| Proof::Encoded {
            authtype: authtype.to_owned(),
            credential: credential.into(),
        };
        assert_eq!(value("", &encoded("Bearer", "t=")).as_deref(), Some("Bearer t="));
        for (authtype, credential) in [
            ("Bearer", "a\nX: y"),
            ("Bearer", "a\r"),
            ("Bearer", ""),
            ("Bearer", "é"),
            ("", "a"),
            ("A\n", "a"),
            ("A: b", "a"),
        ] {
            assert_eq!(
                value("", &encoded(authtype, credential)),
                None,
                "{authtype:?} {credential:?}"
            );
        }
    }

    #[test]
    fn the_refused_url_loses_its_userinfo_first() {
        for (url, shown) in [
            ("https://h/x/y?go-get=1", "https://h/x/y?go-get=1"),
            ("https://ana:hunter2@h:8443/x", "https://h:8443/x"),
            ("https://a@b:hunter2@h", "https://h"),
            ("https://h?x=a@b", "https://h?x=a@b"),
            ("https://[::1]:8443/", "https://[::1]:8443/"),
        ] {
            assert_eq!(Refused::parse(url).unwrap().url(), shown);
        }
        for url in
            ["", "h/x", "https://", "https://h:x/", "https://h/\nAuthorization: x", "https://h\r/"]
        {
            assert!(Refused::parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn the_status_is_read_in_both_versions_and_whatever_follows() {
        for (head, expected) in [
            (
                "HTTP/1.1 401 Unauthorized\nWww-Authenticate: Basic realm=\"a\", Bearer\nDate: x\n\n",
                Some(401),
            ),
            ("HTTP/2.0 404 Not Found\nB: 1\nA: 2\n\n", Some(404)),
            ("HTTP/2.0 403\n\n", Some(403)),
            ("HTTP/1.1 410 Gone\r\n", Some(410)),
            ("HTTP/1.1 401", Some(401)),
            ("", None),
            ("\n", None),
            ("401\n", None),
            ("HTTP/1.1\n", None),
            ("HTTP/1.1 4x1\n", None),
            ("HTTP/1.1 +41\n", None),
            ("HTTP/1.1 40100\n", None),
            ("Host: x\nHTTP/1.1 401\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(head in proptest::collection::vec(any::<u8>(), 0..64), url in r"(https://)?\PC{0,24}") {
            status(&head);
            if let Ok(refused) = Refused::parse(&url) {
                prop_assert!(!refused.url().contains('\n'));
                prop_assert_eq!(Refused::parse(&refused.url()), Ok(refused));
            }
        }

        #[test]
        fn a_basic_credential_decodes_to_its_parts(user in "[^:\\x00-\\x1f]{0,12}", password in "\\PC{0,12}") {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let value = authorization(&user, &Proof::Password(password.as_str().into())).unwrap();
            let encoded = value.expose_secret().strip_prefix("Basic ").unwrap();
            let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap();
            prop_assert_eq!(pair.split_once(':'), Some((user.as_str(), password.as_str())));
        }
    }
}

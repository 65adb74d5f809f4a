//! Digest access authentication for a client (RFC 7616; RFC 2617 and 2069 for older servers).
//!
//! `auth-int` is not spoken (a proxy would have to keep the body), and text is not normalized (RFC
//! 7616 §4 asks for NFC): it is hashed as it was typed. The server's proof (`rspauth`) is not looked at.

use md5::{Digest, Md5};
use secrecy::zeroize::Zeroizing;
use sha2::{Sha256, Sha512_256};
use thiserror::Error;

use crate::core::{
    challenge::{self, Challenge},
    secret::{ExposeSecret, SecretString},
};

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What the secret is for; the guard remembers by it.
    pub realm: String,
    /// The nonce was too old, and the secret was not judged (RFC 7616 §3.3): answer again.
    pub is_stale: bool,
    nonce: String,
    opaque: Option<String>,
    hash: Hash,
    /// The hash of the password depends on the nonces (`-sess`).
    is_session: bool,
    /// As the server wrote it; `None`: it wrote none, and gets none.
    algorithm: Option<String>,
    qop: Qop,
    naming: Naming,
}

/// The request that an answer is for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method, `CONNECT`.
    pub method: &'a str,
    /// Its target as it stands in the request line, `git.corp.example:443`.
    pub uri: &'a str,
    /// How often this nonce has been used, this time included: 1 the first time.
    pub nonce_count: u32,
    /// Random text. With the same nonce it stays the same.
    pub cnonce: &'a str,
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It breaks the grammar.
    #[error("the proxy's Digest challenge is malformed: {0}")]
    Malformed(&'static str),
    /// It wants what we do not speak.
    #[error("the proxy's Digest challenge wants an unknown {0}")]
    Unsupported(&'static str),
    /// The user's name has control characters, which no field can carry.
    #[error("the user's name cannot be sent in a field")]
    User,
}

/// Returns the best challenge that can be answered (RFC 7616 §3.7), the first among equals.
pub fn best(challenges: &[Challenge]) -> Option<Offer> {
    let offers = challenges.iter().filter_map(|challenge| Offer::parse(challenge).ok());
    offers.reduce(|best, next| if next.hash > best.hash { next } else { best })
}

/// Returns the nonce to use from now on, out of a `Proxy-Authentication-Info` field (RFC 7616 §3.5);
/// its count starts at 1.
pub fn next_nonce(field: &[u8]) -> Option<String> {
    let info = challenge::parse(&[b"Digest ", field].concat());
    let nonce = info.first()?.param("nextnonce")?;
    is_text(nonce).then(|| nonce.to_owned())
}

/// The hash functions, the better choice last. SHA-512-256 stands below SHA-256: servers that were
/// built after RFC 7616's example compute another function (erratum 4897), and a proof that a server
/// reads differently is a failed login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha512Of256,
    Sha256,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Qop {
    /// RFC 2069 knew no quality of protection.
    None,
    Auth,
}

/// How the server wants the user named (RFC 7616 §3.4, §3.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    /// As the bytes of its name.
    Plain,
    /// In the form of RFC 8187 where the name is not ASCII.
    Extended,
    /// By a hash.
    Hidden,
}

/// A hash in hexadecimal digits.
type Hex = Zeroizing<String>;

impl Offer {
    /// Reads a challenge of the Digest scheme.
    pub fn parse(challenge: &Challenge) -> Result<Self, Error> {
        if !challenge.is("Digest") {
            return Err(Error::Unsupported("scheme"));
        }
        // What is repeated to the server goes into a field: no line may end in it.
        if challenge.params.iter().any(|(_, value)| !is_text(value)) {
            return Err(Error::Malformed("a control character"));
        }
        let owned = |name| challenge.param(name).map(str::to_owned);
        let is_set =
            |name| challenge.param(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let algorithm = owned("algorithm");
        let (hash, is_session) = algorithm_of(algorithm.as_deref().unwrap_or("MD5"))?;
        let charset = challenge.param("charset");
        Ok(Self {
            realm: owned("realm").ok_or(Error::Malformed("no realm"))?,
            is_stale: is_set("stale"),
            nonce: owned("nonce").ok_or(Error::Malformed("no nonce"))?,
            opaque: owned("opaque"),
            hash,
            is_session,
            algorithm,
            qop: qop_of(challenge.param("qop"))?,
            naming: if is_set("userhash") {
                Naming::Hidden
            } else if charset.is_some_and(|charset| charset.eq_ignore_ascii_case("UTF-8")) {
                Naming::Extended
            } else {
                Naming::Plain
            },
        })
    }

    /// Takes the nonce that the server wants used from now on, [`next_nonce`].
    pub fn renew(&mut self, nonce: String) {
        self.nonce = nonce;
        self.is_stale = false;
    }

    /// Returns the nonce that answers are for: its uses are counted.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Returns the value of `Proxy-Authorization` (RFC 7616 §3.4).
    pub fn answer(
        &self,
        user: &str,
        password: &SecretString,
        request: &Request<'_>,
    ) -> Result<SecretString, Error> {
        let Self { realm, nonce, opaque, algorithm, qop, naming, .. } = self;
        let Request { method: _, uri, nonce_count, cnonce } = request;
        let mut fields = Fields::default();
        match naming {
            Naming::Hidden => {
                fields.quoted("username", &self.hex(&[user.as_bytes(), realm.as_bytes()]));
            }
            Naming::Extended if !user.is_ascii() => fields.plain("username*", &extended(user)),
            Naming::Extended | Naming::Plain if is_text(user) => fields.quoted("username", user),
            Naming::Extended | Naming::Plain => return Err(Error::User),
        }
        fields.quoted("realm", realm);
        fields.quoted("nonce", nonce);
        fields.quoted("uri", uri);
        fields.quoted("response", &self.response(user, password, request));
        if let Some(algorithm) = algorithm {
            fields.plain("algorithm", algorithm);
        }
        if *qop == Qop::Auth || self.is_session {
            fields.quoted("cnonce", cnonce);
        }
        if *qop == Qop::Auth {
            fields.plain("qop", "auth");
            fields.plain("nc", &format!("{nonce_count:08x}"));
        }
        if let Some(opaque) = opaque {
            fields.quoted("opaque", opaque);
        }
        if *naming == Naming::Hidden {
            fields.plain("userhash", "true");
        }
        Ok(fields.0.into())
    }

    /// Returns the proof (RFC 7616 §3.4.1).
    fn response(&self, user: &str, password: &SecretString, request: &Request<'_>) -> Hex {
        let Request { method, uri, nonce_count, cnonce } = request;
        let [user, realm, nonce] = [user, &self.realm, &self.nonce].map(str::as_bytes);
        let mut secret = self.hex(&[user, realm, password.expose_secret().as_bytes()]);
        if self.is_session {
            secret = self.hex(&[secret.as_bytes(), nonce, cnonce.as_bytes()]);
        }
        let request = self.hex(&[method.as_bytes(), uri.as_bytes()]);
        let (secret, request) = (secret.as_bytes(), request.as_bytes());
        match self.qop {
            Qop::None => self.hex(&[secret, nonce, request]),
            Qop::Auth => {
                let count = format!("{nonce_count:08x}");
                let (count, cnonce) = (count.as_bytes(), cnonce.as_bytes());
                self.hex(&[secret, nonce, count, cnonce, b"auth", request])
            }
        }
    }

    /// Returns the hash of the parts, joined by colons, in hexadecimal digits.
    fn hex(&self, parts: &[&[u8]]) -> Hex {
        match self.hash {
            Hash::Md5 => hex::<Md5>(parts),
            Hash::Sha256 => hex::<Sha256>(parts),
            Hash::Sha512Of256 => hex::<Sha512_256>(parts),
        }
    }
}

fn hex<H: Digest>(parts: &[&[u8]]) -> Hex {
    let mut hash = H::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    let mut digits = Zeroizing::new(String::with_capacity(64));
    for byte in hash.finalize() {
        digits.extend(hex_digits(byte));
    }
    digits
}

fn hex_digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|value| char::from_digit(value.into(), 16).unwrap_or('0'))
}

fn algorithm_of(name: &str) -> Result<(Hash, bool), Error> {
    let name = name.to_ascii_uppercase();
    let (name, is_session) = match name.strip_suffix("-SESS") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let hash = match name {
        "MD5" => Hash::Md5,
        "SHA-256" => Hash::Sha256,
        "SHA-512-256" => Hash::Sha512Of256,
        _ => return Err(Error::Unsupported("algorithm")),
    };
    Ok((hash, is_session))
}

fn qop_of(list: Option<&str>) -> Result<Qop, Error> {
    let Some(list) = list else { return Ok(Qop::None) };
    let mut words = list.split(',').map(str::trim);
    let has_auth = words.any(|word| word.eq_ignore_ascii_case("auth"));
    if has_auth { Ok(Qop::Auth) } else { Err(Error::Unsupported("quality of protection")) }
}

fn is_text(value: &str) -> bool {
    !value.chars().any(char::is_control)
}

/// Returns a value in the form of RFC 8187 §3.2.1.
fn extended(value: &str) -> String {
    let mut out = String::from("UTF-8''");
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push('%');
            out.extend(hex_digits(byte).map(|digit| digit.to_ascii_uppercase()));
        }
    }
    out
}

/// The fields of an answer, as they are written. Nothing in them is worth wiping on the way: a proof
/// opens one door, once.
struct Fields(String);

impl Default for Fields {
    fn default() -> Self {
        Self(String::from("Digest "))
    }
}

impl Fields {
    fn plain(&mut self, name: &str, value: &str) {
        if !self.0.ends_with(' ') {
            self.0.push_str(", ");
        }
        self.0.extend([name, "=", value]);
    }

    /// Appends a quoted-string (RFC 9110 §5.6.4).
    fn quoted(&mut self, name: &str, value: &str) {
        let mut quoted = String::with_capacity(value.len() + 2);
        quoted.push('"');
        for c in value.chars() {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted.push('"');
        self.plain(name, &quoted);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Error, Hash, Offer, Request, best, next_nonce};
    use crate::core::{
        challenge::{Challenge, parse},
        secret::{ExposeSecret, SecretString},
    };

    const REQUEST: Request<'_> =
        Request { method: "GET", uri: "/dir/index.html", nonce_count: 1, cnonce: "c" };

    fn offer(params: &str) -> Offer {
        Offer::parse(&parse(format!("Digest {params}").as_bytes())[0]).unwrap()
    }

    fn answer(offer: &Offer, user: &str, password: &str, request: &Request<'_>) -> Challenge {
        let value = offer.answer(user, &SecretString::from(password), request).unwrap();
        parse(value.expose_secret().as_bytes()).remove(0)
    }

    /// RFC 7616 §3.9.1: two challenges, and the answer to each.
    #[test]
    fn the_example_of_rfc_7616_is_met() {
        let rest = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let request = Request { cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", ..REQUEST };
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let offer = offer(&format!("{rest}, algorithm={algorithm}"));
            let sent = answer(&offer, "Mufasa", "Circle of Life", &request);
            assert_eq!(sent.param("response"), Some(response));
            for (name, value) in [
                ("username", "Mufasa"),
                ("realm", "http-auth@example.org"),
                ("uri", "/dir/index.html"),
                ("algorithm", algorithm),
                ("nc", "00000001"),
                ("qop", "auth"),
                ("cnonce", request.cnonce),
                ("opaque", "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"),
            ] {
                assert_eq!(sent.param(name), Some(value));
            }
        }
    }

    /// RFC 7616 §3.9.2, with the hashes of its erratum 4897.
    #[test]
    fn the_users_name_is_hidden_when_asked() {
        let offer = offer(
            "realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, charset=UTF-8, \
             nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", userhash=true, \
             opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\"",
        );
        let request = Request {
            uri: "/doe.json",
            cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            ..REQUEST
        };
        let sent = answer(&offer, "Jäsøn Doe", "Secret, or not?", &request);
        assert_eq!(
            sent.param("username"),
            Some("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b")
        );
        assert_eq!(
            sent.param("response"),
            Some("3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5")
        );
        assert_eq!(sent.param("userhash"), Some("true"));
    }

    /// RFC 2617 §3.5, and RFC 2069 §2.4 with the response of its erratum.
    #[test]
    fn the_examples_of_the_older_rfcs_are_met() {
        let newer = offer(
            "realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        );
        let request = Request { cnonce: "0a4f113b", ..REQUEST };
        let sent = answer(&newer, "Mufasa", "Circle Of Life", &request);
        assert_eq!(sent.param("response"), Some("6629fae49393a05397450978507c4ef1"));
        assert_eq!(sent.param("algorithm"), None, "what was not asked is not said");

        let older = offer(
            "realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        );
        let sent = answer(&older, "Mufasa", "CircleOfLife", &request);
        assert_eq!(sent.param("response"), Some("1949323746fe6a43ef61f9606e7febea"));
        assert_eq!((sent.param("qop"), sent.param("nc"), sent.param("cnonce")), (None, None, None));
    }

    #[test]
    fn the_strongest_challenge_is_chosen() {
        let list = parse(
            b"Basic realm=b, Digest realm=a, nonce=n, algorithm=MD5, Digest realm=b, nonce=n, \
              algorithm=sha-256-sess, Digest realm=c, nonce=n, algorithm=SHA-256, Digest realm=d, \
              nonce=n, algorithm=SHA-3, Digest realm=e, nonce=n, algorithm=SHA-512-256, \
              Digest realm=f, algorithm=SHA-256",
        );
        let chosen = best(&list).unwrap();
        assert_eq!((chosen.hash, chosen.is_session), (Hash::Sha256, true));
        assert_eq!(chosen.realm, "b");
        assert_eq!(best(&parse(b"Basic realm=b, NTLM")), None);
    }

    #[test]
    fn what_cannot_be_answered_is_an_error() {
        for (challenge, error) in [
            ("Digest nonce=n", Error::Malformed("no realm")),
            ("Digest realm=r", Error::Malformed("no nonce")),
            ("Digest realm=r, nonce=\"a\tb\"", Error::Malformed("a control character")),
            ("Digest realm=r, nonce=n, algorithm=token", Error::Unsupported("algorithm")),
            (
                "Digest realm=r, nonce=n, qop=\"auth-int\"",
                Error::Unsupported("quality of protection"),
            ),
            ("Basic realm=r, nonce=n", Error::Unsupported("scheme")),
        ] {
            assert_eq!(Offer::parse(&parse(challenge.as_bytes())[0]), Err(error), "{challenge}");
        }
        let wrong = offer("realm=r, nonce=n").answer("a\r\nb", &"p".into(), &REQUEST);
        assert_eq!(wrong.err(), Some(Error::User));
    }

    #[test]
    fn a_session_has_a_secret_of_its_own() {
        let offer = offer("realm=r, nonce=n, algorithm=MD5-sess, qop=auth");
        let sent = answer(&offer, "u", "p", &REQUEST);
        // By hand: HA1 = md5(md5("u:r:p") ":n:c"), HA2 = md5("GET:/dir/index.html").
        assert_eq!(sent.param("response"), Some("0abe11747db4fe75b9d027c31a167c62"));
        assert_eq!(sent.param("algorithm"), Some("MD5-sess"));
    }

    #[test]
    fn names_that_are_not_ascii_are_sent_as_the_server_reads_them() {
        let sent = answer(&offer("realm=r, nonce=n, charset=utf-8"), "Jäsøn Doe", "p", &REQUEST);
        assert_eq!(sent.param("username"), None);
        let value =
            offer("realm=r, nonce=n, charset=utf-8").answer("Jäsøn Doe", &"p".into(), &REQUEST);
        assert!(value.unwrap().expose_secret().contains("username*=UTF-8''J%C3%A4s%C3%B8n%20Doe,"));
        let sent = answer(&offer("realm=r, nonce=n"), "Jäsøn", "p", &REQUEST);
        assert_eq!(sent.param("username"), Some("Jäsøn"));
    }

    #[test]
    fn a_nonce_is_renewed() {
        let mut offer = offer("realm=r, nonce=n, stale=TRUE");
        assert!(offer.is_stale);
        let field = b"rspauth=\"abc\", nextnonce=\"a\\\"b\", qop=auth";
        offer.renew(next_nonce(field).unwrap());
        assert_eq!((offer.nonce(), offer.is_stale), ("a\"b", false));
        assert_eq!(next_nonce(b"qop=auth"), None);
        assert_eq!(next_nonce(b"nextnonce=\"\x01\""), None);
    }

    proptest! {
        #[test]
        fn what_is_repeated_is_read_as_it_came(realm in "[ -~]{0,12}", nonce in "[ -~]{0,12}", opaque in "[ -~é]{0,12}", user in "[ -~]{0,9}") {
            let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let offer = offer(&format!("realm={}, nonce={}, opaque={}", quoted(&realm), quoted(&nonce), quoted(&opaque)));
            let sent = answer(&offer, &user, "p", &REQUEST);
            for (name, value) in [("realm", &realm), ("nonce", &nonce), ("opaque", &opaque), ("username", &user)] {
                prop_assert_eq!(sent.param(name), Some(value.as_str()));
            }
        }
    }
}

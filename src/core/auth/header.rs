//! What stands in `Proxy-Authorization` and `Proxy-Authenticate`: a scheme, then a token.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::core::{
    auth::Scheme,
    challenge::Challenge,
    secret::{ExposeSecret, SecretString},
};

/// A challenge carries a token that cannot be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the token of the challenge is not base64")]
pub struct NotBase64;

/// Returns the value of `Proxy-Authorization` that carries a token of bytes.
pub fn header(scheme: Scheme, token: &[u8]) -> SecretString {
    let name = scheme.as_str();
    let length = name.len() + 1;
    let mut value = Zeroizing::new(vec![0; length + token.len().div_ceil(3) * 4]);
    let (head, encoded) = value.split_at_mut(length);
    head.copy_from_slice(format!("{name} ").as_bytes());
    // Into its place, which is large enough: `encode_string` leaves pieces of it on the stack.
    let _ = STANDARD.encode_slice(token, encoded);
    str::from_utf8(&value).unwrap_or_default().into()
}

/// Returns the bytes of a challenge's token; `None`: it carries none.
pub fn token(challenge: &Challenge) -> Result<Option<Vec<u8>>, NotBase64> {
    let decode = |token: &String| STANDARD.decode(token).map_err(|_| NotBase64);
    challenge.token.as_ref().map(decode).transpose()
}

/// Returns the value for the Basic scheme, in UTF-8 (RFC 7617 §2). A user with a colon cannot be
/// written; the caller refuses it.
pub fn basic(user: &str, password: &SecretString) -> SecretString {
    let password = password.expose_secret();
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    pair.extend_from_slice(user.as_bytes());
    pair.push(b':');
    pair.extend_from_slice(password.as_bytes());
    header(Scheme::Basic, &pair)
}

/// Returns the value for the Bearer scheme (RFC 6750 §2.1).
pub fn bearer(token: &SecretString) -> SecretString {
    let token = token.expose_secret();
    let mut value = String::with_capacity("Bearer ".len() + token.len());
    value.push_str("Bearer ");
    value.push_str(token);
    value.into()
}

#[cfg(test)]
mod tests {
    use super::{NotBase64, basic, bearer, header, token};
    use crate::core::{auth::Scheme, challenge::parse, secret::ExposeSecret};

    #[test]
    fn values_are_those_of_the_rfcs() {
        // RFC 7617 §2 and §2.1.
        let value = basic("Aladdin", &"open sesame".into());
        assert_eq!(value.expose_secret(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic("test", &"123£".into()).expose_secret(), "Basic dGVzdDoxMjPCow==");
        assert_eq!(bearer(&"mF_9.B5f-4.1JqM".into()).expose_secret(), "Bearer mF_9.B5f-4.1JqM");
    }

    #[test]
    fn a_token_that_was_written_is_read_again() {
        let value = header(Scheme::Ntlm, b"NTLMSSP\0\x01");
        let challenges = parse(value.expose_secret().as_bytes());
        assert!(challenges[0].is("NTLM"));
        assert_eq!(token(&challenges[0]), Ok(Some(b"NTLMSSP\0\x01".to_vec())));
    }

    #[test]
    fn a_token_is_base64_or_an_error() {
        assert_eq!(token(&parse(b"Negotiate")[0]), Ok(None));
        assert_eq!(token(&parse(b"Negotiate abc")[0]), Err(NotBase64));
        assert_eq!(token(&parse(b"Negotiate ab.=")[0]), Err(NotBase64));
    }
}

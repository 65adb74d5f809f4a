//! NTLM inside SPNEGO (RFC 4178), for upstreams that offer Negotiate only and users without a
//! Kerberos ticket.
//!
//! NTLM is the only mechanism that is proposed; Kerberos wraps itself (`sys::gss`).

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::core::auth::{
    der::{ENUMERATED, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, context, element},
    ntlm::{self, Account, Facts},
};

/// 1.3.6.1.5.5.2, SPNEGO (RFC 4178 §3).
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// 1.3.6.1.4.1.311.2.2.10, NTLM ([MS-SPNG] §1.9).
const NTLMSSP: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
/// The tag of a GSS-API token (RFC 2743 §3.1).
const APPLICATION_0: u8 = 0x60;

/// A server's answer (NegTokenResp, RFC 4178 §4.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How the negotiation stands, if it says so.
    pub state: Option<State>,
    /// Whether it chose NTLM; `None`: it does not say what it chose.
    pub is_ntlm: Option<bool>,
    /// The mechanism's own message.
    pub token: Option<Vec<u8>>,
    /// The signature over the list of mechanisms.
    pub mech_list_mic: Option<Vec<u8>>,
}

/// How a negotiation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is over, and it succeeded.
    AcceptCompleted,
    /// Another message is expected.
    AcceptIncomplete,
    /// It failed.
    Reject,
    /// Another message is expected, and a signature.
    RequestMic,
}

/// Why there is no answer to a server's token.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It is not a `NegTokenResp`.
    #[error("the proxy's Negotiate token is malformed")]
    Malformed,
    /// It wants another mechanism than NTLM, or none.
    #[error("the proxy refuses NTLM inside Negotiate")]
    Refused,
    /// What it carries is not an NTLM challenge that we answer.
    #[error(transparent)]
    Ntlm(#[from] ntlm::Error),
}

/// Returns the first token: NTLM is proposed, and `mech_token` is its first message.
pub fn init(mech_token: &[u8]) -> Vec<u8> {
    let mechanisms = element(context(0), &[&mechanisms()]);
    let token = element(context(2), &[&element(OCTET_STRING, &[mech_token])]);
    let token = element(context(0), &[&element(SEQUENCE, &[&mechanisms, &token])]);
    element(APPLICATION_0, &[&element(OBJECT_IDENTIFIER, &[SPNEGO]), &token])
}

/// Reads a server's token.
pub fn parse(token: &[u8]) -> Result<Reply, Error> {
    read(token).ok_or(Error::Malformed)
}

/// Returns the last token, which answers the server's. A server that answered with NTLM alone gets
/// NTLM alone: most accept it without SPNEGO around it ([MS-SPNG] §3.3.5.1).
pub fn authenticate(
    token: &[u8],
    account: &Account<'_>,
    facts: &Facts<'_>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    if token.starts_with(b"NTLMSSP\0") {
        return Ok(ntlm::authenticate(token, account, facts)?);
    }
    let Reply { state, is_ntlm, token, mech_list_mic: _ } = parse(token)?;
    if state == Some(State::Reject) || is_ntlm == Some(false) {
        return Err(Error::Refused);
    }
    let type2 = token.ok_or(Error::Malformed)?;
    let mut login = ntlm::login(&type2, account, facts)?;
    // A login that protects its messages protects the list of mechanisms, too: Samba and Windows
    // insist on it, although only one mechanism was proposed (RFC 4178 §5 would let us omit it).
    let must_sign = login.has_mic || state == Some(State::RequestMic);
    let mic = must_sign.then(|| login.signer.sign(&mechanisms()));
    Ok(response(&login.message, mic.as_ref().map(<[u8; 16]>::as_slice)))
}

/// Returns the list of mechanisms, as it is proposed and signed.
fn mechanisms() -> Vec<u8> {
    element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[NTLMSSP])])
}

/// Returns a client's further token.
fn response(token: &[u8], mech_list_mic: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
    let octets = |bytes| Zeroizing::new(element(OCTET_STRING, &[bytes]));
    let token = Zeroizing::new(element(context(2), &[&octets(token)]));
    let mic = mech_list_mic.map(|mic| element(context(3), &[&octets(mic)])).unwrap_or_default();
    let fields = Zeroizing::new(element(SEQUENCE, &[&token, &mic]));
    Zeroizing::new(element(context(1), &[&fields]))
}

fn read(token: &[u8]) -> Option<Reply> {
    let mut outer = Reader::new(token);
    let mut choice = Reader::new(outer.take(context(1))?);
    let mut fields = Reader::new(choice.take(SEQUENCE)?);
    let state = optional(&mut fields, 0, ENUMERATED)?;
    let state = match state {
        None => None,
        Some([0]) => Some(State::AcceptCompleted),
        Some([1]) => Some(State::AcceptIncomplete),
        Some([2]) => Some(State::Reject),
        Some([3]) => Some(State::RequestMic),
        Some(_) => return None,
    };
    let mechanism = optional(&mut fields, 1, OBJECT_IDENTIFIER)?;
    let token = optional(&mut fields, 2, OCTET_STRING)?;
    let mech_list_mic = optional(&mut fields, 3, OCTET_STRING)?;
    let is_read = fields.is_empty() && choice.is_empty() && outer.is_empty();
    is_read.then(|| Reply {
        state,
        is_ntlm: mechanism.map(|mechanism| mechanism == NTLMSSP),
        token: token.map(<[u8]>::to_vec),
        mech_list_mic: mech_list_mic.map(<[u8]>::to_vec),
    })
}

/// Takes a field that may be missing; the outer `None`: it is there, and not of this type.
#[expect(clippy::option_option, reason = "missing and malformed are two things")]
fn optional<'a>(fields: &mut Reader<'a>, number: u8, tag: u8) -> Option<Option<&'a [u8]>> {
    let Some(contents) = fields.take(context(number)) else { return Some(None) };
    let mut contents = Reader::new(contents);
    let value = contents.take(tag)?;
    contents.is_empty().then_some(Some(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        ENUMERATED, Error, NTLMSSP, OBJECT_IDENTIFIER, OCTET_STRING, Reply, SEQUENCE, State,
        authenticate, context, element, init, parse, response,
    };
    use crate::core::{
        auth::ntlm::{self, Account, tests::FACTS},
        secret::SecretString,
    };

    /// Returns a server's token.
    fn reply(state: Option<u8>, mechanism: Option<&[u8]>, token: Option<&[u8]>) -> Vec<u8> {
        let field = |number, tag, value: Option<&[u8]>| {
            value.map(|value| element(context(number), &[&element(tag, &[value])]))
        };
        let fields = [
            field(0, ENUMERATED, state.as_ref().map(std::slice::from_ref)),
            field(1, OBJECT_IDENTIFIER, mechanism),
            field(2, OCTET_STRING, token),
        ];
        let fields: Vec<u8> = fields.into_iter().flatten().flatten().collect();
        element(context(1), &[&element(SEQUENCE, &[&fields])])
    }

    #[test]
    fn a_first_token_is_that_of_other_clients() {
        // What `ntlm_auth --helper-protocol=gss-spnego-client` and Windows put around a type 1.
        let head = b"\x60\x28\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x1e\x30\x1c\xa0\x0e\x30\x0c\
                     \x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a\xa2\x0a\x04\x08";
        assert_eq!(init(b"NTLMSSP\0"), [&head[..], b"NTLMSSP\0"].concat());
    }

    #[test]
    fn replies_are_read_strictly() {
        let whole = reply(Some(1), Some(NTLMSSP), Some(b"token"));
        let read = parse(&whole).unwrap();
        assert_eq!(
            read,
            Reply {
                state: Some(State::AcceptIncomplete),
                is_ntlm: Some(true),
                token: Some(b"token".to_vec()),
                mech_list_mic: None,
            }
        );
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), Err(Error::Malformed), "{end}");
        }
        assert_eq!(parse(&[&whole[..], b"x"].concat()), Err(Error::Malformed));
        assert_eq!(parse(&reply(Some(4), None, None)), Err(Error::Malformed));
        assert_eq!(parse(&init(b"")), Err(Error::Malformed));
    }

    #[test]
    fn another_mechanism_and_a_refusal_end_it() {
        let password = SecretString::from("p");
        let account = Account { user: "u", password: &password };
        for (token, error) in [
            (reply(Some(2), None, None), Error::Refused),
            (reply(Some(1), Some(b"\x2a"), Some(b"x")), Error::Refused),
            (reply(Some(1), Some(NTLMSSP), None), Error::Malformed),
            (b"x".to_vec(), Error::Malformed),
        ] {
            assert_eq!(authenticate(&token, &account, &FACTS).err(), Some(error));
        }
        let wrong = authenticate(&reply(Some(1), None, Some(b"x")), &account, &FACTS);
        assert!(matches!(wrong, Err(Error::Ntlm(ntlm::Error::Malformed(_)))));
    }

    /// Samba answers a login without the signature, and one with a wrong signature, with a 407.
    #[test]
    fn a_login_that_protects_its_messages_protects_the_list() {
        let password = SecretString::from("p");
        let account = Account { user: "u", password: &password };
        let samba = include_bytes!("../../../tests/fuzz/corpus/spnego/samba-ad");
        let answer = parse(&authenticate(samba, &account, &FACTS).unwrap()).unwrap();
        assert!(answer.token.unwrap().starts_with(b"NTLMSSP\0\x03"));
        assert_eq!(answer.mech_list_mic.map(|mic| mic.len()), Some(16));

        let type2 = parse(samba).unwrap().token.unwrap();
        let alone = authenticate(&type2, &account, &FACTS).unwrap();
        assert!(alone.starts_with(b"NTLMSSP\0\x03"), "NTLM is answered with NTLM");
    }

    #[test]
    fn what_is_sent_is_a_reply_too() {
        let read = parse(&response(b"token", Some(b"mic"))).unwrap();
        assert_eq!(read.token.as_deref(), Some(&b"token"[..]));
        assert_eq!(read.mech_list_mic.as_deref(), Some(&b"mic"[..]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_again(state in 0_u8..4, token in prop::collection::vec(any::<u8>(), 0..400)) {
            let read = parse(&reply(Some(state), Some(NTLMSSP), Some(&token))).unwrap();
            prop_assert_eq!(read.token, Some(token));
        }
    }
}

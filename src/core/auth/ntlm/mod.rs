//! NTLMv2 for a client ([MS-NLMP]): 128-bit keys, message integrity code, channel binding.
//!
//! Nothing weaker is spoken: no LM, no NTLMv1, no OEM text. The workstation's name is not told.
//! Only a login is made: of the session's keys, only the signature that SPNEGO wants is ever used.

mod crypto;
mod message;
mod target_info;

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use self::{
    crypto::{Signer, hmac_md5, ntowf_v2, rc4_key, utf16},
    message::{Answer, Challenge, Flags},
    target_info::TargetInfo,
};
use crate::core::secret::{ExposeSecret, SecretString};

/// Who logs in.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// `DOMAIN\user`, `user@domain.example`, or a user of the server's own domain.
    pub user: &'a str,
    /// The password.
    pub password: &'a SecretString,
}

/// What a login depends on besides the account and the server's message.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The time, in 100 ns since 1601-01-01 UTC ([MS-DTYP] §2.3.3); the server's own wins.
    pub now: u64,
    /// 8 random bytes.
    pub client_challenge: [u8; 8],
    /// 16 random bytes.
    pub session_key: [u8; 16],
    /// [`super::channel_binding::ntlm`] of the TLS connection that this is sent on.
    pub channel_binding: Option<[u8; 16]>,
    /// The service that we mean to talk to, `HTTP/proxy.corp.example`: a server that checks it
    /// notices a login that was relayed to it.
    pub service: Option<&'a str>,
}

/// Why there is no answer to a server's message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// It is not a type 2 message.
    #[error("the proxy's NTLM message is malformed: {0}")]
    Malformed(&'static str),
    /// The server cannot do NTLMv2.
    #[error("the proxy offers an NTLM that is weaker than NTLMv2: {0}")]
    Weak(&'static str),
    /// The user's name, or what the server wants repeated, does not fit into a message.
    #[error("{0} is too long for NTLM")]
    TooLong(&'static str),
}

/// Returns the first message (type 1, [MS-NLMP] §2.2.1.1). It is always the same, and tells nothing.
pub fn negotiate() -> Vec<u8> {
    message::negotiate(OURS)
}

/// Returns the last message (type 3, [MS-NLMP] §2.2.1.3), which answers the server's type 2.
pub fn authenticate(
    type2: &[u8],
    account: &Account<'_>,
    facts: &Facts<'_>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    login(type2, account, facts).map(|login| login.message)
}

/// What we ask for. SIGN makes the server agree on a session key that is exchanged (§3.1.5.1.2).
const OURS: Flags = Flags(
    Flags::UNICODE
        | Flags::REQUEST_TARGET
        | Flags::SIGN
        | Flags::NTLM
        | Flags::ALWAYS_SIGN
        | Flags::EXTENDED_SESSION_SECURITY
        | Flags::TARGET_INFO
        | Flags::KEY_128
        | Flags::KEY_EXCHANGE
        | Flags::KEY_56,
);

/// A login, and what signs afterwards.
pub(super) struct Login {
    pub(super) message: Zeroizing<Vec<u8>>,
    pub(super) signer: Signer,
    /// The message carries a message integrity code.
    pub(super) has_mic: bool,
}

/// Answers a type 2 message.
pub(super) fn login(
    type2: &[u8],
    account: &Account<'_>,
    facts: &Facts<'_>,
) -> Result<Login, Error> {
    let challenge = Challenge::parse(type2)?;
    let offered = TargetInfo::parse(challenge.target_info)?;
    let flags = Flags(challenge.flags.0 & OURS.0);
    let (domain, user) = names(account.user, &offered);

    let response_key = ntowf_v2(account.password.expose_secret(), user, &domain);
    // With the server's clock comes the duty to protect the messages (§3.1.5.1.2).
    let has_mic = offered.timestamp.is_some();
    let blob = offered.reply(facts, has_mic);
    let proof = hmac_md5(&response_key, &[&challenge.nonce, &blob]);
    let base_key = hmac_md5(&response_key, &[&proof[..]]);
    let lm_response = lm_v2(&response_key, challenge.nonce, facts, has_mic);

    let (session_key, exchanged) = if flags.has(Flags::KEY_EXCHANGE) {
        let session_key = Zeroizing::new(facts.session_key);
        let exchanged = rc4_key(&base_key, &session_key);
        (session_key, Some(exchanged))
    } else {
        (base_key, None)
    };
    let answer = Answer {
        domain: utf16(&domain),
        user: utf16(user),
        lm_response,
        nt_response: Zeroizing::new([&proof[..], &blob].concat()),
        session_key: exchanged.as_ref().map_or(&[][..], |key| &key[..]),
        flags,
    };
    let mut message = answer.encode()?;
    if has_mic {
        let mic = hmac_md5(&session_key, &[&negotiate(), type2, &message]);
        message::set_mic(&mut message, &mic);
    }
    let signer = Signer::new(&session_key, flags);
    Ok(Login { message, signer, has_mic })
}

/// Splits an account's name as Windows does: before a backslash stands the domain; a principal name
/// has none (§3.3.2: its domain is found from the name); anything else is of the server's domain.
fn names<'a>(account: &'a str, offered: &TargetInfo<'_>) -> (Zeroizing<String>, &'a str) {
    let (domain, user) = match account.split_once('\\') {
        Some((domain, user)) => (domain.to_owned(), user),
        None if account.contains('@') => (String::new(), account),
        None => (offered.domain(), account),
    };
    (Zeroizing::new(domain), user)
}

/// Returns the LMv2 response; nothing in place of it where the messages are protected (§3.1.5.1.2).
fn lm_v2(key: &[u8; 16], nonce: [u8; 8], facts: &Facts<'_>, has_mic: bool) -> [u8; 24] {
    let mut response = [0; 24];
    if !has_mic {
        let proof = hmac_md5(key, &[&nonce, &facts.client_challenge]);
        let bytes = proof.iter().chain(&facts.client_challenge);
        response.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }
    response
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{
        Account, Error, Facts, Flags, OURS, authenticate,
        crypto::hmac_md5,
        crypto::tests::bytes,
        login,
        message::tests::{challenge, field},
        negotiate,
    };
    use crate::core::secret::SecretString;

    pub(in super::super) const FACTS: Facts<'_> = Facts {
        now: 0x0123_4567_89ab_cdef,
        client_challenge: [0xaa; 8],
        session_key: [0x55; 16],
        channel_binding: None,
        service: None,
    };

    fn answer(type2: &[u8], user: &str, facts: &Facts<'_>) -> Result<Vec<u8>, Error> {
        let password = SecretString::from("Password");
        authenticate(type2, &Account { user, password: &password }, facts).map(|it| it.to_vec())
    }

    /// The target info of §4.2.4: domain "Domain", server "Server".
    pub(in super::super) const TARGET_INFO: &str =
        "02000c0044006f006d00610069006e0001000c00530065007200760065007200";

    fn text(utf16: &[u8]) -> String {
        let units = utf16.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap()).collect()
    }

    /// [MS-NLMP] §4.2.4: the responses, the session key and its exchange.
    #[test]
    fn the_vectors_of_the_specification_are_met() {
        let type2 = challenge(OURS, &bytes(&format!("{TARGET_INFO}00000000")));
        let facts = Facts { now: 0, ..FACTS };
        let type3 = answer(&type2, "Domain\\User", &facts).unwrap();
        assert_eq!(
            field(&type3, 12),
            bytes("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"),
            "§4.2.4.2.1: LMv2"
        );
        // §4.2.4.2.2 computes the proof over these AV pairs alone; ours adds flags and bindings, so
        // the proof is checked in `crypto` and its own consistency here.
        let nt = field(&type3, 20);
        assert!(
            nt[16..]
                .starts_with(&bytes("0101000000000000000000000000000000aaaaaaaaaaaaaaaa")[..16])
        );
        let key = bytes("0c868a403bfd7a93a3001ef22ef02e3f");
        let nonce = bytes("0123456789abcdef");
        assert_eq!(nt[..16], hmac_md5(&key.try_into().unwrap(), &[&nonce, &nt[16..]])[..]);
        assert_eq!(text(field(&type3, 28)), "Domain");
        assert_eq!(text(field(&type3, 36)), "User");
        assert_eq!(field(&type3, 52).len(), 16);
    }

    /// A server whose clock is known gets no LM response, and a code over all three messages.
    #[test]
    fn with_a_timestamp_the_messages_are_protected() {
        let info = format!("{TARGET_INFO}07000800112233445566778800000000");
        let type2 = challenge(OURS, &bytes(&info));
        let type3 = answer(&type2, "User", &FACTS).unwrap();
        assert_eq!(field(&type3, 12), [0; 24], "no LM response");
        let nt = field(&type3, 20);
        assert_eq!(nt[24..32], bytes("1122334455667788"), "the server's clock");
        assert!(nt.windows(8).any(|window| window == bytes("0600040002000000")), "MsvAvFlags");
        let mut unprotected = type3.clone();
        unprotected[72..88].fill(0);
        let mic = hmac_md5(&FACTS.session_key, &[&negotiate(), &type2, &unprotected]);
        assert_eq!(type3[72..88], mic[..]);

        let other = Facts { channel_binding: Some([9; 16]), service: Some("HTTP/p"), ..FACTS };
        let bound = answer(&type2, "User", &other).unwrap();
        let nt = field(&bound, 20);
        assert!(
            nt.windows(20).any(|window| window[..4] == bytes("0a001000") && window[4..] == [9; 16])
        );
        assert!(nt.windows(16).any(|window| window == bytes("09000c0048005400540050002f007000")));
    }

    #[test]
    fn a_user_without_a_domain_is_of_the_servers() {
        let type2 = challenge(OURS, &bytes(&format!("{TARGET_INFO}00000000")));
        for (account, domain, user) in [
            ("User", "Domain", "User"),
            ("OTHER\\User", "OTHER", "User"),
            (".\\User", ".", "User"),
            ("user@corp.example", "", "user@corp.example"),
        ] {
            let type3 = answer(&type2, account, &FACTS).unwrap();
            assert_eq!(text(field(&type3, 28)), domain);
            assert_eq!(text(field(&type3, 36)), user);
        }
    }

    #[test]
    fn weak_servers_are_refused() {
        let info = bytes(&format!("{TARGET_INFO}00000000"));
        for missing in [Flags::UNICODE, Flags::TARGET_INFO, Flags::EXTENDED_SESSION_SECURITY] {
            let type2 = challenge(Flags(OURS.0 & !missing), &info);
            assert!(matches!(answer(&type2, "User", &FACTS), Err(Error::Weak(_))), "{missing:x}");
        }
    }

    #[test]
    fn without_key_exchange_no_key_is_sent() {
        let type2 = challenge(Flags(OURS.0 & !Flags::KEY_EXCHANGE), &bytes("00000000"));
        let type3 = answer(&type2, "User", &FACTS).unwrap();
        assert_eq!(field(&type3, 52), b"");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let type2 = challenge(OURS, &bytes("00000000"));
        let long = "u".repeat(40_000);
        assert_eq!(answer(&type2, &long, &FACTS), Err(Error::TooLong("the user's name")));
        let mut info = vec![1, 0, 0xe0, 0xff];
        info.extend(vec![b'x'; 0xffe0]);
        info.extend([0; 4]);
        let type2 = challenge(OURS, &info);
        assert!(matches!(answer(&type2, "User", &FACTS), Err(Error::TooLong(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(tail in prop::collection::vec(any::<u8>(), 0..120), flags in any::<u32>(), info in prop::collection::vec(any::<u8>(), 0..60)) {
            let start = negotiate();
            let mut type2 = start[..8].to_vec();
            type2.extend([2, 0, 0, 0]);
            type2.extend(&tail);
            let _ = answer(&type2, "User", &FACTS);
            let password = SecretString::from("p");
            let account = Account { user: "u", password: &password };
            let _ = login(&challenge(Flags(flags), &info), &account, &FACTS);
        }
    }
}

//! One login on one connection: what is sent next, and what an answer means.
//!
//! It reads no socket and decides nothing about the secret; it only speaks the scheme.

use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        auth::{self, Scheme, channel_binding, choice::Method, digest, header, ntlm, spnego},
        challenge::Challenge,
        secret::SecretString,
    },
    proxy::login::{
        kerberos::{self, Mint, Trouble},
        nonces::{Nonce, Nonces},
        vault::Account,
    },
    sys::clock,
};

/// A login under way.
pub(super) enum Conversation {
    /// Basic and Bearer say all at once, and every time.
    Whole(SecretString),
    /// Digest signs the request line.
    Digest { account: Account, nonce: Option<Nonce>, free: Arc<Nonces> },
    /// NTLM, raw or within SPNEGO.
    Ntlm { account: Account, envelope: Envelope, stage: Stage },
    /// A Kerberos ticket: of the user, or of the account.
    Ticket {
        account: Option<Account>,
        context: Option<kerberos::Context>,
        mint: Mint,
        service: Arc<str>,
        input: Option<Vec<u8>>,
    },
}

/// What NTLM is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Envelope {
    /// `NTLM`
    Bare,
    /// `Negotiate`, without SPNEGO: what Windows sends outside a domain, and what squid's
    /// `negotiate_wrapper_auth` looks for.
    BareInNegotiate,
    /// `Negotiate`, in SPNEGO (RFC 4178).
    Spnego,
}

/// How far NTLM is.
pub(super) enum Stage {
    /// Nothing was said.
    Begin,
    /// The proxy's token has to be answered.
    Challenged(Vec<u8>),
    /// It was answered: the proxy has what it needs.
    Proven,
}

/// The request that is signed, and the connection it is sent on.
pub(crate) struct Line {
    pub(crate) method: String,
    pub(crate) uri: String,
    /// The certificate of a TLS upstream, in DER.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// What a 407 means to a login under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The next message is due, on the same connection where the scheme lives on one.
    Next,
    /// The proxy did not look at what was sent: it does not offer the scheme any more.
    NotJudged,
    /// It was wrong.
    Rejected,
    /// The proxy offers the scheme and does not do it.
    Unusable,
}

/// Why there is no next message.
pub(super) enum Silent {
    /// Kerberos gives none.
    Kerberos(Trouble),
    /// What the proxy said cannot be answered.
    Proxy(String),
    /// A bug, or a system without randomness.
    System(String),
}

impl Conversation {
    /// Returns the value of `Proxy-Authorization` for the next request; `None`: it goes without one,
    /// to be given what is needed.
    pub(super) async fn say(&mut self, line: &Line) -> Result<Option<SecretString>, Silent> {
        let certificate = line.certificate.as_deref();
        match self {
            Self::Whole(value) => Ok(Some(value.clone())),
            Self::Digest { account, nonce, free } => {
                if nonce.is_none() {
                    *nonce = free.take();
                }
                let Some(nonce) = nonce else { return Ok(None) };
                let request = digest::Request {
                    method: &line.method,
                    uri: &line.uri,
                    nonce_count: nonce.next(),
                    cnonce: &cnonce()?,
                };
                let value = nonce.offer.answer(&account.user, &account.password, &request);
                value.map(Some).map_err(|error| Silent::Proxy(error.to_string()))
            }
            Self::Ntlm { account, envelope, stage } => {
                let scheme = envelope.scheme();
                let (message, next) = match stage {
                    Stage::Begin => (Zeroizing::new(envelope.open()), None),
                    Stage::Challenged(token) => {
                        let message = prove(*envelope, account, token, certificate)?;
                        (message, Some(Stage::Proven))
                    }
                    Stage::Proven => {
                        return Err(Silent::System("NTLM has no fourth message".into()));
                    }
                };
                if let Some(next) = next {
                    *stage = next;
                }
                Ok(Some(header(scheme, &message)))
            }
            Self::Ticket { account, context, mint, service, input } => {
                let binding = certificate.and_then(channel_binding::end_point);
                let begun = match context.take() {
                    Some(context) => Ok(context),
                    None => kerberos::Context::new(account.as_ref(), service, binding.as_deref()),
                };
                let step = mint.step(begun.map_err(Silent::Kerberos)?, input.take()).await;
                let (next, token) = step.map_err(Silent::Kerberos)?;
                *context = Some(next);
                Ok(Some(header(Scheme::Negotiate, &token)))
            }
        }
    }

    /// Takes the challenges of a 407.
    pub(super) fn hear(&mut self, challenges: &[Challenge]) -> Heard {
        let find = |scheme: Scheme| challenges.iter().find(|one| one.is(scheme.as_str()));
        match self {
            // A proxy that says nothing at all has looked at it, as far as anybody can know.
            Self::Whole(_) if challenges.is_empty() => Heard::Rejected,
            Self::Whole(_) => {
                let is_offered = find(Scheme::Basic).is_some() || find(Scheme::Bearer).is_some();
                if is_offered { Heard::Rejected } else { Heard::NotJudged }
            }
            Self::Digest { account: _, nonce, free: _ } => {
                let sent = nonce.take();
                let Some(offer) = digest::best(challenges) else {
                    return match (&sent, find(Scheme::Digest)) {
                        (Some(_), _) if challenges.is_empty() => Heard::Rejected,
                        (None, Some(_)) => Heard::Unusable,
                        (Some(_) | None, _) => Heard::NotJudged,
                    };
                };
                *nonce = match sent {
                    None => Some(Nonce::new(offer)),
                    Some(old) if offer.is_stale => old.replaced(offer),
                    Some(_) => None,
                };
                if nonce.is_some() { Heard::Next } else { Heard::Rejected }
            }
            Self::Ntlm { account: _, envelope, stage } => {
                if matches!(stage, Stage::Proven) {
                    return Heard::Rejected;
                }
                let Some(challenge) = find(envelope.scheme()) else { return Heard::NotJudged };
                match (auth::token(challenge), &stage) {
                    (Ok(Some(token)), Stage::Begin) => {
                        *stage = Stage::Challenged(token);
                        Heard::Next
                    }
                    (Ok(None), Stage::Begin) if *envelope == Envelope::BareInNegotiate => {
                        *envelope = Envelope::Spnego;
                        Heard::Next
                    }
                    (Ok(_) | Err(_), _) => Heard::Unusable,
                }
            }
            Self::Ticket { account: _, context, mint: _, service: _, input } => {
                let Some(challenge) = find(Scheme::Negotiate) else { return Heard::NotJudged };
                match auth::token(challenge) {
                    Ok(Some(token)) if context.is_some() && input.is_none() => {
                        *input = Some(token);
                        Heard::Next
                    }
                    Ok(_) | Err(_) => Heard::Rejected,
                }
            }
        }
    }

    /// Ends it well: what was said was accepted. `info` is the value of `Proxy-Authentication-Info`.
    pub(super) fn end(self, info: Option<&[u8]>) {
        let Self::Digest { account: _, nonce: Some(mut nonce), free } = self else { return };
        match info.and_then(digest::next_nonce) {
            Some(next) => {
                nonce.offer.renew(next);
                nonce = Nonce::new(nonce.offer);
            }
            None => nonce.was_accepted(),
        }
        free.give_back(nonce);
    }

    /// Ends it before its next message; what it would need for that is for somebody else.
    pub(super) fn put_by(self) {
        if let Self::Digest { account: _, nonce: Some(nonce), free } = self {
            free.give_back(nonce);
        }
    }

    /// Returns whether the secret has left: before that, a 407 judges nothing.
    pub(super) fn has_proven(&self) -> bool {
        match self {
            Self::Whole(_) | Self::Ticket { .. } => true,
            Self::Digest { account: _, nonce, free: _ } => nonce.is_some(),
            Self::Ntlm { account: _, envelope: _, stage } => matches!(stage, Stage::Proven),
        }
    }

    /// Begins again; what was said has not been heard.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Whole(_) | Self::Digest { .. } => {}
            Self::Ntlm { account: _, envelope: _, stage } => *stage = Stage::Begin,
            Self::Ticket { account: _, context, mint: _, service: _, input } => {
                (*context, *input) = (None, None);
            }
        }
    }

    /// Returns whether the next request must come on the connection of the last one.
    pub(super) fn is_bound(&self) -> bool {
        match self {
            Self::Whole(_) | Self::Digest { .. } => false,
            // The proxy's token is known to one connection only.
            Self::Ntlm { account: _, envelope: _, stage } => !matches!(stage, Stage::Begin),
            Self::Ticket { account: _, context: _, mint: _, service: _, input } => input.is_some(),
        }
    }
}

impl Envelope {
    fn scheme(self) -> Scheme {
        match self {
            Self::Bare => Scheme::Ntlm,
            Self::BareInNegotiate | Self::Spnego => Scheme::Negotiate,
        }
    }

    /// Returns the first token.
    fn open(self) -> Vec<u8> {
        match self {
            Self::Bare | Self::BareInNegotiate => ntlm::negotiate(),
            Self::Spnego => spnego::init(&ntlm::negotiate()),
        }
    }
}

/// Answers the proxy's token with a proof of the password.
fn prove(
    envelope: Envelope,
    account: &Account,
    token: &[u8],
    certificate: Option<&[u8]>,
) -> Result<Zeroizing<Vec<u8>>, Silent> {
    let facts = ntlm::Facts {
        now: filetime(clock::now()),
        client_challenge: random()?,
        session_key: random()?,
        channel_binding: certificate
            .and_then(channel_binding::end_point)
            .map(|binding| channel_binding::ntlm(&binding)),
        service: None,
    };
    let account = ntlm::Account { user: &account.user, password: &account.password };
    let told = |error: &dyn std::error::Error| Silent::Proxy(error.to_string());
    match envelope {
        Envelope::Bare => ntlm::authenticate(token, &account, &facts).map_err(|error| told(&error)),
        Envelope::BareInNegotiate | Envelope::Spnego => {
            spnego::authenticate(token, &account, &facts).map_err(|error| told(&error))
        }
    }
}

/// Returns a time in 100 ns since 1601 (MS-DTYP §2.3.3).
fn filetime(now: u64) -> u64 {
    const FROM_1601_TO_1970: u64 = 11_644_473_600;
    (now + FROM_1601_TO_1970) * 10_000_000
}

fn cnonce() -> Result<String, Silent> {
    let bytes: [u8; 16] = random()?;
    Ok(crate::proxy::hex(&bytes))
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], Silent> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| Silent::System(error.to_string()))?;
    Ok(bytes)
}

/// Where Kerberos tokens come from, and for which service they are.
pub(super) struct Kerberos {
    pub(super) mint: Mint,
    pub(super) service: Arc<str>,
}

/// Starts a login.
pub(super) fn start(
    method: Method,
    account: Option<Account>,
    free: &Arc<Nonces>,
    kerberos: Kerberos,
) -> Conversation {
    let Kerberos { mint, service } = kerberos;
    let ntlm = |account, envelope| Conversation::Ntlm { account, envelope, stage: Stage::Begin };
    match (method, account) {
        (Method::Basic, Some(account)) => {
            Conversation::Whole(auth::basic(&account.user, &account.password))
        }
        (Method::Bearer, Some(account)) => Conversation::Whole(auth::bearer(&account.password)),
        (Method::Digest, Some(account)) => {
            Conversation::Digest { account, nonce: None, free: Arc::clone(free) }
        }
        (Method::Ntlm, Some(account)) => ntlm(account, Envelope::Bare),
        (Method::NtlmInNegotiate, Some(account)) => ntlm(account, Envelope::BareInNegotiate),
        (_, account) => Conversation::Ticket { account, context: None, mint, service, input: None },
    }
}

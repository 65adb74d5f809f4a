//! Which login is used: the strongest that the proxy offers, and that there is what it needs for.
//!
//! Pure: what is offered, what there is and what is remembered come in, a [`Method`] or the [`Lack`]
//! of one goes out. Whether a password may still be sent is the guard's matter.

use crate::core::{
    auth::{DEFAULT_ORDER, Scheme, floor::Floor},
    challenge::Challenge,
};

/// One way to log in. The first three share a scheme on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Negotiate with the ticket that the user has.
    Ticket,
    /// Negotiate with a ticket that the stored password buys.
    PasswordTicket,
    /// Negotiate with NTLM inside (MS-SPNG), from the stored password.
    NtlmInNegotiate,
    /// NTLM, from the stored password.
    Ntlm,
    /// Digest, from the stored password.
    Digest,
    /// The stored token.
    Bearer,
    /// The stored password itself.
    Basic,
}

impl Method {
    /// Returns its scheme.
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Ticket | Self::PasswordTicket | Self::NtlmInNegotiate => Scheme::Negotiate,
            Self::Ntlm => Scheme::Ntlm,
            Self::Digest => Scheme::Digest,
            Self::Bearer => Scheme::Bearer,
            Self::Basic => Scheme::Basic,
        }
    }

    /// Returns whether the proxy knows the connection afterwards, and takes no login for one request.
    pub fn binds_connection(self) -> bool {
        matches!(self, Self::Ntlm | Self::NtlmInNegotiate)
    }

    /// Returns whether the proxy may keep the login with the connection (RFC 4559 §6 has it so; some
    /// ask for every request).
    pub fn may_bind_connection(self) -> bool {
        self.binds_connection() || matches!(self, Self::Ticket | Self::PasswordTicket)
    }
}

/// Whether there is a ticket that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// The proxy did not accept the one there is.
    Rejected,
    /// It has run out.
    Expired,
    /// The library gives an error, in its words.
    Failed(String),
    /// There is no Kerberos on this machine.
    NoLibrary,
    /// There is none.
    None,
    /// There is one.
    Usable,
}

/// What there is to log in with.
#[derive(Clone, Debug)]
pub struct Means<'a> {
    /// Whether a secret is stored for this proxy.
    pub account: Stored,
    /// The Kerberos ticket.
    pub ticket: &'a TicketState,
    /// What the proxy offers and turned out not to do.
    pub unusable: &'a [Method],
}

/// Whether a secret is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// None.
    No,
    /// One.
    Yes,
}

/// What is sent in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `schemes` of the configuration; empty where it says nothing.
    pub configured: Vec<Scheme>,
    /// The best that this proxy has ever offered, where somebody on the way could have removed it
    /// since: the connection to it is in clear.
    pub floor: Option<Floor>,
}

/// Why no login is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The proxy answers 407 without a challenge.
    NoChallenge,
    /// Nothing of what it offers is spoken, or allowed by the configuration.
    Unsupported,
    /// It offers less than before.
    Downgrade(Scheme),
    /// No secret is stored, and there is no usable ticket where one would do.
    Account,
    /// Only a ticket would do.
    Ticket(TicketState),
    /// It would take the password in clear beside a stronger scheme that does not work there.
    Weak(Scheme),
}

/// Returns the schemes of a list of challenges, in the order of our preference.
pub fn offered(challenges: &[Challenge]) -> Vec<Scheme> {
    let is_offered = |scheme: &Scheme| challenges.iter().any(|one| one.is(scheme.as_str()));
    DEFAULT_ORDER.into_iter().filter(is_offered).collect()
}

/// Chooses.
pub fn choose(
    challenges: &[Challenge],
    policy: &Policy,
    means: &Means<'_>,
) -> Result<Method, Lack> {
    let offered = offered(challenges);
    if challenges.is_empty() {
        return Err(Lack::NoChallenge);
    }
    let order: &[Scheme] =
        if policy.configured.is_empty() { &DEFAULT_ORDER } else { &policy.configured };
    let usable = |scheme: &&Scheme| offered.contains(scheme);
    let order: Vec<Scheme> = order.iter().filter(usable).copied().collect();
    let mut lack = Lack::Unsupported;
    for scheme in &order {
        match choose_of(*scheme, challenges, policy, means) {
            Ok(method) => return Ok(method),
            // What is said is what helps most: a login helps more than a ticket, which helps more
            // than a word about the proxy.
            Err(new) => lack = if rank(&new) > rank(&lack) { new } else { lack },
        }
    }
    Err(lack)
}

fn choose_of(
    scheme: Scheme,
    challenges: &[Challenge],
    policy: &Policy,
    means: &Means<'_>,
) -> Result<Method, Lack> {
    let is_offered = |scheme: Scheme| challenges.iter().any(|one| one.is(scheme.as_str()));
    let is_usable = |method: Method| !means.unusable.contains(&method);
    let method = match scheme {
        Scheme::Negotiate => {
            if *means.ticket == TicketState::Usable && is_usable(Method::Ticket) {
                return Ok(Method::Ticket);
            }
            let buys = cfg!(feature = "kerberos-password") && is_usable(Method::PasswordTicket);
            if means.account == Stored::Yes && buys {
                return Ok(Method::PasswordTicket);
            }
            // A raw NTLM beside it is the simpler way to prove a password.
            let beside = is_offered(Scheme::Ntlm);
            if means.account == Stored::No || beside || !is_usable(Method::NtlmInNegotiate) {
                return Err(Lack::Ticket(means.ticket.clone()));
            }
            Method::NtlmInNegotiate
        }
        Scheme::Ntlm => Method::Ntlm,
        Scheme::Digest => Method::Digest,
        Scheme::Bearer => Method::Bearer,
        Scheme::Basic => Method::Basic,
    };
    if !is_usable(method) {
        return Err(Lack::Unsupported);
    }
    if means.account == Stored::No {
        return Err(Lack::Account);
    }
    if !policy.configured.is_empty() {
        return Ok(method);
    }
    let known = policy.floor.zip(Floor::of(challenges));
    if let Some(before) = known.and_then(|(floor, offer)| floor.lacking(offer, scheme)) {
        return Err(Lack::Downgrade(before));
    }
    let password_schemes = [Scheme::Ntlm, Scheme::Digest, Scheme::Basic];
    let beside = |among: &[Scheme]| among.iter().copied().find(|one| is_offered(*one));
    match method {
        // Who can read the wire could have broken the stronger login to get the password itself.
        Method::Basic => match beside(&[Scheme::Ntlm, Scheme::Digest]) {
            Some(stronger) => Err(Lack::Weak(stronger)),
            None => Ok(method),
        },
        // What is stored is a password where a password scheme is offered, too.
        Method::Bearer if beside(&password_schemes).is_some() => Err(Lack::Unsupported),
        Method::Bearer
        | Method::Digest
        | Method::Ntlm
        | Method::NtlmInNegotiate
        | Method::PasswordTicket
        | Method::Ticket => Ok(method),
    }
}

fn rank(lack: &Lack) -> u8 {
    match lack {
        Lack::NoChallenge | Lack::Unsupported => 0,
        Lack::Weak(_) => 1,
        Lack::Ticket(_) => 2,
        Lack::Account => 3,
        Lack::Downgrade(_) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::{Lack, Means, Method, Policy, Stored, TicketState, choose};
    use crate::core::{
        auth::{Scheme, floor::Floor},
        challenge,
    };

    const ALL: &str = "Negotiate, NTLM, Digest realm=\"r\", Basic realm=\"r\"";

    /// What only a build with `kerberos-password` does.
    const PLAIN: &[Method] = &[Method::PasswordTicket];

    fn chosen(offer: &str, ticket: &TicketState, account: Stored) -> Result<Method, Lack> {
        let policy = Policy { configured: Vec::new(), floor: None };
        let means = Means { account, ticket, unusable: PLAIN };
        choose(&challenge::parse(offer.as_bytes()), &policy, &means)
    }

    fn before(offer: &str) -> Option<Floor> {
        Floor::of(&challenge::parse(offer.as_bytes()))
    }

    #[test]
    fn the_strongest_for_which_there_is_what_it_needs() {
        use {Stored::*, TicketState::*};
        for (offer, ticket, account, expected) in [
            (ALL, Usable, Yes, Ok(Method::Ticket)),
            (ALL, Usable, No, Ok(Method::Ticket)),
            (ALL, Expired, Yes, Ok(Method::Ntlm)),
            (ALL, None, No, Err(Lack::Account)),
            ("Negotiate", None, No, Err(Lack::Ticket(None))),
            ("Negotiate", Expired, No, Err(Lack::Ticket(Expired))),
            ("Negotiate", NoLibrary, Yes, Ok(Method::NtlmInNegotiate)),
            ("Negotiate, Basic", None, Yes, Ok(Method::NtlmInNegotiate)),
            ("Digest realm=r, Basic", None, Yes, Ok(Method::Digest)),
            ("Basic, Digest realm=r", None, Yes, Ok(Method::Digest)),
            ("basic", None, Yes, Ok(Method::Basic)),
            ("Bearer", None, Yes, Ok(Method::Bearer)),
            ("Bearer, Basic", None, Yes, Ok(Method::Basic)),
            ("Hoba", None, Yes, Err(Lack::Unsupported)),
            ("", None, Yes, Err(Lack::NoChallenge)),
        ] {
            assert_eq!(chosen(offer, &ticket, account), expected, "{offer}");
        }
    }

    #[test]
    fn a_password_buys_a_ticket_where_that_is_built_in() {
        let (policy, ticket) = (Policy { configured: Vec::new(), floor: None }, TicketState::None);
        let means = Means { account: Stored::Yes, ticket: &ticket, unusable: &[] };
        let chosen = choose(&challenge::parse(ALL.as_bytes()), &policy, &means);
        let is_built_in = cfg!(feature = "kerberos-password");
        assert_eq!(chosen, Ok(if is_built_in { Method::PasswordTicket } else { Method::Ntlm }));
    }

    #[test]
    fn the_configuration_decides_where_it_says_something() {
        let ticket = TicketState::Usable;
        let means = Means { account: Stored::Yes, ticket: &ticket, unusable: PLAIN };
        let challenges = challenge::parse(ALL.as_bytes());
        for (configured, expected) in [
            (vec![Scheme::Basic], Ok(Method::Basic)),
            (vec![Scheme::Digest, Scheme::Negotiate], Ok(Method::Digest)),
            (vec![Scheme::Bearer], Err(Lack::Unsupported)),
        ] {
            let policy = Policy { configured, floor: before("Negotiate") };
            assert_eq!(choose(&challenges, &policy, &means), expected);
        }
    }

    #[test]
    fn a_password_is_not_sent_where_a_stronger_offer_was_seen_before() {
        let ticket = TicketState::None;
        let means = Means { account: Stored::Yes, ticket: &ticket, unusable: PLAIN };
        let policy = Policy { configured: Vec::new(), floor: before("NTLM") };
        for (offer, expected) in [
            ("Basic", Err(Lack::Downgrade(Scheme::Ntlm))),
            ("Digest realm=r", Err(Lack::Downgrade(Scheme::Ntlm))),
            ("NTLM", Ok(Method::Ntlm)),
            ("Negotiate, Basic", Ok(Method::NtlmInNegotiate)),
        ] {
            let challenges = challenge::parse(offer.as_bytes());
            assert_eq!(choose(&challenges, &policy, &means), expected, "{offer}");
        }
    }

    #[test]
    fn negotiate_that_does_not_work_is_no_way_around_what_was_offered_before() {
        const IN_CLEAR: [&str; 2] = ["Negotiate, Basic", "Negotiate, Bearer"];
        let ticket = TicketState::None;
        let unusable = [Method::NtlmInNegotiate, Method::PasswordTicket];
        let means = Means { account: Stored::Yes, ticket: &ticket, unusable: &unusable };
        let choose = |floor: &str, offer: &str| {
            let policy = Policy { configured: Vec::new(), floor: before(floor) };
            choose(&challenge::parse(offer.as_bytes()), &policy, &means)
        };
        for (floor, lacking) in [
            ("NTLM", Scheme::Ntlm),
            ("Negotiate, NTLM, Basic", Scheme::Ntlm),
            ("Digest realm=r, Basic", Scheme::Digest),
            ("Negotiate, Digest realm=r", Scheme::Digest),
            ("Negotiate", Scheme::Ntlm),
        ] {
            for offer in IN_CLEAR {
                assert_eq!(choose(floor, offer), Err(Lack::Downgrade(lacking)), "{floor}: {offer}");
            }
        }
        assert_eq!(choose("NTLM", "Negotiate, Digest realm=r"), Err(Lack::Downgrade(Scheme::Ntlm)));
        assert_eq!(choose("Negotiate", "Negotiate, NTLM"), Ok(Method::Ntlm));
        // It has always been so.
        assert_eq!(choose("Negotiate, Basic", "Negotiate, Basic"), Ok(Method::Basic));
        assert_eq!(choose("Negotiate, Bearer", "Negotiate, Bearer"), Ok(Method::Bearer));
    }

    #[test]
    fn a_stronger_login_that_does_not_work_is_no_reason_for_the_password_in_clear() {
        let (policy, ticket) = (Policy { configured: Vec::new(), floor: None }, TicketState::None);
        let unusable = [Method::Ntlm, Method::NtlmInNegotiate, Method::PasswordTicket];
        let means = Means { account: Stored::Yes, ticket: &ticket, unusable: &unusable };
        let choose = |offer: &str| choose(&challenge::parse(offer.as_bytes()), &policy, &means);
        assert_eq!(choose("NTLM, Basic"), Err(Lack::Weak(Scheme::Ntlm)));
        assert_eq!(choose("Negotiate, Basic"), Ok(Method::Basic));
        assert_eq!(choose("NTLM, Digest realm=r, Basic"), Ok(Method::Digest));
    }
}

//! What a proxy has offered at its best: an offer of less may be the work of somebody on the way.
//!
//! Two schemes are kept. Negotiate alone tells nothing: without a ticket the password is proven by
//! what stands beside it, and whoever takes that away leaves the word Negotiate where it was.

use crate::core::{auth::Scheme, challenge::Challenge};

/// The best of all offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The strongest scheme.
    pub strongest: Scheme,
    /// The strongest beside Negotiate. NTLM, if an offer had nothing beside it: that is what proves
    /// a password within Negotiate.
    pub beside: Scheme,
}

impl Floor {
    /// Returns the best of one offer; `None`: it has nothing that is spoken here.
    pub fn of(challenges: &[Challenge]) -> Option<Self> {
        let schemes = || challenges.iter().filter_map(|one| Scheme::parse(&one.scheme));
        let beside = schemes().filter(|scheme| *scheme != Scheme::Negotiate).max();
        let strongest = schemes().max()?;
        // A token goes on with a login; what else there is to offer is not repeated then.
        let goes_on = challenges.iter().any(|one| one.token.is_some());
        let alone = if goes_on { Scheme::Basic } else { Scheme::Ntlm };
        Some(Self { strongest, beside: beside.unwrap_or(alone) })
    }

    /// Returns the best of both.
    #[must_use]
    pub fn raised(self, by: Self) -> Self {
        Self { strongest: self.strongest.max(by.strongest), beside: self.beside.max(by.beside) }
    }

    /// Returns what an offer lacks for a password to be proven by a scheme of it.
    pub fn lacking(self, offer: Self, scheme: Scheme) -> Option<Scheme> {
        if self.strongest > offer.strongest {
            return Some(self.strongest);
        }
        let is_lacking = scheme != Scheme::Negotiate && self.beside > offer.beside;
        is_lacking.then_some(self.beside)
    }
}

#[cfg(test)]
mod tests {
    use super::Floor;
    use crate::core::{auth::Scheme, challenge::parse};

    fn of(offer: &str) -> Option<Floor> {
        Floor::of(&parse(offer.as_bytes()))
    }

    #[test]
    fn an_offer_has_a_strongest_scheme_and_one_beside_negotiate() {
        use Scheme::{Basic, Bearer, Digest, Negotiate, Ntlm};
        for (offer, strongest, beside) in [
            ("Negotiate, NTLM, Basic realm=r", Negotiate, Ntlm),
            ("basic realm=r, Negotiate", Negotiate, Basic),
            ("Digest realm=r, Basic", Digest, Digest),
            ("Bearer, Basic", Bearer, Bearer),
            ("Negotiate", Negotiate, Ntlm),
            ("Negotiate, Hoba", Negotiate, Ntlm),
            ("Negotiate oRQ=", Negotiate, Basic),
        ] {
            assert_eq!(of(offer), Some(Floor { strongest, beside }), "{offer}");
        }
        assert_eq!((of(""), of("Hoba")), (None, None));
    }

    #[test]
    fn what_was_offered_once_stays_whatever_comes_after() {
        let offers = ["Negotiate, Basic", "NTLM, Basic", "Basic", "Negotiate, Digest realm=r"];
        let all = offers.into_iter().filter_map(of).reduce(Floor::raised);
        assert_eq!(all, Some(Floor { strongest: Scheme::Negotiate, beside: Scheme::Ntlm }));
    }
}

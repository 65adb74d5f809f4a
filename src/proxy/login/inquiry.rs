//! What can be proven to an upstream, and how: the question that store and library are asked, on a
//! blocking thread.

use crate::{
    core::{
        auth::{
            Scheme,
            choice::{self, Lack, Means, Method, Policy, Stored, TicketState},
            floor::Floor,
        },
        challenge::Challenge,
        origin::Origin,
        page::Why,
        refusal::Refusal,
    },
    proxy::{
        failure,
        login::{
            Broken, Held, Vault,
            kerberos::{self, TicketId},
            vault::Kept,
        },
    },
};

/// The question that is asked of store and library, on a blocking thread.
pub(super) struct Inquiry {
    pub(super) upstream: Origin,
    pub(super) username: Option<String>,
    pub(super) realm: String,
    pub(super) configured: Vec<Scheme>,
    pub(super) may_use_ticket: bool,
    pub(super) rejected_ticket: Option<TicketId>,
    pub(super) broken: Option<Broken>,
    pub(super) unusable: Vec<Method>,
    pub(super) floor: Option<Floor>,
    pub(super) why: Option<Why>,
    pub(super) challenges: Vec<Challenge>,
}

pub(super) enum Found {
    /// The store does not answer.
    Trouble(Refusal),
    Way(Held),
}

impl Inquiry {
    pub(super) fn answer(self, vault: &dyn Vault) -> Result<Found, Refusal> {
        let (ticket, id) = self.ticket();
        let policy = Policy { configured: self.configured.clone(), floor: self.floor(vault) };
        let choose = |account: Stored| {
            let means = Means { account, ticket: &ticket, unusable: &self.unusable };
            choice::choose(&self.challenges, &policy, &means)
        };
        let refuse = |lack: &Lack| failure::lack(&self.upstream, lack, &self.challenges);
        // With a ticket the store need not be asked, nor unlocked.
        if choose(Stored::No) == Ok(Method::Ticket) {
            return Ok(Found::Way(Held { method: Method::Ticket, account: None, ticket: id }));
        }
        let method = choose(Stored::Yes).map_err(|lack| refuse(&lack))?;
        let account = match vault.account(&self.upstream, self.username.as_deref()) {
            Ok(Some(account)) => account,
            Ok(None) => {
                let lack = choose(Stored::No).err().unwrap_or(Lack::Account);
                return Err(refuse(&lack));
            }
            Err(trouble) => {
                return Ok(Found::Trouble(failure::store(&self.upstream, &trouble)));
            }
        };
        if vault.is_rejected(&self.upstream, &self.realm, &account) {
            return Err(failure::rejected(&self.upstream, &account.user, self.why));
        }
        if method == Method::Basic && account.user.contains(':') {
            return Err(failure::user_with_colon(&self.upstream));
        }
        let account = Kept::of(&account).map_err(|error| failure::bug(&error.to_string()))?;
        Ok(Found::Way(Held { method, account: Some(account), ticket: None }))
    }

    /// Returns the state of the ticket, which only a proxy that asks for one makes interesting.
    fn ticket(&self) -> (TicketState, Option<TicketId>) {
        let is_asked = self.challenges.iter().any(|one| one.is(Scheme::Negotiate.as_str()));
        if !is_asked || !self.may_use_ticket {
            return (TicketState::None, None);
        }
        match kerberos::ticket() {
            (TicketState::Usable, id) if id == self.rejected_ticket => {
                (TicketState::Rejected, None)
            }
            (TicketState::Usable, id) => match &self.broken {
                Some(broken) if broken.ticket == id => (broken.state.clone(), None),
                Some(_) | None => (TicketState::Usable, id),
            },
            found => found,
        }
    }

    fn floor(&self, vault: &dyn Vault) -> Option<Floor> {
        if self.upstream.scheme() != "http" {
            return None;
        }
        let remembered = vault.floor(&self.upstream);
        self.floor.into_iter().chain(remembered).reduce(Floor::raised)
    }
}

//! What an upstream has asked for, and what it turned out not to do.

use std::time::{Duration, Instant};

use crate::{
    core::{
        auth::{
            Scheme,
            choice::{Method, TicketState},
            floor::Floor,
        },
        challenge::Challenge,
        page::Why,
    },
    proxy::login::kerberos::TicketId,
};

/// How long a method that the upstream does not do is passed over.
const UNUSABLE: Duration = Duration::from_secs(30);
/// How long a ticket that gave no token is passed over, unless it is another one: a KDC may come back.
pub(super) const BROKEN: Duration = Duration::from_secs(5);
/// The same, where that took long: each further try keeps everybody waiting. A change of the network
/// ends it.
pub(super) const SILENT: Duration = Duration::from_secs(60);

/// What the upstream has asked for since the start.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) asked: Asked,
    /// The realm of its first offer, or nothing where that named none. The guard remembers by realm,
    /// and a proxy that names another one later would be sent a rejected password again.
    pub(super) realm: Option<String>,
    /// The best of all its offers.
    pub(super) floor: Option<Floor>,
    /// What it offers and did not do, and when.
    pub(super) unusable: Vec<(Method, Instant)>,
    /// The ticket that gave no token.
    pub(super) broken: Option<Broken>,
    /// The method of the last turn.
    pub(super) method: Option<Method>,
    /// What the page of the last 407 to a login said of the reason.
    pub(super) why: Option<Why>,
}

/// A ticket that gave no token, and why.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) state: TicketState,
    pub(super) ticket: Option<TicketId>,
    pub(super) until: Instant,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Asked {
    /// For these.
    For(Vec<Challenge>),
    /// For nothing: it let a request without credentials pass.
    Nothing,
    /// Nothing was sent there yet.
    #[default]
    Unknown,
}

impl Offer {
    /// Takes what is offered now. Returns the best of all offers, if that is worth remembering: it is
    /// better than before, and than the weakest.
    pub(super) fn note(&mut self, challenges: Vec<Challenge>) -> Option<Floor> {
        if self.realm.is_none() && !challenges.is_empty() {
            let realm = challenges.iter().find_map(|challenge| challenge.param("realm"));
            self.realm = Some(realm.unwrap_or_default().to_owned());
        }
        let offer = Floor::of(&challenges);
        self.asked = Asked::For(challenges);
        let known = self.floor;
        self.floor = known.into_iter().chain(offer).reduce(Floor::raised);
        self.floor.filter(|floor| known != Some(*floor) && floor.strongest > Scheme::Basic)
    }

    /// A proxy that has named no login is asked once more when the refusal is old.
    pub(super) fn ask_again_if_mute(&mut self) {
        if matches!(&self.asked, Asked::For(challenges) if challenges.is_empty()) {
            self.asked = Asked::Unknown;
        }
    }

    /// Returns what it did not do lately.
    pub(super) fn unusable(&mut self) -> Vec<Method> {
        self.unusable.retain(|(_, since)| since.elapsed() < UNUSABLE);
        self.unusable.iter().map(|(method, _)| *method).collect()
    }

    /// Returns the ticket that gave no token lately.
    pub(super) fn broken(&self) -> Option<Broken> {
        self.broken.clone().filter(|broken| Instant::now() < broken.until)
    }
}

//! A line to one server: trusted roots, the way there, and requests over it.

use crate::{
    core::{
        fault::{Fault, Kind},
        origin::Origin,
    },
    front::{
        Context,
        login::{
            route::{self, Way},
            survey,
        },
    },
    net::{api::Api, probe::Error, tls},
};

/// A line.
pub(crate) struct Line {
    /// What asks over it.
    pub(crate) api: Api,
    origin: Origin,
    way: Way,
}

impl Line {
    /// Prepares a line to the server of a URL, for a login at a host: whose authorities that host's
    /// may be, its server's may be, too. Nothing is sent yet.
    pub(crate) fn to_url(url: &str, host: &Origin, context: &Context) -> Result<Self, Fault> {
        let (origin, _) = Origin::from_url(url).map_err(|error| {
            Fault::new(Kind::Network, "the server names a URL that is none").cause(error)
        })?;
        let mut files = route::authorities(&origin, context);
        files.extend(route::authorities(host, context));
        files.sort();
        files.dedup();
        let tls = tls::client(&files).map_err(survey::untrusting)?;
        let way = route::to(&origin, context)?;
        let api = Api::new(tls, &way.route)
            .map_err(|error| survey::unreachable(&error, &origin, &way, context))?;
        Ok(Self { api, origin, way })
    }

    /// Says why nobody answered.
    pub(crate) fn fault(&self, error: &Error, context: &Context) -> Fault {
        let mut fault = survey::unreachable(error, &self.origin, &self.way, context);
        // There is nothing yet that could be stored unseen.
        fault.hints.retain(|hint| !hint.contains("--no-verify"));
        fault
    }

    /// Returns what the engine on the way knows of it.
    pub(crate) fn said(&self, context: &Context) -> Option<String> {
        self.way.said(context)
    }

    /// Names the server.
    pub(crate) fn place(&self) -> String {
        self.origin.authority()
    }
}

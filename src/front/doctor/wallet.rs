//! What gocred itself would answer with, for the probes of a diagnosis.

use crate::{
    core::doctor::{
        plan,
        route::{Link, Login},
    },
    front::Context,
};

/// The stores, asked once a host.
pub(super) struct Wallet<'a> {
    _context: &'a Context,
}

impl<'a> Wallet<'a> {
    pub(super) fn of(context: &'a Context) -> Self {
        Self { _context: context }
    }
}

impl plan::Wallet for Wallet<'_> {
    fn login(&self, _link: &Link) -> Option<Login> {
        None
    }

    fn proxy_login(&self, _host: &str, _port: u16) -> Option<Login> {
        None
    }
}

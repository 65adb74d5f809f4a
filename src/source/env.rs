//! A variable of the environment. It is bound to the exact origin of its table: a token that a helper
//! gives to every host of a kind is the flaw of CVE-2024-53858.

use crate::{
    broker::{CacheFor, Lease},
    core::config::SourceRule,
    source::password,
    sys::env,
};

/// Reads it. `None`: it is not set.
pub(super) fn lease(rule: &SourceRule, account: String) -> Option<Lease> {
    let name = rule.variable.as_deref().unwrap_or_default();
    Some(Lease {
        user: account,
        proof: password(env::secret(name)?),
        ends: None,
        refresh_at: None,
        cache: CacheFor::Never,
        from: "env",
    })
}

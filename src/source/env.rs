//! A variable of the environment. It is bound to the exact origin of its table: a token that a helper
//! gives to every host of a kind is the flaw of CVE-2024-53858.

use crate::{
    broker::{CacheFor, Lease, SourceError},
    core::config::SourceRule,
    source::password,
    sys::env,
};

/// Reads it. `Ok(None)`: it is not set.
pub(super) fn lease(rule: &SourceRule, account: String) -> Result<Option<Lease>, SourceError> {
    let name = rule.variable.as_deref().unwrap_or_default();
    let Some(secret) = env::secret(name) else { return Ok(None) };
    Ok(Some(Lease {
        user: account,
        proof: password(secret),
        ends: None,
        refresh_at: None,
        cache: CacheFor::Never,
        from: "env",
    }))
}

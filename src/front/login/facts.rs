//! What is known of a token once it is checked: told at the end of a login.

use serde::Serialize;

use crate::{
    core::{
        credential::UnixTime,
        forge::Forge,
        forge_api::{self, Holder},
        text::printable,
        time,
    },
    front::ui,
};

/// What is known.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Facts {
    login: Option<String>,
    name: Option<String>,
    scopes: Option<Vec<String>>,
    missing_scopes: Vec<String>,
    expires_at: Option<String>,
    renews: bool,
    #[serde(skip)]
    pub(super) expires: Option<UnixTime>,
}

impl Facts {
    /// Puts together what was said. `refused`: what was asked for and not given.
    pub(super) fn of(
        holder: Holder,
        forge: Option<Forge>,
        refused: &[String],
        renews: bool,
    ) -> Self {
        let Holder { login, name, scopes, expires } = holder;
        let mut missing_scopes = refused.to_vec();
        if let (Some(forge), Some(scopes)) = (forge, &scopes) {
            let needed = forge_api::lacks(forge, scopes).into_iter().map(str::to_owned);
            missing_scopes.extend(needed.filter(|scope| !refused.contains(scope)));
        }
        let expires_at = expires.map(|end| time::rfc3339(end.saturating_mul(1000)));
        Self { login, name, scopes, missing_scopes, expires_at, renews, expires }
    }

    /// Tells a person.
    pub(super) fn tell(&self, user: &str) {
        let login = self.login.as_deref().filter(|login| *login != user);
        let who = match (login, self.name.as_deref()) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(printable(one)),
            (Some(login), Some(name)) => {
                Some(format!("{} ({})", printable(login), printable(name)))
            }
        };
        if let Some(who) = who {
            ui::out(&format!("it is the token of {who}"));
        }
        if let Some(scopes) = self.scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
            ui::out(&format!("scopes: {}", printable(&scopes.join(", "))));
        }
        if !self.missing_scopes.is_empty() {
            let missing = printable(&self.missing_scopes.join(", "));
            ui::out(&format!("missing scopes: {missing}; git and go may be refused"));
        }
        if let Some(end) = &self.expires_at {
            let end = end.get(..16).unwrap_or(end).replace('T', " ");
            let then = if self.renews { ", and renews itself" } else { "" };
            ui::out(&format!("it ends {end} UTC{then}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Facts;
    use crate::core::{forge::Forge, forge_api::Holder, oauth::scopes};

    #[test]
    fn a_missing_scope_is_named_once() {
        let holder = Holder { scopes: Some(scopes("gist")), ..Holder::default() };
        let facts = Facts::of(holder, Some(Forge::GitHub), &scopes("repo workflow"), false);
        assert_eq!(facts.missing_scopes, ["repo", "workflow"]);
    }
}

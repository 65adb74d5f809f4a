//! What only a record itself tells: how its secret is sent, what it may do, whether it renews itself.
//!
//! It looks at no secret, and shows none.

use std::collections::BTreeMap;

use crate::{
    core::{
        credential::{Key, Kind as Namespace, Proof, Query, Record, Secrets},
        oauth::Session,
    },
    store::Store,
};

/// What is known of an account beside its entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Detail {
    /// `oauth`, `password`, or the scheme of what is sent as it is, such as `bearer`.
    pub(super) kind: String,
    /// What the server granted, where it said so.
    pub(super) scopes: Vec<String>,
    /// Whether it is renewed without anybody.
    pub(super) renews: bool,
}

/// Returns the details of what is stored; nothing of what does not open. An account is shown without
/// them, too.
pub(super) fn all(store: &mut dyn Store) -> BTreeMap<Key, Detail> {
    let mut details = BTreeMap::new();
    for kind in [Namespace::Git, Namespace::Proxy] {
        let records = store.find(&Query::all(kind)).unwrap_or_default();
        details.extend(records.into_iter().map(|record| {
            let detail = detail(&record);
            (record.entry.key, detail)
        }));
    }
    details
}

fn detail(record: &Record) -> Detail {
    let Secrets { proof, refresh_token, session } = &record.secrets;
    let parsed = session.as_ref().and_then(Session::parse);
    let kind = match proof {
        _ if session.is_some() => "oauth".to_owned(),
        Proof::Password(_) => "password".to_owned(),
        Proof::Encoded { authtype, credential: _ } => authtype.to_ascii_lowercase(),
    };
    Detail {
        kind,
        scopes: parsed.map(|session| session.scopes).unwrap_or_default(),
        renews: session.is_some() && refresh_token.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::all;
    use crate::{
        core::{
            credential::{Key, Kind, Proof, Secrets},
            origin::Origin,
        },
        store::{self, Error, memory::Memory},
    };

    #[test]
    fn a_record_says_how_it_is_sent_and_renewed() {
        let key = |user: &str| {
            let origin = Origin::new("https", "h").unwrap();
            Key { kind: Kind::Git, origin, path: None, user: user.to_owned() }
        };
        let mut login = Secrets::of(Proof::Password("a".into()));
        login.refresh_token = Some("r".into());
        login.session =
            Some("token_url=https://h/t&client_id=c&scope=read+write&obtained=1".into());
        let bearer = Proof::Encoded { authtype: "Bearer".to_owned(), credential: "b".into() };
        let records = [
            ("login", login),
            ("bearer", Secrets::of(bearer)),
            ("plain", Secrets::of(Proof::Password("p".into()))),
        ];
        let records =
            records.map(|(user, secrets)| store::record(key(user), secrets, None, 1)).to_vec();
        let mut memory = Memory::of(records);
        let details = all(&mut memory);
        let of = |user: &str| {
            let detail = &details[&key(user)];
            (detail.kind.as_str(), detail.scopes.join(" "), detail.renews)
        };
        assert_eq!(of("login"), ("oauth", "read write".to_owned(), true));
        assert_eq!(of("bearer"), ("bearer", String::new(), false));
        assert_eq!(of("plain"), ("password", String::new(), false));
        memory.trouble = Some(Error::Locked);
        assert!(all(&mut memory).is_empty());
    }
}

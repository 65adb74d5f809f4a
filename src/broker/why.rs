//! Which account a question gets, and why: the answer of [`Broker::ask`] without its secret. It reads
//! what a store lists, and releases nothing.

use crate::{
    broker::{Broker, Question, choose, is_live, rules, standing::Standing},
    core::{
        account::Rule,
        credential::{Entry, Kind},
    },
    store::Error,
};

/// Which account, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why<'a> {
    /// Who or what chose it.
    pub reason: Reason<'a>,
    /// The account; `None`: nobody knows one.
    pub user: Option<String>,
    /// What is kept for it. Where that is hidden or expired, it is not answered.
    pub entry: Option<Entry>,
}

/// What chose an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// `[host."…"] username`
    Configured,
    /// The question itself names it.
    Named,
    /// The netrc has it.
    Netrc,
    /// Of several that were possible, it was stored last.
    Newest,
    /// Nobody: nothing is kept for it.
    Nothing,
    /// There is no other.
    Only,
    /// It is kept for this very path.
    Path,
    /// A rule.
    Rule(&'a Rule),
    /// A source of the configuration, which alone is asked.
    Source,
}

impl<'a> Broker<'a> {
    /// Says which account a question gets.
    pub fn why(&mut self, question: &Question<'_>) -> Result<Why<'a>, Error> {
        let known = self.known();
        let kind = match self.standing(&known, question.origin) {
            Standing::Foreign => {
                return Ok(Why { reason: Reason::Nothing, user: None, entry: None });
            }
            Standing::Ours(kind) => kind,
        };
        let rule = self.rule(question);
        let settled = rule.map_or(*question, |rule| rules::settled(question, rule));
        if self.config.has_source(question.origin) {
            let user = settled.user.map(str::to_owned);
            return Ok(Why { reason: Reason::Source, user, entry: None });
        }
        let query = self.query(kind, &settled);
        let entries = self.store.list(&query)?;
        let entries = self.narrow(entries, &query, &settled);
        let chosen = choose(entries.clone(), self.now);
        if chosen.is_none() && kind == Kind::Git {
            let user = settled.user.or_else(|| self.configured_user(settled.origin));
            let user = user.map(str::to_owned);
            if let Some(record) = self.in_netrc(settled.origin, user.as_deref()) {
                let user = Some(record.entry.key.user);
                return Ok(Why { reason: Reason::Netrc, user, entry: None });
            }
        }
        let reason = match (question.user, rule) {
            (Some(_), _) => Reason::Named,
            (None, Some(rule)) => Reason::Rule(rule),
            (None, None) => self.reason(&settled, chosen.as_ref(), &entries),
        };
        let entry = chosen.or_else(|| entries.into_iter().max_by_key(|entry| entry.stored));
        let user = entry.as_ref().map(|entry| entry.key.user.as_str()).or(settled.user);
        Ok(Why { reason, user: user.map(str::to_owned), entry })
    }

    fn reason(
        &self,
        question: &Question<'_>,
        chosen: Option<&Entry>,
        entries: &[Entry],
    ) -> Reason<'a> {
        let Some(chosen) = chosen else {
            return if entries.is_empty() { Reason::Nothing } else { Reason::Only };
        };
        if question.path.is_some() && chosen.key.path.is_some() {
            return Reason::Path;
        }
        if self.configured_user(question.origin) == Some(&chosen.key.user) {
            return Reason::Configured;
        }
        let is_other =
            |entry: &Entry| is_live(entry, self.now) && entry.key.user != chosen.key.user;
        if entries.iter().any(is_other) { Reason::Newest } else { Reason::Only }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;
    use crate::{
        broker::{
            Proofs, Question,
            tests::{World, expired, hidden, origin, password},
        },
        core::credential::Record,
        store::Error,
    };

    const RULES: &str = "[account.\"h/acme\"]\nusername = \"bot\"\n";

    fn why(world: &mut World, url: &str, user: Option<&str>) -> Result<String, Error> {
        let (origin, path) = (origin(url), url.splitn(4, '/').nth(3));
        let question = Question { origin: &origin, path, user, proofs: Proofs::All };
        let why = world.broker().why(&question)?;
        let reason = match why.reason {
            Reason::Rule(rule) => format!("rule {}", rule.table()),
            other => format!("{other:?}").to_lowercase(),
        };
        Ok(format!("{} {reason}", why.user.unwrap_or_default()))
    }

    fn two() -> Vec<Record> {
        vec![password("https://h", "ana", "a"), password("https://h", "bot", "b")]
    }

    #[test]
    fn each_reason_is_told() {
        for (config, records, url, user, expected) in [
            (RULES, two(), "https://h/acme/x", None, "bot rule h/acme"),
            (RULES, two(), "https://h/other", None, "ana only"),
            (RULES, two(), "https://h/acme/x", Some("ana"), "ana named"),
            ("", two(), "https://h", None, "ana newest"),
            ("[host.h]\nusername = \"bot\"", two(), "https://h", None, "bot configured"),
            ("", two(), "https://h/acme", None, " nothing"),
            ("", vec![password("https://h/x", "eve", "e")], "https://h/x", None, "eve path"),
            (RULES, vec![], "https://h/acme/x", None, " nothing"),
            (
                RULES,
                vec![password("https://h", "ana", "a")],
                "https://h/acme",
                None,
                "bot rule h/acme",
            ),
            ("[source.h]\nfrom = \"ci\"\n", two(), "https://h", None, " source"),
        ] {
            let mut world = World::new(records, config);
            assert_eq!(why(&mut world, url, user).as_deref(), Ok(expected), "{config} {url}");
        }
    }

    #[test]
    fn what_is_told_is_what_is_answered() {
        let records = vec![
            password("https://h", "ana", "a"),
            hidden(password("https://h", "eve", "e"), 5),
            expired(password("https://h", "old", "o")),
            password("https://h", "bot", "b"),
            password("https://h/other/x", "path", "p"),
        ];
        for config in ["", RULES, "[host.h]\nusername = \"eve\"", "[account.h]\nusername = \"old\""]
        {
            let mut world = World::new(records.clone(), config);
            for path in [None, Some("acme/x"), Some("other/x"), Some("none")] {
                for user in [None, Some("ana"), Some("eve"), Some("nobody")] {
                    let origin = origin("https://h");
                    let question = Question { origin: &origin, path, user, proofs: Proofs::All };
                    let why = world.broker().why(&question).unwrap();
                    let live =
                        why.entry.filter(|entry| super::is_live(entry, crate::broker::tests::NOW));
                    let answer = world.broker().ask(&question).unwrap();
                    let answered = answer.map(|found| match found {
                        crate::broker::Found::Complete(record, _)
                        | crate::broker::Found::Renewable(record) => record.entry.key,
                    });
                    assert_eq!(live.map(|entry| entry.key), answered, "{config} {path:?} {user:?}");
                }
            }
        }
    }

    #[test]
    fn the_netrc_is_named_where_the_store_has_nothing() {
        let mut world = World::new(vec![], "").with_netrc("machine h login ana password n");
        assert_eq!(why(&mut world, "https://h/x", None).as_deref(), Ok("ana netrc"));
    }

    #[test]
    fn a_locked_store_is_an_error() {
        let mut world = World::new(two(), "").in_trouble(Error::Locked);
        assert_eq!(why(&mut world, "https://h", None), Err(Error::Locked));
    }
}

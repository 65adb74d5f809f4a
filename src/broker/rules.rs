//! Which account a question is for, by the rules of `[account."…"]`.
//!
//! Where a host has rules for paths, a path chooses the account and nothing else: whatever it is, the
//! account's credential is kept and looked for once. A host without such rules is git's matter: there a
//! question with a path is answered by what is kept under that path (git's `credential_match`).

use crate::{
    broker::{Broker, Question, Refuted, is_live},
    core::{
        account::{self, Rule},
        config::Config,
        credential::{Entry, Key, Kind, Query},
        origin::Origin,
    },
};

impl<'a> Broker<'a> {
    /// Returns the rule that settles a question which names no other account.
    pub(super) fn rule(&self, question: &Question<'_>) -> Option<&'a Rule> {
        let rule = account::choose(&self.config.accounts, question.origin, question.path)?;
        question.user.is_none_or(|user| user == rule.user).then_some(rule)
    }

    /// Returns what the store is asked.
    pub(super) fn query(&self, kind: Kind, question: &Question<'_>) -> Query {
        let is_settled = self.is_ruled(question.origin) || self.rule(question).is_some();
        Query {
            kind,
            origin: Some(question.origin.clone()),
            path: question.path.filter(|_| !is_settled).map(str::to_owned),
            user: question.user.map(str::to_owned),
        }
    }

    /// Keeps what may answer a question, whose account is that of its rule by now.
    pub(super) fn narrow<T: AsRef<Entry>>(
        &self,
        mut records: Vec<T>,
        query: &Query,
        question: &Question<'_>,
    ) -> Vec<T> {
        records.retain(|record| query.matches(&record.as_ref().key));
        if let (Some(path), None, None) = (question.path, &query.path, self.rule(question)) {
            // Somebody may have given this very path an account of its own before there were rules.
            let is_own = |record: &T| record.as_ref().key.path.as_deref() == Some(path);
            let has_own = records.iter().any(|it| is_own(it) && is_live(it.as_ref(), self.now));
            records.retain(|it| if has_own { is_own(it) } else { it.as_ref().key.path.is_none() });
        }
        if question.user.is_none() {
            of_host(&mut records, self.config, question.origin);
        }
        records
    }

    /// Takes the path from a key that the rules of its host explain.
    pub(super) fn settle(&self, mut key: Key) -> Key {
        let rule = account::choose(&self.config.accounts, &key.origin, key.path.as_deref());
        if self.is_ruled(&key.origin) || rule.is_some_and(|rule| rule.user == key.user) {
            key.path = None;
        }
        key
    }

    /// Returns the path of what was rejected, where it was kept under one. A secret that is named
    /// together with its account needs no path on a host with rules, and nothing less may lose it.
    pub(super) fn settled_path<'q>(&self, refuted: &Refuted<'q>) -> Option<&'q str> {
        let is_exact =
            refuted.user.is_some() && (refuted.password.is_some() || refuted.credential.is_some());
        let rule = account::choose(&self.config.accounts, refuted.origin, refuted.path);
        let is_settled =
            self.is_ruled(refuted.origin) || rule.is_some_and(|it| Some(&*it.user) == refuted.user);
        refuted.path.filter(|_| !(is_exact && is_settled))
    }

    fn is_ruled(&self, origin: &Origin) -> bool {
        account::of_paths(&self.config.accounts, origin).next().is_some()
    }
}

/// Asks for the account of a rule.
pub(super) fn settled<'q>(question: &Question<'q>, rule: &'q Rule) -> Question<'q> {
    Question { user: Some(&rule.user), ..*question }
}

/// Keeps those of a host's accounts that answer where neither the question nor a rule names one: the
/// configured one, or else those that no rule gives paths of their own.
pub fn of_host<T: AsRef<Entry>>(records: &mut Vec<T>, config: &Config, origin: &Origin) {
    if let Some(configured) = config.host(origin).and_then(|host| host.username.as_deref())
        && records.iter().any(|record| record.as_ref().key.user == configured)
    {
        records.retain(|record| record.as_ref().key.user == configured);
        return;
    }
    let is_free = |record: &T| {
        let mut rules = account::of_paths(&config.accounts, origin);
        rules.all(|rule| rule.user != record.as_ref().key.user)
    };
    if records.iter().any(is_free) {
        records.retain(is_free);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        broker::{
            Found, Proofs, Question, Refuted,
            tests::{World, hidden, origin, password, shown},
        },
        core::{credential::Record, secret::SecretString},
        store::Saved,
    };

    const RULES: &str = "[account.\"h/acme\"]\nusername = \"bot\"\n";

    fn ask(world: &mut World, path: Option<&str>, user: Option<&str>) -> Option<String> {
        let origin = origin("https://h");
        let question = Question { origin: &origin, path, user, proofs: Proofs::All };
        match world.broker().ask(&question).unwrap()? {
            Found::Complete(record, _) => Some(shown(&record)),
            Found::Renewable(_) => None,
        }
    }

    fn newer(mut record: Record) -> Record {
        record.entry.stored += 60;
        record
    }

    #[test]
    fn a_rule_chooses_the_account_of_its_paths_and_of_no_others() {
        let records =
            vec![password("https://h", "ana", "a"), newer(password("https://h", "bot", "b"))];
        for config in [RULES.to_owned(), format!("[host.h]\nusername = \"ana\"\n{RULES}")] {
            let mut world = World::new(records.clone(), &config);
            assert_eq!(ask(&mut world, Some("acme/lib.git"), None).as_deref(), Some("bot:b"));
            assert_eq!(ask(&mut world, Some("acme/lib"), Some("bot")).as_deref(), Some("bot:b"));
            assert_eq!(ask(&mut world, Some("acme/lib"), Some("ana")).as_deref(), Some("ana:a"));
            assert_eq!(ask(&mut world, Some("acme/lib"), Some("eve")), None);
            // bot is the newest, and is for its paths.
            assert_eq!(ask(&mut world, None, None).as_deref(), Some("ana:a"));
            assert_eq!(ask(&mut world, Some("other/lib"), None).as_deref(), Some("ana:a"));
        }
    }

    #[test]
    fn the_only_account_of_a_host_answers_everywhere_also_with_a_rule() {
        let mut world = World::new(vec![password("https://h", "bot", "b")], RULES);
        for path in [None, Some("acme/lib"), Some("other/lib")] {
            assert_eq!(ask(&mut world, path, None).as_deref(), Some("bot:b"), "{path:?}");
        }
    }

    #[test]
    fn the_account_of_a_rule_does_not_stand_in_for_one_that_was_erased() {
        let records =
            vec![hidden(password("https://h", "ana", "a"), 1), password("https://h", "bot", "b")];
        let mut world = World::new(records, RULES);
        assert_eq!(ask(&mut world, Some("other/lib"), None), None);
        assert_eq!(ask(&mut world, Some("acme/lib"), None).as_deref(), Some("bot:b"));
    }

    #[test]
    fn what_is_kept_for_another_path_answers_for_no_other() {
        let records = vec![
            password("https://h/other/one", "eve", "e"),
            password("https://h", "ana", "a"),
            password("https://h", "bot", "b"),
        ];
        let mut world = World::new(records, RULES);
        assert_eq!(ask(&mut world, Some("other/one"), None).as_deref(), Some("eve:e"));
        assert_eq!(ask(&mut world, Some("other/two"), None).as_deref(), Some("ana:a"));
        let mut world = World::new(vec![password("https://h/other/one", "eve", "e")], RULES);
        assert_eq!(ask(&mut world, Some("other/two"), None), None);
    }

    #[test]
    fn without_rules_a_path_is_only_answered_by_its_own_records() {
        let rule = "[account.\"h:8443/acme\"]\nusername = \"bot\"\n";
        let mut world = World::new(vec![password("https://h", "ana", "a")], rule);
        assert_eq!(ask(&mut world, Some("acme/lib"), None), None);
    }

    #[test]
    fn what_is_stored_for_paths_of_a_host_with_rules_is_kept_once() {
        let mut world = World::new(vec![], RULES);
        for (path, user) in
            [("acme/one", "bot"), ("acme/two", "bot"), ("acme/one", "ana"), ("other/x", "ana")]
        {
            let record = password(&format!("https://h/{path}"), user, user);
            world.broker().approve(record.entry.key, record.secrets, None).unwrap();
        }
        assert_eq!(world.visible(), ["ana:ana", "bot:bot"]);
        assert!(world.store.records.iter().all(|record| record.entry.key.path.is_none()));
        let elsewhere = password("https://x/acme/one", "bot", "b");
        let saved = world.broker().approve(elsewhere.entry.key, elsewhere.secrets, None);
        assert_eq!(saved, Ok(Saved::Written));
        assert_eq!(world.store.records[2].entry.key.path.as_deref(), Some("acme/one"));
    }

    #[test]
    fn what_was_rejected_below_a_path_is_hidden_where_it_is_kept() {
        let records = || vec![password("https://h", "ana", "b"), password("https://h", "bot", "b")];
        let mut world = World::new(records(), RULES);
        let (at, secret) = (origin("https://h"), SecretString::from("b"));
        let bare = Refuted {
            origin: &at,
            path: Some("acme/lib"),
            user: None,
            password: None,
            credential: None,
        };
        // Too little to lose a credential of the whole host.
        assert_eq!(world.broker().reject(&bare, "git erase"), Ok(0));
        let password = Refuted { password: Some(&secret), ..bare };
        assert_eq!(world.broker().reject(&password, "git erase"), Ok(0));
        let whole = Refuted { user: Some("bot"), ..password };
        assert_eq!(world.broker().reject(&whole, "git erase"), Ok(1));
        assert_eq!(world.visible(), ["ana:b"]);
        let mut without_rules = World::new(records(), "");
        assert_eq!(without_rules.broker().reject(&whole, "git erase"), Ok(0));
    }
}

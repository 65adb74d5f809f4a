//! Which account a question is for, by the rules of `[account."…"]`.

use crate::{
    broker::{Broker, Question},
    core::{
        account::{self, Rule},
        credential::Key,
    },
};

impl<'a> Broker<'a> {
    /// Returns the rule that settles a question which names no other account.
    pub(super) fn rule(&self, question: &Question<'_>) -> Option<&'a Rule> {
        let rule = account::choose(&self.config.accounts, question.origin, question.path)?;
        question.user.is_none_or(|user| user == rule.user).then_some(rule)
    }

    /// Takes the path from a key that a rule explains: its credential is kept once for all paths.
    pub(super) fn settle(&self, mut key: Key) -> Key {
        let rule = account::choose(&self.config.accounts, &key.origin, key.path.as_deref());
        if rule.is_some_and(|rule| rule.user == key.user) {
            key.path = None;
        }
        key
    }
}

/// Asks for the account of a rule, wherever on the host it is kept.
pub(super) fn settled<'q>(question: &Question<'q>, rule: &'q Rule) -> Question<'q> {
    Question { path: None, user: Some(&rule.user), ..*question }
}

#[cfg(test)]
mod tests {
    use crate::{
        broker::{
            Found, Proofs, Question,
            fixture::{World, origin, password, shown},
        },
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

    #[test]
    fn a_rule_chooses_the_account_of_its_paths_and_of_no_others() {
        let records = vec![password("https://h", "ana", "a"), password("https://h", "bot", "b")];
        let mut world = World::new(records, &format!("[host.h]\nusername = \"ana\"\n{RULES}"));
        assert_eq!(ask(&mut world, Some("acme/lib.git"), None).as_deref(), Some("bot:b"));
        assert_eq!(ask(&mut world, Some("acme/lib"), Some("bot")).as_deref(), Some("bot:b"));
        assert_eq!(ask(&mut world, None, None).as_deref(), Some("ana:a"));
        // As without rules: a path is only answered by its own records.
        assert_eq!(ask(&mut world, Some("other/lib"), None), None);
        assert_eq!(ask(&mut world, Some("acme/lib"), Some("ana")), None);
    }

    #[test]
    fn what_a_rule_explains_is_kept_once() {
        let mut world = World::new(vec![], RULES);
        for path in ["acme/one", "acme/two"] {
            let record = password(&format!("https://h/{path}"), "bot", "b");
            world.broker().approve(record.entry.key, record.secrets, None).unwrap();
        }
        let other = password("https://h/acme/one", "ana", "a").entry.key;
        let secrets = password("https://h", "ana", "a").secrets;
        assert_eq!(world.broker().approve(other, secrets, None), Ok(Saved::Written));
        let paths: Vec<_> =
            world.store.records.iter().map(|record| record.entry.key.path.as_deref()).collect();
        assert_eq!(paths, [None, Some("acme/one")]);
    }
}

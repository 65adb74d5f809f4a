//! The question "which credential?": the store first, then the netrc; the first complete answer wins.
//!
//! It deliberately never falls back to another origin, and never changes an account that was asked
//! for.

use crate::{
    broker::{
        Broker, choose, is_expired, rules,
        standing::{Known, Standing},
    },
    core::{
        credential::{Kind, Proof, Record},
        gitproto::receipt::Source,
        origin::Origin,
    },
    store::Error,
};

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Where the credential would go.
    pub origin: &'a Origin,
    /// The path, if the asking side tells paths apart.
    pub path: Option<&'a str>,
    /// The account, if it is settled.
    pub user: Option<&'a str>,
    /// What the asking side can send.
    pub proofs: Proofs,
}

/// What the asking side can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proofs {
    /// Encoded credentials, too.
    All,
    /// Accounts and passwords.
    Passwords,
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Found {
    /// A credential, and where it came from.
    Complete(Record, Source),
    /// A credential that has expired and can be renewed with its refresh token.
    Renewable(Record),
}

impl Question<'_> {
    /// Returns whether the asking side can send a proof to an origin of this standing.
    pub(super) fn can_be_sent(&self, proof: &Proof, standing: Standing) -> bool {
        match proof {
            // git would send it to a proxy in the wrong field (git-helper.md §1.7.1).
            Proof::Encoded { .. } => {
                self.proofs == Proofs::All && standing != Standing::Ours(Kind::Proxy)
            }
            Proof::Password(_) => true,
        }
    }
}

impl Broker<'_> {
    /// Asks all sources. `Ok(None)` is "nothing, ask somebody else"; an error is the store's, for an
    /// origin of ours that no other source knows.
    pub fn ask(&mut self, question: &Question<'_>) -> Result<Option<Found>, Error> {
        let rule = self.rule(question);
        let settled = rule.map_or(*question, |rule| rules::settled(question, rule));
        let found = self.found(&settled)?;
        if let Some(found) = &found {
            self.release(found, question, rule)?;
        }
        Ok(found)
    }

    #[cfg(not(feature = "full"))]
    fn found(&mut self, question: &Question<'_>) -> Result<Option<Found>, Error> {
        self.look(question)
    }

    /// Asks the source of the origin, or else the stores, and renews what has ended.
    #[cfg(feature = "full")]
    fn found(&mut self, question: &Question<'_>) -> Result<Option<Found>, Error> {
        if let Some(answer) = self.lease(question) {
            return answer;
        }
        let found = self.look(question)?;
        let Some(Found::Renewable(record)) = &found else { return Ok(found) };
        match self.renewed(record) {
            Some(renewed) => Ok(Some(Found::Complete(renewed?, self.store.source()))),
            None => Ok(found),
        }
    }

    /// Asks the store, and then the netrc.
    fn look(&mut self, question: &Question<'_>) -> Result<Option<Found>, Error> {
        let known = self.known();
        let kind = match self.standing(&known, question.origin) {
            Standing::Foreign => return Ok(None),
            Standing::Ours(kind) => kind,
        };
        let query = self.query(kind, question);
        let stored = match known {
            Known::Nothing(trouble) => Err(trouble),
            Known::Index(_) => self.store.find(&query),
        };
        let (records, trouble) = match stored {
            Ok(records) => (self.narrow(records, &query, question), None),
            Err(trouble) => (Vec::new(), Some(trouble)),
        };
        let (live, ended): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| !is_expired(record, self.now));
        let can_be_sent =
            |record: &Record| question.can_be_sent(&record.secrets.proof, Standing::Ours(kind));
        if let Some(record) = choose(live.into_iter().filter(can_be_sent).collect(), self.now) {
            return Ok(Some(Found::Complete(record, self.store.source())));
        }
        if kind == Kind::Git
            && let Some(record) = self.netrc_answer(question)
        {
            return Ok(Some(Found::Complete(record, Source::Netrc)));
        }
        let renewable = ended
            .into_iter()
            .filter(|record| record.entry.hidden.is_none())
            .filter(|record| record.secrets.refresh_token.is_some())
            .max_by_key(|record| record.entry.stored);
        match (renewable, trouble) {
            (Some(record), _) => Ok(Some(Found::Renewable(record))),
            (None, Some(trouble)) => Err(trouble),
            (None, None) => Ok(None),
        }
    }

    fn netrc_answer(&mut self, question: &Question<'_>) -> Option<Record> {
        let user = question.user.or_else(|| self.configured_user(question.origin));
        let user = user.map(str::to_owned);
        self.in_netrc(question.origin, user.as_deref())
    }

    pub(super) fn configured_user(&self, origin: &Origin) -> Option<&str> {
        self.config.host(origin)?.username.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Proofs, Question};
    use crate::{
        broker::tests::{World, bearer, expired, hidden, origin, password, proxy, shown},
        core::gitproto::receipt::Source,
        store::Error,
    };

    fn ask_as(world: &mut World, url: &str, user: Option<&str>) -> Result<Option<String>, Error> {
        let (path, origin) = (url.split('/').nth(3), origin(url));
        let question = Question { origin: &origin, path, user, proofs: Proofs::All };
        Ok(world.broker().ask(&question)?.map(|found| match found {
            Found::Complete(record, Source::Keyring) => shown(&record),
            Found::Complete(record, other) => format!("{} {}", other.as_str(), shown(&record)),
            Found::Renewable(record) => format!("renew {}", record.entry.key.user),
        }))
    }

    fn ask(world: &mut World, url: &str) -> Option<String> {
        ask_as(world, url, None).unwrap()
    }

    #[test]
    fn a_secret_goes_to_its_exact_origin_and_nowhere_else() {
        let mut world = World::new(vec![password("https://github.com", "ana", "pw")], "");
        assert_eq!(ask(&mut world, "https://github.com").as_deref(), Some("ana:pw"));
        world.store.reads = 0;
        for host in [
            "github.com.evil.test",
            "evilgithub.com",
            "github.com:444",
            "github.com:443",
            "sub.github.com",
            "github.com.",
            "GitHub.com",
            "ithub.com",
        ] {
            assert_eq!(ask(&mut world, &format!("https://{host}")), None, "{host}");
        }
        assert_eq!(ask(&mut world, "http://github.com"), None);
        assert_eq!(world.store.reads, 0, "a foreign host does not touch the keyring");
    }

    #[test]
    fn a_port_is_part_of_the_origin_also_the_other_way_round() {
        let records =
            vec![password("https://h:8443", "ana", "pw"), password("https://[::1]:8443", "b", "q")];
        let mut world = World::new(records, "[host.\"h\"]\n[host.\"[::1]\"]\n");
        assert_eq!(ask(&mut world, "https://h"), None);
        assert_eq!(ask(&mut world, "https://[::1]"), None);
        assert_eq!(ask(&mut world, "https://[::1]:8443").as_deref(), Some("b:q"));
    }

    #[test]
    fn a_path_narrows_the_question_and_its_absence_does_not() {
        let mut world = World::new(vec![password("https://h/team", "ana", "pw")], "");
        assert_eq!(ask(&mut world, "https://h/team").as_deref(), Some("ana:pw"));
        assert_eq!(ask(&mut world, "https://h").as_deref(), Some("ana:pw"));
        assert_eq!(ask(&mut world, "https://h/other"), None);
        let mut world = World::new(vec![password("https://h", "ana", "pw")], "");
        assert_eq!(ask(&mut world, "https://h/team"), None);
    }

    #[test]
    fn the_account_that_was_asked_for_is_the_only_one_that_is_answered() {
        let records = vec![password("https://h", "ana", "pw"), password("https://h", "bob", "qx")];
        let mut world = World::new(records, "[host.\"h\"]\nusername = \"ana\"\n");
        assert_eq!(ask(&mut world, "https://h").as_deref(), Some("ana:pw"));
        let bob = ask_as(&mut world, "https://h", Some("bob")).unwrap();
        assert_eq!(bob.as_deref(), Some("bob:qx"));
        assert_eq!(ask_as(&mut world, "https://h", Some("eve")).unwrap(), None);
        assert_eq!(ask_as(&mut world, "https://h", Some("")).unwrap(), None);
    }

    #[test]
    fn the_configured_account_decides_even_while_it_is_hidden() {
        let records =
            vec![hidden(password("https://h", "ana", "pw"), 1), password("https://h", "bob", "qx")];
        let mut world = World::new(records, "[host.\"h\"]\nusername = \"ana\"\n");
        assert_eq!(ask(&mut world, "https://h"), None);
    }

    #[test]
    fn hidden_is_gone_and_expired_can_only_be_renewed() {
        let mut world = World::new(vec![hidden(password("https://h", "ana", "pw"), 1)], "");
        assert_eq!(ask(&mut world, "https://h"), None);
        let mut record = expired(password("https://h", "ana", "pw"));
        let mut world = World::new(vec![record.clone()], "");
        assert_eq!(ask(&mut world, "https://h"), None);
        record.secrets.refresh_token = Some("r".into());
        let mut world = World::new(vec![record.clone()], "");
        assert_eq!(ask(&mut world, "https://h").as_deref(), Some("renew ana"));
        let mut world = World::new(vec![hidden(record, 1)], "");
        assert_eq!(ask(&mut world, "https://h"), None);
    }

    #[test]
    fn an_encoded_credential_is_for_those_who_can_send_it() {
        let mut world = World::new(vec![bearer("https://h", "t")], "");
        assert_eq!(ask(&mut world, "https://h").as_deref(), Some(":Bearer t"));
        let question = Question {
            origin: &origin("https://h"),
            path: None,
            user: None,
            proofs: Proofs::Passwords,
        };
        assert!(world.broker().ask(&question).unwrap().is_none());
        world.store.records.push(password("https://h", "ana", "old"));
        let found = world.broker().ask(&question).unwrap();
        assert!(matches!(found, Some(Found::Complete(record, _)) if shown(&record) == "ana:old"));
    }

    #[test]
    fn clear_text_needs_permission_for_the_host() {
        let records = || vec![password("http://h:80", "ana", "pw")];
        assert_eq!(ask(&mut World::new(records(), ""), "http://h:80"), None);
        let mut allowed = World::new(records(), "[host.\"h:80\"]\nallow_http = true\n");
        assert_eq!(ask(&mut allowed, "http://h:80").as_deref(), Some("ana:pw"));
    }

    #[test]
    fn other_protocols_are_other_helpers_matter() {
        let mut world = World::new(vec![], "[host.\"h\"]\nallow_http = true\n");
        for url in ["cert://h", "smtp://h", "ftp://h", "ssh://h"] {
            assert_eq!(ask(&mut world, url), None);
        }
        assert_eq!(world.store.reads, 0);
    }

    #[test]
    fn a_proxy_is_answered_from_its_own_namespace_and_never_encoded() {
        let config = "[proxy]\nupstream = [\"http://p:8080\"]\n";
        let mut encoded = bearer("http://p:8080", "t");
        encoded.entry.key.kind = crate::core::credential::Kind::Proxy;
        let git = password("http://p:8080", "git", "no");
        let records = vec![proxy("http://p:8080", "ana", "pw"), encoded, git];
        let mut world = World::new(records, config);
        assert_eq!(ask(&mut world, "http://p:8080").as_deref(), Some("ana:pw"));
        let mut by_index = World::new(vec![proxy("http://q:3128", "ana", "pw")], "");
        assert_eq!(ask(&mut by_index, "http://q:3128").as_deref(), Some("ana:pw"));
        assert_eq!(ask(&mut by_index, "https://q:3128"), None);
    }

    #[test]
    fn our_own_loopback_proxy_gets_nothing() {
        let config = "[host.\"127.0.0.1\"]\nallow_http = true\n[host.\"localhost\"]\nallow_http = true\n\
                      [host.\"[::1]\"]\nallow_http = true\n";
        for host in ["127.0.0.1:7407", "localhost:7407", "[::1]:7407"] {
            let url = format!("http://{host}");
            let mut world = World::new(vec![password(&url, "gocred", "pw")], config);
            assert_eq!(ask(&mut world, &url), None, "{host}");
        }
        let mut other = World::new(vec![password("http://127.0.0.1:7408", "ana", "pw")], config);
        assert_eq!(ask(&mut other, "http://127.0.0.1:7408").as_deref(), Some("ana:pw"));
    }

    #[test]
    fn trouble_is_told_for_our_hosts_and_silent_for_others() {
        let stored = || vec![password("https://h", "ana", "pw")];
        let mut world = World::new(stored(), "").in_trouble(Error::Locked);
        assert_eq!(ask_as(&mut world, "https://h", None), Err(Error::Locked));
        assert_eq!(ask(&mut world, "https://other"), None);
        let mut world =
            World::new(stored(), "[host.\"named\"]\n").without_index().in_trouble(Error::Locked);
        assert_eq!(ask(&mut world, "https://h"), None);
        assert_eq!(world.store.reads, 1, "and the store is asked once");
        assert_eq!(ask_as(&mut world, "https://named", None), Err(Error::Locked));
        assert_eq!(world.store.reads, 2, "also for a named host");
    }

    #[test]
    fn a_missing_index_is_rebuilt_from_the_store_once() {
        let records = vec![password("https://h", "ana", "pw"), proxy("http://p:1", "p", "pw")];
        let mut world = World::new(records, "").without_index();
        assert_eq!(ask(&mut world, "https://h").as_deref(), Some("ana:pw"));
        assert_eq!(ask(&mut world, "http://p:1").as_deref(), Some("p:pw"));
        world.store.reads = 0;
        assert_eq!(ask(&mut world, "https://other"), None);
        assert_eq!(world.store.reads, 0);
    }

    #[test]
    fn the_netrc_answers_after_the_keyring_and_never_by_default() {
        let netrc = "machine h login ana password n\nmachine x login bob password b\n\
                     default login d password d\n";
        let mut world = World::new(vec![password("https://h", "eve", "k")], "").with_netrc(netrc);
        assert_eq!(ask(&mut world, "https://h").as_deref(), Some("eve:k"));
        let ana = ask_as(&mut world, "https://h", Some("ana")).unwrap();
        assert_eq!(ana.as_deref(), Some("netrc ana:n"));
        assert_eq!(ask(&mut world, "https://x").as_deref(), Some("netrc bob:b"));
        assert_eq!(ask_as(&mut world, "https://x", Some("ana")).unwrap(), None);
        assert_eq!(ask(&mut world, "https://other"), None);
        assert_eq!(ask(&mut world, "http://x"), None);
        let mut world = world.in_trouble(Error::Locked);
        assert_eq!(ask(&mut world, "https://x").as_deref(), Some("netrc bob:b"));
    }

    #[test]
    fn a_complete_answer_of_the_netrc_is_better_than_a_renewal() {
        let mut record = expired(password("https://h", "ana", "pw"));
        record.secrets.refresh_token = Some("r".into());
        let mut world = World::new(vec![record], "").with_netrc("machine h login ana password n");
        assert_eq!(ask(&mut world, "https://h").as_deref(), Some("netrc ana:n"));
    }

    #[test]
    fn a_damaged_netrc_is_told_and_keeps_nothing_from_being_answered() {
        let mut world = World::new(vec![password("https://h", "ana", "pw")], "")
            .with_netrc("machine h login \"ana password S3cr3t");
        let known = origin("https://h");
        let asked = |origin| Question { origin, path: None, user: None, proofs: Proofs::All };
        let mut broker = world.broker();
        assert!(broker.ask(&asked(&known)).unwrap().is_some());
        assert_eq!(broker.damage(), None);
        let other = origin("https://other");
        assert!(broker.ask(&asked(&other)).unwrap().is_none());
        let damage = broker.damage().unwrap().to_string();
        assert!(damage.contains(".netrc:1") && !damage.contains("S3cr3t"), "{damage}");
    }

    #[test]
    fn goprivate_makes_a_host_ours() {
        let mut world = World::new(vec![], "").in_trouble(Error::Locked);
        world.env = crate::sys::env::Env::of(&[("GOPRIVATE", "*.corp.test,git.test/team")]);
        for ours in ["https://a.corp.test", "https://git.test"] {
            assert_eq!(ask_as(&mut world, ours, None), Err(Error::Locked));
        }
        assert_eq!(ask(&mut world, "https://corp.test"), None);
    }
}

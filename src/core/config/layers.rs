//! The system's file and the user's, one over the other, and where each value came from.
//!
//! The user's value wins unless the system's file locks its key. A lock holds whether or not the
//! system's file sets the key: what it does not set then keeps its default. It holds for every
//! spelling of the table, and no table of the user's hides what it keeps.

use toml::de::{DeTable, DeValue};

use crate::core::{
    config::{
        Config, Error, Place,
        key::{Key, NAMED, TABLES, Table, unknown},
        naming,
        read::{Document, Entry, Item, document},
    },
    sorted::Sorted,
};

/// A value that is in force, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value, as it was written.
    pub item: Item,
    /// The file.
    pub place: Place,
    /// The line, from 1.
    pub line: usize,
}

/// What is known of the values beyond the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// The keys that a file sets; the others have their default.
    pub settings: Sorted<Key, Setting>,
    /// What the user's file says in vain, because it is locked.
    pub overruled: Vec<Entry>,
    locks: Vec<Lock>,
}

impl Origins {
    /// Returns the line of the lock on a key.
    pub fn lock(&self, key: &Key) -> Option<usize> {
        self.lock_on(&key.path())
    }

    /// Returns the line of the lock on a path such as `["proxy", "upstream"]`.
    pub fn lock_on(&self, path: &[&str]) -> Option<usize> {
        self.locks.iter().find(|lock| lock.covers(path)).map(|lock| lock.line)
    }
}

/// A key, or a whole table, that only the system's file may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    path: Vec<String>,
    line: usize,
}

impl Lock {
    /// Parses `proxy`, `proxy.upstream`, `upstream."p:8080".schemes`; the error says what is wrong.
    pub(super) fn parse(text: &str, line: usize) -> Result<Self, String> {
        let path = dotted(text).ok_or("this is not a key, such as \"proxy.upstream\"")?;
        let mut rest = path.iter().map(String::as_str);
        let parent = rest.next().unwrap_or_default();
        let table = match parent {
            _ if NAMED.contains(&parent) => match rest.next() {
                Some(name) => Table::named(parent, name)?,
                None => return Ok(Self { path, line }),
            },
            _ => Table::plain(parent).ok_or_else(|| unknown("", parent, TABLES))?,
        };
        let path = match rest.next() {
            Some(name) => {
                let key = table
                    .key(name)
                    .ok_or_else(|| unknown(&format!("{table}."), name, table.keys()))?;
                key.path().into_iter().map(str::to_owned).collect()
            }
            None => table.path().into_iter().map(str::to_owned).collect(),
        };
        match rest.next() {
            Some(_) => Err("the key has too many parts".to_owned()),
            None => Ok(Self { path, line }),
        }
    }

    fn covers(&self, path: &[&str]) -> bool {
        // The second part is the name of a table, or a key, which is itself only.
        let is_same = |(at, (own, its)): (usize, (&String, &&str))| {
            own == its || (at == 1 && naming::overlap(own, its))
        };
        self.path.len() <= path.len() && self.path.iter().zip(path).enumerate().all(is_same)
    }
}

/// Splits a dotted key as TOML does.
fn dotted(text: &str) -> Option<Vec<String>> {
    if text.contains(['=', '#', '\n', '{', '[']) {
        return None;
    }
    let line = format!("{text} = true");
    let root = DeTable::parse(&line).ok()?;
    let mut table = root.get_ref();
    let mut path = Vec::new();
    loop {
        let (key, value) = table.iter().next()?;
        path.push(key.get_ref().clone().into_owned());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(path),
        }
    }
}

impl Config {
    /// Reads the system's file and the user's.
    pub fn merge(system: Option<&str>, user: Option<&str>) -> Result<Self, Error> {
        let read = |text: Option<&str>, place| document(text.unwrap_or_default(), place);
        let (system, user) = (read(system, Place::System)?, read(user, Place::User)?);
        let mut config = Self::default();
        config.origins.locks.clone_from(&system.locks);
        config.lay(system, Place::System)?;
        let own = config.tables();
        config.lay(user, Place::User)?;
        config.uphold(&own)?;
        config.check()?;
        Ok(config)
    }

    fn lay(&mut self, document: Document, place: Place) -> Result<(), Error> {
        let is_locked = |config: &Self, path: &[&str]| {
            place == Place::User && config.origins.lock_on(path).is_some()
        };
        for table in document.tables {
            if !is_locked(self, &table.path()) {
                self.open(&table);
            }
        }
        // What is overruled must be right, too: the lock may be gone tomorrow.
        let mut unused = Self::default();
        for entry in document.entries {
            let locked = is_locked(self, &entry.key.path());
            let config = if locked { &mut unused } else { &mut *self };
            let Entry { key, item, line } = entry;
            config.set(&key, &item).map_err(|what| Error {
                place,
                line,
                what: format!("`{key}` {what}"),
            })?;
            if locked {
                self.origins.overruled.push(Entry { key, item, line });
            } else {
                self.origins.settings.insert(key, Setting { item, place, line });
            }
        }
        Ok(())
    }

    /// Puts what is locked into the tables of the user's that would hide it: of several that speak for
    /// a host or a proxy, only one is looked into. `own` are the tables of the system's file.
    fn uphold(&mut self, own: &[Table]) -> Result<(), Error> {
        let tables = self.tables();
        let new = tables.iter().filter(|table| !own.contains(table));
        let keys = new.flat_map(|table| table.keys().iter().map(|name| table.key(name)));
        for key in keys.flatten() {
            if self.origins.lock(&key).is_none() {
                continue;
            }
            let mut hidden = own.iter().filter(|other| other.speaks_for(&key.table));
            // Another spelling of the same name is nearer than one that is more general.
            let nearest = |other: &&Table| key.table.speaks_for(other);
            let setting_of = |other: &Table| self.origins.settings.get(&other.key(key.name)?);
            let setting = hidden.clone().filter(nearest).find_map(setting_of);
            let Some(setting) = setting.or_else(|| hidden.find_map(setting_of)).cloned() else {
                continue;
            };
            let Setting { item, place, line } = &setting;
            let (place, line) = (*place, *line);
            self.set(&key, item).map_err(|what| Error {
                place,
                line,
                what: format!("`{key}` {what}"),
            })?;
            self.origins.settings.insert(key, setting);
        }
        Ok(())
    }

    /// Returns the tables of which only one is looked into, where several speak for a name.
    fn tables(&self) -> Vec<Table> {
        let hosts = self.hosts.keys().cloned().map(Table::Host);
        // The helper leaves the others unread.
        #[cfg(feature = "full")]
        let hosts = hosts.chain(self.upstreams.keys().cloned().map(Table::Upstream));
        hosts.collect()
    }

    /// Checks what only both files together say. The helper leaves it to the other commands.
    #[cfg(not(feature = "full"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as with `full`")]
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Checks what only both files together say.
    #[cfg(feature = "full")]
    fn check(&self) -> Result<(), Error> {
        let upstreams = self.upstreams.iter().map(|(name, it)| {
            (Table::Upstream(name.clone()), it.client_key.is_some() && it.client_cert.is_none())
        });
        let hosts = self.hosts.iter().map(|(name, it)| {
            (Table::Host(name.clone()), it.client_key.is_some() && it.client_cert.is_none())
        });
        if let Some((table, _)) = upstreams.chain(hosts).find(|(_, is_alone)| *is_alone) {
            let what = format!("`{table}.client_key` needs `client_cert`");
            return Err(self.wrong(&table, Some("client_key"), what));
        }
        for (name, source) in self.sources.iter() {
            if let Some(key) = source.lacks() {
                let table = Table::Source(name.clone());
                return Err(self.wrong(&table, Some("from"), format!("`{table}` needs `{key}`")));
            }
        }
        Ok(())
    }

    /// Says what is wrong where one key of a table stands, or else its first one.
    #[cfg(feature = "full")]
    fn wrong(&self, table: &Table, name: Option<&str>, what: String) -> Error {
        let settings = || self.origins.settings.iter().filter(|(key, _)| key.table == *table);
        let named = settings().find(|(key, _)| Some(key.name) == name);
        let setting = named.or_else(|| settings().next()).map(|(_, setting)| setting);
        let (place, line) = setting.map_or((Place::User, 1), |it| (it.place, it.line));
        Error { place, line, what }
    }
}

#[cfg(all(test, feature = "full"))]
mod tests {
    use super::{Config, Lock, Place};
    use crate::core::origin::Origin;

    const SYSTEM: &str = r#"
lock = ["proxy.upstream", "upstream.\"p:8080\".schemes", "git", "proxy.pac"]
[proxy]
upstream = ["http://p:8080"]
no_proxy = "localhost"
[upstream."p:8080"]
schemes = ["Negotiate"]
ca = "/etc/corp.pem"
"#;

    #[test]
    fn the_user_wins_but_over_a_lock() {
        let user = r#"
[proxy]
upstream = ["DIRECT"]
no_proxy = "x"
pac = "desktop"
[git]
store = "login-only"
[upstream."p:8080"]
schemes = ["Basic"]
ca = "/home/ana/own.pem"
"#;
        let config = Config::merge(Some(SYSTEM), Some(user)).unwrap();
        assert_eq!(config.proxy.upstream.len(), 1);
        assert_ne!(config.proxy.upstream[0], crate::core::config::Upstream::Direct);
        assert_eq!(config.proxy.pac, None);
        assert_eq!(config.proxy.no_proxy, "x");
        assert_eq!(config.git, crate::core::config::Git::default());
        let upstream = &config.upstreams["p:8080"];
        assert_eq!(upstream.schemes, [crate::core::auth::Scheme::Negotiate]);
        assert_eq!(upstream.ca.as_deref(), Some(std::path::Path::new("/home/ana/own.pem")));
        let overruled: Vec<String> =
            config.origins.overruled.iter().map(|entry| entry.key.to_string()).collect();
        assert_eq!(
            overruled,
            ["git.store", "proxy.pac", "proxy.upstream", "upstream.\"p:8080\".schemes"]
        );
        assert_eq!(config.origins.lock_on(&["git", "store"]), Some(2));
        assert_eq!(config.origins.lock_on(&["proxy", "listen"]), None);
        let at = |name: &str| {
            let (_, setting) =
                config.origins.settings.iter().find(|(key, _)| key.to_string() == name).unwrap();
            (setting.place, setting.line)
        };
        assert_eq!(at("proxy.no_proxy"), (Place::User, 4));
        assert_eq!(at("proxy.upstream"), (Place::System, 4));
    }

    #[test]
    fn what_is_overruled_must_still_be_right() {
        let error = Config::merge(Some(SYSTEM), Some("\n[proxy]\nupstream = [\"x\"]")).unwrap_err();
        assert_eq!((error.place, error.line), (Place::User, 3));
    }

    #[test]
    fn a_lock_names_a_key_or_a_table() {
        for text in ["proxy", "host", "host.\"h:1\"", "upstream.\"https://p\".spn", "git.store"] {
            assert!(Lock::parse(text, 1).is_ok(), "{text}");
        }
        for text in ["", "proxy.", "x = 1", "upstream.p", "proxy.upstream.x", "a\nb", "#", "a.b.c"]
        {
            assert!(Lock::parse(text, 1).is_err(), "{text}");
        }
        let Err(what) = Lock::parse("proxy.upstrem", 1) else { panic!() };
        assert_eq!(what, "unknown key `proxy.upstrem`; did you mean `proxy.upstream`?");
        let normal = Lock::parse("upstream.\"https://p\".spn", 1).unwrap();
        assert!(normal.covers(&["upstream", "https://p:443", "spn"]));
        assert!(!normal.covers(&["upstream", "https://p:443"]));
    }

    #[test]
    fn a_lock_holds_for_every_spelling_of_the_table() {
        let system = r#"
lock = ["upstream.\"p.corp:8080\".schemes", "host.\"git.corp\".allow_http", "upstream.\"https://q:443\""]
[upstream."p.corp:8080"]
schemes = ["Negotiate"]
ca = "/etc/corp.pem"
"#;
        let schemes = "schemes = [\"Basic\"]";
        for (table, entry) in [
            ("upstream.\"http://p.corp:8080\"", schemes),
            ("upstream.\"https://p.corp:8080\"", schemes),
            ("upstream.\"http://P.Corp:8080\"", schemes),
            ("upstream.\"P.CORP:8080\"", schemes),
            ("upstream.\"http://p.corp.:8080\"", schemes),
            ("upstream.\"q:443\"", schemes),
            ("host.\"git.corp:80\"", "allow_http = true"),
            ("host.\"GIT.corp\"", "allow_http = true"),
            ("host.\"git.corp.:8080\"", "allow_http = true"),
        ] {
            let user = format!("[{table}]\n{entry}\n");
            let config = Config::merge(Some(system), Some(&user)).unwrap();
            assert_eq!(config.origins.overruled.len(), 1, "{table}");
            assert!(config.hosts.iter().all(|(_, host)| !host.allow_http), "{table}");
            let basic = [crate::core::auth::Scheme::Basic];
            assert!(config.upstreams.iter().all(|(_, it)| it.schemes != basic), "{table}");
        }
        for user in [
            "[upstream.\"p.corp:8081\"]\nschemes = [\"Basic\"]\n",
            "[upstream.\"http://q:443\"]\nschemes = [\"Basic\"]\n",
            "[host.\"corp\"]\nallow_http = true\n",
            "[host.\"git.corp:80\"]\nusername = \"ana\"\n",
        ] {
            let config = Config::merge(Some(system), Some(user)).unwrap();
            assert_eq!(config.origins.overruled, [], "{user}");
        }
    }

    #[test]
    fn a_table_of_the_users_does_not_hide_what_is_locked() {
        let system = r#"
lock = ["upstream.\"p:80\".schemes", "host.\"h\".ca", "host.\"h\".allow_http"]
[upstream."p:80"]
schemes = ["Negotiate"]
spn = "HTTP/p"
[host.h]
ca = "/etc/h.pem"
[host."h:8080"]
ca = "/etc/h8080.pem"
"#;
        let user = r#"
[upstream."http://p"]
ca = "/home/ana/own.pem"
[host."h:80"]
username = "ana"
[host."H:8080"]
"#;
        let config = Config::merge(Some(system), Some(user)).unwrap();
        let upstream = config.upstream(&Origin::new("http", "p").unwrap()).unwrap();
        assert_eq!(upstream.schemes, [crate::core::auth::Scheme::Negotiate]);
        assert_eq!(upstream.ca.as_deref(), Some(std::path::Path::new("/home/ana/own.pem")));
        // What is not locked is the matter of the table that is the user's.
        assert_eq!(upstream.spn, None);
        let host = |name: &str| config.host(&Origin::new("http", name).unwrap()).unwrap();
        assert_eq!(host("h:80").ca.as_deref(), Some("/etc/h.pem"));
        assert_eq!(host("h:80").username.as_deref(), Some("ana"));
        assert_eq!(host("H:8080").ca.as_deref(), Some("/etc/h8080.pem"));
        let mut settings = config.origins.settings.iter();
        let shown = settings.find(|(key, _)| key.to_string() == "upstream.\"http://p:80\".schemes");
        assert_eq!(shown.map(|(_, it)| (it.place, it.line)), Some((Place::System, 4)));
    }

    #[test]
    fn only_the_system_locks() {
        let error = Config::merge(None, Some("lock = []")).unwrap_err();
        assert_eq!(error.place, Place::User);
        assert!(error.what.contains("system"), "{error}");
    }

    #[test]
    fn a_key_without_its_certificate_is_wrong_in_the_file_that_has_it() {
        for table in ["[upstream.\"p:1\"]", "[host.\"p:1\"]"] {
            let user = &format!("{table}\nclient_key = \"/k\"\n");
            let error = Config::merge(None, Some(user)).unwrap_err();
            assert_eq!((error.place, error.line), (Place::User, 2));
            let system = &format!("{table}\nclient_cert = \"/c\"\n");
            assert!(Config::merge(Some(system), Some(user)).is_ok());
        }
    }
}

//! Every value that is in force, where it came from, and the same as TOML.
//!
//! What it writes is a configuration again: pasted into a file, it says the same.

use toml_edit::Value;

use crate::core::{
    auth::{DEFAULT_ORDER, Scheme},
    choice::Choice,
    config::{Config, DEFAULT_GOPROXY, DEFAULT_LISTEN, Item, Key, Place, Table},
};

/// A value that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: Key,
    /// The value; `None` where nothing is set and there is no default.
    pub item: Option<Item>,
    /// The file and the line that set it; `None` is a default.
    pub set: Option<(Place, usize)>,
    /// The line of the system's file that locks it.
    pub lock: Option<usize>,
}

impl Config {
    /// Returns every table that is in force with its values.
    pub fn rows(&self) -> Vec<(Table, Vec<Row>)> {
        let upstreams = self.upstreams.keys().cloned().map(Table::Upstream);
        let hosts = self.hosts.keys().cloned().map(Table::Host);
        let tables = [Table::Proxy].into_iter().chain(upstreams).chain([Table::Git]).chain(hosts);
        let always = tables.map(|table| (table.clone(), self.rows_of(&table)));
        let sources = self.sources.keys().cloned().map(Table::Source);
        let clients = self.oauth.keys().cloned().map(Table::OAuth);
        let rules = self.accounts.iter().map(|rule| Table::Account(rule.table()));
        let tables = [Table::GoProxy, Table::Store, Table::SecretService].into_iter().chain(rules);
        let tables = tables.chain(sources).chain([Table::OpenBao]).chain(clients);
        let tables =
            tables.chain([Table::Audit]).map(|table| (table.clone(), self.rows_of(&table)));
        // Nobody need read of what nobody uses.
        let is_used = |row: &Row| row.set.is_some() || row.lock.is_some();
        always.chain(tables.filter(|(_, rows)| rows.iter().any(is_used))).collect()
    }

    fn rows_of(&self, table: &Table) -> Vec<Row> {
        let row = |name: &&'static str| {
            let key = Key { table: table.clone(), name };
            let setting = self.origins.settings.get(&key);
            Row {
                item: setting.map(|it| it.item.clone()).or_else(|| default(&key)),
                set: setting.map(|it| (it.place, it.line)),
                lock: self.origins.lock(&key),
                key,
            }
        };
        table.keys().iter().map(row).collect()
    }
}

/// Returns what holds where nothing is set.
fn default(key: &Key) -> Option<Item> {
    let texts = |texts: &[&str]| Item::Texts(texts.iter().map(|&text| text.to_owned()).collect());
    Some(match (&key.table, key.name) {
        (Table::Proxy, "listen") => texts(&DEFAULT_LISTEN),
        (Table::Proxy, "allow" | "upstream") | (Table::Store, "fallback") => texts(&[]),
        (Table::Proxy, "no_proxy") => Item::Text(String::new()),
        (Table::Upstream(_), "schemes") => texts(&DEFAULT_ORDER.map(Scheme::as_str)),
        (Table::GoProxy, "listen") => Item::Text(DEFAULT_GOPROXY.to_owned()),
        (Table::GoProxy, "connect_timeout") => Item::Text("12s".to_owned()),
        (Table::GoProxy, "header_timeout" | "idle_timeout") => Item::Text("30s".to_owned()),
        (Table::GoProxy, "min_rate") => Item::Text("1024".to_owned()),
        (Table::GoProxy, "tls_timeout") => Item::Text("8s".to_owned()),
        (Table::Git, "store") => Item::Text("any".to_owned()),
        (Table::Host(_), "allow_http") | (Table::Audit, "required") => Item::Truth(false),
        (Table::Audit, "enabled") => Item::Truth(true),
        (Table::SecretService, "session") => Item::Text("plain".to_owned()),
        (Table::Store, "name") => Item::Text(Choice::Keyring.as_str().to_owned()),
        (Table::Store, "remember") => Item::Text("agent".to_owned()),
        _ => return None,
    })
}

impl Item {
    /// Returns the value as TOML has it.
    pub fn to_toml(&self) -> String {
        let value = match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Texts(texts) => texts.iter().map(String::as_str).collect(),
            Self::Truth(truth) => Value::from(*truth),
        };
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use crate::core::config::{Config, Item, Place, Setting, Table};

    /// Writes a configuration as the command does.
    fn written(config: &Config) -> String {
        let mut lines = Vec::new();
        for (table, rows) in config.rows() {
            lines.push(format!("[{table}]"));
            let set = rows.into_iter().filter_map(|row| Some((row.key.name, row.item?)));
            lines.extend(set.map(|(name, item)| format!("{name} = {}", item.to_toml())));
        }
        lines.join("\n")
    }

    #[test]
    fn what_is_shown_is_the_same_configuration() {
        let text = r#"
[proxy]
listen = ["127.0.0.1:7000"]
upstream = ["https://p:8080", "DIRECT"]
pac = "~/p.pac"
no_proxy = "a'b\"c\\d\u0007"
[upstream."p:8080"]
schemes = ["ntlm"]
client_cert = "~/c.pem"
[host."[::1]:1"]
[host.h]
allow_http = true
header = "X-Key"
client_cert = "/c.pem"
client_key = "/k.pem"
[goproxy]
upstream = "https://a.test|b.test/go,direct"
header_timeout = "1m"
[store]
name = "file"
lifetime = "3d"
[account."h/acme"]
username = "bot"
[source.h]
from = "env"
variable = "TOKEN"
[openbao]
address = "https://b:8200"
[oauth.h]
client_id = "abc"
[audit]
required = true
"#;
        let config = Config::parse(text).unwrap();
        let again = Config::parse(&written(&config)).unwrap();
        assert_eq!(again.proxy, config.proxy);
        assert_eq!((&again.hosts, &again.git), (&config.hosts, &config.git));
        assert_eq!(again.upstreams, config.upstreams);
        assert_eq!(again.goproxy.upstream, config.goproxy.upstream);
        assert_eq!(again.goproxy.header_timeout, config.goproxy.header_timeout);
        assert_eq!((&again.store, &again.accounts), (&config.store, &config.accounts));
        assert_eq!((&again.sources, &again.openbao), (&config.sources, &config.openbao));
        assert_eq!((&again.oauth, &again.audit), (&config.oauth, &config.audit));
        // The defaults are a configuration, too.
        let none = Config::parse(&written(&Config::default())).unwrap();
        assert_eq!(none.proxy.upstream, Config::default().proxy.upstream);
        assert_eq!(none.proxy.listen.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_shown_as_itself(text: String, texts: Vec<String>) {
            let mut config = Config::default();
            config.origins.settings.insert(
                Table::Proxy.key("no_proxy").unwrap(),
                Setting { item: Item::Text(text.clone()), place: Place::User, line: 1 },
            );
            config.origins.settings.insert(
                Table::Proxy.key("allow").unwrap(),
                Setting { item: Item::Texts(texts.clone()), place: Place::User, line: 2 },
            );
            let again = Config::parse(&written(&config)).unwrap();
            proptest::prop_assert_eq!(again.proxy.no_proxy, text);
            proptest::prop_assert_eq!(again.proxy.allow, texts);
        }
    }

    #[test]
    fn a_row_says_where_its_value_came_from() {
        let system = "lock = [\"proxy.pac\"]\n[proxy]\nallow = [\"10.0.0.0/8\"]\n";
        let config = Config::merge(Some(system), Some("[git]\nstore = \"any\"")).unwrap();
        let rows: Vec<_> = config.rows().into_iter().flat_map(|(_, rows)| rows).collect();
        let row = |name: &str| rows.iter().find(|row| row.key.to_string() == name).unwrap();
        assert_eq!(row("proxy.allow").set, Some((Place::System, 3)));
        assert_eq!(row("git.store").set, Some((Place::User, 2)));
        assert_eq!((row("proxy.pac").set, row("proxy.pac").lock), (None, Some(1)));
        assert_eq!(row("proxy.pac").item, None);
        assert_eq!(row("proxy.no_proxy").item, Some(Item::Text(String::new())));
    }
}

//! What a login writes into `config.toml`: that a host may be asked over http, and the upstream
//! proxy. Comments and order of the file stay.

use toml_edit::{DocumentMut, Item, Table, Value, value};

use crate::{
    core::{
        choice::Choice,
        config::Config,
        fault::{Fault, Kind},
        origin::Origin,
    },
    front::{Context, MAX_CONFIG},
    sys::files,
};

/// Records that secrets may go to a host in clear text.
pub(super) fn allow_http(origin: &Origin, context: &Context) -> Result<(), Fault> {
    edit(context, |document| {
        let hosts = table(document.as_table_mut(), "host")?;
        hosts.set_implicit(true);
        table(hosts, &origin.authority())?.insert("allow_http", value(true));
        Some(())
    })
}

/// Records the upstream proxy, where there is none yet.
pub(crate) fn upstream(origin: &Origin, context: &Context) -> Result<(), Fault> {
    edit(context, |document| {
        let upstreams = std::iter::once(Value::from(origin.to_string())).collect();
        table(document.as_table_mut(), "proxy")?.insert("upstream", value(Value::Array(upstreams)));
        Some(())
    })
}

/// Records whose a host is, or what is below one of its paths: `username` of `[host."…"]` or
/// `[account."…"]`.
pub(crate) fn username(
    parent: &str,
    name: &str,
    user: &str,
    context: &Context,
) -> Result<(), Fault> {
    edit(context, |document| {
        let tables = table(document.as_table_mut(), parent)?;
        tables.set_implicit(true);
        put(table(tables, name)?, "username", user)
    })
}

/// Records where secrets are kept.
pub(super) fn store(choice: Choice, context: &Context) -> Result<(), Fault> {
    edit(context, |document| {
        table(document.as_table_mut(), "store")?.insert("name", value(choice.as_str()));
        Some(())
    })
}

/// Returns the text of a `config.toml` with other module proxies behind the front.
pub(crate) fn module_proxies(
    before: Vec<u8>,
    list: &str,
    context: &Context,
) -> Result<String, Fault> {
    changed(before, context, |document| {
        put(table(document.as_table_mut(), "goproxy")?, "upstream", list)
    })
}

/// Sets a text; a comment behind it stays.
fn put(table: &mut Table, key: &str, text: &str) -> Option<()> {
    let Some(old) = table.get_mut(key) else {
        table.insert(key, value(text));
        return Some(());
    };
    let old = old.as_value_mut()?;
    let mut new = Value::from(text);
    *new.decor_mut() = old.decor().clone();
    *old = new;
    Some(())
}

/// Returns a table of a table, made where it is missing. `None` if something else is there.
fn table<'a>(parent: &'a mut Table, key: &str) -> Option<&'a mut Table> {
    parent.entry(key).or_insert(Item::Table(Table::new())).as_table_mut()
}

fn edit(
    context: &Context,
    change: impl FnOnce(&mut DocumentMut) -> Option<()>,
) -> Result<(), Fault> {
    let file = &context.paths.config;
    let wrong = |cause: &dyn std::fmt::Display| unchangeable(cause, context);
    let _lock = files::lock(file).map_err(|error| wrong(&error))?;
    let bytes = files::read(file, MAX_CONFIG).map_err(|error| wrong(&error))?.unwrap_or_default();
    let text = changed(bytes, context, change)?;
    files::write_private(file, text.as_bytes()).map_err(|error| wrong(&error))
}

/// Returns the text of the file after a change, if that is a configuration.
fn changed(
    before: Vec<u8>,
    context: &Context,
    change: impl FnOnce(&mut DocumentMut) -> Option<()>,
) -> Result<String, Fault> {
    let wrong = |cause: &dyn std::fmt::Display| unchangeable(cause, context);
    let text = String::from_utf8(before).map_err(|_| wrong(&"it is not UTF-8"))?;
    let mut document: DocumentMut = text.parse().map_err(|_| wrong(&"it is not TOML"))?;
    change(&mut document).ok_or_else(|| wrong(&"it is written in a way that cannot be edited"))?;
    let text = document.to_string();
    Config::parse(&text).map_err(|error| wrong(&error.what))?;
    Ok(text)
}

fn unchangeable(cause: &dyn std::fmt::Display, context: &Context) -> Fault {
    Fault::new(Kind::Config, "your configuration cannot be changed")
        .cause(cause)
        .at(context.paths.config.display())
}

#[cfg(test)]
mod tests {
    use super::{allow_http, upstream};
    use crate::{
        core::{config::Config, origin::Origin},
        front::Context,
        sys::{env::Env, files, paths::Paths},
    };

    #[test]
    fn comments_stay_and_the_file_still_says_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::of(&[]);
        let paths =
            Paths { config: folder.path().join("config.toml"), ..Paths::resolve(&env).unwrap() };
        let context = Context { env, paths, config: Config::default() };
        let before = "# mine\n[host.\"a.test\"] # the first\nusername = \"ana\"\n";
        files::write_private(&context.paths.config, before.as_bytes()).unwrap();
        allow_http(&Origin::new("http", "b.test:8080").unwrap(), &context).unwrap();
        upstream(&Origin::new("http", "proxy.test:3128").unwrap(), &context).unwrap();
        let after = files::read(&context.paths.config, 9999).unwrap().unwrap();
        let after = String::from_utf8(after).unwrap();
        assert!(after.starts_with(before), "{after}");
        let config = Config::parse(&after).unwrap();
        assert!(config.hosts["b.test:8080"].allow_http);
        assert_eq!(config.hosts["a.test"].username.as_deref(), Some("ana"));
        assert_eq!(config.proxy.upstream.len(), 1);
    }
}

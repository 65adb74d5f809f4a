//! From the text of one file to its keys and values, each with its line.
//!
//! It knows the names; what a value must be is said where the value is set.

use std::{ops::Range, path::PathBuf};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::core::config::{
    Error, Place,
    key::{Key, NAMED, TABLES, Table, unknown},
    layers::Lock,
    proxy,
};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The tables that have a name of their own, the empty ones included: they name a host.
    pub(super) tables: Vec<Table>,
    /// The keys, in the order of the file's tables.
    pub(super) entries: Vec<Entry>,
    /// What it locks.
    pub(super) locks: Vec<Lock>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub item: Item,
    /// Its line, from 1.
    pub line: usize,
}

/// A value, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A string.
    Text(String),
    /// An array of strings.
    Texts(Vec<String>),
    /// A boolean.
    Truth(bool),
}

impl Item {
    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Texts(_) | Self::Truth(_) => Err("must be a string".to_owned()),
        }
    }

    pub(super) fn texts(&self) -> Result<&[String], String> {
        match self {
            Self::Texts(texts) => Ok(texts),
            Self::Text(_) | Self::Truth(_) => Err("must be an array of strings".to_owned()),
        }
    }

    pub(super) fn truth(&self) -> Result<bool, String> {
        match self {
            Self::Truth(truth) => Ok(*truth),
            Self::Text(_) | Self::Texts(_) => Err("must be true or false".to_owned()),
        }
    }

    pub(super) fn file(&self) -> Result<PathBuf, String> {
        proxy::file(self.text()?)
            .ok_or_else(|| "must be an absolute path, or one below `~/`".to_owned())
    }
}

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads a file of one place.
pub(super) fn document(text: &str, place: Place) -> Result<Document, Error> {
    let reader = Reader { text, place };
    let root = DeTable::parse(text).map_err(|error| {
        reader.error(error.span().unwrap_or_default(), "this is not TOML".to_owned())
    })?;
    let mut document = Document::default();
    for (key, value) in root.get_ref() {
        let name = key.get_ref().as_ref();
        match (name, place) {
            ("lock", Place::System) => document.locks = reader.locks(value)?,
            ("lock", Place::User) => {
                let what = "`lock` belongs into the system's configuration file";
                return Err(reader.error(key.span(), what.to_owned()));
            }
            _ if is_of_others(name) => {}
            _ if NAMED.contains(&name) => {
                for (own, value) in reader.table(value, name)? {
                    let wrong = |what| reader.error(own.span(), format!("`{name}`: {what}"));
                    let table = Table::named(name, own.get_ref()).map_err(wrong)?;
                    let is_empty = matches!(value.get_ref(), DeValue::Table(it) if it.is_empty());
                    if matches!(table, Table::Account(_)) && is_empty {
                        let what = format!("`{table}` needs `username`");
                        return Err(reader.error(own.span(), what));
                    }
                    if document.tables.contains(&table) {
                        return Err(wrong("it is there twice"));
                    }
                    // A source's own keys are for who asks it.
                    if cfg!(feature = "full") || name != "source" {
                        reader.keys(&table, value, &mut document.entries)?;
                    }
                    document.tables.push(table);
                }
            }
            _ => match Table::plain(name) {
                Some(table) => reader.keys(&table, value, &mut document.entries)?,
                None => return Err(reader.error(key.span(), unknown("", name, TABLES))),
            },
        }
    }
    Ok(document)
}

/// Whether a table is of no meaning to this program. The helper passes over what only the other
/// commands act on, and they say what is wrong with it.
fn is_of_others(name: &str) -> bool {
    cfg!(not(feature = "full")) && matches!(name, "goproxy" | "oauth" | "openbao" | "upstream")
}

/// The text, for line numbers.
struct Reader<'a> {
    text: &'a str,
    place: Place,
}

impl Reader<'_> {
    fn keys(&self, table: &Table, value: &Value<'_>, into: &mut Vec<Entry>) -> Result<(), Error> {
        for (name, value) in self.table(value, &table.to_string())? {
            let span = name.span();
            let Some(key) = table.key(name.get_ref()) else {
                let what = unknown(&format!("{table}."), name.get_ref(), table.keys());
                return Err(self.error(span, what));
            };
            let item = item(value).ok_or_else(|| {
                let what = "must be a string, an array of strings, or true or false";
                self.error(value.span(), format!("`{key}` {what}"))
            })?;
            into.push(Entry { key, item, line: self.line(&span) });
        }
        Ok(())
    }

    fn locks(&self, value: &Value<'_>) -> Result<Vec<Lock>, Error> {
        let wrong = |span| {
            self.error(span, "`lock` must be an array of keys, such as \"proxy.upstream\"".into())
        };
        let DeValue::Array(array) = value.get_ref() else { return Err(wrong(value.span())) };
        let mut locks = Vec::new();
        for value in array {
            let DeValue::String(text) = value.get_ref() else { return Err(wrong(value.span())) };
            let line = self.line(&value.span());
            let lock = Lock::parse(text, line)
                .map_err(|what| self.error(value.span(), format!("`lock`: {what}")))?;
            locks.push(lock);
        }
        Ok(locks)
    }

    fn table<'v, 'i>(&self, value: &'v Value<'i>, name: &str) -> Result<&'v DeTable<'i>, Error> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.error(value.span(), format!("`{name}` must be a table"))),
        }
    }

    fn error(&self, span: Range<usize>, what: String) -> Error {
        Error { place: self.place, line: self.line(&span), what }
    }

    /// Returns the line, from 1, where something starts.
    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()
    }
}

fn item(value: &Value<'_>) -> Option<Item> {
    match value.get_ref() {
        DeValue::String(text) => Some(Item::Text(text.clone().into_owned())),
        DeValue::Boolean(truth) => Some(Item::Truth(*truth)),
        DeValue::Array(array) => {
            let text = |value: &Value<'_>| match value.get_ref() {
                DeValue::String(text) => Some(text.clone().into_owned()),
                _ => None,
            };
            Some(Item::Texts(array.iter().map(text).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

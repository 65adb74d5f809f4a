//! `gocred list`: what is stored, without secrets. It judges nothing; `status` does.

use serde::Serialize;

use crate::{
    cli::List,
    core::{credential::Entry, text::printable},
    front::{Answer, Context, Outcome, keyring, ui},
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    store: &'a str,
    entries: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    kind: &'a str,
    url: String,
    path: Option<&'a str>,
    account: &'a str,
    stored: u64,
    expires: Option<u64>,
    hidden: bool,
}

/// Runs the command.
pub fn run(arguments: &List, context: &Context) -> Outcome {
    let mut store = keyring::open(context);
    let entries = keyring::entries(&mut *store, None)?;
    if arguments.json {
        let entries = entries.iter().map(row).collect();
        ui::json(&Json { schema: SCHEMA, store: store.name(), entries })?;
        return Ok(Answer::Yes);
    }
    let mut table = vec![["KIND", "URL", "ACCOUNT", ""].map(str::to_owned)];
    for entry in &entries {
        let path = entry.key.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
        table.push([
            entry.key.kind.as_str().to_owned(),
            printable(&format!("{}{path}", entry.key.origin)),
            printable(&entry.key.user),
            if entry.hidden.is_some() { "hidden".to_owned() } else { String::new() },
        ]);
    }
    ui::table(&table);
    Ok(Answer::Yes)
}

fn row(entry: &Entry) -> Row<'_> {
    let Entry { key, expires, stored, hidden } = entry;
    Row {
        kind: key.kind.as_str(),
        url: key.origin.to_string(),
        path: key.path.as_deref(),
        account: &key.user,
        stored: *stored,
        expires: *expires,
        hidden: hidden.is_some(),
    }
}

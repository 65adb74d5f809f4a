//! `gocred config show`: what is in force, and which file and line says so.

use std::path::Path;

use serde::Serialize;

use crate::{
    cli::{Config as Arguments, ConfigShow},
    core::{
        config::{Entry, Item, Place, Row, Table},
        text::printable,
    },
    front::{Answer, Context, Outcome, file, ui},
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Json {
    schema: u32,
    values: Vec<Shown>,
    overruled: Vec<Overruled>,
}

#[derive(Serialize)]
struct Shown {
    key: String,
    value: serde_json::Value,
    origin: &'static str,
    file: Option<String>,
    line: Option<usize>,
    locked: Option<String>,
}

/// A key of the user's file that a lock makes vain.
#[derive(Serialize)]
struct Overruled {
    key: String,
    file: String,
    line: usize,
    locked: Option<String>,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome {
    match arguments {
        Arguments::Show(arguments) => show(arguments, context),
    }
}

fn show(arguments: &ConfigShow, context: &Context) -> Outcome {
    let tables = context.config.rows();
    let overruled = &context.config.origins.overruled;
    if arguments.json {
        let rows = tables.into_iter().flat_map(|(_, rows)| rows);
        ui::json(&Json {
            schema: SCHEMA,
            values: rows.map(|row| value(row, context)).collect(),
            overruled: overruled.iter().map(|entry| vain(entry, context)).collect(),
        })?;
        return Ok(Answer::Yes);
    }
    for entry in overruled {
        let Overruled { key, file, line, locked } = vain(entry, context);
        let locked = locked.unwrap_or_default();
        ui::out(&format!("# {file}:{line}: `{key}` has no effect, {locked} locks it"));
    }
    for (table, rows) in tables {
        for line in lines(&table, rows, arguments.origin, context) {
            ui::out(&line);
        }
    }
    Ok(Answer::Yes)
}

/// Returns a table as TOML that can be pasted back.
fn lines(table: &Table, rows: Vec<Row>, with_origin: bool, context: &Context) -> Vec<String> {
    let mut lines = vec![format!("[{table}]")];
    for row in rows {
        let place =
            if with_origin { format!("  # {}", origin(&row, context)) } else { String::new() };
        let name = row.key.name;
        match row.item {
            Some(item) => lines.push(format!("{name} = {}{place}", item.to_toml())),
            None if with_origin => lines.push(format!("# {name} is not set{place}")),
            None => {}
        }
    }
    lines.push(String::new());
    lines
}

fn origin(row: &Row, context: &Context) -> String {
    let from = match row.set {
        Some((place, line)) => at(file(&context.paths, place), line),
        None => "default".to_owned(),
    };
    let lock = row.lock.map(|line| at(&context.paths.system_config, line));
    lock.map_or_else(|| from.clone(), |lock| format!("{from}, locked by {lock}"))
}

fn at(file: &Path, line: usize) -> String {
    printable(&format!("{}:{line}", file.display()))
}

fn value(row: Row, context: &Context) -> Shown {
    let set = row.set.map(|(place, line)| (place, file(&context.paths, place), line));
    Shown {
        key: row.key.to_string(),
        value: row.item.map_or(serde_json::Value::Null, |item| match item {
            Item::Text(text) => text.into(),
            Item::Texts(texts) => texts.into(),
            Item::Truth(truth) => truth.into(),
        }),
        origin: match set {
            Some((Place::System, _, _)) => "system",
            Some((Place::User, _, _)) => "user",
            None => "default",
        },
        file: set.map(|(_, file, _)| file.display().to_string()),
        line: set.map(|(_, _, line)| line),
        locked: row.lock.map(|line| at(&context.paths.system_config, line)),
    }
}

fn vain(entry: &Entry, context: &Context) -> Overruled {
    let lock = context.config.origins.lock(&entry.key);
    Overruled {
        key: entry.key.to_string(),
        file: printable(&context.paths.config.display().to_string()),
        line: entry.line,
        locked: lock.map(|line| at(&context.paths.system_config, line)),
    }
}

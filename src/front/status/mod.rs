//! `gocred status`: each account, and what git and go will do. It asks no server.

pub(crate) mod age;
mod hosts;
mod store;
mod warnings;

use std::iter;

use serde::Serialize;

use crate::{
    cli::Status,
    core::{credential::Entry, fault::Fault, text::printable},
    front::{
        Answer, Context, Outcome, daemon, keyring,
        login::target,
        status::{
            hosts::{Client, Reach, Row, State},
            warnings::Warning,
        },
        ui,
        wiring::Wiring,
    },
    store::Store,
    sys::clock,
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

/// What was found.
struct Report {
    /// The only host that is asked for.
    host: Option<String>,
    store: &'static str,
    /// The accounts, or why they are not known.
    rows: Result<Vec<Row>, Fault>,
    proxy: Option<String>,
    warnings: Vec<Warning>,
}

/// Runs the command.
pub fn run(arguments: &Status, context: &Context) -> Outcome {
    if arguments.store {
        return store::run(arguments, context);
    }
    let mut store = keyring::open(context);
    let report = report(arguments, &mut *store, context)?;
    if arguments.json {
        report.json()?;
    } else {
        report.words();
    }
    let rows = report.rows?;
    if rows.is_empty() && arguments.host.is_some() {
        return Ok(Answer::No);
    }
    let is_broken = rows.iter().any(|row| row.state != State::Ok);
    let is_missed = |client: &Option<Client>| {
        client.as_ref().is_some_and(|client| client.reach == Reach::Missed)
    };
    let is_warned = !report.warnings.is_empty()
        || rows.iter().any(|row| [&row.git, &row.go, &row.proxy].into_iter().any(is_missed));
    Ok(if is_broken || arguments.strict && is_warned { Answer::No } else { Answer::Yes })
}

fn report(arguments: &Status, store: &mut dyn Store, context: &Context) -> Result<Report, Fault> {
    let host = arguments.host.as_deref().map(target::parse_any).transpose()?;
    let wiring = Wiring::read(context);
    let now = clock::now();
    let is_asked = |entry: &Entry| {
        host.as_ref().is_none_or(|host| entry.key.origin.authority() == host.origin.authority())
    };
    let rows = keyring::entries(store, None).map(|entries| {
        let row = |entry: &Entry| {
            let mut row = hosts::row(entry.clone(), &wiring, context, now);
            row.hint = row.hint.or_else(|| hosts::second(entry, &entries, context, now));
            row
        };
        entries.iter().filter(|entry| is_asked(entry)).map(row).collect()
    });
    Ok(Report {
        host: host.as_ref().map(|host| ui::place(&host.origin)),
        store: store.name(),
        rows,
        proxy: daemon::place(context),
        warnings: warnings::find(&wiring, context),
    })
}

impl Report {
    fn words(&self) {
        if let Ok(rows) = &self.rows {
            self.rows_in_words(rows);
        }
        ui::out(&match &self.proxy {
            Some(url) => format!("proxy: running on {}", printable(url)),
            None => "proxy: not running".to_owned(),
        });
        for Warning { what, hint } in &self.warnings {
            ui::out(&format!("warning: {what}\n   hint: {hint}"));
        }
    }

    fn rows_in_words(&self, rows: &[Row]) {
        if rows.is_empty() {
            ui::out(&match &self.host {
                Some(host) => format!("no account is stored for {host}; run `gocred login {host}`"),
                None => "no account is stored; run `gocred login HOST`".to_owned(),
            });
            return;
        }
        let now = clock::now();
        let mut table = vec![["HOST", "ACCOUNT", "STATE", "STORE", "EXPIRES"].map(str::to_owned)];
        for row in rows {
            let expires = row.entry.expires.map_or_else(|| "-".into(), |at| age::until(at, now));
            table.push([
                place(row),
                printable(&row.entry.key.user),
                row.state.as_str().to_owned(),
                self.store.to_owned(),
                expires,
            ]);
        }
        ui::table(&table);
        ui::out("");
        for row in rows {
            let clients = [&row.git, &row.go, &row.proxy];
            let says =
                iter::once(row.hint.as_deref()).chain(clients.map(|client| says(client.as_ref())));
            for line in says.flatten() {
                ui::out(&format!("{}: {line}", place(row)));
            }
        }
    }

    fn json(&self) -> Result<(), Fault> {
        ui::json(&Json {
            schema: SCHEMA,
            store: JsonStore {
                name: self.store,
                error: self.rows.as_ref().err().map(|fault| fault.message.as_str()),
            },
            accounts: self.rows.iter().flatten().map(account).collect(),
            proxy: self.proxy.as_deref(),
            warnings: self.warnings.iter().map(|warning| warning.what.as_str()).collect(),
        })
    }
}

/// Names a host or a proxy: the authority, and the scheme where it is not https.
fn place(row: &Row) -> String {
    let origin = &row.entry.key.origin;
    let path = row.entry.key.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
    printable(&format!("{}{path}", ui::place(origin)))
}

fn says(client: Option<&Client>) -> Option<&str> {
    client.map(|client| client.says.as_str())
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    store: JsonStore<'a>,
    accounts: Vec<JsonAccount<'a>>,
    proxy: Option<&'a str>,
    warnings: Vec<&'a str>,
}

#[derive(Serialize)]
struct JsonStore<'a> {
    name: &'a str,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonAccount<'a> {
    kind: &'a str,
    url: String,
    path: Option<&'a str>,
    account: &'a str,
    state: &'a str,
    expires: Option<u64>,
    hidden_at: Option<u64>,
    hidden_by: Option<&'a str>,
    git: Option<&'a str>,
    go: Option<&'a str>,
    proxy: Option<&'a str>,
    hint: Option<&'a str>,
}

fn account(row: &Row) -> JsonAccount<'_> {
    let Row { entry, state, git, go, proxy, hint } = row;
    let hidden = entry.hidden.as_ref();
    JsonAccount {
        kind: entry.key.kind.as_str(),
        url: entry.key.origin.to_string(),
        path: entry.key.path.as_deref(),
        account: &entry.key.user,
        state: state.as_str(),
        expires: entry.expires,
        hidden_at: hidden.map(|hidden| hidden.at),
        hidden_by: hidden.map(|hidden| hidden.by.as_str()),
        git: says(git.as_ref()),
        go: says(go.as_ref()),
        proxy: says(proxy.as_ref()),
        hint: hint.as_deref(),
    }
}

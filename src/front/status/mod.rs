//! `gocred status`: each account, and what git and go will do; of a URL, which account it gets, and
//! why. It asks no server.

pub(crate) mod age;
mod asked;
mod detail;
mod hosts;
mod json;
mod rules;
mod store;
mod used;
mod warnings;
mod why;

use std::{collections::BTreeSet, iter};

use crate::{
    cli::Status,
    core::{credential::Entry, fault::Fault, text::printable},
    front::{
        Answer, Context, Outcome, daemon, keyring,
        status::{
            asked::Asked,
            hosts::{Client, Known, Reach, Row, State},
            used::Used,
            warnings::Warning,
            why::Answers,
        },
        ui,
        wiring::Wiring,
    },
    store::Store,
    sys::clock,
};

/// What was found.
struct Report {
    /// The only host that is asked for.
    host: Option<String>,
    store: &'static str,
    /// The accounts, or why they are not known.
    rows: Result<Vec<Row>, Fault>,
    rules: Vec<rules::Shown>,
    /// What the URL gets that was asked for.
    answers: Option<Answers>,
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
        json::print(&report)?;
    } else {
        report.words();
    }
    let is_warned = report.is_warned();
    let is_unanswered = report.answers.as_ref().is_some_and(|answers| !answers.is_answered());
    let is_broken = report.rows?.iter().any(|row| row.state != State::Ok);
    let is_bad = is_unanswered || is_broken || arguments.strict && is_warned;
    Ok(if is_bad { Answer::No } else { Answer::Yes })
}

fn report(arguments: &Status, store: &mut dyn Store, context: &Context) -> Result<Report, Fault> {
    let asked = arguments.host.as_deref().map(Asked::parse).transpose()?;
    let host = asked.as_ref().map(|asked| asked.origin.authority());
    let wiring = Wiring::read(context);
    let now = clock::now();
    let entries = keyring::entries(store, None);
    let is_asked =
        |entry: &&Entry| host.as_ref().is_none_or(|host| entry.key.origin.authority() == *host);
    let (mut shown, mut answers) = (Vec::new(), None);
    let rows = entries.and_then(|entries| {
        let (details, used) = (detail::all(store), Used::read(context));
        let known = Known { entries: &entries, details, used, wiring: &wiring };
        let rows = entries.iter().filter(is_asked);
        let rows: Vec<Row> = rows.map(|entry| hosts::row(entry, &known, context, now)).collect();
        shown = rules::all(host.as_deref(), &entries, &wiring, context);
        if let Some(asked) = asked.clone().and_then(|asked| asked.among(&entries)) {
            answers = Some(why::answers(&asked, &rows, &wiring, (store, context), now)?);
        }
        Ok(rows)
    });
    Ok(Report {
        host: asked.as_ref().map(|asked| ui::place(&asked.origin)),
        store: store.name(),
        rows,
        rules: shown,
        answers,
        proxy: daemon::place(context),
        warnings: warnings::find(&wiring, context),
    })
}

impl Report {
    /// Returns whether there is something that a person should mend, and that works all the same.
    fn is_warned(&self) -> bool {
        let is_missed = |client: &Option<Client>| {
            client.as_ref().is_some_and(|client| client.reach == Reach::Missed)
        };
        let mut rows = self.rows.iter().flatten();
        !self.warnings.is_empty()
            || rows.any(|row| [&row.git, &row.go, &row.proxy].into_iter().any(is_missed))
            || self.rules.iter().any(|rule| rule.hint.is_some())
    }

    fn words(&self) {
        if let Some(answers) = &self.answers {
            answers.words();
            ui::out("");
        }
        if let Ok(rows) = &self.rows {
            self.rows_in_words(rows);
        }
        for rule in &self.rules {
            ui::out(&rule.words());
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
            // A netrc or a source needs no login.
            if self.answers.as_ref().is_some_and(Answers::is_answered) {
                return;
            }
            ui::out(&match &self.host {
                Some(host) => format!("no account is stored for {host}; run `gocred login {host}`"),
                None => "no account is stored; run `gocred login HOST`".to_owned(),
            });
            return;
        }
        self.table(rows);
        ui::out("");
        let mut said = BTreeSet::new();
        for row in rows {
            let clients = [&row.git, &row.go, &row.proxy];
            let says =
                iter::once(row.hint.as_deref()).chain(clients.map(|client| says(client.as_ref())));
            for line in says.flatten().map(|says| format!("{}: {says}", place(row))) {
                // Of two accounts at a host, most is the same.
                if said.insert(line.clone()) {
                    ui::out(&line);
                }
            }
        }
    }

    /// Prints the table. What nobody knows of any account has no column.
    fn table(&self, rows: &[Row]) {
        let now = clock::now();
        let mut columns: Vec<Vec<String>> = HEADINGS.map(|name| vec![name.to_owned()]).to_vec();
        for row in rows {
            let entry = &row.entry;
            let first = if row.is_first { " *" } else { "" };
            let renews = row.detail.as_ref().is_some_and(|detail| detail.renews);
            let expires = entry.expires.map(|at| {
                let by_itself = if renews { ", renews" } else { "" };
                format!("{}{by_itself}", age::until(at, now))
            });
            let kind = row.detail.as_ref().map(|detail| printable(&detail.kind));
            let scopes = row.detail.as_ref().map(|detail| printable(&detail.scopes.join(",")));
            let used = row.used.map(|at| age::ago(at, now));
            let cells = [
                Some(place(row)),
                Some(format!("{}{first}", printable(&entry.key.user))),
                Some(row.state.as_str().to_owned()),
                kind,
                scopes.filter(|scopes| !scopes.is_empty()),
                expires,
                Some(self.store.to_owned()),
                used,
            ];
            for (column, cell) in columns.iter_mut().zip(cells) {
                column.push(cell.unwrap_or_else(|| "-".to_owned()));
            }
        }
        columns.retain(|column| column.iter().skip(1).any(|cell| cell != "-"));
        let lines = (0..=rows.len()).map(|line| {
            columns.iter().filter_map(|column| column.get(line).cloned()).collect::<Vec<_>>()
        });
        ui::table(&lines.collect::<Vec<_>>());
    }
}

/// The columns of the table.
const HEADINGS: [&str; 8] =
    ["HOST", "ACCOUNT", "STATE", "TYPE", "SCOPES", "EXPIRES", "STORE", "LAST USED"];

/// Names a host or a proxy: the authority, and the scheme where it is not https.
fn place(row: &Row) -> String {
    let origin = &row.entry.key.origin;
    let path = row.entry.key.path.as_ref().map_or_else(String::new, |path| format!("/{path}"));
    printable(&format!("{}{path}", ui::place(origin)))
}

fn says(client: Option<&Client>) -> Option<&str> {
    client.map(|client| client.says.as_str())
}

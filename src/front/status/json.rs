//! `gocred status --json`: the same facts, for programs.

use serde::Serialize;

use crate::{
    core::fault::Fault,
    front::{
        status::{Report, hosts::Row, rules::Shown, says, why::Answers},
        ui,
    },
};

/// The grammar of the JSON.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    store: Store<'a>,
    accounts: Vec<Account<'a>>,
    rules: Vec<Rule<'a>>,
    answers: Option<&'a Answers>,
    proxy: Option<&'a str>,
    warnings: Vec<&'a str>,
}

#[derive(Serialize)]
struct Store<'a> {
    name: &'a str,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Account<'a> {
    kind: &'a str,
    url: String,
    path: Option<&'a str>,
    #[serde(rename = "account")]
    user: &'a str,
    first: bool,
    state: &'a str,
    #[serde(rename = "type")]
    sent_as: Option<&'a str>,
    scopes: Option<&'a [String]>,
    expires: Option<u64>,
    renews: bool,
    last_used: Option<u64>,
    hidden_at: Option<u64>,
    hidden_by: Option<&'a str>,
    git: Option<&'a str>,
    go: Option<&'a str>,
    proxy: Option<&'a str>,
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct Rule<'a> {
    host: &'a str,
    path: Option<&'a str>,
    account: &'a str,
    stored: bool,
    file: Option<&'a str>,
    line: Option<usize>,
    hint: Option<&'a str>,
}

/// Prints it.
pub(super) fn print(report: &Report) -> Result<(), Fault> {
    ui::json(&Json {
        schema: SCHEMA,
        store: Store {
            name: report.store,
            error: report.rows.as_ref().err().map(|fault| fault.message.as_str()),
        },
        accounts: report.rows.iter().flatten().map(account).collect(),
        rules: report.rules.iter().map(rule).collect(),
        answers: report.answers.as_ref(),
        proxy: report.proxy.as_deref(),
        warnings: report.warnings.iter().map(|warning| warning.what.as_str()).collect(),
    })
}

fn account(row: &Row) -> Account<'_> {
    let Row { entry, detail, used, is_first, state, git, go, proxy, hint } = row;
    let hidden = entry.hidden.as_ref();
    let detail = detail.as_ref();
    let scopes = detail.map(|detail| detail.scopes.as_slice());
    Account {
        kind: entry.key.kind.as_str(),
        url: entry.key.origin.to_string(),
        path: entry.key.path.as_deref(),
        user: &entry.key.user,
        first: *is_first,
        state: state.as_str(),
        sent_as: detail.map(|detail| detail.kind.as_str()),
        scopes: scopes.filter(|scopes| !scopes.is_empty()),
        expires: entry.expires,
        renews: detail.is_some_and(|detail| detail.renews),
        last_used: *used,
        hidden_at: hidden.map(|hidden| hidden.at),
        hidden_by: hidden.map(|hidden| hidden.by.as_str()),
        git: says(git.as_ref()),
        go: says(go.as_ref()),
        proxy: says(proxy.as_ref()),
        hint: hint.as_deref(),
    }
}

fn rule(shown: &Shown) -> Rule<'_> {
    let Shown { rule, set, is_stored, hint } = shown;
    Rule {
        host: &rule.host,
        path: rule.path.as_deref(),
        account: &rule.user,
        stored: *is_stored,
        file: set.as_ref().map(|(file, _)| file.as_str()),
        line: set.as_ref().map(|(_, line)| *line),
        hint: hint.as_deref(),
    }
}

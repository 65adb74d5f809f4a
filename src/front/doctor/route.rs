//! `gocred route`: which proxy, which login and which authorities go, git and curl each use for a module or a
//! URL, and where that is said. No packet is sent, and no program is run but `go env` and `git config`.

use serde_json::{Value, json};

use crate::{
    core::{
        doctor::{
            finding::{self, Tool},
            machine::Machine,
            plan::goauth,
            private::Private,
            route::{
                Scheme, Via,
                differ::{self, Difference},
                git_config,
            },
            target::Target,
            ways::{self, Way, Ways},
        },
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, ui},
    sys,
};

/// Runs the command.
pub fn run(arguments: &crate::cli::Route, context: &Context) -> Outcome {
    let target = Target::parse(&arguments.target)
        .map_err(|error| Fault::new(Kind::Usage, error.to_string()))?;
    let mut machine = sys::doctor::read(&target, &context.env, &context.paths);
    machine.gocred = super::state::read(context, true);
    let ways = ways::of(&target, &machine);
    let differences: Vec<Difference> =
        ways.shared.iter().flat_map(|link| differ::all(link, &machine)).collect();
    if arguments.json {
        ui::json(&value(&arguments.target, &ways, &differences, &machine))?;
    } else {
        for line in lines(&ways, &differences, &machine) {
            ui::out(&printable(&line));
        }
    }
    Ok(Answer::Yes)
}

fn lines(ways: &Ways, differences: &[Difference], machine: &Machine) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for Difference { code, sentence } in differences {
        lines.push(format!("{code}: {sentence}"));
    }
    for way in &ways.ways {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let Way { what, place, route } = way;
        lines.push(format!("{} → {}  ({what}; {place})", route.tool.name(), route.link));
        if let Some(rule) = &route.rewritten {
            lines.push(format!("  rewritten by insteadOf ({rule})"));
        }
        lines.push(format!("  proxy: {}", differ::way(route)));
        lines.push(format!("  login: {}", differ::login(route)));
        lines.extend(asked(way, machine).into_iter().map(|it| format!("         then {it}")));
        if route.link.origin.scheme() == "https" {
            lines.push(format!("  trusts {}", differ::trust(route)));
        }
    }
    if !ways.notes.is_empty() {
        lines.push(String::new());
        lines.extend(ways.notes.iter().cloned());
    }
    lines
}

/// Returns whom a tool asks for a login that it does not have itself.
fn asked(way: &Way, machine: &Machine) -> Vec<String> {
    let link = &way.route.link;
    let mut asked = Vec::new();
    match way.route.tool {
        Tool::Go => {
            let (commands, place) = goauth::commands(machine);
            for command in commands {
                if let goauth::Command::Program(words) = command {
                    let program = words.first().cloned().unwrap_or_default();
                    let program = Private::new(program).programs();
                    asked.push(format!("GOAUTH runs {program} ({place})"));
                }
            }
        }
        Tool::Git if ["http", "https"].contains(&link.origin.scheme()) => {
            for helper in git_config::credential(machine, "helper", &link.to_string()) {
                let command = helper.value.to_string();
                // A shell's line may hold anything.
                let name = if command.starts_with('!') { "a shell command" } else { &command };
                let name = name
                    .split_whitespace()
                    .next()
                    .filter(|_| name.starts_with('/'))
                    .unwrap_or(name);
                let name = Private::new(name).programs();
                asked.push(format!("the helper {name} ({})", helper.place));
            }
        }
        Tool::Git | Tool::Curl => {}
    }
    let origin = link.origin.to_string();
    let accounts = machine.gocred.accounts.iter();
    for account in accounts.filter(|account| account.origin == origin && !account.is_proxy) {
        asked.push(format!("gocred has {} for {origin}", account.user));
    }
    asked
}

fn value(target: &str, ways: &Ways, differences: &[Difference], machine: &Machine) -> Value {
    let difference = |it: &Difference| json!({ "code": it.code, "sentence": it.sentence });
    json!({
        "schema": finding::SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "target": target_without_login(target),
        "differences": differences.iter().map(difference).collect::<Vec<_>>(),
        "ways": ways.ways.iter().map(|way| one(way, machine)).collect::<Vec<_>>(),
        "notes": ways.notes,
    })
}

/// The words of the command line without userinfo.
fn target_without_login(target: &str) -> String {
    Private::new(target).to_string()
}

fn one(way: &Way, machine: &Machine) -> Value {
    let Way { what, place, route } = way;
    let (via, proxy) = match &route.via {
        Via::Direct => ("direct", Value::Null),
        Via::Proxy(proxy) => ("proxy", Value::from(differ::url(proxy))),
        Via::Broken { value, code } => ("broken", json!({ "value": value, "code": code })),
    };
    let passed_over = route
        .passed_over
        .as_ref()
        .map(|(value, place)| json!({ "proxy": value, "where": place.to_string() }));
    let login = route.login.as_ref().map(|login| {
        let scheme = match &login.scheme {
            Scheme::Basic => "basic",
            Scheme::Header(name) => name,
        };
        json!({ "user": differ::user(login), "scheme": scheme, "where": login.place.to_string() })
    });
    let trust = &route.trust;
    let path = |it: &Option<(std::path::PathBuf, String)>| {
        it.as_ref().map(|(path, place)| json!({ "path": path, "where": place }))
    };
    json!({
        "tool": route.tool.name(),
        "what": what,
        "where": place.to_string(),
        "url": route.link.to_string(),
        "rewritten": route.rewritten.as_ref().map(ToString::to_string),
        "proxy": { "via": via, "proxy": proxy, "where": route.via_place.to_string(), "passed_over": passed_over },
        "login": login,
        "then": asked(way, machine),
        "trust": { "file": path(&trust.file), "folder": path(&trust.folder), "system": trust.has_system, "off": trust.is_off },
    })
}

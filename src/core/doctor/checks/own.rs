//! gocred itself: its configuration, its daemon, its store, its accounts. K01, K02, K10–K13, K15, A31, and what
//! the store and the daemon say of themselves.

use std::net::SocketAddr;

use crate::core::{
    config::DEFAULT_GOPROXY,
    doctor::{
        catalogue,
        checks::{Facts, PROXIED, facts, fix},
        finding::{Change, Finding, Kind, Severity, Tool},
        place::Place,
    },
    text::printable,
};

const ALL: &[Tool] = &[Tool::Go, Tool::Git, Tool::Curl];

/// Returns what is wrong with it.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    found.extend(config(facts));
    found.extend(not_running(facts));
    found.extend(version(facts));
    found.extend(store(facts));
    found.extend(accounts(facts));
    found
}

/// K10: its configuration cannot be read.
fn config(facts: &Facts<'_>) -> Option<Finding> {
    let (what, at) = facts.machine.gocred.config.as_ref()?;
    let (file, line) = match at.rsplit_once(':') {
        Some((file, line)) => (file, line.parse::<usize>().ok()),
        None => (at.as_str(), None),
    };
    let place = Place::File(file.into(), line);
    let cause = format!("gocred's configuration is wrong at {place}: {what}.");
    let shown = fix::quoted(file);
    let command = match line {
        Some(line) => format!("\"${{EDITOR:-vi}}\" +{line} {shown}"),
        None => format!("\"${{EDITOR:-vi}}\" {shown}"),
    };
    let finding = facts
        .finding("K10", Severity::Error, cause)
        .seen(Kind::File, place, what.clone(), "a key that gocred knows")
        .affects(ALL)
        .reproduce("gocred config show")
        .run(command)
        .explains(&["A01", "A03", "A14", "G03", "G04"]);
    let path = std::path::PathBuf::from(file);
    match line {
        Some(line) if fix::is_own(facts, &path) => {
            Some(finding.change(Change::Line { file: path, line, text: None }))
        }
        _ => Some(finding),
    }
}

/// Returns the setting that sends a tool to gocred's own address, and that address.
fn pointed(facts: &Facts<'_>) -> Option<(Place, SocketAddr, &'static str)> {
    let machine = facts.machine;
    let own = &machine.gocred;
    let at = |value: &str| {
        let asked = facts::place(value)?;
        let host = if asked.host == "localhost" { "127.0.0.1" } else { asked.host.as_str() };
        Some(SocketAddr::new(host.parse().ok()?, asked.port))
    };
    let names =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let variables = names.iter().filter_map(|name| {
        let value = machine.variable(name)?;
        Some((Place::Variable((*name).to_owned()), at(value.raw())?, "proxy"))
    });
    let git = machine
        .git_value("http.proxy")
        .and_then(|entry| Some((entry.place.clone(), at(entry.value.raw())?, "proxy")));
    let mut proxies = variables.chain(git).filter(|(_, address, _)| own.listen.contains(address));
    if let Some(found) = proxies.next() {
        return Some(found);
    }
    let (_, place) = facts.goproxy();
    let mut elements = facts.elements().into_iter();
    // Where none is configured, gocred's usual one is meant, unless somebody else is there.
    let usual: Option<SocketAddr> = DEFAULT_GOPROXY.parse().ok();
    let usual =
        usual.filter(|usual| machine.listeners.iter().all(|(it, _)| it.port() != usual.port()));
    let front = own.front.or(usual);
    let front =
        elements.find_map(|element| at(&element).filter(|address| front == Some(*address)))?;
    Some((place, front, "goproxy"))
}

/// K01 and K02: the tools are sent to gocred, and gocred is not there.
fn not_running(facts: &Facts<'_>) -> Option<Finding> {
    let machine = facts.machine;
    if machine.gocred.daemon.is_some() {
        return None;
    }
    let (place, address, kind) = pointed(facts)?;
    let taken = machine.listeners.iter().find(|(own, _)| own.port() == address.port());
    let explained: &[&str] =
        &["P27", "P26", "P28", "P18", "P19", "P21", "P29", "P32", "N01", "E48"];
    if let Some((_, user)) = taken {
        let cause = format!(
            "{place} sends the tools to {address}, where another program listens (user {user}), and not gocred."
        );
        let finding = facts
            .finding("K02", Severity::Error, cause)
            .seen(
                Kind::Tcp,
                Place::Endpoint(address.to_string()),
                format!("a program of user {user}"),
                "gocred",
            )
            .affects(ALL)
            .reproduce(format!("ss -ltnp 'sport = :{}'", address.port()))
            .run("gocred proxy run --listen 127.0.0.1:0")
            .explains(&[explained, PROXIED].concat());
        return Some(finding);
    }
    let cause = format!("{place} sends the tools to {address}, and gocred does not run there.");
    let finding = facts
        .finding("K01", Severity::Error, cause)
        .seen(Kind::Tcp, Place::Endpoint(address.to_string()), "nobody listens", "gocred")
        .affects(ALL)
        .reproduce(format!("curl -v http://{address}/"))
        .run("gocred proxy start")
        .explains(explained);
    if kind == "goproxy" && machine.gocred.front.is_none() {
        // It would not open that port before it knows whom to ask.
        return Some(finding.run("gocred setup --go"));
    }
    let command = ["gocred", "proxy", "start"].map(str::to_owned).to_vec();
    let undo = ["gocred", "proxy", "stop"].map(str::to_owned).to_vec();
    Some(finding.change(Change::Run { command, undo }))
}

/// K12: the daemon is of another version.
fn version(facts: &Facts<'_>) -> Option<Finding> {
    let running = facts.machine.gocred.daemon.as_ref()?;
    let own = env!("CARGO_PKG_VERSION");
    if running.is_empty() || running == own {
        return None;
    }
    let cause =
        format!("gocred {} runs as the loopback proxy, and this is {own}.", printable(running));
    let finding = facts
        .finding("K12", Severity::Warning, cause)
        .seen(Kind::Program, Place::Default("the daemon"), printable(running), own)
        .run("gocred proxy stop && gocred proxy start");
    Some(finding)
}

/// What the store says of itself.
fn store(facts: &Facts<'_>) -> Option<Finding> {
    let own = &facts.machine.gocred;
    let (code, why) = own.store_error.as_ref()?;
    catalogue::find(code)?;
    let is_wanted = !own.accounts.is_empty() || *code != "K06" && *code != "K27";
    let severity = if is_wanted { Severity::Warning } else { Severity::Info };
    let cause = format!("gocred's store ({}) gives nothing: {why}.", own.store);
    let finding = facts
        .finding(code, severity, cause)
        .seen(Kind::Program, Place::Store(own.store), why.clone(), "open")
        .affects(ALL)
        .reproduce("gocred status --store")
        .run(if *code == "K05" { "gocred unlock" } else { "gocred status --store" })
        .explains(&["A01", "A02", "A03", "A04", "A14", "G04", "P01", "P02"]);
    Some(finding)
}

/// K13 and A31: accounts that are not answered any more.
fn accounts(facts: &Facts<'_>) -> Vec<Finding> {
    let asked = facts.asked();
    let mut found = Vec::new();
    for account in &facts.machine.gocred.accounts {
        let Some(own) = facts::place(&account.origin) else { continue };
        let is_asked =
            account.is_proxy || asked.iter().any(|it| it.host == own.host && it.port == own.port);
        if !is_asked {
            continue;
        }
        let origin = printable(&account.origin);
        let user = printable(&account.user);
        let login = if account.is_proxy {
            format!("gocred login --proxy {origin}")
        } else {
            format!("gocred login {}", own.host)
        };
        let ended = account.expires.filter(|at| *at <= facts.machine.now);
        let (code, cause, observed) = match (account.hidden, ended) {
            (Some(_), _) => (
                "K13",
                format!("The login of {user} for {origin} was rejected, and is kept back since."),
                "rejected",
            ),
            (None, Some(_)) => {
                ("A31", format!("The login of {user} for {origin} has ended."), "expired")
            }
            (None, None) => continue,
        };
        let explained: &[&str] = if account.is_proxy {
            &["P01", "P02", "P35"]
        } else {
            &["A01", "A02", "A03", "A04", "A14", "A15", "G07"]
        };
        let finding = facts
            .finding(code, Severity::Warning, cause)
            .seen(Kind::Program, Place::Store(facts.machine.gocred.store), observed, "accepted")
            .affects(ALL)
            .reproduce("gocred status")
            .run(login)
            .explains(explained);
        found.push(finding);
    }
    found
}

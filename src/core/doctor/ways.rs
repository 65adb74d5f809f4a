//! What go, git and curl will ask for a module or a URL, in order, before anything is asked: what
//! `gocred route` prints. What an answer would change is left out: which proxy of GOPROXY has the module, and
//! which repository the module's host names.

use crate::core::doctor::{
    finding::Tool,
    machine::Machine,
    place::Place,
    plan::{
        go_import,
        module::{self, Element, below},
        redirect,
        spelling::{escaped, is_fetchable},
        sumdb,
    },
    route::{self, Link, Route},
    target::Target,
};
use crate::core::goproxy::Next;

/// One request that a tool makes.
#[derive(Debug)]
pub struct Way {
    /// What for.
    pub what: String,
    /// Where it is said that it is asked.
    pub place: Place,
    /// How.
    pub route: Route,
}

/// What is asked.
#[derive(Debug, Default)]
pub struct Ways {
    /// The requests.
    pub ways: Vec<Way>,
    /// What is not asked, and why: a sentence each.
    pub notes: Vec<String>,
    /// What more than one tool asks, before any rewriting.
    pub shared: Vec<Link>,
}

/// Returns what is asked for a target.
pub fn of(target: &Target, machine: &Machine) -> Ways {
    let mut ways = Ways::default();
    match target {
        Target::Module { path, version } => module(&mut ways, path, version.as_deref(), machine),
        Target::Url(url) => {
            let Some(link) = redirect::url(url) else { return ways };
            if !["http", "https"].contains(&link.origin.scheme()) {
                ways.notes.push(format!("{link} is asked by ssh alone: no proxy, no netrc, no CA"));
            }
            ways.shared.push(link.clone());
            for tool in [Tool::Go, Tool::Git, Tool::Curl] {
                ways.push(
                    "the URL",
                    Place::Default(tool.name()),
                    route::route(tool, &link, machine),
                );
            }
        }
        Target::Here => {}
    }
    ways
}

impl Ways {
    fn push(&mut self, what: impl Into<String>, place: Place, route: Option<Route>) {
        self.ways.extend(route.map(|route| Way { what: what.into(), place, route }));
    }
}

/// A module: GOPROXY's list, or its own host; and the checksum database.
fn module(ways: &mut Ways, path: &str, version: Option<&str>, machine: &Machine) {
    if !is_fetchable(path) {
        ways.notes.push(format!("go does not fetch {path}: its first element is no host name"));
        return;
    }
    let version = version.filter(|version| *version != "latest");
    let asked = match version {
        Some(version) => format!("{}/@v/{}.info", escaped(path), escaped(version)),
        None => format!("{}/@latest", escaped(path)),
    };
    let patterns = ["GONOPROXY", "GOPRIVATE"];
    let pattern = patterns.iter().find_map(|name| Some((*name, machine.go_setting(name)?.1)));
    if let (true, Some((name, place))) = (module::is_private(machine, path), pattern) {
        ways.notes.push(format!("no module proxy is asked: {name} ({place}) names the module"));
        direct(ways, path, place, machine);
    } else {
        listed(ways, path, &asked, machine);
    }
    database(ways, path, version, machine);
}

fn listed(ways: &mut Ways, path: &str, asked: &str, machine: &Machine) {
    let (elements, place) = module::elements(machine);
    let mut condition = String::new();
    for (element, next) in elements {
        match element {
            Element::Proxy(base, userinfo) => {
                let mut route = route::route(Tool::Go, &below(&base, asked), machine);
                // Go 1.24 and later look for nothing else where the URL has a login.
                if let (Some(route), Some(userinfo)) = (&mut route, userinfo) {
                    route.login = Some(userinfo);
                }
                ways.push(format!("module proxy{condition}"), place.clone(), route);
            }
            Element::Direct => return direct(ways, path, place, machine),
            Element::Off => {
                ways.notes.push(format!("then go gives up: GOPROXY ({place}) says off"));
                return;
            }
            Element::Folder(folder) => {
                let folder = folder.display();
                ways.notes.push(format!("module proxy{condition}: the folder {folder} ({place})"));
            }
            Element::Other => {
                ways.notes.push(format!("an element of GOPROXY ({place}) is no URL that is asked"));
            }
        }
        condition = match next {
            Next::WhenMissing => ", after 404 or 410".to_owned(),
            Next::OnError => ", after any error".to_owned(),
        };
    }
}

/// The module's own host: go asks it where the repository is, and git asks that.
fn direct(ways: &mut Ways, path: &str, place: Place, machine: &Machine) {
    let known = go_import::known(path);
    if known.is_none()
        && let Some(link) = redirect::url(&format!("https://{path}?go-get=1"))
    {
        let route = route::route(Tool::Go, &link, machine);
        ways.push("the module's host", place.clone(), route);
    }
    let (repository, what) = match known {
        Some(known) if known.vcs != "git" => {
            ways.notes.push(format!("the repository is asked by {}", known.vcs));
            return;
        }
        Some(known) => (known.repository, "the repository"),
        None => (path.to_owned(), "the repository, where the host names no other"),
    };
    if let Some(link) = redirect::url(&format!("https://{repository}")) {
        ways.push(what, place, route::route(Tool::Git, &link, machine));
        ways.shared.push(link);
    }
}

fn database(ways: &mut Ways, path: &str, version: Option<&str>, machine: &Machine) {
    if !sumdb::counts_for(machine, path) {
        let place = ["GONOSUMDB", "GOPRIVATE"].iter().find_map(|name| machine.go_setting(name));
        let place = place.map_or(Place::Default("go"), |(_, place)| place);
        ways.notes.push(format!("the checksum database is not asked: {place} names the module"));
        return;
    }
    let Some(database) = sumdb::database(machine) else {
        ways.notes.push("the checksum database is not asked: GOSUMDB says so".to_owned());
        return;
    };
    let own = format!("https://{}", database.name);
    let base = database.url.as_ref().unwrap_or(&own);
    let what = if database.url.is_some() {
        "checksum database"
    } else {
        "checksum database, unless the module proxy serves it"
    };
    let version = version.map_or_else(|| "VERSION".to_owned(), escaped);
    if let Some(base) = redirect::url(base) {
        let link = below(&base, &format!("lookup/{}@{version}", escaped(path)));
        ways.push(what, database.place, route::route(Tool::Go, &link, machine));
    }
}

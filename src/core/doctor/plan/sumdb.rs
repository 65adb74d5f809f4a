//! The checksum database: whether go asks it for a module, and through whom (cmd/go/internal/modfetch/sumdb.go).

use crate::core::{
    doctor::{
        finding::Tool,
        leg::{Purpose, Wanted},
        machine::Machine,
        place::Place,
        plan::{
            follow::{Ask, End, Follower},
            module::{self, Element, below},
            redirect,
            spelling::escaped,
        },
        route::Link,
    },
    goproxy::Next,
    pattern,
};

/// A database, as GOSUMDB names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::core::doctor) struct Database {
    /// Its name, which is its host as well.
    pub(in crate::core::doctor) name: String,
    /// `+HASH+KEY` of its verifier.
    pub(in crate::core::doctor) key: String,
    /// The URL that is asked, where GOSUMDB names one: then no module proxy is.
    pub(in crate::core::doctor) url: Option<String>,
    /// Where that is said.
    pub(in crate::core::doctor) place: Place,
}

/// The key that go itself knows (cmd/go `knownGOSUMDB`).
const KNOWN: &str = "+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// Returns the database. `None`: it is off, or the value is none that go takes.
pub(in crate::core::doctor) fn database(machine: &Machine) -> Option<Database> {
    let (value, place) = machine.go_setting("GOSUMDB").map_or_else(
        || ("sum.golang.org".to_owned(), Place::Default("go")),
        |(value, place)| (value.raw().to_owned(), place),
    );
    let mut words = value.split_whitespace();
    let (key, url) = (words.next()?, words.next().map(str::to_owned));
    if key == "off" || words.next().is_some() {
        return None;
    }
    let (name, key, url) = match key {
        "sum.golang.google.cn" => {
            let own = "https://sum.golang.google.cn".to_owned();
            ("sum.golang.org", KNOWN.to_owned(), Some(url.unwrap_or(own)))
        }
        "sum.golang.org" => ("sum.golang.org", KNOWN.to_owned(), url),
        _ => {
            let (name, key) = key.split_once('+')?;
            (name, format!("+{key}"), url)
        }
    };
    Some(Database { name: name.to_owned(), key, url, place })
}

/// Whether go asks the database for a module (`useSumDB`).
pub(in crate::core::doctor) fn counts_for(machine: &Machine, path: &str) -> bool {
    let patterns = machine.go_setting("GONOSUMDB").or_else(|| machine.go_setting("GOPRIVATE"));
    !patterns.is_some_and(|(patterns, _)| pattern::matches(patterns.raw(), path))
}

/// Whether go.sum of this folder has both hashes of a module already.
fn is_in_go_sum(machine: &Machine, path: &str, version: &str) -> bool {
    let Some(lines) = machine.module.as_ref().and_then(|module| module.go_sum.lines.as_ref())
    else {
        return false;
    };
    let has = |what: &str| {
        lines.iter().any(|line| line.raw().starts_with(&format!("{path} {version}{what} ")))
    };
    has("") && has("/go.mod")
}

/// Follows the look-up of a module at a version.
pub(super) fn follow(follower: &mut Follower<'_>, path: &str, version: &str) {
    let machine = follower.machine;
    let is_version = version.starts_with('v') && version.contains('.');
    if !is_version || !counts_for(machine, path) || is_in_go_sum(machine, path, version) {
        return;
    }
    let Some(database) = database(machine) else { return };
    let wanted = Wanted { path: path.to_owned(), version: Some(version.to_owned()) };
    let base = match &database.url {
        Some(url) => redirect::url(url).map(|base| (base, None)),
        None => match through(follower, &database.name, &wanted) {
            Ok(Some(found)) => Some(found),
            Ok(None) => {
                redirect::url(&format!("https://{}", database.name)).map(|base| (base, None))
            }
            Err(()) => return,
        },
    };
    let Some((base, userinfo)) = base else { return };
    let link = below(&base, &format!("lookup/{}@{}", escaped(path), escaped(version)));
    follower.fetch(&Ask {
        tool: Tool::Go,
        purpose: Purpose::SumdbLookup,
        link,
        module: Some(wanted),
        base: Some(base),
        userinfo,
    });
}

/// Returns the module proxy that serves the database. `Ok(None)`: none does. `Err`: it is not known yet, or one
/// failed in a way after which go gives up.
fn through(
    follower: &mut Follower<'_>,
    name: &str,
    wanted: &Wanted,
) -> Result<Option<(Link, Option<crate::core::doctor::route::Login>)>, ()> {
    // What failed otherwise than with "not here" stays the answer, unless a later one serves the database, or
    // `direct` is reached (`modfetch.TryProxies`).
    let mut failed = None;
    for (element, next) in module::elements(follower.machine).0 {
        let (base, userinfo) = match element {
            Element::Proxy(base, userinfo) => (base, userinfo),
            Element::Direct => return Ok(None),
            // Whoever keeps modules in a folder hardly keeps a database there.
            Element::Folder(_) => continue,
            Element::Off | Element::Other => break,
        };
        let below_it = below(&base, &format!("sumdb/{name}"));
        let index = follower.legs.len();
        let end = follower.fetch(&Ask {
            tool: Tool::Go,
            purpose: Purpose::SumdbSupported,
            link: below(&below_it, "supported"),
            module: Some(wanted.clone()),
            base: Some(base),
            userinfo: userinfo.clone(),
        });
        if let Some(leg) = follower.legs.get_mut(index) {
            leg.decides = false;
        }
        match end {
            End::Pending => return Err(()),
            End::Good(_) => return Ok(Some((below_it, userinfo))),
            End::Failed(Some(404 | 410)) => {}
            End::Failed(_) | End::Greeted => {
                failed = Some(index);
                if next == Next::WhenMissing {
                    break;
                }
            }
        }
    }
    let Some(index) = failed else { return Ok(None) };
    if let Some(leg) = follower.legs.get_mut(index) {
        leg.decides = true;
    }
    Err(())
}

//! A module: GOPROXY's list, element by element, as cmd/go's `modfetch.TryProxies` walks it, and `direct`.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use crate::core::{
    doctor::{
        finding::Tool,
        gomod,
        leg::{Purpose, Wanted},
        machine::Machine,
        place::Place,
        plan::{
            follow::{Ask, End, Follower},
            go_import::{self, Discovery},
            redirect,
            spelling::{
                chosen, is_fetchable, is_newest, is_prefix, is_version, is_whole, version_of, wire,
            },
            sumdb, url,
        },
        probe::Http,
        route::{Link, Login, Scheme, address::decoded},
        shelf,
    },
    goproxy::{self, Next},
    pattern,
    secret::SecretString,
};

/// An element of GOPROXY as go takes it.
pub(in crate::core::doctor) enum Element {
    /// The module's own host. What follows is never used.
    Direct,
    /// Nowhere.
    Off,
    /// A proxy, and the login of its URL.
    Proxy(Link, Option<Login>),
    /// `file://…`: a folder.
    Folder(PathBuf),
    /// What go refuses: no packet is sent for it.
    Other,
}

/// How an operation ended.
enum Walked<'a> {
    Pending,
    Failed,
    /// A proxy has it.
    Proxy(&'a Http),
    /// The module's host has it.
    Direct,
}

/// Returns GOPROXY's elements, and where they are said.
pub(in crate::core::doctor) fn elements(machine: &Machine) -> (Vec<(Element, Next)>, Place) {
    let (list, place) = machine.go_setting("GOPROXY").map_or_else(
        || (goproxy::DEFAULT.to_owned(), Place::Default("go")),
        |(value, place)| (value.raw().to_owned(), place),
    );
    let elements = goproxy::pieces(&list).map(|(text, next)| (element(text, &place), next));
    (elements.collect(), place)
}

fn element(text: &str, place: &Place) -> Element {
    match text {
        "direct" => return Element::Direct,
        "off" => return Element::Off,
        _ => {}
    }
    if let Some(folder) = shelf::folder(text) {
        return Element::Folder(folder);
    }
    let is_bare = !text.contains("://")
        && text.contains(['.', ':', '/'])
        && !text.contains(":/")
        && !text.starts_with('/');
    let url = if is_bare { format!("https://{text}") } else { text.to_owned() };
    let Some(link) =
        redirect::url(&url).filter(|link| ["http", "https"].contains(&link.origin.scheme()))
    else {
        return Element::Other;
    };
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    let userinfo =
        authority.and_then(|authority| authority.rsplit_once('@')).map(|(userinfo, _)| {
            let (user, secret) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            Login {
                user: decoded(user),
                secret: SecretString::from(decoded(secret)),
                scheme: Scheme::Basic,
                place: place.clone(),
            }
        });
    // "refusing to pass credentials to insecure URL": go does not even ask.
    if userinfo.is_some() && link.origin.scheme() == "http" {
        return Element::Other;
    }
    Element::Proxy(link, userinfo)
}

/// Whether go asks for a module directly, whatever GOPROXY says (GONOPROXY, else GOPRIVATE).
pub(in crate::core::doctor) fn is_private(machine: &Machine, path: &str) -> bool {
    let patterns = machine.go_setting("GONOPROXY").or_else(|| machine.go_setting("GOPRIVATE"));
    patterns.is_some_and(|(patterns, _)| pattern::matches(patterns.raw(), path))
}

/// Follows a module.
pub(super) fn follow(follower: &mut Follower<'_>, path: &str, version: Option<&str>) {
    let version = version.filter(|version| !is_newest(version));
    if !is_fetchable(path) || version.is_some_and(|version| !is_version(version)) {
        return;
    }
    let Some(version) = resolve(follower, path, version) else { return };
    let wanted = Wanted { path: path.to_owned(), version: Some(version.clone()) };
    let from = follower.legs.len();
    let first = walk(follower, &wanted, Purpose::Info);
    let goes_on = match &first {
        Walked::Failed => false,
        Walked::Proxy(_) | Walked::Direct => true,
        // Side by side; but a login that may be wrong is sent once only.
        Walked::Pending => {
            is_whole(&version)
                && follower.legs.get(from..).is_none_or(<[_]>::is_empty)
                && !has_login(follower, path)
        }
    };
    if !goes_on {
        return;
    }
    // Of a branch or a commit, the answer tells the version that go asks for from here on.
    let told = match &first {
        Walked::Proxy(http) if !is_whole(&version) => version_of(&http.body),
        _ => None,
    };
    let version = told.unwrap_or(version);
    let wanted = Wanted { version: Some(version.clone()), ..wanted };
    if !matches!(first, Walked::Direct) && !is_private(follower.machine, path) {
        if matches!(walk(follower, &wanted, Purpose::Mod), Walked::Failed) {
            return;
        }
        // go.mod is looked up before the zip is asked for (modload `GoModFile`), whatever comes of that.
        walk(follower, &wanted, Purpose::Zip);
    }
    sumdb::follow(follower, path, &version);
}

/// Asks whether a module is there, where another one was that takes the same way.
pub(super) fn look(follower: &mut Follower<'_>, path: &str, version: &str) {
    if is_fetchable(path) && is_version(version) {
        let wanted = Wanted { path: path.to_owned(), version: Some(version.to_owned()) };
        walk(follower, &wanted, Purpose::Info);
    }
}

/// Follows the toolchain that a go.mod wants: a module, too, of which go asks for the zip (`go help toolchain`).
pub(super) fn toolchain(follower: &mut Follower<'_>, version: &str) {
    let go = follower.machine.go.as_ref().and_then(|go| go.version.split_whitespace().last());
    let platform = go.filter(|word| word.contains('/')).unwrap_or("linux/amd64").replace('/', "-");
    let version = format!("v0.0.1-go{}.{platform}", version.trim_start_matches("go"));
    let path = "golang.org/toolchain".to_owned();
    walk(follower, &Wanted { path, version: Some(version) }, Purpose::Zip);
}

/// Whether a login goes along with the first request to a module proxy.
fn has_login(follower: &Follower<'_>, path: &str) -> bool {
    if is_private(follower.machine, path) {
        return true;
    }
    elements(follower.machine).0.iter().any(|(element, _)| match element {
        Element::Proxy(link, userinfo) => {
            let way = super::follow::way(Tool::Go, link, follower.machine);
            userinfo.is_some() || way.is_none_or(|way| way.login.is_some())
        }
        Element::Direct | Element::Off | Element::Folder(_) | Element::Other => false,
    })
}

/// Returns the version to ask for: the newest where none was said (modload `queryProxy`). `None`: it is not known
/// yet, or nobody knows it, or it is the repository's to say and the repository was asked.
fn resolve(follower: &mut Follower<'_>, path: &str, version: Option<&str>) -> Option<String> {
    let prefix = match version {
        // The repository says which versions there are.
        Some(version) if !is_prefix(version) || is_private(follower.machine, path) => {
            return Some(version.to_owned());
        }
        prefix => prefix,
    };
    let wanted = Wanted { path: path.to_owned(), version: None };
    let Walked::Proxy(list) = walk(follower, &wanted, Purpose::List) else { return None };
    if let Some(chosen) = chosen(&String::from_utf8_lossy(&list.body), prefix) {
        return Some(chosen.to_owned());
    }
    if let Some(prefix) = prefix {
        return Some(prefix.to_owned());
    }
    let Walked::Proxy(latest) = walk(follower, &wanted, Purpose::Latest) else { return None };
    version_of(&latest.body)
}

/// Walks the list for one request.
fn walk<'a>(follower: &mut Follower<'a>, wanted: &Wanted, purpose: Purpose) -> Walked<'a> {
    if is_private(follower.machine, &wanted.path) {
        return direct(follower, wanted);
    }
    let mut best: Option<(Rank, Range<usize>)> = None;
    let start = follower.legs.len();
    for (element, next) in elements(follower.machine).0 {
        let from = follower.legs.len();
        let (rank, is_missing) = match element {
            Element::Direct => match direct(follower, wanted) {
                Walked::Failed => (Rank::Direct, false),
                done => {
                    settle(follower, start..from, None);
                    return done;
                }
            },
            Element::Off => break,
            Element::Other => (Rank::Proxy, false),
            Element::Folder(folder) => match shelved(follower.machine, &folder, wanted, purpose) {
                None => (Rank::Missing, true),
                Some(http) if http.status == Some(200) && is_usable(purpose, http) => {
                    settle(follower, start..from, None);
                    return Walked::Proxy(http);
                }
                Some(_) => (Rank::Proxy, false),
            },
            Element::Proxy(base, userinfo) => {
                match follower.fetch(&ask(&base, userinfo, wanted, purpose)) {
                    End::Pending => return Walked::Pending,
                    // What is none ends the walk as any other failure does.
                    End::Good(http) if !is_usable(purpose, http) => (Rank::Proxy, false),
                    End::Good(http) => {
                        settle(follower, start..from, None);
                        return Walked::Proxy(http);
                    }
                    End::Failed(Some(404 | 410)) => (Rank::Missing, true),
                    End::Failed(_) | End::Greeted => (Rank::Proxy, false),
                }
            }
        };
        let legs = from..follower.legs.len();
        // A folder's failure is the checks' to tell: it takes nothing from what a host said.
        let is_heard = !legs.is_empty() || best.is_none();
        // What `direct` says counts most, then the last failure, then the last "not here".
        if is_heard && best.as_ref().is_none_or(|(so_far, _)| rank >= *so_far) {
            best = Some((rank, legs));
        }
        if rank == Rank::Direct || (!is_missing && next == Next::WhenMissing) {
            break;
        }
    }
    let all = start..follower.legs.len();
    settle(follower, all, best.as_ref().map(|(_, legs)| legs));
    Walked::Failed
}

/// Whether go can read an answer at all, so that it goes on to the next file.
fn is_usable(purpose: Purpose, http: &Http) -> bool {
    match purpose {
        Purpose::Info | Purpose::Latest => {
            serde_json::from_slice::<serde_json::Value>(&http.body).is_ok()
        }
        Purpose::Zip => http.body.starts_with(b"PK"),
        _ => true,
    }
}

/// How much an element's failure counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Missing,
    Proxy,
    Direct,
}

/// Says of the legs in `all` that only those in `deciding` decide.
fn settle(follower: &mut Follower<'_>, all: Range<usize>, deciding: Option<&Range<usize>>) {
    for index in all {
        let decides = deciding.is_some_and(|deciding| deciding.contains(&index));
        if let Some(leg) = follower.legs.get_mut(index) {
            leg.decides &= decides;
        }
    }
}

/// Returns the name of a file, with `*` for the version.
fn file(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Mod => "@v/*.mod",
        Purpose::Zip => "@v/*.zip",
        Purpose::Latest => "@latest",
        Purpose::List => "@v/list",
        _ => "@v/*.info",
    }
}

/// Returns what a folder has of a module.
fn shelved<'a>(
    machine: &'a Machine,
    folder: &Path,
    wanted: &Wanted,
    purpose: Purpose,
) -> Option<&'a Http> {
    let version = gomod::escaped(wanted.version.as_deref().unwrap_or_default());
    machine.shelves.get(&shelf::file(folder, &wanted.path, &file(purpose).replace('*', &version)))
}

fn ask(base: &Link, userinfo: Option<Login>, wanted: &Wanted, purpose: Purpose) -> Ask {
    let (path, file) = (wire(&wanted.path), file(purpose));
    let version = wire(wanted.version.as_deref().unwrap_or_default());
    let rest = file.replace('*', &version);
    let link = below(base, &format!("{path}/{rest}"));
    Ask {
        tool: Tool::Go,
        purpose,
        link,
        module: Some(wanted.clone()),
        base: Some(base.clone()),
        userinfo,
    }
}

/// Returns a link below a base, whose query stays (cmd/go `web.Join`).
pub(in crate::core::doctor) fn below(base: &Link, path: &str) -> Link {
    let root = base.path.split('?').next().unwrap_or_default().trim_end_matches('/');
    Link { origin: base.origin.clone(), path: format!("{root}/{path}") }
}

/// Asks the module's own host: where its repository is, then the repository.
fn direct<'a>(follower: &mut Follower<'a>, wanted: &Wanted) -> Walked<'a> {
    if let Some(known) = go_import::known(&wanted.path) {
        return repository(follower, wanted, &known.vcs, &format!("https://{}", known.repository));
    }
    let import = match page(follower, wanted, &wanted.path) {
        Ok(Discovery::Found(import)) => import,
        Ok(_) => return Walked::Failed,
        Err(walked) => return walked,
    };
    // The page of the prefix must say the same.
    if import.prefix != wanted.path {
        match page(follower, wanted, &import.prefix) {
            Ok(Discovery::Found(again)) if again == import => {}
            Ok(_) => return Walked::Failed,
            Err(walked) => return walked,
        }
    }
    if import.vcs == "mod" {
        let Some(base) = redirect::url(&import.root) else { return Walked::Failed };
        return match follower.fetch(&ask(&base, None, wanted, Purpose::Info)) {
            End::Pending => Walked::Pending,
            End::Good(http) => Walked::Proxy(http),
            End::Failed(_) | End::Greeted => Walked::Failed,
        };
    }
    repository(follower, wanted, &import.vcs, &import.root)
}

/// Returns what a page of the module's host says of it. `Err`: how the walk ends without one.
fn page<'a>(
    follower: &mut Follower<'a>,
    wanted: &Wanted,
    path: &str,
) -> Result<Discovery, Walked<'a>> {
    let Some(link) = redirect::url(&format!("https://{path}?go-get=1")) else {
        return Err(Walked::Failed);
    };
    let ask = Ask {
        tool: Tool::Go,
        purpose: Purpose::Meta,
        link,
        module: Some(Wanted { path: path.to_owned(), version: wanted.version.clone() }),
        base: None,
        userinfo: None,
    };
    let from = follower.legs.len();
    let mut end = follower.fetch(&ask);
    // Without an answer over TLS go asks in clear, where GOINSECURE allows it (cmd/go/internal/web `get`).
    let is_insecure = follower
        .machine
        .go_setting("GOINSECURE")
        .is_some_and(|(patterns, _)| pattern::matches(patterns.raw(), path));
    if is_insecure && matches!(end, End::Failed(None)) {
        let Some(link) = redirect::url(&format!("http://{path}?go-get=1")) else {
            return Err(Walked::Failed);
        };
        end = follower.fetch(&Ask { link, ..ask });
        let behind = from + 1..follower.legs.len();
        if matches!(end, End::Good(_)) {
            settle(follower, from..from + 1, Some(&behind));
        }
    }
    match end {
        End::Pending => Err(Walked::Pending),
        End::Good(http) => Ok(go_import::discover(&http.body, &wanted.path)),
        // The tags count, whatever the status (cmd/go `repoRootForImportDynamic`).
        End::Failed(Some(_)) => {
            let body =
                follower.legs.last().and_then(|leg| leg.answer()).map(|http| http.body.clone());
            match go_import::discover(&body.unwrap_or_default(), &wanted.path) {
                found @ Discovery::Found(_) => Ok(found),
                _ => Err(Walked::Failed),
            }
        }
        End::Failed(None) | End::Greeted => Err(Walked::Failed),
    }
}

/// Asks the repository. Only git is followed: of the others, whether the program is there is all that is known.
fn repository<'a>(
    follower: &mut Follower<'a>,
    wanted: &Wanted,
    vcs: &str,
    root: &str,
) -> Walked<'a> {
    if vcs != "git" {
        return Walked::Failed;
    }
    let ask = url::of_repository(root, Some(wanted.clone()), follower.machine);
    let Some(ask) = ask else { return Walked::Failed };
    match follower.fetch(&ask) {
        End::Pending => Walked::Pending,
        End::Good(_) | End::Greeted => Walked::Direct,
        End::Failed(_) => Walked::Failed,
    }
}

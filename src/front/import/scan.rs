//! What stands in the files, and what can become of it here: the pure findings of `core::import`, and
//! what this machine, git and the policy say to them.
//!
//! It deliberately asks no store, so that a look changes nothing and prompts for nothing.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        config::Upstream,
        credential::{Key, Kind, Proof},
        door,
        import::{self, Asker, Found, MAX_FILE, Move, Stay, Verdict},
        netrc::import::{Kept, Stay as StayInNetrc},
        text::printable,
    },
    front::{
        Context, daemon,
        import::places::{Owner, Place},
        setup::short,
        ui,
        wiring::Wiring,
    },
    sys::{files, git, run},
};

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) sheets: Vec<Sheet>,
    /// Files that cannot be read, with the line and what is wrong.
    pub(super) broken: Vec<(PathBuf, usize, String)>,
}

/// A file with secrets.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) place: Place,
    /// The file as it was read.
    pub(super) source: Zeroizing<Vec<u8>>,
    pub(super) found: Vec<Found>,
    /// What becomes of each.
    pub(super) fates: Vec<Fate>,
}

/// What becomes of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It can move, and nothing was done yet.
    Movable,
    /// It can be stored; the file keeps it for now.
    Storable,
    /// It stays, and why.
    Stays(Reason),
    /// It is stored and out of the file.
    Moved,
    /// It is stored, and still in the file.
    Stored(Reason),
    /// The person said no.
    Declined,
    /// It has no secret at all: not to be told.
    Nothing,
}

/// Why a secret is still where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// As the finding has it.
    Core(Stay),
    /// Another entry of the netrc would answer.
    Netrc(Kept),
    /// The store has another one under this name.
    Conflict,
    /// An earlier one of these has the same name: in this file and line.
    Earlier(String),
    /// The file cannot be edited.
    File(String),
    /// The host would get it in clear text.
    ClearText(String),
    /// git is too old for it.
    OldGit,
    /// Nobody would ask gocred for it.
    Unwired(&'static str),
    /// pip would find another program `keyring` than ours, or none.
    NoKeyring,
    /// No loopback proxy would answer in the place of the proxy.
    NoProxy(String),
    /// The administrator forbids it.
    Locked(&'static str),
    /// The store does not take it.
    Refused(String),
}

/// The machine, as far as it decides.
struct Machine<'a> {
    context: &'a Context,
    is_git_new: bool,
    has_keyring: bool,
    has_proxy: bool,
}

/// Looks into the files.
pub(super) fn scan(places: Vec<Place>, context: &Context) -> Scan {
    let has_proxy = daemon::place(context).is_some();
    let (is_git_new, has_keyring) = (git::takes_headers(&context.env), is_keyring_ours(context));
    let machine = Machine { context, is_git_new, has_keyring, has_proxy };
    let mut scan = Scan { sheets: Vec::new(), broken: Vec::new() };
    for place in places {
        match read(&place) {
            Ok(Some((source, found))) if !found.is_empty() => {
                let hindrance = hindrance(&place);
                let fates = found.iter().map(|found| machine.fate(found, hindrance.as_ref()));
                let fates = fates.collect();
                scan.sheets.push(Sheet { place, source, found, fates });
            }
            Ok(_) => {}
            Err((line, what)) => scan.broken.push((place.file, line, what)),
        }
    }
    scan.settle_twins(context);
    scan
}

type Read = Option<(Zeroizing<Vec<u8>>, Vec<Found>)>;

fn read(place: &Place) -> Result<Read, (usize, String)> {
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    let source = files::read(&place.file, limit).map_err(|error| (0, error.to_string()))?;
    let Some(source) = source.map(Zeroizing::new) else { return Ok(None) };
    match import::find(place.form, &source) {
        Ok(found) => Ok(Some((source, found))),
        Err(error) => Err((error.line, error.what)),
    }
}

/// Says why a file is not to be edited.
fn hindrance(place: &Place) -> Option<Reason> {
    if place.owner == Owner::System {
        return Some(Reason::File("the administrator's file is only read".to_owned()));
    }
    if place.file.to_str().is_none() {
        return Some(Reason::File("the name of the file is not UTF-8".to_owned()));
    }
    match files::hindrance(&place.file) {
        Ok(None) => None,
        Ok(Some(what)) => Some(Reason::File(what.to_owned())),
        Err(error) => Some(Reason::File(error.to_string())),
    }
}

impl Machine<'_> {
    fn fate(&self, found: &Found, hindrance: Option<&Reason>) -> Fate {
        let one = match &found.verdict {
            Verdict::Stay(Stay::Netrc(StayInNetrc::NoPassword)) => return Fate::Nothing,
            Verdict::Stay(stay) => return Fate::Stays(Reason::Core(*stay)),
            Verdict::Move(one) => one,
        };
        let Move { key, proof, asker, cut: _ } = one;
        if is_our_door(key) {
            return Fate::Nothing;
        }
        if let Some(reason) = hindrance {
            return Fate::Stays(reason.clone());
        }
        let is_clear = key.kind == Kind::Git && key.origin.scheme() == "http";
        let host = self.context.config.host(&key.origin);
        if is_clear && !host.is_some_and(|host| host.allow_http) {
            return Fate::Stays(Reason::ClearText(key.origin.to_string()));
        }
        if matches!(proof, Proof::Encoded { .. }) && !self.is_git_new {
            return Fate::Stays(Reason::OldGit);
        }
        if *asker == Asker::Pip && !self.has_keyring {
            return Fate::Stays(Reason::NoKeyring);
        }
        if *asker != Asker::Proxy {
            return Fate::Movable;
        }
        let config = &self.context.config;
        let upstreams = &config.proxy.upstream;
        let is_listed =
            upstreams.iter().any(|one| matches!(one, Upstream::Via(one) if *one == key.origin));
        if is_listed || config.proxy.pac.is_some() {
            return if self.has_proxy { Fate::Movable } else { Fate::Storable };
        }
        if config.origins.lock_on(&["proxy", "upstream"]).is_some() {
            return Fate::Stays(Reason::Locked("`proxy.upstream`"));
        }
        Fate::Storable
    }
}

/// Whether the program `keyring` that pip finds is gocred, by that name.
fn is_keyring_ours(context: &Context) -> bool {
    let found = context.env.text("PATH").and_then(|path| run::find("keyring", path));
    let real = found.and_then(|program| std::fs::canonicalize(program).ok());
    let name = real.as_ref().and_then(|program| program.file_stem());
    name.is_some_and(|name| name == "gocred")
}

/// Whether it opens the door of the loopback proxy, which is no secret of an upstream.
pub(super) fn is_our_door(key: &Key) -> bool {
    let is_local = matches!(key.origin.host(), "127.0.0.1" | "localhost" | "[::1]");
    key.kind == Kind::Proxy && key.user == door::USER && is_local
}

impl Scan {
    /// Of several secrets under one name, the first counts: that is the one that a tool would have
    /// found.
    fn settle_twins(&mut self, context: &Context) {
        let mut seen: HashMap<Key, (Proof, String)> = HashMap::new();
        for sheet in &mut self.sheets {
            let at = |line: usize| sheet.at(line, context);
            let mut fates = Vec::with_capacity(sheet.fates.len());
            for (found, fate) in sheet.found.iter().zip(&sheet.fates) {
                let Verdict::Move(one) = &found.verdict else {
                    fates.push(fate.clone());
                    continue;
                };
                if !matches!(fate, Fate::Movable | Fate::Storable) {
                    fates.push(fate.clone());
                    continue;
                }
                match seen.get(&one.key) {
                    Some((proof, place)) if !proof.same(&one.proof) => {
                        fates.push(Fate::Stays(Reason::Earlier(place.clone())));
                    }
                    Some(_) => fates.push(fate.clone()),
                    None => {
                        let first = (one.proof.clone(), at(found.line));
                        seen.insert(one.key.clone(), first);
                        fates.push(fate.clone());
                    }
                }
            }
            sheet.fates = fates;
        }
    }

    /// Returns what has this fate: its file and its place there.
    pub(super) fn with(&self, wanted: impl Fn(&Fate) -> bool) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        for (sheet, one) in self.sheets.iter().enumerate() {
            let fits = one.fates.iter().enumerate().filter(|(_, fate)| wanted(fate));
            places.extend(fits.map(|(place, _)| (sheet, place)));
        }
        places
    }

    /// Returns whether the same secret was found in a file.
    pub(super) fn has(&self, wanted: &Move) -> bool {
        self.sheets.iter().flat_map(|sheet| &sheet.found).any(|found| match &found.verdict {
            Verdict::Move(one) => one.key == wanted.key && one.proof.same(&wanted.proof),
            Verdict::Stay(_) => false,
        })
    }

    /// Returns how something found moves.
    pub(super) fn moving(&self, (sheet, place): (usize, usize)) -> Option<&Move> {
        match &self.sheets.get(sheet)?.found.get(place)?.verdict {
            Verdict::Move(one) => Some(one),
            Verdict::Stay(_) => None,
        }
    }

    /// Returns what becomes of something found.
    pub(super) fn fate(&self, (sheet, place): (usize, usize)) -> Option<&Fate> {
        self.sheets.get(sheet)?.fates.get(place)
    }

    /// Sets what became of something found.
    pub(super) fn set(&mut self, (sheet, place): (usize, usize), fate: Fate) {
        let fates = self.sheets.get_mut(sheet).map(|sheet| &mut sheet.fates);
        if let Some(old) = fates.and_then(|fates| fates.get_mut(place)) {
            *old = fate;
        }
    }

    /// Returns whether somebody of these would have to ask gocred, who does not yet.
    pub(super) fn unwired(&self, wiring: &Wiring) -> (bool, bool) {
        let asks = |wanted: &[Asker]| {
            let movable = self.with(|fate| *fate == Fate::Movable);
            movable
                .iter()
                .filter_map(|place| self.moving(*place))
                .any(|one| wanted.contains(&one.asker))
        };
        let git = asks(&[Asker::Git, Asker::GitAndGo]) && !wiring.is_git_wired(None);
        let go = asks(&[Asker::Go, Asker::GitAndGo]) && !wiring.is_go_wired();
        (git, go)
    }
}

impl Sheet {
    /// Names a line of the file for people.
    pub(super) fn at(&self, line: usize, context: &Context) -> String {
        format!("{}:{line}", short(&self.place.file, context))
    }
}

/// Says what is unusual about a file, on standard error.
pub(super) fn remark(file: &Path, context: &Context) {
    let Ok(Some(about)) = files::about(file) else { return };
    let shown = short(file, context);
    if let Some(target) = about.link {
        ui::err(&format!("note: {shown} is a symbolic link to {}", short(&target, context)));
    }
    if about.shared {
        let word = ui::word(&file.display().to_string());
        ui::err(&format!(
            "note: others may read {shown}; change its secrets, and run `chmod 600 {}`",
            printable(&word)
        ));
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(stay) => stay.fmt(f),
            Self::Netrc(kept) => kept.fmt(f),
            Self::Conflict => f.write_str(
                "the store has another secret for this account; `gocred logout` removes that one",
            ),
            Self::Earlier(place) => write!(f, "{place} has another secret for this account"),
            Self::File(what) | Self::Refused(what) => f.write_str(what),
            Self::ClearText(origin) => write!(
                f,
                "{origin} gets it in clear text; `gocred login {origin} --allow-http` permits that"
            ),
            Self::OldGit => {
                f.write_str("git before 2.46 takes such a header from no helper; a newer one does")
            }
            Self::Unwired(command) => write!(f, "nobody would ask gocred for it; run `{command}`"),
            Self::NoKeyring => f.write_str(
                "pip asks a program `keyring`, and that is not gocred; link gocred under that name",
            ),
            Self::NoProxy(next) => write!(f, "nothing would answer there yet; {next}"),
            Self::Locked(key) => write!(f, "the administrator has locked {key}"),
        }
    }
}

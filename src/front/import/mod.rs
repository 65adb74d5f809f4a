//! `gocred import`: finds secrets in the files of other programs, shows them masked, moves them into
//! the store, and puts them back with `--undo`.
//!
//! It deliberately shows no secret, replaces none that the store has, reads no file of a repository,
//! and leaves no copy of a file behind. `import netrc` alone is older, and has its own file.

mod netrc;
mod places;
mod removed;
mod scan;
mod sealed;
mod show;
mod take;
mod undo;

use std::path::PathBuf;

use secrecy::zeroize::Zeroizing;

use self::{
    places::{Owner, Place},
    scan::{Fate, Reason, Scan},
    take::Taker,
};
use crate::{
    cli::{Import, ImportKind},
    core::{
        credential::Kind as Namespace,
        fault::{Fault, Kind},
        import::{self, Asker, Form, Verdict},
        setup::gitconfig,
        text::printable,
    },
    front::{
        Answer, Context, Outcome, keyring,
        login::{
            choose_store,
            prompt::{self, Consent},
        },
        setup::{self, Ask, Offered, Wanted},
        ui,
        wiring::Wiring,
    },
    sys::files,
};

/// The variables of a shell that may hold a password.
const PROXIES: [&str; 5] = ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "GOPROXY"];

/// Runs the command.
pub fn run(arguments: &Import, context: &Context) -> Outcome {
    let Import { kinds, file, dry_run, yes, json, remove, undo, force } = arguments;
    let is_netrc_alone = kinds.as_slice() == [ImportKind::Netrc];
    if is_netrc_alone && !dry_run && !yes && !json && !force {
        return netrc::run(arguments, context);
    }
    let usage = |what: &str| Err(Fault::new(Kind::Usage, what));
    if *remove {
        return usage("`--remove` goes with `netrc` alone; everything else is taken out anyway");
    }
    if *undo {
        if file.is_some() || !kinds.is_empty() {
            return usage("`--undo` takes back the whole last `import`");
        }
        let _lock = lock(context)?;
        let changed = if *force { undo::Changed::Force } else { undo::Changed::Refuse };
        return undo::run(choose_store::open(context)?.as_mut(), changed, context);
    }
    if file.is_some() && kinds.len() != 1 {
        return usage("`--file` needs the one KIND of that file");
    }
    Run { arguments, context, wiring: Wiring::read(context) }.import()
}

struct Run<'a> {
    arguments: &'a Import,
    context: &'a Context,
    wiring: Wiring,
}

impl Run<'_> {
    fn import(mut self) -> Outcome {
        let Import { dry_run, yes, json, .. } = self.arguments;
        let mut scan = self.scan();
        if *dry_run {
            self.show(&scan)?;
            return Ok(if candidates(&scan).is_empty() { Answer::No } else { Answer::Yes });
        }
        if !json {
            // What is not asked about is told once, in the end.
            if *yes && !candidates(&scan).is_empty() {
                show::broken(&scan, self.context);
            } else {
                show::list(&scan, self.context);
            }
            self.note_environment(&scan);
        }
        if candidates(&scan).is_empty() {
            if *json {
                show::json(&scan)?;
            } else {
                ui::out("there is nothing to move");
            }
            return Ok(Answer::No);
        }
        if !yes && !prompt::is_attended(&self.context.env) {
            return Err(Fault::new(Kind::Usage, "nobody is at the terminal to agree")
                .cause("nothing was changed")
                .hint("`gocred import --yes` moves what can move; `--dry-run` only looks"));
        }
        let mut store = choose_store::open(self.context)?;
        // Before anything is asked or changed.
        keyring::prove(store.as_mut())?;
        let _lock = lock(self.context)?;
        self.wire(&mut scan)?;
        let chosen = self.choose(&mut scan).map_err(|fault| match fault.kind {
            // What was wired stays wired.
            Kind::Interrupted => Fault::new(Kind::Interrupted, "interrupted; no secret was moved"),
            _ => fault,
        })?;
        let is_git_wired = self.wiring.is_git_wired(None);
        let proxy = &self.context.config.proxy;
        let mut taker = Taker {
            context: self.context,
            store: store.as_mut(),
            is_git_wired,
            has_upstream: !proxy.upstream.is_empty() || proxy.pac.is_some(),
        };
        let problems = taker.take(&mut scan, &chosen);
        self.end(&scan, problems)
    }

    fn scan(&self) -> Scan {
        let Import { kinds, file, .. } = self.arguments;
        let places = match (file, kinds.first()) {
            (Some(file), Some(kind)) => {
                let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                vec![Place { form: places::form(*kind), file, owner: Owner::Person }]
            }
            _ => places::usual(kinds, &self.wiring, self.context),
        };
        scan::scan(places, self.context)
    }

    fn show(&self, scan: &Scan) -> Result<(), Fault> {
        if self.arguments.json {
            return show::json(scan);
        }
        show::list(scan, self.context);
        self.note_environment(scan);
        let (git, go) = scan.unwired(&self.wiring);
        for (is_unwired, program, flag) in [(git, "git", "--git"), (go, "go", "--go")] {
            if is_unwired {
                ui::err(&format!(
                    "note: {program} does not ask gocred yet; `import` wires it first, as \
                     `gocred setup {flag}` does"
                ));
            }
        }
        if candidates(scan).is_empty() {
            ui::out("there is nothing to move");
        }
        Ok(())
    }

    /// Names the variables whose secret stands in none of the files: whoever sets them is not known.
    fn note_environment(&self, scan: &Scan) {
        let lines = PROXIES.into_iter().filter_map(|name| {
            let value = self.context.env.text(name).filter(|value| !value.contains('\''))?;
            let mut line = Zeroizing::new(String::with_capacity(name.len() + value.len() + 3));
            line.extend([name, "='", value, "'"]);
            Some((name, line))
        });
        for (name, line) in lines {
            let found = import::find(Form::Shell, line.as_bytes()).unwrap_or_default();
            let is_unknown = found.iter().any(|found| match &found.verdict {
                Verdict::Move(one) => !scan.has(one) && !scan::is_our_door(&one.key),
                Verdict::Stay(_) => false,
            });
            if is_unknown && self.arguments.kinds.is_empty() {
                ui::err(&format!(
                    "note: {name} of this shell holds a password, and none of the files sets it so"
                ));
            }
        }
    }

    /// Makes git and go ask gocred before their files lose what they have used so far. Wiring edits
    /// some of the same files, which are read again.
    fn wire(&mut self, scan: &mut Scan) -> Result<(), Fault> {
        let (git, go) = scan.unwired(&self.wiring);
        if !git && !go {
            return Ok(());
        }
        let ask = if self.arguments.yes { Ask::Never } else { Ask::First };
        let wanted = Wanted { git, go, ..Wanted::default() };
        if let Offered::Written(written) = setup::offer(&wanted, ask, self.context)? {
            for file in written {
                ui::err(&format!("note: wrote {file}; `gocred setup --undo` takes that back"));
            }
        }
        self.wiring = Wiring::read(self.context);
        *scan = self.scan();
        let (git, go) = scan.unwired(&self.wiring);
        for place in scan.with(|fate| *fate == Fate::Movable) {
            let command = match scan.moving(place).map(|one| one.asker) {
                Some(Asker::Git | Asker::GitAndGo) if git => "gocred setup --git",
                Some(Asker::Go) if go => "gocred setup --go",
                _ => continue,
            };
            scan.set(place, Fate::Stays(Reason::Unwired(command)));
        }
        Ok(())
    }

    /// Asks about each secret.
    fn choose(&self, scan: &mut Scan) -> Result<Vec<(usize, usize)>, Fault> {
        let mut chosen = Vec::new();
        for place in candidates(scan) {
            let line = scan.sheets.get(place.0).and_then(|sheet| {
                let found = sheet.found.get(place.1)?;
                Some(format!("{}  {}", sheet.at(found.line, self.context), printable(&found.name)))
            });
            let (Some(line), Some(one)) = (line, scan.moving(place)) else { continue };
            let question = format!("{line}: move it to {}?", show::name(&one.key));
            if self.arguments.yes || prompt::consent(&question)? == Consent::Given {
                chosen.push(place);
            } else {
                scan.set(place, Fate::Declined);
            }
        }
        for (index, sheet) in scan.sheets.iter().enumerate() {
            if chosen.iter().any(|(one, _)| *one == index) {
                scan::remark(&sheet.place.file, self.context);
            }
        }
        Ok(chosen)
    }

    /// Tells what became of everything.
    fn end(&self, scan: &Scan, mut problems: Vec<Fault>) -> Outcome {
        let moved = scan.with(|fate| *fate == Fate::Moved);
        let stored = scan.with(|fate| matches!(fate, Fate::Stored(_)));
        if self.arguments.json {
            show::json(scan)?;
        } else {
            let is_news = |reason: &Reason| {
                matches!(reason, Reason::Conflict | Reason::Refused(_) | Reason::Unwired(_))
            };
            let told = scan.with(|fate| match fate {
                Fate::Moved | Fate::Stored(_) => true,
                Fate::Stays(reason) => self.arguments.yes || is_news(reason),
                Fate::Declined | Fate::Movable | Fate::Nothing | Fate::Storable => false,
            });
            for (sheet, place) in told {
                let line =
                    scan.sheets.get(sheet).and_then(|one| show::line(one, place, self.context));
                ui::out(&line.unwrap_or_default());
            }
            let all = moved.len() + stored.len();
            ui::out(&format!(
                "{} moved, {} stored and still in their files",
                moved.len(),
                stored.len()
            ));
            if all > 0 {
                ui::err("hint: `gocred import --undo` puts the files back as they were");
            }
            self.remind(scan, &moved);
        }
        let last = problems.pop();
        for problem in problems {
            ui::err(&problem.to_string());
        }
        if let Some(last) = last {
            return Err(last);
        }
        let is_left = |fate: &Fate| match fate {
            Fate::Stays(reason) => !matches!(reason, Reason::Core(_)),
            Fate::Stored(_) => true,
            Fate::Declined | Fate::Movable | Fate::Moved | Fate::Nothing | Fate::Storable => false,
        };
        let is_done = !moved.is_empty() && scan.with(is_left).is_empty();
        Ok(if is_done { Answer::Yes } else { Answer::No })
    }

    /// Says what would undo the move, or what the move asks for.
    fn remind(&self, scan: &Scan, moved: &[(usize, usize)]) {
        let has = |wanted: &dyn Fn(&scan::Sheet) -> bool| {
            moved.iter().any(|(sheet, _)| scan.sheets.get(*sheet).is_some_and(wanted))
        };
        if has(&|sheet| sheet.place.form == Form::GitCredentials)
            && let Ok(listed) = &self.wiring.git
            && let Some(helper) = gitconfig::clear_text_helper(listed)
        {
            let command = printable(&gitconfig::removal(helper));
            ui::err(&format!(
                "note: git's helper `store` writes what git uses in clear again: {command}"
            ));
        }
        if has(&|sheet| sheet.place.form == Form::Netrc) {
            ui::err(
                "note: git and go find what was in the netrc; what reads that file itself, such as \
                 `curl --netrc`, does not any more",
            );
        }
        let is_proxy = |place: &(usize, usize)| {
            scan.moving(*place).is_some_and(|one| one.key.kind == Namespace::Proxy)
        };
        if moved.iter().any(is_proxy) {
            ui::err("note: shells that run already keep their old variables");
        }
    }
}

/// Returns what can move, or be stored at least.
fn candidates(scan: &Scan) -> Vec<(usize, usize)> {
    scan.with(|fate| matches!(fate, Fate::Movable | Fate::Storable))
}

/// Keeps two imports apart.
fn lock(context: &Context) -> Result<std::fs::File, Fault> {
    let file: PathBuf = context.paths.state.join("import");
    files::lock(&file).map_err(|error| {
        Fault::new(Kind::Config, "the state folder cannot be written")
            .cause(error)
            .at(file.display())
    })
}

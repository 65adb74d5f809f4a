//! What `setup` is about to write, file by file. It reads, and writes nothing.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    core::{
        config::Config,
        fault::{Fault, Kind},
        origin::Origin,
        setup::{Edit, apply, gitconfig, goenv},
        text::printable,
    },
    front::{
        Context,
        setup::goproxy::{self, Goproxy},
    },
    sys::{files, git, run},
};

/// The largest file that is edited, in bytes.
pub(super) const MAX_FILE: u64 = 4 * 1024 * 1024;

/// What is to be wired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// git's credential helper.
    pub(crate) git: bool,
    /// go's GOAUTH.
    pub(crate) go: bool,
    /// Patterns for GOPRIVATE.
    pub(crate) private: Vec<String>,
    /// That git tells the paths of the hosts that have rules for paths; `git` includes it.
    pub(crate) paths: bool,
    /// The URL for git's `http.proxy`.
    pub(crate) proxy: Option<String>,
    /// go's GOPROXY.
    pub(crate) goproxy: Goproxy,
}

/// The changes, and what the person has to know about them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// One after the other; a file may be there twice.
    pub(crate) changes: Vec<Change>,
    /// One sentence each.
    pub(crate) notes: Vec<String>,
    /// Where the daemon is to serve go once the changes are made.
    pub(super) front: Option<SocketAddr>,
}

/// The change of one file.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its bytes now; `None` is a file that does not exist.
    pub(crate) before: Option<Vec<u8>>,
    /// The edits, one after the other.
    pub(crate) edits: Vec<Edit>,
    /// Its bytes afterwards.
    pub(crate) after: Vec<u8>,
    /// Who has to serve before it is made.
    pub(crate) gate: Option<SocketAddr>,
}

/// The programs of ours that git and go are to run, by absolute path.
pub(crate) struct Programs {
    gocred: String,
    helper: String,
}

/// Makes the plan.
pub(crate) fn plan(wanted: &Wanted, context: &Context) -> Result<Plan, Fault> {
    let programs = programs(context)?;
    let mut plan = Plan::default();
    if wanted.git || wanted.paths || wanted.proxy.is_some() {
        plan_git(wanted, &programs, context, &mut plan)?;
    }
    if wanted.go || !wanted.private.is_empty() {
        plan_go(wanted, &programs, context, &mut plan)?;
    }
    if wanted.goproxy != Goproxy::No {
        goproxy::plan(&wanted.goproxy, context, &mut plan)?;
    }
    Ok(plan)
}

fn plan_git(
    wanted: &Wanted,
    programs: &Programs,
    context: &Context,
    plan: &mut Plan,
) -> Result<(), Fault> {
    let file = git::global_file(&context.env, &context.paths);
    let before = read(&file)?;
    let text = before.clone().unwrap_or_default();
    let wrong = |error: gitconfig::Error| {
        Fault::new(Kind::Config, "git's configuration is left alone")
            .cause(error)
            .at(file.display())
    };
    let mut edits = Vec::new();
    if wanted.git {
        let helper = gitconfig::helper_value(&programs.helper).ok_or_else(|| {
            Fault::new(Kind::Config, "the path of git-credential-gocred holds a control character")
        })?;
        let inherited = inherited(&file, context, plan)?;
        let wanted = gitconfig::Wanted { helper: &helper, inherited: &inherited };
        edits = gitconfig::wire(&text, wanted).map_err(wrong)?;
    }
    let origins = if wanted.git || wanted.paths { ruled(&context.config) } else { BTreeSet::new() };
    for origin in origins {
        let text = apply(&text, &edits).ok_or_else(|| wrong(gitconfig::Error::Unsafe))?;
        edits.extend(gitconfig::paths(&text, &origin).map_err(wrong)?);
    }
    if let Some(url) = &wanted.proxy {
        let text = apply(&text, &edits).ok_or_else(|| wrong(gitconfig::Error::Unsafe))?;
        edits.extend(gitconfig::proxy(&text, url).map_err(wrong)?);
    }
    plan.add(file, before, edits)
}

/// Returns the origins whose paths choose accounts.
fn ruled(config: &Config) -> BTreeSet<String> {
    let rules = config.accounts.iter().filter(|rule| rule.path.is_some());
    rules
        .flat_map(|rule| {
            let clear = Origin::new("http", &rule.host).ok();
            let is_clear = |it: &Origin| config.host(it).is_some_and(|host| host.allow_http);
            let clear = clear.filter(is_clear).map(|it| it.to_string());
            [Some(format!("https://{}", rule.host)), clear]
        })
        .flatten()
        .collect()
}

/// Returns the helpers that git asks before it comes to `file`, which are to be kept behind ours.
fn inherited(file: &Path, context: &Context, plan: &mut Plan) -> Result<Vec<String>, Fault> {
    let Some(program) = git::program(&context.env) else {
        plan.notes
            .push("git is not on PATH; its configuration is prepared all the same".to_owned());
        return Ok(Vec::new());
    };
    let listed = git::configuration(&program).map_err(|error| {
        Fault::new(Kind::Config, "git cannot read its configuration")
            .cause(printable(&error.to_string()))
            .hint("run `git config --list --show-origin`")
    })?;
    if let Some(helper) = gitconfig::clear_text_helper(&listed) {
        plan.notes.push(format!(
            "git's helper `store` writes what gocred answers into ~/.git-credentials, in clear; \
             remove it: `{}`",
            printable(&gitconfig::removal(helper))
        ));
    }
    let ours = format!("file:{}", file.display());
    let mut inherited: Vec<String> = Vec::new();
    for setting in listed.iter().take_while(|setting| setting.origin != ours) {
        if setting.key == "credential.helper" {
            if setting.value.is_empty() {
                inherited.clear();
            } else {
                inherited.push(setting.value.clone());
            }
        }
    }
    if inherited.iter().all(|helper| gitconfig::runs_gocred(helper)) {
        return Ok(Vec::new());
    }
    // A snippet may hold a secret, and is not copied into another file.
    if inherited.iter().any(|helper| helper.starts_with('!')) {
        plan.notes.push(
            "another file of git's configuration has a helper of its own, which git asks first; \
             see `git config --list --show-origin`"
                .to_owned(),
        );
        return Ok(Vec::new());
    }
    inherited.retain(|helper| !gitconfig::runs_gocred(helper));
    Ok(inherited)
}

/// Returns go's environment file.
pub(in crate::front) fn goenv_file(context: &Context) -> Result<PathBuf, Fault> {
    let Some(file) = context.paths.goenv.clone() else {
        return Err(Fault::new(
            Kind::Config,
            "GOENV=off keeps go from reading its environment file",
        )
        .hint("unset GOENV"));
    };
    if !file.is_absolute() {
        return Err(Fault::new(Kind::Config, "GOENV is not an absolute path").hint("unset GOENV"));
    }
    Ok(file)
}

fn plan_go(
    wanted: &Wanted,
    programs: &Programs,
    context: &Context,
    plan: &mut Plan,
) -> Result<(), Fault> {
    let file = goenv_file(context)?;
    let wrong = |error: goenv::Error| {
        let kind = match error {
            goenv::Error::Pattern { .. } => Kind::Usage,
            goenv::Error::Goauth(_) | goenv::Error::Path(_) => Kind::Config,
        };
        let fault = Fault::new(kind, "go's environment file is left alone")
            .cause(printable(&error.to_string()));
        match error {
            goenv::Error::Goauth(line) => fault
                .at(format!("{}:{line}", file.display()))
                .hint("run `go env -u GOAUTH`, then `gocred setup --go`"),
            goenv::Error::Path(_) | goenv::Error::Pattern { .. } => fault,
        }
    };
    let before = read(&file)?;
    let mut text = before.clone().unwrap_or_default();
    let mut edits = Vec::new();
    if wanted.go {
        let command = goenv::goauth_command(&programs.gocred).map_err(wrong)?;
        edits.extend(goenv::goauth(&text, &command).map_err(wrong)?);
        text = apply(&text, &edits).unwrap_or(text);
        plan.note_masked("GOAUTH", context);
    }
    if !wanted.private.is_empty() {
        edits.extend(goenv::goprivate(&text, &wanted.private).map_err(wrong)?);
        text = apply(before.as_deref().unwrap_or_default(), &edits).unwrap_or(text);
        edits.extend(goenv::gonosumdb(&text, &wanted.private));
        plan.note_masked("GOPRIVATE", context);
    }
    if edits.iter().any(|edit| edit.removed.trim() == "off") {
        plan.notes.push("GOAUTH was `off`; it is replaced".to_owned());
    }
    plan.add(file, before, edits)
}

impl Plan {
    /// Returns a file's bytes as the plan leaves them.
    pub(super) fn text(&self, file: &Path) -> Result<Option<Vec<u8>>, Fault> {
        match self.changes.iter().rfind(|change| change.file == file) {
            Some(change) => Ok(Some(change.after.clone())),
            None => read(file),
        }
    }

    pub(super) fn add(
        &mut self,
        file: PathBuf,
        before: Option<Vec<u8>>,
        edits: Vec<Edit>,
    ) -> Result<(), Fault> {
        self.add_gated(file, before, edits, None)
    }

    /// Adds a change that is made only while somebody serves at an address.
    pub(super) fn add_gated(
        &mut self,
        file: PathBuf,
        before: Option<Vec<u8>>,
        edits: Vec<Edit>,
        gate: Option<SocketAddr>,
    ) -> Result<(), Fault> {
        if edits.is_empty() {
            return Ok(());
        }
        let after = apply(before.as_deref().unwrap_or_default(), &edits)
            .ok_or_else(|| Fault::new(Kind::Internal, "an edit does not fit its file"))?;
        self.changes.push(Change { file, before, edits, after, gate });
        Ok(())
    }

    fn note_masked(&mut self, name: &'static str, context: &Context) {
        let is_ours = |value: &str| value.split(';').next().is_some_and(goenv::runs_gocred);
        if context.env.text(name).is_some_and(|value| name != "GOAUTH" || !is_ours(value)) {
            self.notes.push(format!(
                "the variable {name} in your environment hides what go's environment file says; unset it"
            ));
        }
    }
}

/// Reads a file that is to be edited.
pub(in crate::front) fn read(file: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        Fault::new(Kind::Config, "a file that setup edits cannot be read")
            .cause(cause)
            .at(file.display())
    };
    let found = files::read(file, MAX_FILE).map_err(|error| unreadable(&error))?;
    if found.is_none() && file.is_symlink() {
        return Err(unreadable(&"it is a symbolic link to a file that does not exist"));
    }
    Ok(found)
}

/// Finds our own programs.
fn programs(context: &Context) -> Result<Programs, Fault> {
    let gocred = own_program(context)?;
    let suffix = std::env::consts::EXE_SUFFIX;
    let helper = gocred.with_file_name(format!("git-credential-gocred{suffix}"));
    if !helper.is_file() {
        return Err(missing("git-credential-gocred is not beside gocred").at(helper.display()));
    }
    let text = |path: &Path| {
        let text = path.to_str().ok_or_else(|| missing("the path of gocred is not UTF-8"))?;
        Ok::<_, Fault>(if cfg!(windows) { text.replace('\\', "/") } else { text.to_owned() })
    };
    Ok(Programs { gocred: text(&gocred)?, helper: text(&helper)? })
}

/// Finds this program. A `gocred` on PATH that is this one is preferred to where the system says
/// that this process is from: it stays the same when a package manager moves the target.
pub(crate) fn own_program(context: &Context) -> Result<PathBuf, Fault> {
    let this = std::env::current_exe()
        .map_err(|error| missing("nobody knows where this program is").cause(error))?;
    let on_path = context
        .env
        .text("PATH")
        .and_then(|path| run::find(&format!("gocred{}", std::env::consts::EXE_SUFFIX), path))
        .filter(|found| found.canonicalize().ok() == this.canonicalize().ok());
    Ok(on_path.unwrap_or(this))
}

fn missing(what: &str) -> Fault {
    Fault::new(Kind::Config, what).hint("install gocred again")
}

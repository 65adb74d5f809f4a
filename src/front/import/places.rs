//! The files in which other programs keep secrets in clear.
//!
//! It deliberately names no file of a repository: what stands there is somebody else's, too.

use std::path::{Path, PathBuf};

use crate::{
    cli::ImportKind,
    core::import::Form,
    front::{Context, wiring::Wiring},
};

/// A file to look into.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) form: Form,
    pub(super) file: PathBuf,
    pub(super) owner: Owner,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Person,
    System,
}

/// What shells read at their start, below the home folder.
const PROFILES: &[&str] = &[
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".bash_aliases",
    ".zshenv",
    ".zprofile",
    ".zshrc",
    ".zlogin",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".xprofile",
    ".pam_environment",
];

/// Returns the usual files of the kinds, whether they exist or not; of no kind, all.
pub(super) fn usual(kinds: &[ImportKind], wiring: &Wiring, context: &Context) -> Vec<Place> {
    let home = &context.paths.home;
    let config = context.env.path("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let mut places = Vec::new();
    for form in Form::ALL {
        if !kinds.is_empty() && !kinds.iter().any(|kind| self::form(*kind) == form) {
            continue;
        }
        let files = match form {
            Form::Netrc => vec![context.paths.netrc.clone()],
            Form::GitCredentials => {
                vec![home.join(".git-credentials"), config.join("git/credentials")]
            }
            Form::GitConfig => git(&config, wiring, context),
            Form::GoEnv => context.paths.goenv.iter().cloned().collect(),
            Form::Npmrc => vec![home.join(".npmrc")],
            Form::Pip => {
                vec![config.join("pip/pip.conf"), home.join(".pip/pip.conf"), home.join(".pypirc")]
            }
            Form::Shell => shell(home, &config),
        };
        places.extend(files.into_iter().map(|file| Place { form, file, owner: Owner::Person }));
        if form == Form::Shell {
            let file = PathBuf::from("/etc/environment");
            places.push(Place { form, file, owner: Owner::System });
        }
    }
    without_twins(places)
}

/// Returns the grammar of a kind.
pub(super) fn form(kind: ImportKind) -> Form {
    match kind {
        ImportKind::GitCredentials => Form::GitCredentials,
        ImportKind::Gitconfig => Form::GitConfig,
        ImportKind::Goenv => Form::GoEnv,
        ImportKind::Netrc => Form::Netrc,
        ImportKind::Npmrc => Form::Npmrc,
        ImportKind::Pip => Form::Pip,
        ImportKind::Shell => Form::Shell,
    }
}

/// Returns git's files of the user, those that they include with them: git says which they are, asked
/// from a folder that is no repository.
fn git(config: &Path, wiring: &Wiring, context: &Context) -> Vec<PathBuf> {
    let mut files = match context.env.path("GIT_CONFIG_GLOBAL") {
        Some(file) => vec![file],
        None => vec![context.paths.home.join(".gitconfig"), config.join("git/config")],
    };
    for setting in wiring.git.iter().flatten() {
        let file = setting.origin.strip_prefix("file:").map(PathBuf::from);
        let Some(file) = file.filter(|file| file.starts_with(&context.paths.home)) else {
            continue;
        };
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

fn shell(home: &Path, config: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = PROFILES.iter().map(|name| home.join(name)).collect();
    files.push(config.join("fish/config.fish"));
    for (folder, ending) in [("fish/conf.d", "fish"), ("environment.d", "conf")] {
        let entries = std::fs::read_dir(config.join(folder)).into_iter().flatten().flatten();
        let found = entries.map(|entry| entry.path());
        let mut found: Vec<PathBuf> =
            found.filter(|file| file.extension().is_some_and(|end| end == ending)).collect();
        found.sort();
        files.extend(found);
    }
    files
}

/// Leaves out what is the same file under another name, such as a `.bash_profile` that links to
/// `.bashrc`: it is looked into once.
fn without_twins(places: Vec<Place>) -> Vec<Place> {
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut kept = Vec::new();
    for place in places {
        let real = std::fs::canonicalize(&place.file).unwrap_or_else(|_| place.file.clone());
        if !seen.contains(&real) {
            seen.push(real);
            kept.push(place);
        }
    }
    kept
}

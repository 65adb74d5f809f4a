//! git: where it is, its version, and its configuration as it reads it here, with lines; and as it reads it where go
//! starts it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::{
    core::doctor::{
        gitfile,
        machine::{GitValue, Program},
        place::Place,
        private::Private,
    },
    sys::{files, run},
};

/// How long git may take.
const LIMIT: Duration = Duration::from_secs(3);
/// The largest configuration file whose lines are looked up, in bytes.
const MOST: u64 = 1024 * 1024;

/// What was read.
#[derive(Default)]
pub(super) struct Git {
    pub(super) program: Option<Program>,
    pub(super) values: Vec<GitValue>,
    pub(super) error: Option<String>,
    pub(super) of_go: Option<(Vec<GitValue>, Option<String>)>,
}

/// Reads it, in a folder: what a repository says counts for git there, and is marked. Within one, it is also read as
/// go's git does, in go's cache.
pub(super) fn read(path: &str, folder: &Path, cache: Option<&Path>) -> Git {
    let name = if cfg!(windows) { "git.exe" } else { "git" };
    let Some(git) = run::find(name, path) else { return Git::default() };
    let asked = git.clone();
    let version = thread::Builder::new().spawn(move || version(&asked));
    let of_go = is_within(folder).then(|| {
        let (git, place) = (git.clone(), repository(cache));
        thread::Builder::new().spawn(move || split(list(&git, &place, &OF_GO)))
    });
    let (values, error) = split(list(&git, folder, &ENGLISH));
    let of_go = of_go.and_then(|it| it.ok()?.join().ok());
    let of_go = of_go.map(|(mut values, error)| {
        values.retain(|value: &GitValue| !value.is_local);
        (values, error)
    });
    let version = version.ok().and_then(|thread| thread.join().ok()).unwrap_or_default();
    Git { program: Some(Program { path: git, version }), values, error, of_go }
}

fn split(listed: Result<Vec<GitValue>, String>) -> (Vec<GitValue>, Option<String>) {
    match listed {
        Ok(values) => (values, None),
        Err(error) => (Vec::new(), Some(error)),
    }
}

/// Whether a folder is in a repository, or is one.
fn is_within(folder: &Path) -> bool {
    let is_bare = |at: &Path| at.join("HEAD").is_file() && at.join("objects").is_dir();
    folder.ancestors().any(|at| at.join(".git").exists() || is_bare(at))
}

/// Returns where go's git runs: in a bare repository of go's cache. All are alike to git's files; before there is one,
/// a folder that is in none has to do.
fn repository(cache: Option<&Path>) -> PathBuf {
    let folders = cache.and_then(|cache| fs::read_dir(cache.join("cache/vcs")).ok());
    let mut folders = folders.into_iter().flatten().flatten().map(|entry| entry.path());
    folders.find(|path| path.join("HEAD").is_file()).unwrap_or_else(|| PathBuf::from("/"))
}

fn version(git: &Path) -> String {
    let said = run::run(git, &[OsStr::new("version")], &ENGLISH, b"", LIMIT);
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    said.trim().strip_prefix("git version ").unwrap_or_default().to_owned()
}

/// Its messages are read, so they are English, and nothing is traced into them.
const ENGLISH: [(&str, Option<&OsStr>); 3] =
    [("GIT_TRACE", None), ("GIT_TRACE_SETUP", None), ("LANGUAGE", None)];

/// The same, and the repository is the one of the folder (codehost sets `GIT_DIR` to it).
const OF_GO: [(&str, Option<&OsStr>); 4] =
    [("GIT_TRACE", None), ("GIT_TRACE_SETUP", None), ("LANGUAGE", None), ("GIT_DIR", None)];

fn list(
    git: &Path,
    folder: &Path,
    variables: &[(&str, Option<&OsStr>)],
) -> Result<Vec<GitValue>, String> {
    let folder = folder.as_os_str();
    let arguments = |scope: bool| {
        let mut words = vec![OsStr::new("-C"), folder, OsStr::new("config"), OsStr::new("--list")];
        words.extend(["--show-origin", "-z"].map(OsStr::new));
        if scope {
            words.push(OsStr::new("--show-scope"));
        }
        words
    };
    let english = [variables, &[("LC_ALL", Some(OsStr::new("C")))]].concat();
    // A git that cannot even be started says nothing of its configuration.
    let ask = |scope| run::run(git, &arguments(scope), &english, b"", LIMIT).ok();
    let mut has_scope = true;
    let Some(mut output) = ask(true) else { return Ok(Vec::new()) };
    // `--show-scope` is younger than git 2.26: usage errors exit with 129.
    if output.code == Some(129) {
        has_scope = false;
        let Some(plain) = ask(false) else { return Ok(Vec::new()) };
        output = plain;
    }
    if output.code != Some(0) {
        let said = String::from_utf8_lossy(&output.stderr);
        let is_starved = output.code.is_none() || said.contains("Too many open files");
        if is_starved || !said.contains("config") {
            return Ok(Vec::new());
        }
        return Err(said.lines().next().unwrap_or("git config --list fails").to_owned());
    }
    Ok(values(&String::from_utf8_lossy(&output.stdout), has_scope, Path::new(folder)))
}

/// Reads the listing: scope, origin, and key with its value behind a line end.
fn values(listing: &str, has_scope: bool, folder: &Path) -> Vec<GitValue> {
    let mut files = Files::default();
    let mut fields = listing.split('\0');
    let mut values = Vec::new();
    while let Some(first) = fields.next() {
        let (scope, origin) =
            if has_scope { (first, fields.next().unwrap_or_default()) } else { ("", first) };
        let Some(setting) = fields.next() else { break };
        let (key, value) = setting.split_once('\n').unwrap_or((setting, "true"));
        let (place, is_relative) = match origin.strip_prefix("file:") {
            Some(file) => {
                let path = folder.join(file);
                let line = files.line(&path, key);
                (Place::File(path, line), !Path::new(file).is_absolute())
            }
            None => (Place::Variable("GIT_CONFIG_COUNT".to_owned()), false),
        };
        let is_local = matches!(scope, "local" | "worktree") || !has_scope && is_relative;
        let value = Private::of(key, value);
        values.push(GitValue { key: key.to_owned(), value, place, is_local });
    }
    values
}

/// The lines of the files that were named so far, and how many of each are used up.
#[derive(Default)]
struct Files(BTreeMap<PathBuf, (Vec<(String, usize)>, usize)>);

impl Files {
    /// Returns the line of the next value of a key in a file.
    fn line(&mut self, path: &Path, key: &str) -> Option<usize> {
        let (lines, next) = self.0.entry(path.to_owned()).or_insert_with(|| {
            let text = files::read(path, MOST).ok().flatten().unwrap_or_default();
            (gitfile::lines(&text), 0)
        });
        let is_it = |(own, _): &(String, usize)| own == key;
        // A file that is included twice begins anew.
        let behind = lines.iter().skip(*next).position(is_it).map(|at| at + *next);
        let at = behind.or_else(|| lines.iter().position(is_it))?;
        *next = at + 1;
        lines.get(at).map(|(_, line)| *line)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{is_within, repository, values};
    use crate::core::doctor::place::Place;

    #[test]
    fn a_listing_becomes_values_with_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        crate::sys::files::write_private(&file, b"[a]\n\tb = 1\n\tb = 2\n\tc\n").unwrap();
        let listing = "local\0file:config\0a.b\n1\0local\0file:config\0a.b\n2\0local\0file:config\0a.c\0\
                       command\0command line:\0a.b\n3\0";
        let values = values(listing, true, folder.path());
        let lines: Vec<_> = values.iter().map(|value| value.place.clone()).collect();
        let at = |line| Place::File(file.clone(), Some(line));
        let variable = Place::Variable("GIT_CONFIG_COUNT".to_owned());
        assert_eq!(lines, [at(2), at(3), at(4), variable]);
        assert!(values[0].is_local && !values[3].is_local);
        assert_eq!(values[2].value.raw(), "true");
    }

    #[test]
    fn go_starts_git_in_its_cache() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        assert_eq!(repository(None), PathBuf::from("/"));
        assert_eq!(repository(Some(folder.path())), PathBuf::from("/"));
        std::fs::create_dir_all(at("cache/vcs/0a/objects")).unwrap();
        std::fs::create_dir_all(at("x/.git")).unwrap();
        std::fs::create_dir_all(at("x/y")).unwrap();
        crate::sys::files::write_private(&at("cache/vcs/0a/HEAD"), b"ref: x").unwrap();
        assert_eq!(repository(Some(folder.path())), at("cache/vcs/0a"));
        assert!(is_within(&at("x/y")) && is_within(&at("cache/vcs/0a")));
        assert!(!is_within(folder.path()));
    }

    #[test]
    fn without_scopes_a_relative_file_is_the_repositorys() {
        let listing = "file:.git/config\0a.b\n1\0file:/etc/gitconfig\0a.b\n2\0";
        let values = values(listing, false, Path::new("/x"));
        assert!(values[0].is_local && !values[1].is_local);
        assert_eq!(values[1].place, Place::File(PathBuf::from("/etc/gitconfig"), None));
    }
}

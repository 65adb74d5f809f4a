//! What is known of the paths and programs that settings name, without reading them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use crate::{
    core::{
        doctor::{
            gitfile::Helper,
            gomod::{self, GoMod},
            gosettings,
            machine::{Library, Machine, Stat, What},
            shelf, ssh,
        },
        goproxy,
    },
    sys::{env::Env, paths::Paths, run},
};

/// The variables that name a file or folder.
const VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "GIT_PROXY_SSL_CAINFO",
    "GIT_PROXY_SSL_CERT",
    "GIT_PROXY_SSL_KEY",
    "CURL_CA_BUNDLE",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "GOTMPDIR",
    "TMPDIR",
    "GOBIN",
    "NETRC",
];
/// The last part of the keys of git's configuration that do.
const KEYS: &[&str] = &[
    "sslcainfo",
    "sslcapath",
    "sslcert",
    "sslkey",
    "proxysslcainfo",
    "proxysslcert",
    "proxysslkey",
    "askpass",
    "helper",
];

/// A module and its folders take more inodes than this.
const FEW: u64 = 16;

/// Where a system has its libraries.
const LIBRARIES: &[&str] = &[
    "/usr/lib",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
];

/// So much of a program holds the names of its libraries, in bytes.
const NAMES: u64 = 64 * 1024;

/// Returns whether there is a terminal, wherever input and output of this program lead.
pub(super) fn has_terminal() -> bool {
    cfg!(unix) && File::open("/dev/tty").is_ok()
}

/// Looks at every path that matters.
pub(super) fn paths(machine: &Machine, own: &Paths) -> BTreeMap<PathBuf, Stat> {
    let mut paths: BTreeSet<PathBuf> = BTreeSet::new();
    let variables = VARIABLES.iter().filter_map(|name| machine.variable(name));
    // A relative path begins where the tools run.
    paths.extend(variables.map(|value| machine.folder.join(value.raw())));
    let home = machine.home.as_deref();
    for entry in &machine.git_config {
        if entry.key.rsplit('.').next().is_some_and(|last| KEYS.contains(&last)) {
            let value = entry.value.raw();
            let path = match (Helper::parse(value), value.strip_prefix("~/"), home) {
                (_, Some(below), Some(home)) => home.join(below),
                (Helper::Path(path), _, _) => path,
                _ if entry.key.contains(".ssl") || entry.key.contains(".proxyssl") => {
                    machine.folder.join(value)
                }
                _ => PathBuf::from(value),
            };
            paths.insert(path);
        }
    }
    let programs = machine.variable("GIT_EXEC_PATH");
    paths.insert(PathBuf::from(format!("/tmp/krb5cc_{}", machine.uid)));
    paths.extend(programs.map(|folder| PathBuf::from(folder.raw()).join("git-remote-https")));
    paths.insert(gosettings::tmpdir(machine).0);
    paths.extend(machine.netrc.keys().cloned());
    paths.extend([own.config.clone(), own.state.clone(), own.audit.clone(), own.vault.clone()]);
    paths.extend(home.map(Path::to_owned));
    paths.extend(machine.goenv.as_ref().map(|text| text.path.clone()));
    if let Some(cache) = super::modcache(machine) {
        paths.extend(
            ["cache", "cache/download", "cache/vcs", "cache/lock"].map(|name| cache.join(name)),
        );
        paths.insert(cache);
    }
    paths.extend(toolchains(machine).iter().filter_map(|it| gosettings::toolchain(machine, it)));
    paths.extend(gosettings::gocache(machine));
    paths.extend(of_folder(machine));
    let goproxy = machine.go_setting("GOPROXY");
    let elements = goproxy.iter().flat_map(|(list, _)| goproxy::pieces(list.raw()));
    paths.extend(elements.filter_map(|(element, _)| shelf::folder(element)));
    paths.retain(|path| path.is_absolute());
    // What is not there yet is made in the nearest folder that is.
    let above: Vec<PathBuf> = paths.iter().filter_map(|path| existing(path)).collect();
    paths.extend(above);
    paths.into_iter().map(|path| (path.clone(), stat(&path))).collect()
}

/// Returns the versions of Go that something here names.
fn toolchains(machine: &Machine) -> Vec<String> {
    let file = machine.module.as_ref().map(|module| GoMod::parse(&module.go_mod));
    let GoMod { go, toolchain, .. } = file.unwrap_or_default();
    let pinned = machine
        .go_setting("GOTOOLCHAIN")
        .and_then(|(value, _)| Some(value.raw().split('+').next()?.strip_prefix("go")?.to_owned()));
    [go, toolchain].into_iter().flatten().map(|(version, _)| version).chain(pinned).collect()
}

/// Returns a path without `.` and `..`, as it is written: links are not followed.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Returns what is looked at of the folder itself: the repository that it is in, and the modules that go.mod takes
/// from other folders.
fn of_folder(machine: &Machine) -> Vec<PathBuf> {
    let repository = machine.folder.ancestors().map(|folder| folder.join(".git"));
    let mut paths: Vec<PathBuf> = repository.filter(|path| path.exists()).take(1).collect();
    if let Some(module) = &machine.module
        && let Some(root) = module.go_mod.path.parent()
    {
        let folders = gomod::folders(&module.go_mod).into_iter();
        paths.extend(folders.map(|(_, folder, _)| root.join(folder).join("go.mod")));
    }
    paths
}

fn existing(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|path| path.symlink_metadata().is_ok()).map(Path::to_owned)
}

/// Looks at a path.
#[cfg(unix)]
pub(super) fn stat(path: &Path) -> Stat {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

    let Ok(about) = path.metadata() else { return Stat::default() };
    let what = match about.file_type() {
        kind if kind.is_file() => What::File,
        kind if kind.is_dir() => What::Folder,
        _ => What::Other,
    };
    let system = statvfs(path).ok();
    Stat {
        what,
        mode: about.mode() & 0o7777,
        owner: about.uid(),
        is_writable: access(path, Access::WRITE_OK).is_ok(),
        is_readable: access(path, Access::READ_OK).is_ok(),
        is_read_only: system
            .as_ref()
            .is_some_and(|it| it.f_flag.contains(StatVfsMountFlags::RDONLY)),
        // Pseudo file systems have no blocks at all, and are not full.
        // With hardly an inode left nothing can be made, however many bytes are free.
        free: system.filter(|it| it.f_blocks > 0).map(|it| match (it.f_files, it.f_favail) {
            (1.., ..FEW) => 0,
            _ => it.f_bavail.saturating_mul(it.f_frsize),
        }),
    }
}

/// Looks at a path, without owners and modes.
#[cfg(not(unix))]
pub(super) fn stat(path: &Path) -> Stat {
    let Ok(about) = path.metadata() else { return Stat::default() };
    let what = if about.is_dir() { What::Folder } else { What::File };
    let is_writable = !about.permissions().readonly();
    Stat { what, is_writable, is_readable: true, ..Stat::default() }
}

/// Looks for the programs that settings name, on PATH and beside git's own.
pub(super) fn programs(machine: &Machine, env: &Env) -> BTreeMap<String, Option<PathBuf>> {
    let mut names: BTreeSet<String> =
        ["hg", "svn", "fossil", "bzr", "ssh"].map(str::to_owned).into();
    let is_helper = |key: &str| key.starts_with("credential.") && key.ends_with(".helper");
    let helpers = machine.git_config.iter().filter(|entry| is_helper(&entry.key));
    names.extend(helpers.filter_map(|entry| Helper::parse(entry.value.raw()).program()));
    if let Some((goauth, _)) = machine.go_setting("GOAUTH") {
        let firsts = goauth.raw().split(';').filter_map(|part| part.split_whitespace().next());
        names.extend(firsts.map(|word| word.trim_matches(['"', '\'']).to_owned()));
    }
    names.extend([true, false].iter().filter_map(|go| ssh::command(machine, *go).program));
    for name in ["GIT_ASKPASS", "SSH_ASKPASS"] {
        names.extend(machine.variable(name).map(|value| value.raw().to_owned()));
    }
    let mut path = env.text("PATH").unwrap_or_default().to_owned();
    for folder in git_folders(machine) {
        path.push(':');
        path.push_str(&folder.to_string_lossy());
    }
    let names = names.into_iter().filter(|name| !name.is_empty());
    names
        .map(|name| {
            let found = if name.starts_with('/') {
                Some(PathBuf::from(&name)).filter(|path| run::is_executable(path))
            } else {
                run::find(&name, &path)
            };
            (name, found)
        })
        .collect()
}

/// Returns whose TLS git speaks: Debian's libcurl has another name where it is built with `GnuTLS`, and the one without
/// may be built with any. The names of a program's libraries stand in its first pages. `None`: it was not found.
pub(super) fn git_library(machine: &Machine) -> Option<Library> {
    let first = |folders: &[PathBuf], name: &str| {
        let file = folders.iter().rev().find_map(|folder| File::open(folder.join(name)).ok())?;
        let mut start = Vec::new();
        file.take(NAMES).read_to_end(&mut start).ok()?;
        Some(start)
    };
    let names = |start: &[u8], name: &[u8]| start.windows(name.len()).any(|window| window == name);
    let folders = git_folders(machine);
    let git = first(&folders, "git-remote-https")?;
    if names(&git, b"libcurl-gnutls.so") {
        return Some(Library::GnuTls);
    }
    let beside = folders.iter().filter_map(|folder| Some(folder.parent()?.parent()?.join("lib")));
    let system = LIBRARIES.iter().map(PathBuf::from);
    let curl = first(&beside.chain(system).collect::<Vec<_>>(), "libcurl.so.4")?;
    match (names(&curl, b"libssl.so"), names(&curl, b"libgnutls.so")) {
        (true, false) if names(&git, b"libcurl.so") => Some(Library::OpenSsl),
        (false, true) if names(&git, b"libcurl.so") => Some(Library::GnuTls),
        _ => None,
    }
}

/// Returns the folders where git has programs of its own (`git --exec-path`), without asking it.
fn git_folders(machine: &Machine) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        ["/usr/lib/git-core", "/usr/libexec/git-core"].map(PathBuf::from).into();
    folders.extend(machine.variable("GIT_EXEC_PATH").map(|path| PathBuf::from(path.raw())));
    let real = machine.git.as_ref().and_then(|git| git.path.canonicalize().ok());
    if let Some(prefix) = real.as_deref().and_then(Path::parent).and_then(Path::parent) {
        folders.extend(["lib/git-core", "libexec/git-core"].map(|name| prefix.join(name)));
    }
    folders
}

/// Returns what kind of machine within another this is.
pub(super) fn within(machine: &Machine) -> Option<&'static str> {
    if machine.variable("WSL_DISTRO_NAME").is_some() {
        return Some("WSL");
    }
    let marks = ["/.dockerenv", "/run/.containerenv"];
    marks.iter().any(|mark| Path::new(mark).exists()).then_some("a container")
}

/// Returns the newest of the files that were seen: a clock that is behind it is wrong.
pub(super) fn newest(machine: &Machine) -> Option<(PathBuf, u64)> {
    let fixed = ["/etc/hosts", "/etc/resolv.conf"].map(PathBuf::from);
    let seen = machine.paths.keys().cloned().chain(fixed);
    let timed = seen.filter_map(|path| {
        let modified = path.metadata().ok()?.modified().ok()?;
        let at = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((path, at.as_secs()))
    });
    timed.max_by_key(|(_, at)| *at)
}

//! Runs a case: builds its machine, lets the real tools loose, asks the doctor, and compares.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use super::case::{ALICE, ATHENS, Case, PUSER, Target, Tool, WRONG};
use crate::support::home::{GOCRED, HELPER};

/// How long a tool that must hang is watched.
const HANGS: Duration = Duration::from_secs(3);
/// How long any other program may take.
const LIMIT: Duration = Duration::from_secs(40);

/// The machine of a case: a home, a folder, variables, and what stands in place of files below /etc.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    farm: PathBuf,
    env: BTreeMap<String, OsString>,
    mounts: Vec<(PathBuf, &'static str)>,
    wrap: Vec<String>,
    user: Option<u32>,
    background: Vec<Child>,
    count: usize,
}

/// How a program ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// `None`: killed at its limit, or by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) is_killed: bool,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Stage {
    /// Builds the machine of a case.
    pub(crate) fn new(case: &Case, farm: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("case-")
            .tempdir_in(farm.join("homes"))
            .expect("a folder for a case");
        let mut stage = Self {
            folder,
            farm: farm.to_owned(),
            env: BTreeMap::new(),
            mounts: Vec::new(),
            wrap: Vec::new(),
            user: case.user,
            background: Vec::new(),
            count: 0,
        };
        for folder in ["home/work", "home/.config/go/telemetry", "home/.local/state", "home/.cache"]
        {
            fs::create_dir_all(stage.folder.path().join(folder)).expect("a folder");
        }
        fs::create_dir(stage.folder.path().join("run")).expect("a folder");
        fs::set_permissions(stage.folder.path(), PermissionsExt::from_mode(0o755)).expect("0755");
        stage.variables(case);
        stage.files(case);
        stage.etc(case);
        stage.wrap = case.wrap.iter().map(|word| stage.text(word)).collect();
        if let Some(uid) = case.user {
            own(stage.folder.path(), uid);
        }
        for (path, uid) in &case.owners {
            own(&stage.path(path), *uid);
        }
        if let Some(prepare) = case.prepare {
            prepare(&mut stage);
        }
        stage
    }

    fn variables(&mut self, case: &Case) {
        let (home, run) = (self.home(), self.folder.path().join("run"));
        let authority: OsString = self.farm.join("ca.pem").into();
        for (name, value) in [
            ("HOME", home.clone().into()),
            ("PATH", self.programs(&case.without)),
            ("LC_ALL", "C.UTF-8".into()),
            ("XDG_CONFIG_HOME", home.join(".config").into()),
            ("XDG_STATE_HOME", home.join(".local/state").into()),
            ("XDG_CACHE_HOME", home.join(".cache").into()),
            ("XDG_RUNTIME_DIR", run.into()),
            ("SSL_CERT_FILE", authority.clone()),
            ("GIT_SSL_CAINFO", authority.clone()),
            ("CURL_CA_BUNDLE", authority),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("CORP_DEPLOY_TOKEN", "kanarie-deploy-5Gh".into()),
        ] {
            self.env.insert(name.to_owned(), value);
        }
        for (name, value) in &case.env {
            match value {
                Some(value) => self.env.insert(name.clone(), self.text(value).into()),
                None => self.env.remove(name),
            };
        }
    }

    fn files(&self, case: &Case) {
        let home = self.home();
        fs::write(home.join(".config/go/telemetry/mode"), "off").expect("telemetry");
        fs::write(home.join("work/go.mod"), "module work.test/main\n\ngo 1.21\n").expect("go.mod");
        let mut lines = vec![
            "GOPROXY=https://goproxy.corp.test".to_owned(),
            format!("GOSUMDB={}", self.key()),
            "GOTOOLCHAIN=local".to_owned(),
            "GOFLAGS=-modcacherw".to_owned(),
        ];
        for line in &case.go_env {
            let name = line.split('=').next().expect("a name");
            lines.retain(|old| old.split('=').next() != Some(name));
            lines.extend(line.contains('=').then(|| self.text(line)));
        }
        fs::write(home.join(".config/go/env"), lines.join("\n") + "\n").expect("go's file");
        let identity = "[user]\n\tname = Alice\n\temail = alice@corp.test\n";
        let config = format!("{identity}{}", self.text(&case.git_config));
        fs::write(home.join(".gitconfig"), config).expect("git's file");
        for file in &case.files {
            let path = self.path(&file.path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
            let Some(bytes) = &file.text else {
                fs::create_dir_all(&path).expect("a folder");
                continue;
            };
            let bytes = match std::str::from_utf8(bytes) {
                Ok(text) => self.text(text).into_bytes(),
                Err(_) => bytes.clone(),
            };
            fs::write(&path, bytes).expect("a file");
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("0600");
        }
        for (path, mode) in &case.modes {
            let mode = PermissionsExt::from_mode(*mode);
            fs::set_permissions(self.path(path), mode).expect("a mode");
        }
    }

    fn etc(&mut self, case: &Case) {
        let mut instead = |name: &str, place: &'static str, text: String| {
            let file = self.folder.path().join(name);
            fs::write(&file, text).expect("a file of /etc");
            self.mounts.push((file, place));
        };
        if !case.hosts.is_empty() {
            let lines = case.hosts.join("\n");
            instead(
                "hosts",
                "/etc/hosts",
                format!("127.0.0.1 localhost\n::1 localhost\n{lines}\n"),
            );
        }
        if let Some(text) = &case.resolv {
            instead("resolv.conf", "/etc/resolv.conf", text.clone());
        }
        if let Some(text) = &case.nsswitch {
            instead("nsswitch.conf", "/etc/nsswitch.conf", text.clone());
        }
    }

    /// PATH, where a folder that holds a program that must not be there is replaced by links to the rest.
    fn programs(&self, without: &[String]) -> OsString {
        let mut path = crate::support::path();
        if self.user.is_some() {
            path = format!("{}:{path}", self.farm.join("go/bin").display());
        }
        let folders = std::env::split_paths(&path).enumerate().map(|(index, folder)| {
            if !without.iter().any(|name| folder.join(name).exists()) {
                return folder;
            }
            let rest = self.folder.path().join(format!("bin{index}"));
            fs::create_dir(&rest).expect("a folder");
            for entry in fs::read_dir(&folder).expect("a folder of PATH").flatten() {
                let name = entry.file_name();
                if !without.iter().any(|own| name == own.as_str()) {
                    symlink(entry.path(), rest.join(name)).expect("a link");
                }
            }
            rest
        });
        std::env::join_paths(folders).expect("PATH")
    }

    /// The public key of the farm's checksum database, as GOSUMDB names it.
    pub(crate) fn key(&self) -> String {
        fs::read_to_string(self.farm.join("sumdb.key")).expect("the key").trim().to_owned()
    }

    /// The home of the case.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder in which the tools run.
    pub(crate) fn work(&self) -> PathBuf {
        self.home().join("work")
    }

    /// Fills in `{HOME}` and the others ([`super::case`]).
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let (home, work) = (self.home(), self.work());
        let (authority, run) = (self.farm.join("ca.pem"), self.folder.path().join("run"));
        for (name, value) in [
            ("{HOME}", home.as_path()),
            ("{WORK}", &work),
            ("{RUN}", &run),
            ("{GOCRED}", Path::new(GOCRED)),
            ("{HELPER}", Path::new(HELPER)),
            ("{CA}", &authority),
            ("{FARM}", &self.farm),
        ] {
            text = text.replace(name, &value.to_string_lossy());
        }
        for (name, value) in
            [("{ALICE}", ALICE), ("{ATHENS}", ATHENS), ("{PUSER}", PUSER), ("{WRONG}", WRONG)]
        {
            text = text.replace(name, value);
        }
        if text.contains("{SUMDB}") {
            text = text.replace("{SUMDB}", &self.key());
        }
        text
    }

    /// Where a path of a case is: `~/…`, `{WORK}/…`, absolute.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        match path.strip_prefix("~/") {
            Some(rest) => self.home().join(rest),
            None => self.text(path).into(),
        }
    }

    /// Sets a variable of the tools and of the doctor.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let value = self.text(value);
        self.env.insert(name.to_owned(), value.into());
    }

    /// Runs a script with the case's variables, in its folder, as root and without [`Case::wrap`]; it must
    /// succeed. Returns what it printed.
    pub(crate) fn sh(&mut self, script: &str) -> String {
        let script = self.text(script);
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", &script]).env_clear().envs(&self.env).current_dir(self.work());
        command.env("PATH", format!("{}:/usr/sbin:/sbin", crate::support::path()));
        let ended = self.end(command, None, LIMIT);
        assert_eq!(ended.code, Some(0), "{script}: {ended:?}");
        ended.out
    }

    /// Starts a script like [`Self::sh`] that goes on until the case ends.
    pub(crate) fn serve(&mut self, script: &str) {
        let script = self.text(script);
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", &script]).env_clear().envs(&self.env).current_dir(self.work());
        command.env("PATH", format!("{}:/usr/sbin:/sbin", crate::support::path()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        self.background.push(command.spawn().expect("a program in the background"));
    }

    /// Runs a program as the case's user sees the world.
    pub(crate) fn run(&mut self, words: &[String], input: Option<&str>, limit: Duration) -> Ended {
        let mut line: Vec<String> = Vec::new();
        if !self.mounts.is_empty() {
            let mounts: Vec<String> = self
                .mounts
                .iter()
                .map(|(file, place)| format!("mount --bind {} {place}", file.display()))
                .collect();
            let script = format!("{} && exec \"$@\"", mounts.join(" && "));
            line.extend(["unshare", "--mount", "/bin/sh", "-c"].map(str::to_owned));
            line.extend([script, "sh".to_owned()]);
        }
        if let Some(uid) = self.user {
            line.extend(["setpriv", "--reuid"].map(str::to_owned));
            line.extend([uid.to_string(), "--regid".to_owned(), uid.to_string()]);
            line.push("--clear-groups".to_owned());
        }
        // The shell of `wrap` and the tools see the case's PATH; what leads there does not need it.
        if self.env.contains_key("PATH") {
            line.extend(self.wrap.iter().cloned());
        }
        line.extend(words.iter().cloned());
        let mut line = line.into_iter();
        let mut command = Command::new(find(&line.next().expect("a program"), &self.env));
        command.args(line).env_clear().envs(&self.env).current_dir(self.work());
        self.end(command, input, limit)
    }

    fn end(&mut self, mut command: Command, input: Option<&str>, limit: Duration) -> Ended {
        self.count += 1;
        let file = |name: &str| self.folder.path().join(format!("{name}{}", self.count));
        let create = |name: &str| File::create(file(name)).expect("a file for the output");
        command.stdout(create("out")).stderr(create("err")).process_group(0);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let start = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            let _ = pipe.write_all(input.as_bytes());
        }
        let group = Pid::from_child(&child);
        let handle = pidfd_open(group, PidfdFlags::empty()).expect("a child");
        let left = Timespec::try_from(limit).expect("a limit");
        let ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&left)).unwrap_or(0);
        let took = start.elapsed();
        // Also what it left behind.
        let _ = kill_process_group(group, Signal::KILL);
        let status = child.wait().expect("a child");
        let read =
            |name| String::from_utf8_lossy(&fs::read(file(name)).expect("read")).into_owned();
        let code = status.code().filter(|_| ended > 0);
        Ended { code, is_killed: ended == 0, out: read("out"), err: read("err"), took }
    }

    /// Runs one of the tools at the target.
    pub(crate) fn tool(&mut self, tool: Tool, case: &Case, limit: Duration) -> Ended {
        let words: Vec<String> = match (tool, &case.target) {
            (Tool::Go, target) => {
                let arguments = match (&case.go, target) {
                    (Some(own), _) => own.iter().map(|word| self.text(word)).collect(),
                    (None, Target::Module(module)) => download(module),
                    (None, Target::Url(url)) => download(&module_of(url)),
                    (None, Target::Here) => vec!["mod".to_owned(), "download".to_owned()],
                };
                [vec!["go".to_owned()], arguments].concat()
            }
            (Tool::Git, target) => {
                ["git", "ls-remote", &url_of(target)].map(str::to_owned).to_vec()
            }
            (Tool::Curl, target) => {
                let url = url_of(target);
                ["curl", "-sS", "-f", "-o", "/dev/null", &url].map(str::to_owned).to_vec()
            }
        };
        self.run(&words, None, limit)
    }

    /// Runs the doctor at the target.
    pub(crate) fn doctor(&mut self, case: &Case, arguments: &[&str]) -> Ended {
        let mut words = vec![GOCRED.to_owned(), "doctor".to_owned()];
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        match &case.target {
            Target::Module(word) | Target::Url(word) => words.push(self.text(word)),
            Target::Here => {}
        }
        self.run(&words, None, LIMIT)
    }

    /// Runs `gocred` with other arguments.
    pub(crate) fn gocred(&mut self, arguments: &[&str], input: Option<&str>) -> Ended {
        let mut words = vec![GOCRED.to_owned()];
        words.extend(arguments.iter().map(|word| self.text(word)));
        self.run(&words, input, LIMIT)
    }

    /// Every file of the home with its permissions and bytes, but caches and gocred's own state.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.home()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let skips = [
                    "go/pkg/sumdb",
                    "go/pkg/mod/cache/vcs",
                    ".cache",
                    ".local/state",
                    ".config/go/telemetry",
                    ".local/share",
                ];
                if skips.iter().any(|skip| path == self.home().join(skip)) {
                    continue;
                }
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    let bytes = fs::read(&path).unwrap_or_default();
                    files.insert(path, (metadata.permissions().mode(), bytes));
                }
            }
        }
        files
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in &mut self.background {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// Runs the tools of a case side by side with their limits; returns how each ended.
pub(crate) fn limit_of(fate: super::case::Fate) -> Duration {
    if fate == super::case::Fate::Hangs { HANGS } else { LIMIT }
}

fn download(module: &str) -> Vec<String> {
    vec!["mod".to_owned(), "download".to_owned(), module.to_owned()]
}

/// `https://HOST/team/lib.git` → `HOST/team/lib@v1.0.0`
fn module_of(url: &str) -> String {
    let path = url.split_once("://").map_or(url, |(_, path)| path);
    format!("{}@v1.0.0", path.trim_end_matches(".git"))
}

/// `HOST/team/lib@v1.0.0` → `https://HOST/team/lib.git`
fn url_of(target: &Target) -> String {
    match target {
        Target::Url(url) => url.clone(),
        Target::Module(module) => {
            format!("https://{}.git", module.split('@').next().expect("a path"))
        }
        Target::Here => "https://pub.corp.test/team/lib.git".to_owned(),
    }
}

/// Finds a program on the case's PATH, or on ours where it has none.
fn find(program: &str, env: &BTreeMap<String, OsString>) -> PathBuf {
    if program.contains('/') {
        return program.into();
    }
    let own = env.get("PATH").map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let found = gocred::sys::run::find(program, &own);
    found
        .or_else(|| gocred::sys::run::find(program, &crate::support::path()))
        .unwrap_or_else(|| program.into())
}

fn own(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).expect("another owner");
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            own(&entry.path(), uid);
        } else {
            std::os::unix::fs::lchown(entry.path(), Some(uid), Some(uid)).expect("another owner");
        }
    }
}

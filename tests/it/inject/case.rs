//! One injected failure: what is wrong, what the real tools must do, and what the doctor must say.
//!
//! A case starts from a healthy machine: a home with git's and go's files, every variable of
//! [`super::farm`]'s README set so that everything works. It then breaks one thing.
//!
//! In every text and argument `{HOME}` is the home of the case, `{WORK}` its folder (where the tools
//! run; it holds a go.mod), `{GOCRED}` and `{HELPER}` the programs under test, `{CA}` the private
//! authority, `{FARM}` the folder of the farm. A secret must contain the word of [`CANARY`]: nothing
//! that the doctor prints may.

use super::run::Stage;

/// What every secret of a case contains, and no output of the doctor does.
pub(crate) const CANARY: &str = "kanarie";
/// Alice's password at every git host that wants one (`git.corp.test`, `authall.corp.test`, …).
pub(crate) const ALICE: &str = "kanarie-alice-7Kd";
/// `athens`' password at every module proxy that wants one (`gpauth.corp.test`, …).
pub(crate) const ATHENS: &str = "kanarie-athens-3Rt";
/// `puser`'s password at every proxy that wants one (`proxy.corp.test:3128`, …).
pub(crate) const PUSER: &str = "kanarie-puser-9Wq";
/// A password that nobody takes.
pub(crate) const WRONG: &str = "kanarie-wrong-1Zx";
/// `http://puser:…@proxy.corp.test:3128`
pub(crate) const PROXY: &str = "http://puser:kanarie-puser-9Wq@proxy.corp.test:3128";

/// A program that really runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    /// `go mod download MODULE`, or what [`Case::go`] says.
    Go,
    /// `git ls-remote URL`
    Git,
    /// `curl -sS -f URL`
    Curl,
}

/// What a tool must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It ends with a code other than 0.
    Fails,
    /// It is still there after 3 s, and killed; or it has failed before.
    Hangs,
    /// It ends with 0.
    Succeeds,
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(crate) enum Target {
    /// A module.
    Module(String),
    /// A URL.
    Url(String),
    /// Nothing: the go.mod of the folder.
    #[default]
    Here,
}

/// A file of the case.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    /// `None`: a folder.
    pub(crate) text: Option<Vec<u8>>,
}

/// What a case does on its stage before the tools run.
pub(crate) type Prepare = fn(&mut Stage);

/// An injected failure.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they say what kind of case it is")]
pub(crate) struct Case {
    pub(crate) code: String,
    pub(crate) about: String,
    pub(crate) target: Target,
    /// `None`: the variable is not set.
    pub(crate) env: Vec<(String, Option<String>)>,
    pub(crate) files: Vec<File>,
    pub(crate) modes: Vec<(String, u32)>,
    pub(crate) owners: Vec<(String, u32)>,
    pub(crate) git_config: String,
    pub(crate) go_env: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) resolv: Option<String>,
    pub(crate) nsswitch: Option<String>,
    pub(crate) without: Vec<String>,
    pub(crate) wrap: Vec<String>,
    pub(crate) user: Option<u32>,
    pub(crate) prepare: Option<Prepare>,
    pub(crate) is_alone: bool,
    pub(crate) go: Option<Vec<String>>,
    pub(crate) fates: Vec<(Tool, Fate)>,
    pub(crate) exit: Option<i32>,
    pub(crate) also: Vec<String>,
    pub(crate) must: Vec<String>,
    pub(crate) either: Vec<String>,
    pub(crate) says: Vec<String>,
    pub(crate) is_fixed: bool,
    pub(crate) is_pair: bool,
    pub(crate) is_canary: bool,
}

impl Case {
    /// Starts a case whose root must be this code.
    pub(crate) fn new(code: &str) -> Self {
        Self { code: code.to_owned(), ..Self::default() }
    }

    /// Starts a case in which nothing is wrong: the tools succeed, and the doctor finds no error.
    pub(crate) fn healthy(about: &str) -> Self {
        Self { about: about.to_owned(), ..Self::default() }
    }

    /// Says what is wrong, in a few words.
    pub(crate) fn about(mut self, text: &str) -> Self {
        text.clone_into(&mut self.about);
        self
    }

    /// Asks for a module, `PATH@VERSION`. It goes through GOPROXY (`goproxy.corp.test`) unless
    /// [`Self::private`] or a variable says otherwise.
    pub(crate) fn module(mut self, module: &str) -> Self {
        self.target = Target::Module(module.to_owned());
        self
    }

    /// Asks for `HOST/team/lib@v1.0.0` straight from its host: [`Self::module`], [`Self::private`].
    pub(crate) fn origin(self, host: &str) -> Self {
        self.module(&format!("{host}/team/lib@v1.0.0")).private()
    }

    /// Asks for a URL.
    pub(crate) fn url(mut self, url: &str) -> Self {
        self.target = Target::Url(url.to_owned());
        self
    }

    /// Asks for the repository `https://HOST/team/lib.git`.
    pub(crate) fn repository(self, host: &str) -> Self {
        self.url(&format!("https://{host}/team/lib.git"))
    }

    /// Asks for what this go.mod needs.
    pub(crate) fn here(mut self, go_mod: &str) -> Self {
        self.target = Target::Here;
        self.file("{WORK}/go.mod", go_mod)
    }

    /// `GOPRIVATE=*.test` in go's file: modules of every host of the farm come from their hosts.
    pub(crate) fn private(self) -> Self {
        self.goenv("GOPRIVATE=*.test")
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Takes a variable away, which the base of all cases sets (`HOME`, `PATH`, `SSL_CERT_FILE`,
    /// `GIT_SSL_CAINFO`, `CURL_CA_BUNDLE`, …).
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.env.push((name.to_owned(), None));
        self
    }

    /// Sets `HTTPS_PROXY`, `https_proxy`, `HTTP_PROXY` and `http_proxy`.
    pub(crate) fn proxy(mut self, url: &str) -> Self {
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            self = self.env(name, url);
        }
        self
    }

    /// Writes a file: `~/…`, `{WORK}/…` or an absolute path (for [`Self::root`] only).
    pub(crate) fn file(mut self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.files.push(File { path: path.to_owned(), text: Some(text.as_ref().to_vec()) });
        self
    }

    /// Makes a folder.
    pub(crate) fn folder(mut self, path: &str) -> Self {
        self.files.push(File { path: path.to_owned(), text: None });
        self
    }

    /// Gives a file these permissions; without it, files have 0600.
    pub(crate) fn mode(mut self, path: &str, mode: u32) -> Self {
        self.modes.push((path.to_owned(), mode));
        self
    }

    /// Gives a file to another user.
    pub(crate) fn owner(mut self, path: &str, uid: u32) -> Self {
        self.owners.push((path.to_owned(), uid));
        self
    }

    /// Appends to `~/.gitconfig`.
    pub(crate) fn gitconfig(mut self, text: &str) -> Self {
        self.git_config.push_str(text);
        if !text.ends_with('\n') {
            self.git_config.push('\n');
        }
        self
    }

    /// Sets a line of go's environment file (`~/.config/go/env`), in place of the base's own one of
    /// the same name. `NAME` alone takes the base's line away.
    pub(crate) fn goenv(mut self, line: &str) -> Self {
        self.go_env.push(line.to_owned());
        self
    }

    /// Appends to `/etc/hosts`, which otherwise knows `localhost` only.
    pub(crate) fn hosts_line(mut self, line: &str) -> Self {
        self.hosts.push(line.to_owned());
        self
    }

    /// Replaces `/etc/resolv.conf`, which otherwise names the farm's dnsmasq, 127.0.0.53.
    pub(crate) fn resolv(mut self, text: &str) -> Self {
        self.resolv = Some(text.to_owned());
        self
    }

    /// Replaces `/etc/nsswitch.conf`.
    pub(crate) fn nsswitch(mut self, text: &str) -> Self {
        self.nsswitch = Some(text.to_owned());
        self
    }

    /// Takes a program away from PATH.
    pub(crate) fn without_path(mut self, program: &str) -> Self {
        self.without.push(program.to_owned());
        self
    }

    /// Runs the tools and the doctor inside another program, such as `faketime -f +2y` or
    /// `sh -c 'ulimit -n 8; exec "$@"' --`.
    pub(crate) fn wrap(mut self, words: &[&str]) -> Self {
        self.wrap = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Runs everything as another user (65534), who owns the home. Otherwise it is root.
    pub(crate) fn user(mut self) -> Self {
        self.user = Some(65534);
        self
    }

    /// Does something before the tools run, beside other cases.
    pub(crate) fn prepare(mut self, prepare: Prepare) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// Does something that only root of a namespace may: iptables, mounts, files below /etc. The case
    /// gets network, mount and process namespaces of its own with a farm of its own, which costs a
    /// second.
    pub(crate) fn root(mut self, prepare: Prepare) -> Self {
        self.is_alone = true;
        self.prepare = Some(prepare);
        self
    }

    /// Runs go with these arguments, in `{WORK}`, instead of `mod download MODULE`.
    pub(crate) fn go(mut self, arguments: &[&str]) -> Self {
        self.go = Some(arguments.iter().map(|word| (*word).to_owned()).collect());
        self
    }

    /// Says which tools must fail. Without a word on any tool: go for a module and here, git for a URL.
    pub(crate) fn fails(self, tools: &[Tool]) -> Self {
        self.fate(tools, Fate::Fails)
    }

    /// Says which tools hang; they are killed at 3 s.
    pub(crate) fn hangs(self, tools: &[Tool]) -> Self {
        self.fate(tools, Fate::Hangs)
    }

    /// Says which tools succeed all the same.
    pub(crate) fn succeeds(self, tools: &[Tool]) -> Self {
        self.fate(tools, Fate::Succeeds)
    }

    fn fate(mut self, tools: &[Tool], fate: Fate) -> Self {
        self.fates.extend(tools.iter().map(|tool| (*tool, fate)));
        self
    }

    /// Says the doctor's exit code. Without it: 1 where a tool fails or hangs, else 0.
    pub(crate) fn exit(mut self, code: i32) -> Self {
        self.exit = Some(code);
        self
    }

    /// Names codes that may stand beside the root as errors. Warnings and hints always may.
    pub(crate) fn also(mut self, codes: &[&str]) -> Self {
        self.also.extend(codes.iter().map(|code| (*code).to_owned()));
        self
    }

    /// Names codes that must stand somewhere in the answer, too.
    pub(crate) fn must(mut self, codes: &[&str]) -> Self {
        self.must.extend(codes.iter().map(|code| (*code).to_owned()));
        self
    }

    /// Names further codes that the root may be (of pairs).
    pub(crate) fn or(mut self, codes: &[&str]) -> Self {
        self.either.extend(codes.iter().map(|code| (*code).to_owned()));
        self
    }

    /// Says what the place of one of the root's observations must end with: `.netrc:3`, an endpoint.
    pub(crate) fn says(mut self, place: &str) -> Self {
        self.says.push(place.to_owned());
        self
    }

    /// After the diagnosis: `doctor --fix --yes`, then the code is gone, then `doctor --undo`, and every
    /// file is as it was, byte for byte.
    pub(crate) fn fixed(mut self) -> Self {
        self.is_fixed = true;
        self
    }

    /// Whether it mostly waits: something hangs, or nobody answers for a name.
    pub(crate) fn waits(&self) -> bool {
        self.fates.iter().any(|(_, fate)| *fate == Fate::Hangs) || self.resolv.is_some()
    }

    /// `single`, `healthy`, `pairs` or `canaries`.
    pub(crate) fn kind(&self) -> &'static str {
        if self.is_canary {
            return "canaries";
        }
        match (self.code.is_empty(), self.is_pair) {
            (true, _) => "healthy",
            (false, true) => "pairs",
            (false, false) => "single",
        }
    }

    /// What it is called in reports.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", if self.code.is_empty() { "healthy" } else { &self.code }, self.about)
    }
}

/// The same fault for a module of a host and for its repository: two cases.
pub(crate) fn both(
    code: &str,
    about: &str,
    host: &str,
    change: impl Fn(Case) -> Case,
) -> Vec<Case> {
    let case = || Case::new(code).about(about);
    vec![change(case().origin(host)), change(case().repository(host))]
}

//! What OpenSSH's own programs say of a connection before anybody logs in: the settings that count for a host
//! (`ssh -G`), whose keys are known (`ssh-keygen -F`) and shown (`ssh-keyscan`), which of the user's keys can be used
//! (`ssh-keygen -y` with an empty passphrase, `ssh-add -l`). None of them sends a login or tells a secret; only
//! `ssh-keyscan` sends anything, to the server itself.
//!
//! Nothing is run for another ssh than OpenSSH's, where a repository's own configuration names it, or where its files
//! have it run a program to know its settings (`ssh_files`). Whether the server takes a key is not tried, and of what
//! `ssh -G` prints unresolved and is not resolved here, nothing is said.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::core::doctor::{
    machine::Machine,
    plan::Answers,
    plan::follow::Follower,
    probe::{Names, Probe, Ran, Seen, Stage, TcpFlaw, Trace},
    route::Link,
    ssh,
};

/// How long the server may take to show its keys, in seconds.
const PATIENCE: &str = "3";

/// What counts for a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::core::doctor) struct Config {
    /// The name that is dialled.
    pub(in crate::core::doctor) host: String,
    /// The port.
    pub(in crate::core::doctor) port: u16,
    /// Whether it is dialled straight, and not through another host or program.
    pub(in crate::core::doctor) is_direct: bool,
    /// `StrictHostKeyChecking`: `yes`, `no`, `ask`, `accept-new`.
    pub(in crate::core::doctor) strict: String,
    /// Whether nobody may be asked for anything.
    pub(in crate::core::doctor) is_batch: bool,
    /// The names by which its key is looked up, in order.
    pub(in crate::core::doctor) names: Vec<String>,
    /// The files of known keys. `None`: there are others, too.
    pub(in crate::core::doctor) known: Option<Vec<String>>,
    /// The files of the user's own keys. `None`: there are others, too.
    pub(in crate::core::doctor) keys: Option<Vec<String>>,
    /// The agent's socket, where the settings name one; empty: none is asked.
    pub(in crate::core::doctor) agent: Option<String>,
}

/// A question to one of the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::core::doctor) enum Question<'a> {
    /// Which keys of a name a file has.
    Known(&'a str, &'a str),
    /// Which keys the server shows.
    Shown,
    /// Whether a file's key can be used.
    Key(&'a str),
    /// Whether the agent has a key.
    Agent,
}

impl Config {
    /// Reads what `ssh -G` prints.
    fn read(output: &str, machine: &Machine) -> Option<Self> {
        let lines = || output.lines().filter_map(|line| line.split_once(' '));
        let one = |key: &str| lines().find(|(own, _)| *own == key).map(|(_, value)| value);
        let is_on =
            |key: &str| one(key).is_some_and(|value| !["no", "false", "none"].contains(&value));
        let (host, port) = (one("hostname")?.to_owned(), one("port")?.parse().ok()?);
        let path = |text: &str| path(text, &host, port, machine);
        let strict = match one("stricthostkeychecking").unwrap_or_default() {
            "true" => "yes",
            "false" | "off" => "no",
            word => word,
        };
        // A name may have a blank, which is not told from what stands between two names.
        let files = ["globalknownhostsfile", "userknownhostsfile"].into_iter().filter_map(one);
        let files = files.flat_map(|value| value.split(' ')).filter(|file| *file != "none");
        let known = files.map(path).collect::<Option<Vec<_>>>();
        let keys = lines().filter(|(key, value)| *key == "identityfile" && *value != "none");
        let keys = keys.map(|(_, value)| path(value)).collect::<Option<Vec<_>>>();
        let has_token = is_on("pkcs11provider");
        let (agent, is_known_agent) = match one("identityagent") {
            None | Some("SSH_AUTH_SOCK") => (None, true),
            Some("none") => (Some(String::new()), true),
            Some(socket) => (path(socket), path(socket).is_some()),
        };
        let names = match one("hostkeyalias") {
            Some(alias) => vec![alias.to_owned()],
            None if port == 22 => vec![host.clone()],
            None => vec![format!("[{host}]:{port}"), host.clone()],
        };
        let config = Self {
            is_direct: !is_on("proxyjump") && !is_on("proxycommand"),
            strict: strict.to_owned(),
            is_batch: one("batchmode") == Some("yes"),
            names,
            known: known.filter(|_| !is_on("knownhostscommand") && !is_on("verifyhostkeydns")),
            keys: keys.filter(|_| !has_token && is_known_agent),
            agent,
            host,
            port,
        };
        (!config.host.is_empty() && config.port > 0).then_some(config)
    }

    /// Returns everything that is to be asked.
    pub(in crate::core::doctor) fn questions(&self) -> Vec<Question<'_>> {
        let names = || self.names.iter();
        let known = self.known.iter().flatten();
        let known = known.flat_map(|file| names().map(move |name| (name, file)));
        let known = known.map(|(name, file)| Question::Known(name, file));
        let keys = self.keys.iter().flatten().map(|file| Question::Key(file));
        known.chain(keys).chain([Question::Shown, Question::Agent]).collect()
    }

    /// Returns a question as a command.
    pub(in crate::core::doctor) fn probe(&self, question: &Question<'_>) -> Probe {
        let port = self.port.to_string();
        let words: Vec<&str> = match *question {
            Question::Known(name, file) => vec!["ssh-keygen", "-F", name, "-f", file],
            Question::Shown => vec!["ssh-keyscan", "-T", PATIENCE, "-p", &port, "--", &self.host],
            Question::Key(file) => vec!["ssh-keygen", "-y", "-P", "", "-f", file],
            Question::Agent => vec!["ssh-add", "-l"],
        };
        let agent = self.agent.clone().filter(|_| *question == Question::Agent);
        let variables = agent.map(|socket| ("SSH_AUTH_SOCK".to_owned(), socket));
        Probe::Program {
            command: words.into_iter().map(str::to_owned).collect(),
            input: String::new(),
            variables: variables.into_iter().collect(),
        }
    }
}

/// Resolves a path as ssh does when it opens it (`ssh_config(5)`, TOKENS). `None`: not by what is known here.
fn path(text: &str, host: &str, port: u16, machine: &Machine) -> Option<String> {
    let home = || machine.ssh.home.as_ref().and_then(|home| home.to_str());
    let text = match text.strip_prefix("~/") {
        Some(below) => format!("{}/{below}", home()?),
        None => text.to_owned(),
    };
    let (mut path, mut rest) = (String::new(), text.as_str());
    while let Some(at) = rest.find(['%', '$']) {
        path.push_str(rest.get(..at)?);
        rest = rest.get(at..)?;
        let (value, behind) = match rest.get(..2)? {
            "%%" => ("%".to_owned(), rest.get(2..)?),
            "%d" => (home()?.to_owned(), rest.get(2..)?),
            "%h" => (host.to_owned(), rest.get(2..)?),
            "%p" => (port.to_string(), rest.get(2..)?),
            "%i" => (machine.uid.to_string(), rest.get(2..)?),
            "${" => {
                let (name, behind) = rest.get(2..)?.split_once('}')?;
                (machine.variable(name)?.raw().to_owned(), behind)
            }
            _ => return None,
        };
        path.push_str(&value);
        rest = behind;
    }
    path.push_str(rest);
    path.starts_with('/').then_some(path)
}

/// What is known of the settings for a URL.
enum Settings {
    /// `ssh -G` tells them.
    Told(Box<Probe>),
    /// It is not OpenSSH, or a repository's own choice.
    Another,
    /// It is OpenSSH, and must not be asked.
    Hidden,
}

/// Returns the command that tells the settings for a URL, where ssh may be run at all.
fn settings(machine: &Machine, link: &Link, is_for_go: bool) -> Settings {
    let command = ssh::command(machine, is_for_go);
    if command.setting.is_some_and(|setting| setting.is_local) || link.origin.scheme() == "git" {
        return Settings::Another;
    }
    let words = command.words.as_ref().and_then(|words| words.split_first());
    let Some((program, arguments)) = words else { return Settings::Another };
    let is_openssh = program == "ssh" || program.starts_with('/') && program.ends_with("/ssh");
    let is_there = machine.programs.get(program).is_some_and(Option::is_some);
    let host = link.origin.host().trim_matches(['[', ']']);
    if !is_openssh || !is_there || host.starts_with('-') {
        return Settings::Another;
    }
    if !machine.ssh.is_askable || !is_askable(arguments) {
        return Settings::Hidden;
    }
    let mut command = vec![program.clone()];
    command.extend(arguments.iter().cloned());
    command.push("-G".to_owned());
    if let Some(port) = link.origin.port() {
        command.extend(["-p".to_owned(), port.to_string()]);
    }
    command.push(host.to_owned());
    let probe = Probe::Program { command, input: String::new(), variables: Vec::new() };
    Settings::Told(Box::new(probe))
}

/// Whether ssh may be asked with these arguments: not where it would write a log, read further files, or begin in
/// another folder than git does.
fn is_askable(arguments: &[String]) -> bool {
    let file = ssh::file(arguments);
    let is_good = |argument: &String| {
        let option = argument.strip_prefix("-o").unwrap_or(argument).trim_start();
        let is_include = option.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("include"));
        !is_include && !argument.starts_with("-E")
    };
    file.is_none_or(|file| file.starts_with('/') || file.eq_ignore_ascii_case("none"))
        && arguments.iter().all(is_good)
}

/// Returns the settings for a URL, as far as they are known: `None` where they are another program's. `Err`: they have
/// to be asked for, or (`Hidden`) nobody may ask.
pub(super) fn ask(
    follower: &mut Follower<'_>,
    link: &Link,
    is_for_go: bool,
) -> Result<Option<Config>, Unknown> {
    let machine = follower.machine;
    match settings(machine, link, is_for_go) {
        Settings::Another => Ok(None),
        Settings::Hidden => Err(Unknown::Hidden),
        Settings::Told(probe) => {
            let ran = follower.program(*probe).map_err(|()| Unknown::Pending)?;
            Ok((ran.code == Some(0)).then(|| Config::read(ran.output.raw(), machine)).flatten())
        }
    }
}

/// Why settings are not known.
pub(super) enum Unknown {
    /// They are about to be asked for.
    Pending,
    /// Nobody may ask: where ssh goes is not known.
    Hidden,
}

/// Asks about the keys of both sides. Returns whether everything is answered.
pub(super) fn ask_keys(follower: &mut Follower<'_>, config: &Config) -> bool {
    let mut is_answered = true;
    for question in config.questions() {
        is_answered &= follower.program(config.probe(&question)).is_ok();
    }
    is_answered
}

/// Returns a connection as a trace.
pub(super) fn trace(
    names: Option<&Names>,
    (host, port): (&str, u16),
    stage: Stage<TcpFlaw>,
) -> Trace {
    let mut trace = Trace::default();
    let address = match names.map(|names| &names.system) {
        Some(Err(error)) => {
            trace.names = Some(Err(error.clone()));
            None
        }
        Some(Ok(addresses)) => {
            trace.names = Some(Ok(addresses.clone()));
            addresses.first().copied()
        }
        None => host.trim_matches(['[', ']']).parse().ok(),
    };
    if trace.names.as_ref().is_none_or(Result::is_ok) {
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        trace.tcp.push((SocketAddr::new(address, port), stage));
    }
    trace
}

/// The same for who judges.
pub(in crate::core::doctor) fn answered(
    answers: &Answers,
    machine: &Machine,
    link: &Link,
    is_for_go: bool,
) -> Option<Config> {
    let Settings::Told(probe) = settings(machine, link, is_for_go) else { return None };
    let ran = of(answers, &probe)?;
    (ran.code == Some(0)).then(|| Config::read(ran.output.raw(), machine)).flatten()
}

/// Returns how a program ended.
pub(in crate::core::doctor) fn of<'a>(answers: &'a Answers, probe: &Probe) -> Option<&'a Ran> {
    match answers.get(&probe.key()) {
        Some((_, Seen::Program(ran))) if ran.started => Some(ran),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Question, Settings, settings};
    use crate::core::{
        doctor::{
            machine::{Machine, Ssh},
            private::Private,
            probe::Probe,
            route::Link,
        },
        origin::Origin,
    };

    fn machine() -> Machine {
        let ssh = Ssh { home: Some("/home/ana".into()), is_askable: true };
        let mut machine = Machine { ssh, uid: 7, home: Some("/tmp".into()), ..Machine::default() };
        machine.variables.insert("HOME".to_owned(), Private::new("/tmp"));
        machine
    }

    const SAID: &str = "host acme\nhostname git.corp.test\nport 2222\nbatchmode yes\nstricthostkeychecking true\n\
                        identityfile ~/.ssh/id_rsa\nidentityfile /k\nglobalknownhostsfile /etc/a /etc/b\n\
                        userknownhostsfile /dev/null\n";

    #[test]
    fn the_settings_of_a_host_are_read() {
        let machine = machine();
        let config = Config::read(SAID, &machine).unwrap();
        assert_eq!((config.host.as_str(), config.port), ("git.corp.test", 2222));
        assert!(config.is_batch && config.is_direct && config.strict == "yes");
        assert_eq!(config.names, ["[git.corp.test]:2222", "git.corp.test"]);
        assert_eq!(config.keys.as_deref().unwrap(), ["/home/ana/.ssh/id_rsa", "/k"]);
        assert_eq!(config.known.as_deref().unwrap(), ["/etc/a", "/etc/b", "/dev/null"]);
        assert_eq!(config.questions().len(), 6 + 2 + 2);
        let Probe::Program { command, .. } = config.probe(&Question::Shown) else { panic!() };
        assert_eq!(command.join(" "), "ssh-keyscan -T 3 -p 2222 -- git.corp.test");
        let jump = Config::read(&format!("{SAID}proxyjump gate\nhostkeyalias x\n"), &machine);
        let jump = jump.unwrap();
        assert!(!jump.is_direct && jump.names == ["x"]);
        assert_eq!(Config::read("usage: ssh", &machine), None);
    }

    /// As `ssh -G` of OpenSSH 9.2 prints them.
    #[test]
    fn what_cannot_be_resolved_is_not_guessed() {
        for (line, keys, known) in [
            ("identityfile %d/.ssh/%h-%p", Some("/home/ana/.ssh/git.corp.test-2222"), true),
            ("identityfile ${HOME}/k%%", Some("/tmp/k%"), true),
            ("identityfile ~/my key", Some("/home/ana/my key"), true),
            ("identityfile none", Some("/k"), true),
            ("identityfile key", None, true),
            ("identityfile ~/%r", None, true),
            ("identityfile ${ELSEWHERE}/k", None, true),
            ("identityfile ~bo/k", None, true),
            ("identityfile /k%", None, true),
            ("pkcs11provider /x.so", None, true),
            ("identityagent $SOCKET", None, true),
            ("identityagent ~/agent", Some("/k"), true),
            ("knownhostscommand /bin/keys %H", Some("/k"), false),
            ("knownhostscommand none", Some("/k"), true),
            ("verifyhostkeydns true", Some("/k"), false),
            ("globalknownhostsfile /a b/known", Some("/k"), false),
            ("globalknownhostsfile none", Some("/k"), true),
        ] {
            let config = Config::read(&format!("{line}\n{SAID}"), &machine()).unwrap();
            assert_eq!(config.known.is_some(), known, "{line}");
            assert_eq!(config.keys.is_some(), keys.is_some(), "{line}");
            if let (Some(keys), Some(key)) = (config.keys, keys) {
                assert!(keys.iter().any(|own| own == key), "{line}: {keys:?}");
            }
        }
    }

    #[test]
    fn ssh_is_not_asked_where_that_would_do_more() {
        let link = Link { origin: Origin::new("ssh", "h.test").unwrap(), path: "/x".to_owned() };
        let asked = |command: &str, is_askable: bool| {
            let mut machine = machine();
            machine.ssh.is_askable = is_askable;
            machine.variables.insert("GIT_SSH_COMMAND".to_owned(), Private::new(command));
            for program in ["ssh", "/opt/ssh", "./ssh"] {
                machine.programs.insert(program.to_owned(), Some("/usr/bin/ssh".into()));
            }
            match settings(&machine, &link, true) {
                Settings::Told(probe) => match *probe {
                    Probe::Program { command, .. } => command.join(" "),
                    _ => panic!("no program"),
                },
                Settings::Another => "another".to_owned(),
                Settings::Hidden => "hidden".to_owned(),
            }
        };
        assert_eq!(asked("ssh -i key", true), "ssh -i key -G h.test");
        assert_eq!(asked("/opt/ssh -F /c", true), "/opt/ssh -F /c -G h.test");
        assert_eq!(asked("ssh", false), "hidden");
        for command in
            ["ssh -F c", "ssh -Fc", "ssh -E log", "ssh -o 'Include /x'", "ssh -oinclude=/x"]
        {
            assert_eq!(asked(command, true), "hidden", "{command}");
        }
        for command in ["./ssh", "plink", "exec ssh", "ssh $OPTIONS"] {
            assert_eq!(asked(command, true), "another", "{command}");
        }
    }
}

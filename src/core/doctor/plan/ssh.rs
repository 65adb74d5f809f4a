//! What OpenSSH's own programs say of a connection before anybody logs in: the settings that count for a host
//! (`ssh -G`), whose keys are known (`ssh-keygen -F`) and shown (`ssh-keyscan`), which of the user's keys can be used
//! (`ssh-keygen -y` with an empty passphrase, `ssh-add -l`). None of them sends a login or tells a secret; only
//! `ssh-keyscan` sends anything, to the server itself.
//!
//! Nothing is run for another ssh than OpenSSH's, or where a repository's own configuration names it. Whether the
//! server takes a key is not tried.

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
    /// The files of known keys.
    pub(in crate::core::doctor) known: Vec<String>,
    /// The files of the user's own keys.
    pub(in crate::core::doctor) keys: Vec<String>,
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
    /// Reads what `ssh -G` prints. The home folder stands for `~`.
    fn read(output: &str, machine: &Machine) -> Option<Self> {
        let mut config = Self { is_direct: true, ..Self::default() };
        let home = |path: &str| match (path.strip_prefix("~/"), &machine.home) {
            (Some(below), Some(home)) => home.join(below).to_string_lossy().into_owned(),
            _ => path.to_owned(),
        };
        let mut alias = None;
        for (key, value) in output.lines().filter_map(|line| line.split_once(' ')) {
            match key {
                "hostname" => value.clone_into(&mut config.host),
                "port" => config.port = value.parse().ok()?,
                "proxyjump" | "proxycommand" => config.is_direct &= value == "none",
                "stricthostkeychecking" => {
                    let word = match value {
                        "true" => "yes",
                        "false" | "off" => "no",
                        word => word,
                    };
                    word.clone_into(&mut config.strict);
                }
                "batchmode" => config.is_batch = value == "yes",
                "hostkeyalias" => alias = Some(value.to_owned()),
                "globalknownhostsfile" | "userknownhostsfile" => {
                    let files = value.split(' ').filter(|file| file.starts_with(['/', '~']));
                    config.known.extend(files.map(home));
                }
                "identityfile" => config.keys.push(home(value)),
                "identityagent" if value == "none" => config.agent = Some(String::new()),
                "identityagent" if value.starts_with('/') => config.agent = Some(value.to_owned()),
                _ => {}
            }
        }
        let host = config.host.clone();
        config.names = match alias {
            Some(alias) => vec![alias],
            None if config.port == 22 => vec![host],
            None => vec![format!("[{host}]:{}", config.port), host],
        };
        (!config.host.is_empty() && config.port > 0).then_some(config)
    }

    /// Returns everything that is to be asked.
    pub(in crate::core::doctor) fn questions(&self) -> Vec<Question<'_>> {
        let names = || self.names.iter();
        let known = self.known.iter().flat_map(|file| names().map(move |name| (name, file)));
        let known = known.map(|(name, file)| Question::Known(name, file));
        let keys = self.keys.iter().map(|file| Question::Key(file));
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

/// Returns the command that tells the settings for a URL, where ssh may be run at all.
fn settings(machine: &Machine, link: &Link, is_for_go: bool) -> Option<Probe> {
    let command = ssh::command(machine, is_for_go);
    if command.setting.is_some_and(|setting| setting.is_local) || link.origin.scheme() == "git" {
        return None;
    }
    let (program, arguments) = command.words.as_ref()?.split_first()?;
    let is_openssh = program == "ssh" || program.ends_with("/ssh");
    let is_there = machine.programs.get(program).is_some_and(Option::is_some);
    let host = link.origin.host().trim_matches(['[', ']']);
    if !is_openssh || !is_there || host.starts_with('-') {
        return None;
    }
    let mut command = vec![program.clone()];
    command.extend(arguments.iter().cloned());
    command.push("-G".to_owned());
    if let Some(port) = link.origin.port() {
        command.extend(["-p".to_owned(), port.to_string()]);
    }
    command.push(host.to_owned());
    Some(Probe::Program { command, input: String::new(), variables: Vec::new() })
}

/// Returns the settings for a URL, as far as they are known. `Err`: they have to be asked for.
pub(super) fn ask(
    follower: &mut Follower<'_>,
    link: &Link,
    is_for_go: bool,
) -> Result<Option<Config>, ()> {
    let Some(probe) = settings(follower.machine, link, is_for_go) else { return Ok(None) };
    let machine = follower.machine;
    let ran = follower.program(probe)?;
    Ok((ran.code == Some(0)).then(|| Config::read(ran.output.raw(), machine)).flatten())
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
    let ran = of(answers, &settings(machine, link, is_for_go)?)?;
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
    use super::{Config, Question};
    use crate::core::doctor::{machine::Machine, probe::Probe};

    #[test]
    fn the_settings_of_a_host_are_read() {
        let machine = Machine { home: Some("/home/ana".into()), ..Machine::default() };
        let said = "host acme\nhostname git.corp.test\nport 2222\nbatchmode yes\nstricthostkeychecking true\n\
                    identityfile ~/.ssh/id_rsa\nidentityfile /k\nglobalknownhostsfile /etc/a /etc/b\n\
                    userknownhostsfile /dev/null\n";
        let config = Config::read(said, &machine).unwrap();
        assert_eq!((config.host.as_str(), config.port), ("git.corp.test", 2222));
        assert!(config.is_batch && config.is_direct && config.strict == "yes");
        assert_eq!(config.names, ["[git.corp.test]:2222", "git.corp.test"]);
        assert_eq!(config.keys, ["/home/ana/.ssh/id_rsa", "/k"]);
        assert_eq!(config.known, ["/etc/a", "/etc/b", "/dev/null"]);
        assert_eq!(config.questions().len(), 6 + 2 + 2);
        let Probe::Program { command, .. } = config.probe(&Question::Shown) else { panic!() };
        assert_eq!(command.join(" "), "ssh-keyscan -T 3 -p 2222 -- git.corp.test");
        let jump = Config::read(&format!("{said}proxyjump gate\nhostkeyalias x\n"), &machine);
        let jump = jump.unwrap();
        assert!(!jump.is_direct && jump.names == ["x"]);
        assert_eq!(Config::read("usage: ssh", &machine), None);
    }
}

//! `gocred proxy install`, `uninstall`, `start`: the proxy as a service of the user's own session.
//!
//! What is written and run is decided first, by pure functions, one a system; then it is shown, then
//! done. Nothing here needs root, and nothing is done that `uninstall` does not undo.

mod launchd;
mod systemd;
mod windows;

use std::{
    ffi::OsStr,
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    cli::ServiceChange,
    core::{
        config::{DEFAULT_GOPROXY, DEFAULT_LISTEN, Loopback},
        fault::{Fault, Kind},
        text::printable,
    },
    front::{Answer, Context, Outcome, setup, ui, wiring},
    proxy::control,
    sys::{files, peer, run},
};

/// Stands in every file of ours: what lacks it is somebody else's.
const MARK: &str = "Written by `gocred proxy install`; `gocred proxy uninstall` removes it.";
/// How long a command of the service manager may take: a stop waits for open connections.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest file of ours, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// What the service needs of the environment in which it was installed: a service manager starts it
/// with its own.
const VARIABLES: [&str; 5] =
    ["GIT_SSL_CAINFO", "KRB5_CONFIG", "SSL_CERT_FILE", "XDG_CONFIG_HOME", "XDG_STATE_HOME"];

/// What the plan depends on.
struct Facts {
    /// This program.
    program: String,
    home: PathBuf,
    /// `XDG_CONFIG_HOME`
    config: PathBuf,
    uid: u32,
    listen: Vec<SocketAddr>,
    /// Where the module proxy front listens, where there is one.
    goproxy: Option<SocketAddr>,
    variables: Vec<(&'static str, String)>,
}

impl Facts {
    /// Returns what a manager may listen on in our place.
    fn sockets(&self) -> impl Iterator<Item = &SocketAddr> {
        self.listen.iter().chain(&self.goproxy)
    }
}

/// A service of one system, and how it is managed.
#[derive(Debug)]
pub(super) struct Service {
    /// The manager.
    name: &'static str,
    files: Vec<File>,
    /// Run when the files are there.
    install: Vec<Step>,
    before_removal: Vec<Step>,
    after_removal: Vec<Step>,
    start: Vec<Step>,
    stop: Vec<Step>,
    /// Where there are no files: succeeds if it is installed.
    query: Option<Step>,
    /// Folders that may have been made for it, innermost first.
    folders: Vec<PathBuf>,
    /// Succeeds while the manager waits for what starts it.
    waits: Option<Step>,
    /// What that is.
    starts: &'static str,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    text: String,
}

/// A command.
#[derive(Debug)]
struct Step {
    program: &'static str,
    arguments: Vec<String>,
    /// Whether it may fail, because there may be nothing to do.
    is_tolerated: bool,
}

impl Step {
    fn new(program: &'static str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { program, arguments, is_tolerated: false }
    }

    fn tolerated(self) -> Self {
        Self { is_tolerated: true, ..self }
    }

    /// Returns it as it is typed.
    fn shown(&self) -> String {
        let words = self.arguments.iter().map(|word| ui::word(&printable(word)));
        [self.program.to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }

    fn run(&self, context: &Context) -> Result<(), Fault> {
        let failed = |cause: &dyn std::fmt::Display| {
            Fault::new(Kind::Config, "the service manager does not do its part")
                .cause(cause)
                .at(self.shown())
                .hint("`gocred proxy run` serves without one")
        };
        let program = run::find(self.program, context.env.text("PATH").unwrap_or_default())
            .ok_or_else(|| failed(&format!("{} is not on PATH", self.program)))?;
        let arguments: Vec<&OsStr> = self.arguments.iter().map(OsStr::new).collect();
        let output = run::run(&program, &arguments, &[], &[], PATIENCE).map_err(|e| failed(&e))?;
        if output.code == Some(0) || self.is_tolerated {
            return Ok(());
        }
        Err(failed(&printable(String::from_utf8_lossy(&output.stderr).trim())))
    }
}

/// Writes the service and starts it.
pub(super) fn install(arguments: &ServiceChange, context: &Context) -> Outcome {
    let listen = listen(context)?;
    refuse_passing_port(context)?;
    let service = service(listen, context)?;
    warn_of_hidden_tickets(context);
    let is_new = !service.is_installed(context);
    if let Some(file) = service.files.iter().find(|file| file.owner() == Owner::Other) {
        return Err(Fault::new(Kind::Policy, "a file of that name is there, and it is not ours")
            .at(file.path.display())
            .hint(format!("mv {0} {0}.mine", ui::word(&file.path.display().to_string()))));
    }
    for file in &service.files {
        ui::out(&printable(&file.path.display().to_string()));
        file.text.lines().for_each(|line| ui::out(printable(&format!("  + {line}")).trim_end()));
    }
    service.install.iter().for_each(|step| ui::out(&format!("$ {}", step.shown())));
    if arguments.dry_run {
        return Ok(Answer::Yes);
    }
    let running = context.paths.control.as_deref().is_some_and(|at| control::status(at).is_ok());
    if is_new && running {
        return Err(Fault::new(Kind::Policy, "a proxy of yours is already running")
            .hint("gocred proxy stop"));
    }
    let result = service.write().and_then(|()| run_all(&service.install, context));
    if let Err(fault) = result {
        if is_new {
            // Best effort: the first failure is the one that counts. The manager may have enabled
            // what it could not start.
            service.before_removal.iter().for_each(|step| drop(step.run(context)));
            let _ = service.remove();
            service.after_removal.iter().for_each(|step| drop(step.run(context)));
        }
        return Err(fault);
    }
    ui::out(&format!("installed as a service of {}; `gocred proxy status` shows it", service.name));
    Ok(Answer::Yes)
}

/// Warns where tickets are in a cache that ends with the session: the service is not told of it, as
/// it would look there when it is gone.
fn warn_of_hidden_tickets(context: &Context) {
    let Some(cache) = context.env.text("KRB5CCNAME") else { return };
    if !is_usual_cache(cache, peer::own_uid()) {
        ui::err(&format!(
            "warning: KRB5CCNAME is {}; the service looks for tickets in the usual place: \
             `env -u KRB5CCNAME kinit` puts one there",
            printable(cache)
        ));
    }
}

/// Returns whether Kerberos finds a cache without being told: MIT's default, and what distributions
/// have in its place (`default_ccache_name` of krb5.conf(5)).
fn is_usual_cache(cache: &str, uid: u32) -> bool {
    let file = format!("/tmp/krb5cc_{uid}");
    let usual = [
        format!("FILE:{file}"),
        file,
        format!("KEYRING:persistent:{uid}"),
        format!("KCM:{uid}"),
        "KCM:".to_owned(),
        // macOS
        "API:".to_owned(),
    ];
    usual.iter().any(|usual| usual == cache)
}

/// Stops the service and removes what `install` made.
pub(super) fn uninstall(arguments: &ServiceChange, context: &Context) -> Outcome {
    let service = service(Vec::new(), context)?;
    if !service.is_installed(context) {
        ui::err("no service of gocred's is installed");
        return Ok(Answer::No);
    }
    let files = || service.files.iter().filter(|file| file.owner() == Owner::Ours);
    let show = |step: &Step| ui::out(&format!("$ {}", step.shown()));
    service.before_removal.iter().for_each(show);
    files().for_each(|file| ui::out(&format!("- {}", printable(&file.path.display().to_string()))));
    service.after_removal.iter().for_each(show);
    if arguments.dry_run {
        return Ok(Answer::Yes);
    }
    // Without its manager there is nothing to stop, and the files must go all the same.
    let stopped = run_all(&service.before_removal, context);
    service.remove()?;
    stopped.and_then(|()| run_all(&service.after_removal, context))?;
    ui::out("uninstalled");
    wiring::note_left(context);
    Ok(Answer::Yes)
}

/// Starts the service.
pub(super) fn start(context: &Context) -> Outcome {
    let service = service(Vec::new(), context)?;
    if !service.is_installed(context) {
        return Err(Fault::new(Kind::NotFound, "no service of gocred's is installed")
            .hint("gocred proxy install")
            .hint("gocred proxy run"));
    }
    run_all(&service.start, context)?;
    Ok(Answer::Yes)
}

/// Stops the service if there is one; returns whether there is.
pub(super) fn stop(context: &Context) -> Result<bool, Fault> {
    match installed(context) {
        Some(service) => run_all(&service.stop, context).map(|()| true),
        None => Ok(false),
    }
}

/// Returns the service, if it is installed.
pub(super) fn installed(context: &Context) -> Option<Service> {
    service(Vec::new(), context).ok().filter(|service| service.is_installed(context))
}

fn run_all(steps: &[Step], context: &Context) -> Result<(), Fault> {
    steps.iter().try_for_each(|step| step.run(context))
}

/// Decides what the service of this system is.
fn service(listen: Vec<SocketAddr>, context: &Context) -> Result<Service, Fault> {
    let program = setup::own_program(context)?;
    let unusable = |what: &str| {
        Fault::new(Kind::Config, format!("{what} cannot stand in the file of a service"))
            .cause("it is not UTF-8, or has a control character")
    };
    let plain = |text: &str| !text.contains(char::is_control);
    let program = program.to_str().filter(|text| plain(text));
    let program = program.ok_or_else(|| unusable("the path of gocred"))?.to_owned();
    let mut variables = Vec::new();
    for name in VARIABLES {
        let Some(value) = context.env.text(name) else { continue };
        let value = Some(value).filter(|text| plain(text)).ok_or_else(|| unusable(name))?;
        variables.push((name, value.to_owned()));
    }
    let config = context.paths.config.ancestors().nth(2).unwrap_or(&context.paths.home);
    let facts = Facts {
        program,
        home: context.paths.home.clone(),
        config: config.to_owned(),
        uid: peer::own_uid(),
        listen,
        goproxy: goproxy(context),
        variables,
    };
    Ok(if cfg!(target_os = "macos") {
        launchd::service(&facts)
    } else if cfg!(windows) {
        windows::service(&facts)
    } else {
        systemd::service(&facts)
    })
}

/// Returns the configured addresses, or those of the default that this machine has.
fn listen(context: &Context) -> Result<Vec<SocketAddr>, Fault> {
    let configured = &context.config.proxy.listen;
    if configured.iter().any(|listen| listen.address().port() == 0) {
        return Err(Fault::new(Kind::Config, "a service needs a port of its own")
            .cause("`proxy.listen` has port 0")
            .hint("gocred config show --origin"));
    }
    if !configured.is_empty() {
        return Ok(configured.iter().map(|listen| listen.address()).collect());
    }
    let defaults = DEFAULT_LISTEN.into_iter().filter_map(Loopback::parse).map(Loopback::address);
    // systemd starts no socket unit of which one address is missing.
    Ok(defaults.filter(|address| TcpListener::bind((address.ip(), 0)).is_ok()).collect())
}

/// Refuses a front on another port with every start: go's file and the manager's name one.
fn refuse_passing_port(context: &Context) -> Result<(), Fault> {
    let front = &context.config.goproxy;
    let is_passing = front.listen.is_some_and(|listen| listen.address().port() == 0);
    if front.upstream.is_some() && is_passing {
        return Err(Fault::new(Kind::Config, "a service needs a port of its own")
            .cause("`goproxy.listen` has port 0")
            .hint(format!(
                "write `listen = \"{DEFAULT_GOPROXY}\"` into [goproxy] of config.toml"
            )));
    }
    Ok(())
}

/// Returns where the front listens, where there is one with a port of its own.
fn goproxy(context: &Context) -> Option<SocketAddr> {
    let front = &context.config.goproxy;
    front.upstream.as_ref()?;
    let listen = front.listen.or_else(|| Loopback::parse(DEFAULT_GOPROXY))?;
    Some(listen.address()).filter(|address| address.port() != 0)
}

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Other,
    Ours,
}

impl File {
    fn owner(&self) -> Owner {
        match files::read(&self.path, MAX_FILE) {
            Ok(None) => Owner::Nobody,
            Ok(Some(bytes)) if String::from_utf8_lossy(&bytes).contains(MARK) => Owner::Ours,
            Ok(Some(_)) | Err(_) => Owner::Other,
        }
    }
}

impl Service {
    /// Says how it comes to run, now that it does not.
    pub(super) fn next_start(&self, context: &Context) -> &'static str {
        match &self.waits {
            Some(step) if step.run(context).is_err() => "`gocred proxy start` starts it",
            Some(_) | None => self.starts,
        }
    }

    fn is_installed(&self, context: &Context) -> bool {
        match &self.query {
            Some(query) => query.run(context).is_ok(),
            None => self.files.iter().any(|file| file.owner() == Owner::Ours),
        }
    }

    /// Whether its manager waits for connections to an address, and starts it then.
    pub(super) fn waits_at(&self, address: &str, context: &Context) -> bool {
        let step = self.waits.as_ref().filter(|_| self.names(address));
        step.is_some_and(|step| step.run(context).is_ok())
    }

    /// Whether connections start it, and none to this address does.
    pub(super) fn is_unaware(&self, address: &str) -> bool {
        self.waits.is_some() && !self.names(address)
    }

    fn names(&self, address: &str) -> bool {
        self.files.iter().any(|file| {
            let bytes = files::read(&file.path, MAX_FILE).ok().flatten().unwrap_or_default();
            String::from_utf8_lossy(&bytes)
                .lines()
                .any(|line| line.ends_with(&format!("={address}")))
        })
    }

    fn write(&self) -> Result<(), Fault> {
        self.files.iter().try_for_each(|file| {
            files::write_private(&file.path, file.text.as_bytes())
                .map_err(|error| unwritable(&file.path, &error))
        })
    }

    fn remove(&self) -> Result<(), Fault> {
        for file in self.files.iter().filter(|file| file.owner() == Owner::Ours) {
            fs::remove_file(&file.path).map_err(|error| unwritable(&file.path, &error))?;
        }
        for folder in &self.folders {
            // One that holds something else stays.
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Kind::Config, "the service's file cannot be changed").cause(error).at(path.display())
}

#[cfg(test)]
mod tests {
    use super::Facts;

    pub(super) fn facts() -> Facts {
        Facts {
            program: "/opt/my tools/gocred".into(),
            home: "/home/ana".into(),
            config: "/home/ana/.config".into(),
            uid: 1000,
            listen: vec!["127.0.0.1:7407".parse().unwrap(), "[::1]:7407".parse().unwrap()],
            goproxy: Some("127.0.0.1:7408".parse().unwrap()),
            variables: vec![("SSL_CERT_FILE", "/etc/corp & co.pem".into())],
        }
    }
}

//! `gocred proxy`: runs the loopback proxy in the foreground, asks it, and stops it; makes a service
//! of it.

#[cfg(unix)]
mod alone;
mod goproxy;
mod listen;
pub mod pac;
mod report;
mod service;
mod signals;
mod status_token;
mod top;
mod top_table;
pub(crate) mod vault;

use std::{io, sync::mpsc, thread};

use tokio::runtime;

#[cfg(unix)]
use crate::front::agent_desk;
use crate::{
    cli::{Proxy as Arguments, ProxyRun, ProxyStatus},
    core::{
        config::{Config, Upstream},
        fault::{Fault, Kind},
    },
    front::{
        self, Answer, Context, Outcome, daemon, engine,
        proxy_cmd::signals::{Signalled, Signals},
        ui, wiring,
    },
    proxy::{
        Callers, Proxy, Settings,
        control::{self, Control},
        goproxy::Settings as FrontSettings,
        spare,
    },
    sys::{
        inherit::UnixListener,
        limits,
        notify::{self, State},
        peer::{self, Peer},
    },
};

#[cfg(unix)]
pub(crate) use self::alone::run as agent;
pub(crate) use self::report::duration;

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome {
    match arguments {
        Arguments::Pac(arguments) => pac::run(arguments, context),
        Arguments::PacEngine => pac::engine(),
        Arguments::Install(arguments) => service::install(arguments, context),
        Arguments::Status(arguments) => status(arguments, context),
        Arguments::Reload => reload_running(context),
        Arguments::Run(arguments) => serve(arguments, context),
        Arguments::Start => service::start(context),
        Arguments::Stop => stop(context),
        Arguments::Top(arguments) => top::run(arguments, context),
        Arguments::Uninstall(arguments) => service::uninstall(arguments, context),
    }
}

fn serve(arguments: &ProxyRun, context: &Context) -> Outcome {
    refuse_overrides(arguments, context)?;
    let plans = listen::plan(arguments, context)?;
    let settings = settings(arguments, context)?;
    let fronts = goproxy::Running::new(context)?;
    let front = fronts.settings(arguments, context)?;
    let runtime = spare::look().and_then(|()| {
        let mut builder = runtime::Builder::new_current_thread();
        builder.max_blocking_threads(control::THREADS).enable_all().build()
    });
    let runtime = runtime.map_err(|error| broken("the runtime does not start", &error))?;
    let reload =
        |proxy: &Proxy, front: &mut goproxy::Running| reload(proxy, front, arguments, context);
    let result =
        runtime.block_on(until_stopped(plans, settings, (fronts, front), context, &reload));
    // A name that is still being resolved must not keep the process.
    runtime.shutdown_background();
    result.map(|()| Answer::Yes)
}

/// Refuses flags that would set what the administrator has locked.
fn refuse_overrides(arguments: &ProxyRun, context: &Context) -> Result<(), Fault> {
    let ProxyRun { listen, upstream, goproxy: _, goproxy_upstream: _ } = arguments;
    for (flag, values, key) in
        [("--listen", listen, "listen"), ("--upstream", upstream, "upstream")]
    {
        if !values.is_empty() {
            front::refuse_locked(flag, &["proxy", key], context)?;
        }
    }
    goproxy::refuse_overrides(arguments, context)
}

async fn until_stopped(
    plans: listen::Plans,
    settings: Settings,
    (mut fronts, front): (goproxy::Running, FrontSettings),
    context: &Context,
    reload: &dyn Fn(&Proxy, &mut goproxy::Running) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut signals =
        Signals::new().map_err(|error| broken("signals cannot be received", &error))?;
    let Opened { mut control, doors: (listeners, own), front: front_doors } = open(plans, context)?;
    let Some(first) = own.first().copied() else {
        return Err(Fault::new(Kind::Network, "there is no loopback address to listen on"));
    };
    let proxy = Proxy::new(settings, own, limits::raise_open_files())
        .map_err(|error| broken("the system gives no random numbers", &error))?;
    let _token = status_token::put(&proxy, context.paths.control.as_ref());
    ui::out(&format!("listening on http://{first}"));
    if let Some(doors) = front_doors {
        fronts.begin(doors, &proxy, front);
    }
    let serving = proxy.serve(listeners);
    tokio::pin!(serving);
    let (asked, mut reloads) = tokio::sync::mpsc::channel(1);
    let answering = async {
        match &mut control {
            Some(control) => control.serve(&proxy, asked).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(answering);
    let tell = |state| notify::tell(state, &context.env);
    let reload = |fronts: &mut goproxy::Running| {
        tell(State::Reloading);
        let result = reload(&proxy, fronts);
        tell(State::Ready);
        result
    };
    tell(State::Ready);
    let mut has_ended = false;
    while !has_ended || !fronts.task.is_empty() {
        tokio::select! {
            () = &mut serving, if !has_ended => has_ended = true,
            Some(_) = fronts.task.join_next() => {}
            () = &mut answering => {}
            Some(answer) = reloads.recv() => {
                let result = reload(&mut fronts);
                // Whoever asked may have gone.
                let _ = answer.send(result.map_err(|fault: Fault| fault.one_line()));
            }
            again = signals.next() => match again {
                Signalled::First => {
                    tell(State::Stopping);
                    proxy.stop();
                }
                Signalled::Again => return Ok(()),
                Signalled::Reload => match reload(&mut fronts) {
                    Ok(()) => ui::err("the configuration was read anew"),
                    Err(fault) => ui::err(&fault.one_line()),
                },
            }
        }
    }
    Ok(())
}

/// What is open.
struct Opened {
    control: Option<Control>,
    doors: listen::Doors,
    front: Option<listen::Doors>,
}

fn open(plans: listen::Plans, context: &Context) -> Result<Opened, Fault> {
    let path = context.paths.control.as_ref();
    if path.is_none() {
        ui::err("XDG_RUNTIME_DIR is not set: `gocred proxy status` and `stop` will not work");
    }
    let listen::Plans { doors, front, control: handed } = plans;
    let control = path.map(|path| take(path, handed, context)).transpose()?;
    Ok(Opened { control, doors: listen::open(doors)?, front: front.map(listen::open).transpose()? })
}

/// Takes the control socket. An agent that runs alone makes room: the proxy is one, too.
#[cfg(unix)]
fn take(
    path: &std::path::Path,
    handed: Option<UnixListener>,
    context: &Context,
) -> Result<Control, Fault> {
    let bound = match handed {
        Some(listener) => control::Bound::adopt(path, listener),
        None => match control::Bound::bind(path) {
            Err(control::Error::Running) if control::stop_agent(path).is_ok() => {
                control::Bound::bind(path)
            }
            bound => bound,
        },
    };
    let fault = |error| control_fault(&error, path);
    let bound = bound.map_err(fault)?;
    bound.answer(agent_desk::agent(context)?).map_err(fault)
}

#[cfg(not(unix))]
fn take(
    path: &std::path::Path,
    _handed: Option<UnixListener>,
    _context: &Context,
) -> Result<Control, Fault> {
    Control::bind(path).map_err(|error| control_fault(&error, path))
}

/// Reads the configuration anew and gives it to the running proxy, whose listeners and tunnels stay.
/// What is wrong leaves it as it was.
fn reload(
    proxy: &Proxy,
    front: &mut goproxy::Running,
    arguments: &ProxyRun,
    context: &Context,
) -> Result<(), Fault> {
    let config = front::config(&context.paths)?;
    let context = &Context { config, ..context.clone() };
    refuse_overrides(arguments, context)?;
    let plan = engine::plan(with_flags(arguments, context)?, context)?;
    front.reload(proxy, arguments, context)?;
    proxy.reload(plan);
    Ok(())
}

fn settings(arguments: &ProxyRun, context: &Context) -> Result<Settings, Fault> {
    let vault = engine::keyring(context)?;
    engine::settings(with_flags(arguments, context)?, callers(), vault, voice(), context)
}

/// Puts the flags into the configuration.
fn with_flags(arguments: &ProxyRun, context: &Context) -> Result<Config, Fault> {
    let mut config = context.config.clone();
    let flag = |text: &String| {
        Upstream::parse(text).map_err(|error| {
            Fault::new(Kind::Usage, format!("--upstream: {error}"))
                .hint("gocred proxy run --upstream http://proxy.corp.example:8080")
        })
    };
    let flags = arguments.upstream.iter().map(flag).collect::<Result<Vec<_>, _>>()?;
    if !flags.is_empty() {
        config.proxy.upstream = flags;
    }
    Ok(config)
}

/// Returns what tells findings to the terminal, from a thread of its own: one that was stopped (^S),
/// or a full pipe, must not stop the proxy. Lines that it does not take are dropped.
pub(crate) fn voice() -> impl Fn(&str) + Send + Sync {
    const WAITING: usize = 64;
    let (sender, lines) = mpsc::sync_channel::<String>(WAITING);
    // Without a thread nothing is told, and the proxy serves.
    let _ = thread::Builder::new().spawn(move || lines.iter().for_each(|line| ui::err(&line)));
    move |line| {
        let _ = sender.try_send(line.to_owned());
    }
}

/// Asks the system about a connection of our own, to know whether it can tell who asks.
pub(crate) fn callers() -> Callers {
    let probe = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (stream, remote) = listener.accept()?;
        io::Result::Ok(peer::of(stream.local_addr()?, remote))
    };
    match probe() {
        Ok(Peer::User(uid)) if uid == peer::own_uid() && peer::is_one_user(uid) => Callers::Uid,
        Ok(Peer::User(_) | Peer::Gone | Peer::Unknown(_)) | Err(_) => Callers::Token,
    }
}

/// Returns whether the proxy is a service of this user.
pub(crate) fn is_installed(context: &Context) -> bool {
    service::installed(context).is_some()
}

/// Returns whether a front is served at `http://address`, or will be with the first connection.
pub(crate) fn serves(address: &str, context: &Context) -> bool {
    let is_waiting = |service: service::Service| service.waits_at(address, context);
    daemon::serves(context, address) || service::installed(context).is_some_and(is_waiting)
}

/// Returns whether a service is installed whose manager does not wait at an address.
pub(crate) fn is_unaware(address: &str, context: &Context) -> bool {
    service::installed(context).is_some_and(|service| service.is_unaware(address))
}

fn broken(what: &str, error: &io::Error) -> Fault {
    Fault::new(Kind::Internal, what).cause(error)
}

fn status(arguments: &ProxyStatus, context: &Context) -> Outcome {
    let path = control_path(context)?;
    if arguments.url {
        ui::out(&control::page(path).map_err(|error| control_fault(&error, path))?);
        return Ok(Answer::Yes);
    }
    let report = match control::status(path) {
        Err(control::Error::NotRunning) if !arguments.json => {
            let Some(service) = service::installed(context) else {
                return Err(control_fault(&control::Error::NotRunning, path));
            };
            ui::out(&format!("not running; {}", service.next_start(context)));
            return Ok(Answer::No);
        }
        answer => answer.map_err(|error| control_fault(&error, path))?,
    };
    if arguments.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Fault::new(Kind::Internal, "the report is not JSON").cause(error))?;
        ui::out(&text);
    } else {
        for line in report::lines(&report) {
            ui::out(&line);
        }
    }
    Ok(Answer::Yes)
}

fn stop(context: &Context) -> Outcome {
    // The service first: its manager would start it again.
    let service = service::stop(context);
    let path = control_path(context)?;
    match (control::stop(path), service) {
        (Ok(()), Ok(_)) | (Err(control::Error::NotRunning), Ok(true)) => {
            wiring::note_left(context);
            Ok(Answer::Yes)
        }
        (_, Err(fault)) => Err(fault),
        (Err(error), Ok(_)) => Err(control_fault(&error, path)),
    }
}

fn reload_running(context: &Context) -> Outcome {
    let path = control_path(context)?;
    control::reload(path).map_err(|error| control_fault(&error, path))?;
    Ok(Answer::Yes)
}

fn control_path(context: &Context) -> Result<&std::path::Path, Fault> {
    context.paths.control.as_deref().ok_or_else(|| {
        Fault::new(Kind::Config, "there is no folder for the control socket")
            .hint("export XDG_RUNTIME_DIR=/run/user/$(id -u)")
    })
}

pub(crate) fn control_fault(error: &control::Error, path: &std::path::Path) -> Fault {
    let fault = |kind| Fault::new(kind, error.to_string());
    match error {
        control::Error::Running => {
            fault(Kind::Policy).hint("`gocred proxy status` shows it, `gocred proxy stop` ends it")
        }
        control::Error::NotRunning => fault(Kind::NotFound).hint("gocred proxy run"),
        control::Error::Refused(_) => fault(Kind::Config).hint("gocred config show --origin"),
        control::Error::Foreign(_) | control::Error::Open(_) => {
            fault(Kind::Policy).at(path.display())
        }
        control::Error::Silent => fault(Kind::Network)
            .at(path.display())
            .hint(format!("`ss -lxp 'src {}'` shows its process", path.display())),
        control::Error::Io(_) => Fault::new(Kind::Network, "the control socket cannot be used")
            .cause(error)
            .at(path.display()),
    }
}

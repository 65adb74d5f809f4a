//! `gocred proxy`: runs the loopback proxy in the foreground, asks it, and stops it.

pub mod pac;
mod report;
mod signals;
mod vault;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    runtime,
};

use crate::{
    cli::{Proxy as Arguments, ProxyRun, ProxyStatus},
    core::{
        address::Allow,
        config::{DEFAULT_LISTEN, Loopback, Upstream},
        fault::{Fault, Kind},
        upstream::Rules,
    },
    front::{
        self, Answer, Context, Outcome,
        proxy_cmd::{
            signals::{Signalled, Signals},
            vault::Keyring,
        },
        ui,
    },
    proxy::{
        Callers, Proxy, Settings,
        control::{self, Control},
    },
    store::guard::Guard,
    sys::{
        limits,
        peer::{self, Peer},
    },
};

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context) -> Outcome {
    match arguments {
        Arguments::Pac(arguments) => pac::run(arguments, context),
        Arguments::PacEngine => pac::engine(),
        Arguments::Run(arguments) => serve(arguments, context),
        Arguments::Status(arguments) => status(arguments, context),
        Arguments::Stop => stop(context),
    }
}

fn serve(arguments: &ProxyRun, context: &Context) -> Outcome {
    for (flag, values, key) in
        [("--listen", &arguments.listen, "listen"), ("--upstream", &arguments.upstream, "upstream")]
    {
        if !values.is_empty() {
            front::refuse_locked(flag, &["proxy", key], context)?;
        }
    }
    let listen = listen(arguments, context)?;
    let settings = settings(arguments, context)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| broken("the runtime does not start", &error))?;
    let result = runtime.block_on(until_stopped(listen, settings, context));
    // A name that is still being resolved must not keep the process.
    runtime.shutdown_background();
    result.map(|()| Answer::Yes)
}

async fn until_stopped(
    listen: Vec<Wanted>,
    settings: Settings,
    context: &Context,
) -> Result<(), Fault> {
    let signals = Signals::new().map_err(|error| broken("signals cannot be received", &error))?;
    let path = context.paths.control.as_ref();
    if path.is_none() {
        ui::err("XDG_RUNTIME_DIR is not set: `gocred proxy status` and `stop` will not work");
    }
    let take = |path| Control::bind(path).map_err(|error| control_fault(&error, path));
    let control = path.map(|path| take(path)).transpose()?;
    let (listeners, own) = bind(listen)?;
    let Some(first) = own.first().copied() else {
        return Err(Fault::new(Kind::Network, "there is no loopback address to listen on"));
    };
    let proxy = Proxy::new(settings, own, limits::raise_open_files())
        .map_err(|error| broken("the system gives no random numbers", &error))?;
    ui::out(&format!("listening on http://{first}"));
    let serving = proxy.serve(listeners);
    tokio::pin!(serving);
    let answering = async {
        match &control {
            Some(control) => control.serve(&proxy).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(answering);
    let mut signals = signals;
    loop {
        tokio::select! {
            () = &mut serving => return Ok(()),
            () = &mut answering => {}
            again = signals.next() => match again {
                Signalled::First => proxy.stop(),
                Signalled::Again => return Ok(()),
            }
        }
    }
}

/// An address to listen on.
struct Wanted {
    address: Loopback,
    /// Whether the user named it; a default that the machine does not have is passed over.
    named: Named,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    ByDefault,
    ByUser,
}

fn listen(arguments: &ProxyRun, context: &Context) -> Result<Vec<Wanted>, Fault> {
    let flag = |text: &String| {
        Loopback::parse(text).ok_or_else(|| {
            Fault::new(Kind::Usage, "--listen takes a loopback address and a port")
                .hint("gocred proxy run --listen 127.0.0.1:7407")
        })
    };
    let flags = arguments.listen.iter().map(flag).collect::<Result<Vec<_>, _>>()?;
    let named = if flags.is_empty() { context.config.proxy.listen.clone() } else { flags };
    if named.is_empty() {
        let defaults = DEFAULT_LISTEN.into_iter().filter_map(Loopback::parse);
        return Ok(defaults.map(|address| Wanted { address, named: Named::ByDefault }).collect());
    }
    Ok(named.into_iter().map(|address| Wanted { address, named: Named::ByUser }).collect())
}

fn settings(arguments: &ProxyRun, context: &Context) -> Result<Settings, Fault> {
    let config = &context.config.proxy;
    let flag = |text: &String| {
        Upstream::parse(text).map_err(|error| {
            Fault::new(Kind::Usage, format!("--upstream: {error}"))
                .hint("gocred proxy run --upstream http://proxy.corp.example:8080")
        })
    };
    let flags = arguments.upstream.iter().map(flag).collect::<Result<Vec<_>, _>>()?;
    let upstream = if flags.is_empty() { config.upstream.clone() } else { flags };
    let allow = Allow::parse(&config.allow).map_err(|number| {
        Fault::new(Kind::Config, "`proxy.allow` takes addresses and blocks such as 127.77.0.0/16")
            .cause(format!("element {number} is neither"))
            .at(context.paths.config.display())
    })?;
    let guard = Guard::open(&context.paths.state)
        .map_err(|error| broken("the system gives no random numbers", &error))?;
    Ok(Settings {
        rules: Rules { upstream, no_proxy: config.no_proxy.clone() },
        allow,
        callers: callers(),
        vault: Arc::new(Keyring::new(context.env.clone(), guard)),
        voice: Box::new(voice()),
    })
}

/// Returns what tells findings to the terminal, from a thread of its own: one that was stopped (^S),
/// or a full pipe, must not stop the proxy. Lines that it does not take are dropped.
fn voice() -> impl Fn(&str) + Send + Sync {
    const WAITING: usize = 64;
    let (sender, lines) = mpsc::sync_channel::<String>(WAITING);
    // Without a thread nothing is told, and the proxy serves.
    let _ = thread::Builder::new().spawn(move || lines.iter().for_each(|line| ui::err(&line)));
    move |line| {
        let _ = sender.try_send(line.to_owned());
    }
}

/// Asks the system about a connection of our own, to know whether it can tell who asks.
fn callers() -> Callers {
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

fn bind(wanted: Vec<Wanted>) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Fault> {
    let (mut listeners, mut own) = (Vec::new(), Vec::new());
    for Wanted { address, named } in wanted {
        let address = address.address();
        match door(address) {
            Ok((listener, address)) => {
                listeners.push(listener);
                own.push(address);
            }
            Err(error) if named == Named::ByDefault && is_absent(&error) => {
                ui::err(&format!("this machine has no {}: {error}", address.ip()));
            }
            Err(error) => {
                let hint =
                    format!("gocred proxy run --listen {}", SocketAddr::new(address.ip(), 0));
                return Err(Fault::new(Kind::Network, format!("{address} cannot be listened on"))
                    .cause(error)
                    .hint(hint)
                    .hint(format!("`ss -ltnp 'sport = :{}'` shows who does", address.port())));
            }
        }
    }
    Ok((listeners, own))
}

/// Opens a listener whose queue holds a burst of a thousand connections; a client that finds it
/// full waits a second.
fn door(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    const QUEUE: u32 = 4096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As std does: on Windows the option would let others take the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(QUEUE)?;
    let own = listener.local_addr()?;
    Ok((listener, own))
}

/// Returns whether the address, or its family, does not exist here.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(97) // EAFNOSUPPORT
}

fn broken(what: &str, error: &io::Error) -> Fault {
    Fault::new(Kind::Internal, what).cause(error)
}

fn status(arguments: &ProxyStatus, context: &Context) -> Outcome {
    let path = control_path(context)?;
    let report = control::status(path).map_err(|error| control_fault(&error, path))?;
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
    let path = control_path(context)?;
    control::stop(path).map_err(|error| control_fault(&error, path))?;
    Ok(Answer::Yes)
}

fn control_path(context: &Context) -> Result<&std::path::Path, Fault> {
    context.paths.control.as_deref().ok_or_else(|| {
        Fault::new(Kind::Config, "there is no folder for the control socket")
            .hint("export XDG_RUNTIME_DIR=/run/user/$(id -u)")
    })
}

fn control_fault(error: &control::Error, path: &std::path::Path) -> Fault {
    let fault = |kind| Fault::new(kind, error.to_string());
    match error {
        control::Error::Running => {
            fault(Kind::Policy).hint("`gocred proxy status` shows it, `gocred proxy stop` ends it")
        }
        control::Error::NotRunning => fault(Kind::NotFound).hint("gocred proxy run"),
        control::Error::Foreign(_) => fault(Kind::Policy).at(path.display()),
        control::Error::Silent => fault(Kind::Network)
            .at(path.display())
            .hint(format!("`ss -lxp 'src {}'` shows its process", path.display())),
        control::Error::Io(_) => Fault::new(Kind::Network, "the control socket cannot be used")
            .cause(error)
            .at(path.display()),
    }
}

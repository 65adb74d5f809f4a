//! Where the proxy listens: on what the service manager hands over, else on what the flags say, else
//! the configuration, else the default. Loopback only, whoever opened it; and where the administrator
//! has locked `proxy.listen`, nothing else than that. The control socket may be handed over, too, and
//! that of the module proxy front, which is known by its address.

use std::{io, net::SocketAddr, path::Path};

use tokio::net::{TcpListener, TcpSocket};

use crate::{
    cli::ProxyRun,
    core::{
        config::{DEFAULT_GOPROXY, DEFAULT_LISTEN, Loopback},
        fault::{Fault, Kind},
    },
    front::{self, Context, proxy_cmd::goproxy, ui},
    sys::inherit::{self, UnixListener},
};

/// What clients come in by, and its addresses.
pub(super) type Doors = (Vec<TcpListener>, Vec<SocketAddr>);

/// Where to listen.
pub(super) enum Plan {
    /// On sockets that are open already.
    Inherited(Vec<std::net::TcpListener>),
    /// On these addresses.
    Addresses(Vec<Wanted>),
}

/// What there is to listen on.
pub(super) struct Plans {
    /// Of the proxy.
    pub(super) doors: Plan,
    /// Of the module proxy front, where there is to be one.
    pub(super) front: Option<Plan>,
    /// The control socket, if it is open already.
    pub(super) control: Option<UnixListener>,
}

/// Decides it, and opens nothing.
pub(super) fn plan(arguments: &ProxyRun, context: &Context) -> Result<Plans, Fault> {
    let mut inherited = inherit::take().map_err(|error| refused(&error))?;
    let control = control(inherited.unix, context.paths.control.as_deref())?;
    let front = front(&mut inherited.tcp, arguments, context)?;
    Ok(Plans { doors: doors(inherited.tcp, arguments, context)?, front, control })
}

/// Takes the front's socket out of what was handed over, or else says where it is to be opened. A socket
/// that has no front any more is none of the proxy's, unless it is configured as one.
fn front(
    inherited: &mut Vec<std::net::TcpListener>,
    arguments: &ProxyRun,
    context: &Context,
) -> Result<Option<Plan>, Fault> {
    let address = goproxy::address(arguments, context)?;
    let wanted = Wanted { address, named: Named::ByUser, flag: GOPROXY };
    let is_on = goproxy::list(arguments, context)?.is_some();
    let proxies = self::wanted(arguments, context)?;
    let is_front = |listener: &std::net::TcpListener| {
        let Ok(address) = listener.local_addr() else { return false };
        wanted.covers(address) && (is_on || !proxies.iter().any(|proxy| proxy.covers(address)))
    };
    let port = address.address().port();
    if is_on && port == 0 && !inherited.is_empty() {
        return Err(Fault::new(Kind::Config, "a service needs a port of its own")
            .cause("the address of the module proxy front has port 0")
            .hint(format!(
                "write `listen = \"{DEFAULT_GOPROXY}\"` into [goproxy] of config.toml"
            )));
    }
    if let Some(at) = inherited.iter().position(is_front).filter(|_| port != 0) {
        return Ok(Some(Plan::Inherited(vec![inherited.remove(at)])));
    }
    Ok(is_on.then(|| Plan::Addresses(vec![wanted])))
}

/// Says that the front is to be opened at its address.
pub(super) fn front_at(address: Loopback) -> Plan {
    Plan::Addresses(vec![Wanted { address, named: Named::ByUser, flag: GOPROXY }])
}

fn doors(
    inherited: Vec<std::net::TcpListener>,
    arguments: &ProxyRun,
    context: &Context,
) -> Result<Plan, Fault> {
    if inherited.is_empty() {
        return Ok(Plan::Addresses(wanted(arguments, context)?));
    }
    if !arguments.listen.is_empty() {
        return Err(Fault::new(Kind::Usage, "--listen, and sockets that are open already")
            .hint("leave --listen out: the addresses stand in gocred-proxy.socket"));
    }
    refuse_unlisted(&inherited, arguments, context)?;
    Ok(Plan::Inherited(inherited))
}

/// Takes the control socket out of what was handed over: there is one, where it is looked for.
#[cfg(unix)]
pub(super) fn control(
    mut inherited: Vec<UnixListener>,
    path: Option<&Path>,
) -> Result<Option<UnixListener>, Fault> {
    let is_control = |listener: &UnixListener| {
        let address = listener.local_addr();
        address.is_ok_and(|address| path.is_some() && address.as_pathname() == path)
    };
    if inherited.len() > 1 || !inherited.iter().all(is_control) {
        return Err(refused(&"a Unix socket is not where the control socket is looked for"));
    }
    Ok(inherited.pop())
}

#[cfg(not(unix))]
pub(super) fn control(
    _inherited: Vec<UnixListener>,
    _path: Option<&Path>,
) -> Result<Option<UnixListener>, Fault> {
    Ok(None)
}

/// Refuses sockets on other addresses than the administrator has locked.
fn refuse_unlisted(
    inherited: &[std::net::TcpListener],
    arguments: &ProxyRun,
    context: &Context,
) -> Result<(), Fault> {
    let listed = wanted(arguments, context)?;
    for listener in inherited {
        let address = listener.local_addr().map_err(|error| refused(&error))?;
        if !listed.iter().any(|wanted| wanted.covers(address)) {
            let what = format!("a socket on {address} was handed over");
            front::refuse_locked(&what, &["proxy", "listen"], context)
                .map_err(|fault| fault.hint("gocred proxy install"))?;
        }
    }
    Ok(())
}

/// Opens the doors. Needs a tokio runtime.
pub(super) fn open(plan: Plan) -> Result<Doors, Fault> {
    match plan {
        Plan::Inherited(listeners) => take(listeners),
        Plan::Addresses(wanted) => bind(wanted),
    }
}

fn take(inherited: Vec<std::net::TcpListener>) -> Result<Doors, Fault> {
    let (mut listeners, mut own) = (Vec::new(), Vec::new());
    for listener in inherited {
        let address = listener.local_addr().map_err(|error| refused(&error))?;
        if Loopback::new(address).is_none() {
            return Err(refused(&format!("{address} is not a loopback address")));
        }
        let open = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
        listeners.push(open.map_err(|error| refused(&error))?);
        own.push(address);
    }
    Ok((listeners, own))
}

fn refused(cause: &dyn std::fmt::Display) -> Fault {
    Fault::new(Kind::Policy, "the sockets that were handed over are refused")
        .cause(cause)
        .hint("`gocred proxy install` writes a socket unit that fits")
}

/// An address to listen on.
pub(super) struct Wanted {
    address: Loopback,
    /// Whether the user named it; a default that the machine does not have is passed over.
    named: Named,
    /// The flag that names another one.
    flag: &'static str,
}

const LISTEN: &str = "--listen";
const GOPROXY: &str = "--goproxy";

impl Wanted {
    /// Returns whether a socket is what is wanted; port 0 is any.
    fn covers(&self, socket: SocketAddr) -> bool {
        let address = self.address.address();
        address.ip() == socket.ip() && (address.port() == 0 || address.port() == socket.port())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    ByDefault,
    ByUser,
}

fn wanted(arguments: &ProxyRun, context: &Context) -> Result<Vec<Wanted>, Fault> {
    let flag = |text: &String| {
        Loopback::parse(text).ok_or_else(|| {
            Fault::new(Kind::Usage, "--listen takes a loopback address and a port")
                .hint("gocred proxy run --listen 127.0.0.1:7407")
        })
    };
    let flags = arguments.listen.iter().map(flag).collect::<Result<Vec<_>, _>>()?;
    let named = if flags.is_empty() { context.config.proxy.listen.clone() } else { flags };
    let wanted = |named| move |address| Wanted { address, named, flag: LISTEN };
    if named.is_empty() {
        let defaults = DEFAULT_LISTEN.into_iter().filter_map(Loopback::parse);
        return Ok(defaults.map(wanted(Named::ByDefault)).collect());
    }
    Ok(named.into_iter().map(wanted(Named::ByUser)).collect())
}

fn bind(wanted: Vec<Wanted>) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Fault> {
    let (mut listeners, mut own) = (Vec::new(), Vec::new());
    for Wanted { address, named, flag } in wanted {
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
                let hint = format!("gocred proxy run {flag} {}", SocketAddr::new(address.ip(), 0));
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

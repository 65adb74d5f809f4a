//! The session bus: a blocking connection over a Unix socket, with one deadline for everything.
//!
//! It deliberately knows only `unix:` addresses and EXTERNAL authentication (D-Bus specification,
//! "Authentication Protocol" and "Server Addresses"), and starts no bus.

use std::{
    ffi::OsStr,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect,
        recv, send, socket_with, sockopt::socket_peercred,
    },
    process::geteuid,
};
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::{
    core::dbus::{Body, Call, Inbox, Malformed, Reply},
    sys::env::Env,
};

/// Where a bus may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A name in the abstract namespace of Linux.
    Abstract(Vec<u8>),
    /// A socket file.
    Path(PathBuf),
}

/// Returns the addresses of the session bus, in the order they are tried.
pub(super) fn addresses(env: &Env) -> Result<Vec<Address>, Error> {
    match (env.text("DBUS_SESSION_BUS_ADDRESS"), env.path("XDG_RUNTIME_DIR")) {
        (Some(text), _) => {
            let known: Vec<Address> = text.split(';').filter_map(parse_address).collect();
            let none = "DBUS_SESSION_BUS_ADDRESS has no address of a Unix socket";
            if known.is_empty() { Err(Error::NoBus(none.to_owned())) } else { Ok(known) }
        }
        // Where systemd and dbus-broker put it (pam_systemd(8)).
        (None, Some(run)) => Ok(vec![Address::Path(run.join("bus"))]),
        (None, None) => Err(Error::NoBus(
            "there is no session bus: DBUS_SESSION_BUS_ADDRESS is not set, nor is XDG_RUNTIME_DIR"
                .to_owned(),
        )),
    }
}

/// Parses one address; `None` is another transport, or not an address.
fn parse_address(text: &str) -> Option<Address> {
    text.strip_prefix("unix:")?.split(',').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = unescape(value)?;
        match key {
            "abstract" => Some(Address::Abstract(value)),
            "path" => Some(Address::Path(OsStr::from_bytes(&value).into())),
            _ => None,
        }
    })
}

/// Undoes `%xx`.
fn unescape(value: &str) -> Option<Vec<u8>> {
    let mut parts = value.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    Some(bytes)
}

/// Why the bus did not carry an answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Error {
    /// The other side closed the connection.
    #[error("the session bus closed the connection")]
    Gone,
    /// What came is not D-Bus.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// There is no bus to talk to.
    #[error("{0}")]
    NoBus(String),
    /// The answer is an error.
    #[error("{name}: {text}")]
    Remote {
        /// Its name, such as `org.freedesktop.Secret.Error.IsLocked`.
        name: String,
        /// What the service says.
        text: String,
    },
    /// The deadline passed.
    #[error("the session bus or the service did not answer in time")]
    Silent,
}

/// A connection. Calls that were sent are answered in any order.
pub(super) struct Bus {
    socket: OwnedFd,
    inbox: Inbox,
    /// The serials of calls without an answer.
    awaited: Vec<u32>,
    replies: Vec<Reply>,
    outgoing: Zeroizing<Vec<u8>>,
    greeted: Greeting,
    serial: u32,
    deadline: Instant,
}

/// Whether the server has let us in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Greeting {
    Done,
    Expected,
}

/// Stands for the answer to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending(u32);

/// The longest line that a server may answer to `AUTH`.
const MAX_LINE: usize = 1024;

impl Bus {
    /// Connects to the first address where somebody listens. What is sent first goes out together
    /// with the authentication, as sd-bus does it: a round trip less.
    pub(super) fn connect(addresses: &[Address], deadline: Instant) -> Result<Self, Error> {
        let mut last = Error::NoBus("there is no address of a session bus".to_owned());
        for address in addresses {
            match open(address, deadline) {
                Ok(socket) => return Self::greet(socket, deadline),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn greet(socket: OwnedFd, deadline: Instant) -> Result<Self, Error> {
        let own = geteuid();
        let owner = socket_peercred(&socket).map_err(no_bus)?.uid;
        if owner != own && !owner.is_root() {
            let (owner, own) = (owner.as_raw(), own.as_raw());
            let why = format!("the session bus belongs to user {owner}, and we are user {own}");
            return Err(Error::NoBus(why));
        }
        let mut bus = Self {
            socket,
            inbox: Inbox::default(),
            awaited: Vec::new(),
            replies: Vec::new(),
            outgoing: Zeroizing::new(Vec::with_capacity(1024)),
            greeted: Greeting::Expected,
            serial: 0,
            deadline,
        };
        // The user's number, in decimal digits, in hexadecimal.
        bus.outgoing.extend(b"\0AUTH EXTERNAL ");
        for digit in own.as_raw().to_string().bytes() {
            bus.outgoing.extend(format!("{digit:02x}").bytes());
        }
        bus.outgoing.extend(b"\r\nBEGIN\r\n");
        let hello = Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
            signature: "",
        };
        bus.call(&hello, &Body::default());
        Ok(bus)
    }

    /// Moves the deadline: a connection is used for several questions.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Returns how many signals came: others are told of what the service does.
    pub(super) fn signals(&self) -> usize {
        self.inbox.passed()
    }

    /// Queues a call. It goes out with the next [`Self::answer`].
    pub(super) fn call(&mut self, call: &Call<'_>, body: &Body) -> Pending {
        self.serial += 1;
        self.awaited.push(self.serial);
        call.encode(self.serial, body, &mut self.outgoing);
        Pending(self.serial)
    }

    /// Sends a call whose answer is of no interest.
    pub(super) fn tell(&mut self, call: &Call<'_>, body: &Body) {
        let Pending(serial) = self.call(call, body);
        self.awaited.retain(|awaited| *awaited != serial);
        // Who does not take it does not answer what is asked next, either.
        let _ = self.flush();
    }

    /// Sends what is queued, and waits for the answer to a call.
    pub(super) fn answer(&mut self, pending: Pending) -> Result<Reply, Error> {
        self.flush()?;
        loop {
            if let Some(at) = self.replies.iter().position(|reply| reply.to == pending.0) {
                let reply = self.replies.swap_remove(at);
                return match &reply.error {
                    None => Ok(reply),
                    Some(name) => Err(Error::Remote {
                        name: name.clone(),
                        text: reply.error_text().unwrap_or_default().to_owned(),
                    }),
                };
            }
            self.receive()?;
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let mut sent = 0;
        while let Some(rest) = self.outgoing.get(sent..).filter(|rest| !rest.is_empty()) {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(size) => sent += size,
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT)?,
                Err(Errno::INTR) => {}
                Err(_) => return Err(Error::Gone),
            }
        }
        self.outgoing = Zeroizing::default();
        Ok(())
    }

    /// Waits for bytes, and keeps the replies that somebody waits for.
    fn receive(&mut self) -> Result<(), Error> {
        let mut bytes = Zeroizing::new([0; 4096]);
        self.wait(PollFlags::IN)?;
        let size = match recv(&self.socket, bytes.as_mut_slice(), RecvFlags::empty()) {
            Ok((0, _)) => return Err(Error::Gone),
            Ok((size, _)) => size,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(_) => return Err(Error::Gone),
        };
        self.inbox.feed(bytes.get(..size).unwrap_or_default());
        if self.greeted == Greeting::Expected {
            match self.inbox.take_line(MAX_LINE)? {
                None => return Ok(()),
                Some(line) if line.starts_with(b"OK ") => self.greeted = Greeting::Done,
                Some(_) => {
                    return Err(Error::NoBus("the session bus does not let us in".to_owned()));
                }
            }
        }
        while let Some(reply) = self.inbox.next_reply()? {
            if let Some(at) = self.awaited.iter().position(|serial| *serial == reply.to) {
                self.awaited.swap_remove(at);
                self.replies.push(reply);
            }
        }
        Ok(())
    }

    fn wait(&self, for_what: PollFlags) -> Result<(), Error> {
        let left = left(self.deadline)?;
        let mut fds = [PollFd::new(&self.socket, for_what)];
        match poll(&mut fds, Some(&left)) {
            Ok(0) => Err(Error::Silent),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(_) => Err(Error::Gone),
        }
    }
}

fn left(deadline: Instant) -> Result<Timespec, Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Error::Silent);
    }
    Timespec::try_from(left).map_err(|_| Error::Silent)
}

/// Connects without ever blocking: a bus that hangs has a full queue, and connect(2) would wait.
fn open(address: &Address, deadline: Instant) -> Result<OwnedFd, Error> {
    let (name, shown) = match address {
        Address::Abstract(name) => (
            SocketAddrUnix::new_abstract_name(name),
            format!("abstract socket {}", String::from_utf8_lossy(name)),
        ),
        Address::Path(path) => (SocketAddrUnix::new(path), path.display().to_string()),
    };
    let refused =
        |error: Errno| Error::NoBus(format!("no session bus answers at {shown}: {error}"));
    let name = name.map_err(refused)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(no_bus)?;
    loop {
        match connect(&socket, &name) {
            Ok(()) => return Ok(socket),
            // Linux answers EAGAIN while the queue is full, and offers nothing to wait on.
            Err(Errno::AGAIN) => {
                left(deadline)?;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(refused(error)),
        }
    }
}

fn no_bus(error: Errno) -> Error {
    Error::NoBus(format!("there is no session bus: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Address, Env, Error, addresses};

    fn of(address: &str) -> Result<Vec<Address>, Error> {
        addresses(&Env::of(&[("DBUS_SESSION_BUS_ADDRESS", address)]))
    }

    #[test]
    fn addresses_are_read_in_order_and_unescaped() {
        let path = |path: &str| Address::Path(path.into());
        for (text, expected) in [
            ("unix:path=/run/user/1/bus", vec![path("/run/user/1/bus")]),
            ("unix:path=/a%20b%2c,guid=00ff", vec![path("/a b,")]),
            (
                "unix:guid=1,path=/a;unix:abstract=/b",
                vec![path("/a"), Address::Abstract("/b".into())],
            ),
            ("tcp:host=h,port=1;unix:path=/a", vec![path("/a")]),
            ("unix:path=/%zz;unix:path=/%4;unix:path=/b", vec![path("/b")]),
        ] {
            assert_eq!(of(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn without_a_usable_address_there_is_no_bus() {
        for text in ["autolaunch:", "unix:", "unix:tmpdir=/tmp", "/run/bus", ";;", "unix:path"] {
            assert!(matches!(of(text), Err(Error::NoBus(_))), "{text}");
        }
        assert!(matches!(addresses(&Env::of(&[])), Err(Error::NoBus(_))));
    }

    #[test]
    fn without_an_address_the_bus_is_in_the_runtime_folder() {
        let env = Env::of(&[("XDG_RUNTIME_DIR", "/run/user/1")]);
        assert_eq!(addresses(&env), Ok(vec![Address::Path("/run/user/1/bus".into())]));
    }
}

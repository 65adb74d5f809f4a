//! Who is at the other end of a loopback connection: the uid that owns the socket there.
//!
//! It does not decide who may connect. It answers for one connection, exactly; nothing is scanned
//! (`/proc/net/tcp` costs milliseconds, and anybody can make it longer).

use std::net::SocketAddr;

/// What the system knows of the other end.
#[derive(Debug)]
pub enum Peer {
    /// A live socket of this user.
    User(u32),
    /// There is no live socket any more: closed, or orphaned. Nobody can be named.
    Gone,
    /// The system cannot be asked.
    Unknown(std::io::Error),
}

/// The client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Whose it is.
    pub uid: u32,
    /// Its number.
    pub inode: u32,
}

/// Returns the user id of this process, which never changes: the system is asked once.
#[cfg(unix)]
pub fn own_uid() -> u32 {
    static UID: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *UID.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// Returns the user id of this process, where there are none.
#[cfg(not(unix))]
pub fn own_uid() -> u32 {
    0
}

/// Returns whether a uid stands for one user only. In a user namespace the kernel shows everybody
/// whom it does not map as the overflow uid (`user_namespaces(7)`): to a container that runs as
/// nobody, all users of the machine are nobody.
#[cfg(target_os = "linux")]
pub fn is_one_user(uid: u32) -> bool {
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let overflow = read("/proc/sys/kernel/overflowuid").trim().parse().unwrap_or(65534);
    let everybody = ["0", "0", "4294967295"];
    uid != overflow || read("/proc/self/uid_map").split_whitespace().eq(everybody)
}

/// Returns whether a uid stands for one user only.
#[cfg(not(target_os = "linux"))]
pub fn is_one_user(_uid: u32) -> bool {
    true
}

/// Asks once; whoever asks often keeps a [`Registry`].
pub fn of(local: SocketAddr, remote: SocketAddr) -> Peer {
    Registry::default().owner(local, remote)
}

/// Whom the system is asked through: on Linux a socket to the kernel, opened with the first question
/// and kept, because opening one costs as much as asking.
#[derive(Debug, Default)]
pub struct Registry {
    #[cfg(target_os = "linux")]
    kernel: Option<linux::Kernel>,
}

impl Registry {
    /// Asks who owns the client's end of a connection that was accepted at `local` from `remote`.
    #[cfg(target_os = "linux")]
    pub fn owner(&mut self, local: SocketAddr, remote: SocketAddr) -> Peer {
        match self.ask(local, remote) {
            Ok(Some(Socket { uid, inode: _ })) => Peer::User(uid),
            Ok(None) => Peer::Gone,
            Err(error) => Peer::Unknown(error),
        }
    }

    /// Returns the client's end of such a connection, where it is known and alive.
    #[cfg(target_os = "linux")]
    pub fn socket(&mut self, local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
        self.ask(local, remote).ok().flatten()
    }

    #[cfg(target_os = "linux")]
    fn ask(&mut self, local: SocketAddr, remote: SocketAddr) -> std::io::Result<Option<Socket>> {
        let mut kernel = match self.kernel.take() {
            Some(kernel) => kernel,
            None => linux::Kernel::open()?,
        };
        let socket = kernel.ask(local, remote)?;
        // One that failed is not asked again: what it still says would answer another question.
        self.kernel = Some(kernel);
        Ok(socket)
    }

    /// Returns the client's end of such a connection; no exact question is known here.
    #[cfg(not(target_os = "linux"))]
    pub fn socket(&mut self, _local: SocketAddr, _remote: SocketAddr) -> Option<Socket> {
        None
    }

    /// Asks who owns the client's end of a connection; no exact question is known here.
    #[cfg(not(target_os = "linux"))]
    pub fn owner(&mut self, _local: SocketAddr, _remote: SocketAddr) -> Peer {
        Peer::Unknown(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        net::{IpAddr, SocketAddr},
        os::fd::OwnedFd,
    };

    use rustix::{
        io::Errno,
        net::{
            AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
            netlink::{self, SocketAddrNetlink},
            recvfrom, send, socket_with,
        },
    };

    use super::Socket;

    // linux/sock_diag.h, linux/inet_diag.h, linux/netlink.h.
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLMSG_ERROR: u16 = 2;
    const NLM_F_REQUEST: u16 = 1;
    const IPPROTO_TCP: u8 = 6;
    // net/tcp_states.h.
    const ESTABLISHED: u8 = 1;
    const FIN_WAIT1: u8 = 4;
    const FIN_WAIT2: u8 = 5;
    const CLOSE_WAIT: u8 = 8;
    const ANY_COOKIE: [u8; 8] = [0xff; 8];
    const ALL_STATES: u32 = u32::MAX;
    /// More messages than this that answer another question, or nobody's, are an attack.
    const MAX_STRAYS: usize = 64;
    /// nlmsghdr, `inet_diag_req_v2`.
    const REQUEST: usize = 16 + 8 + 48;
    /// nlmsghdr, up to the end of `inet_diag_msg`.
    const ANSWER: usize = 16 + 72;

    /// A socket to the kernel's table of connections.
    #[derive(Debug)]
    pub(super) struct Kernel {
        pub(super) socket: OwnedFd,
        /// The number of the last question.
        asked: u32,
    }

    impl Kernel {
        pub(super) fn open() -> Result<Self, Errno> {
            let socket = socket_with(
                AddressFamily::NETLINK,
                SocketType::DGRAM,
                SocketFlags::CLOEXEC,
                Some(netlink::SOCK_DIAG),
            )?;
            Ok(Self { socket, asked: 0 })
        }

        /// Sends the exact 4-tuple as the client's socket has it, and reads the answer, which the
        /// kernel queues before the request returns. `None`: there is no live socket.
        pub(super) fn ask(
            &mut self,
            local: SocketAddr,
            remote: SocketAddr,
        ) -> Result<Option<Socket>, Errno> {
            let id = socket_id(remote, local).ok_or(Errno::AFNOSUPPORT)?;
            // A client that connected by a mapped address has an IPv6 socket, and is answered as
            // such.
            let mapped = socket_id(map(remote), map(local)).ok_or(Errno::AFNOSUPPORT)?;
            self.asked = self.asked.wrapping_add(1);
            send(&self.socket, &request(remote, &id, self.asked), SendFlags::empty())?;
            let mut buffer = [0; 512];
            for _ in 0..MAX_STRAYS {
                let (_, length, sender) =
                    recvfrom(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
                let answer = buffer.get(..length).ok_or(Errno::BADMSG)?;
                let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
                // The kernel is number 0; whoever else writes to us may name whom it likes.
                if sender.is_some_and(|sender| sender.pid() == 0)
                    && number(answer) == Some(self.asked)
                {
                    return parse(answer, &[id, mapped]).ok_or(Errno::BADMSG)?;
                }
            }
            Err(Errno::BADMSG)
        }
    }

    /// Returns the number of the question that a message answers, `nlmsg_seq`.
    fn number(answer: &[u8]) -> Option<u32> {
        answer.get(8..12)?.try_into().ok().map(u32::from_ne_bytes)
    }

    pub(super) fn request(remote: SocketAddr, id: &[u8; 40], number: u32) -> Vec<u8> {
        let family = if remote.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let family = family.as_raw().to_le_bytes().into_iter().next().unwrap_or_default();
        let mut request = Vec::with_capacity(REQUEST);
        request.extend(u32::try_from(REQUEST).unwrap_or_default().to_ne_bytes());
        request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request.extend(NLM_F_REQUEST.to_ne_bytes());
        request.extend(number.to_ne_bytes());
        request.extend([0; 4]);
        request.extend([family, IPPROTO_TCP, 0, 0]);
        request.extend(ALL_STATES.to_ne_bytes());
        request.extend(id);
        request.extend(ANY_COOKIE);
        request
    }

    /// `inet_diag_sockid` without its cookie: ports and addresses in network order, any interface.
    fn socket_id(source: SocketAddr, target: SocketAddr) -> Option<[u8; 40]> {
        let mut id = [0; 40];
        let mut put = |at: usize, bytes: &[u8]| {
            id.get_mut(at..at + bytes.len()).map(|place| place.copy_from_slice(bytes))
        };
        put(0, &source.port().to_be_bytes())?;
        put(2, &target.port().to_be_bytes())?;
        for (at, address) in [(4, source.ip()), (20, target.ip())] {
            match address {
                IpAddr::V4(address) => put(at, &address.octets())?,
                IpAddr::V6(address) => put(at, &address.octets())?,
            }
        }
        Some(id)
    }

    fn map(address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            IpAddr::V6(_) => address,
        }
    }

    /// Reads the answer; `None` is not in the protocol.
    ///
    /// `TIME_WAIT` and orphaned sockets report uid 0 and inode 0, so a socket without an inode names
    /// nobody. `FIN_WAIT` with an inode is a live client that has shut down its sending side.
    fn parse(answer: &[u8], ids: &[[u8; 40]; 2]) -> Option<Result<Option<Socket>, Errno>> {
        let u32_at = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
        if kind == NLMSG_ERROR {
            let error = Errno::from_raw_os_error(u32_at(16)?.cast_signed().checked_neg()?);
            return Some(if error == Errno::NOENT { Ok(None) } else { Err(error) });
        }
        if kind != SOCK_DIAG_BY_FAMILY || answer.len() < ANSWER {
            return None;
        }
        // The interface, bytes 36 to 40 of the id, is the kernel's to fill in.
        let named = answer.get(20..56)?;
        if !ids.iter().any(|id| id.get(..36) == Some(named)) {
            return None;
        }
        let live = matches!(answer.get(17)?, &(ESTABLISHED | FIN_WAIT1 | FIN_WAIT2 | CLOSE_WAIT));
        let (uid, inode) = (u32_at(80)?, u32_at(84)?);
        Some(Ok((live && inode != 0).then_some(Socket { uid, inode })))
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::{Peer, Registry, linux, of, own_uid};

    fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
        let (stream, remote) = listener.accept().unwrap();
        let peer = of(stream.local_addr().unwrap(), remote);
        (stream, peer)
    }

    #[test]
    fn the_owner_of_a_live_connection_is_named_also_after_it_half_closed() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let address = listener.local_addr().unwrap();
            let client = TcpStream::connect(address).unwrap();
            let (stream, peer) = accept(&listener);
            assert!(matches!(peer, Peer::User(uid) if uid == own_uid()), "{peer:?}");
            client.shutdown(Shutdown::Write).unwrap();
            let peer = of(stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            assert!(matches!(peer, Peer::User(uid) if uid == own_uid()), "{peer:?}");
        }
    }

    #[test]
    fn a_client_that_closed_at_once_names_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let (_stream, peer) = accept(&listener);
        assert!(matches!(peer, Peer::Gone), "{peer:?}");
    }

    #[test]
    fn a_client_on_a_mapped_address_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let Ok(_client) = TcpStream::connect(format!("[::ffff:127.0.0.1]:{port}")) else { return };
        let (_stream, peer) = accept(&listener);
        assert!(matches!(peer, Peer::User(uid) if uid == own_uid()), "{peer:?}");
    }

    #[test]
    fn one_registry_answers_each_question_of_many() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut registry = Registry::default();
        let mut open = Vec::new();
        for number in 0..100 {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, remote) = listener.accept().unwrap();
            let local = stream.local_addr().unwrap();
            if number % 2 == 0 {
                drop(client);
                assert!(matches!(registry.owner(local, remote), Peer::Gone));
            } else {
                open.push((client, stream));
                assert!(
                    matches!(registry.owner(local, remote), Peer::User(uid) if uid == own_uid())
                );
            }
        }
    }

    #[test]
    fn an_answer_to_an_earlier_question_is_passed_over() {
        use rustix::net::{SendFlags, send};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = listener.local_addr().unwrap();
        let _client = TcpStream::connect(local).unwrap();
        let (_stream, remote) = listener.accept().unwrap();
        let mut kernel = linux::Kernel::open().unwrap();
        // Of a connection that is not there, number 0: the answer that stays is "no such entry".
        let nobody = linux::request(remote, &[0; 40], 0);
        send(&kernel.socket, &nobody, SendFlags::empty()).unwrap();
        let socket = kernel.ask(local, remote).unwrap();
        assert_eq!(socket.map(|socket| socket.uid), Some(own_uid()));
    }
}

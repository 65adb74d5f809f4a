//! What is asked of the network, and what was seen. Both are data: the plan asks, `net::doctor` answers,
//! the judge reads.

use std::net::{IpAddr, SocketAddr};

use crate::core::{
    challenge::Challenge,
    doctor::route::{Link, Login, Pinned, Proxy, Trust},
};

/// How much of a body is read, in bytes. Only of a module's zip it is more.
pub const MAX_BODY: usize = 64 * 1024;

/// One question to the network. Two equal questions are one ([`Probe::key`]).
#[expect(clippy::large_enum_variant, reason = "there are a few dozen, most of them the large one")]
#[derive(Clone, Debug)]
pub enum Probe {
    /// A name: what the system's resolver says, and each configured name server by itself.
    Names {
        /// The name.
        host: String,
    },
    /// A request, stage by stage; it ends at the first stage that fails.
    Exchange(Exchange),
    /// A TCP connection, and the first bytes that come by themselves: ssh, or whatever listens there.
    Banner {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// Programs: `git credential fill` for a URL, a GOAUTH command, `ssh -v`, … with a deadline.
    Program {
        /// The program and its arguments. No secret is among them.
        command: Vec<String>,
        /// What it is given on standard input.
        input: String,
        /// Variables that are set for it.
        variables: Vec<(String, String)>,
    },
}

/// A request by one way.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The proxy, or none.
    pub proxy: Option<Proxy>,
    /// The URL.
    pub link: Link,
    /// What is sent of a login to the origin.
    pub login: Option<Login>,
    /// Whose certificates are trusted, for the verdict; the handshake goes on without trust, so that the answer
    /// is seen, but then no login is sent.
    pub trust: Trust,
    /// Further fields of the request (`Git-Protocol`), without secrets.
    pub fields: Vec<(&'static str, String)>,
    /// The addresses of what is dialled, where the tool's settings name them in place of DNS.
    pub pinned: Option<Pinned>,
    /// The cipher suites of [`Twist::OwnSuites`].
    pub suites: Vec<u16>,
    /// What is done differently, to find out why it failed before.
    pub twist: Twist,
}

/// What an exchange does differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Twist {
    /// Nothing.
    #[default]
    None,
    /// Nothing, once more: the handshake was not answered the first time.
    Again,
    /// Small segments (`TCP_MAXSEG` 536): N06.
    SmallSegments,
    /// A handshake that offers TLS 1.0 and 1.1 only: T12. It ends with the server's hello.
    OldTls,
    /// A handshake that offers the suites of [`Exchange::suites`] only: T16. It ends with the server's hello.
    OwnSuites,
    /// A handshake with another server name: T14. It ends with the server's hello.
    OtherName,
    /// CONNECT and TLS only; no request is sent.
    HandshakeOnly,
    /// Only IPv4: D10.
    V4,
    /// CONNECT without the proxy's login.
    NoProxyLogin,
    /// A POST with an empty request of git's protocol (gitprotocol-pack: a flush alone), in place of a GET.
    Post,
}

impl Probe {
    /// Returns what makes two questions the same: everything but secrets.
    pub fn key(&self) -> String {
        match self {
            Self::Names { host } => format!("names {host}"),
            Self::Exchange(exchange) => exchange.key(),
            Self::Banner { host, port } => format!("banner {host}:{port}"),
            Self::Program { command, input, variables } => {
                // Of two agents each has its own answer.
                let agent = variables.iter().find(|(name, _)| name == "SSH_AUTH_SOCK");
                format!("program {command:?} {input:?} {agent:?}")
            }
        }
    }
}

impl Exchange {
    /// Returns one without a proxy, a login or anything else of its own.
    pub fn straight(link: Link) -> Self {
        Self {
            proxy: None,
            link,
            login: None,
            trust: Trust::default(),
            fields: Vec::new(),
            pinned: None,
            suites: Vec::new(),
            twist: Twist::None,
        }
    }

    fn key(&self) -> String {
        let via = self.proxy.as_ref().map_or_else(
            || "direct".to_owned(),
            |proxy| {
                let login = proxy.login.as_ref().map_or("-", |login| login.user.as_str());
                format!("{}://{login}@{}:{}", proxy.scheme, proxy.host, proxy.port)
            },
        );
        let login = self.login.as_ref().map_or_else(
            || "-".to_owned(),
            |login| format!("{} of {} {:?}", login.user, login.place, login.scheme),
        );
        let (link, fields) = (&self.link, &self.fields);
        let pinned = self.pinned.as_ref().map(|pinned| &pinned.addresses);
        format!(
            "{link} via {via} at {pinned:?} as {login} {fields:?} {:?} {:?}",
            self.twist, self.trust
        )
    }
}

/// What was seen.
#[expect(clippy::large_enum_variant, reason = "there are a few dozen, most of them the large one")]
#[derive(Clone, Debug)]
pub enum Seen {
    /// Of a name.
    Names(Names),
    /// Of an exchange.
    Trace(Trace),
    /// Of a banner: the connection, and the first bytes.
    Banner(Stage<TcpFlaw>, Vec<u8>),
    /// Of a program.
    Program(Ran),
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None` where it was ended at its limit, or could not be started.
    pub code: Option<i32>,
    /// Whether it could be started at all.
    pub started: bool,
    /// Standard output, shortened, never printed: a helper answers with secrets there.
    pub output: crate::core::doctor::private::Private,
    /// Standard error, shortened.
    pub error: String,
    /// In milliseconds.
    pub took: u64,
}

/// What the resolvers say of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The system's resolver (`getaddrinfo`): addresses, or why there are none.
    pub system: Result<Vec<IpAddr>, String>,
    /// In milliseconds.
    pub took: u64,
    /// Addresses of the hosts file, with the line.
    pub file: Vec<(IpAddr, usize)>,
    /// Each name server of `/etc/resolv.conf`.
    pub servers: Vec<Server>,
    /// The addresses of a random name in the same domain, where the first server has any: D12.
    pub wildcard: Vec<IpAddr>,
}

/// What one name server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Which.
    pub address: SocketAddr,
    /// The answer to A, or what went wrong.
    pub a: Result<Answer, DnsFlaw>,
    /// The same of AAAA.
    pub aaaa: Result<Answer, DnsFlaw>,
    /// In milliseconds, the longer of both.
    pub took: u64,
}

/// An answer of a name server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The response code: 0, 2 SERVFAIL, 3 NXDOMAIN, 4 NOTIMP, 5 REFUSED, …
    pub code: u8,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it was cut, and then came whole over TCP.
    pub was_cut: bool,
}

/// Why a name server gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsFlaw {
    /// It was cut, and TCP did not work.
    Cut,
    /// Not a DNS message.
    Garbage,
    /// Its port is closed.
    Refused,
    /// Nothing came.
    Silent,
    /// It cannot be reached.
    Unreachable,
}

/// One stage: how long it took, and why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage<F> {
    /// In milliseconds.
    pub took: u64,
    /// `None`: it passed.
    pub flaw: Option<F>,
}

/// The stages of an exchange. A stage that was not reached is `None`.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Names: of the proxy where there is one, else of the origin. The addresses that were tried.
    pub names: Option<Result<Vec<IpAddr>, String>>,
    /// Each address that was tried, in order.
    pub tcp: Vec<(SocketAddr, Stage<TcpFlaw>)>,
    /// TLS to an `https://` proxy.
    pub proxy_tls: Option<Tls>,
    /// CONNECT, or the request itself where a plain `http://` URL goes through a proxy.
    pub connect: Option<Connect>,
    /// TLS to the origin.
    pub tls: Option<Tls>,
    /// The answer of the origin; or of the proxy, for a plain URL.
    pub http: Option<Http>,
}

/// Why TCP failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpFlaw {
    /// EADDRNOTAVAIL: no port left.
    NoPort,
    /// EMFILE: no descriptor left.
    NoDescriptor,
    /// ECONNREFUSED.
    Refused,
    /// ECONNRESET.
    Reset,
    /// Nothing came in time.
    Silent,
    /// EHOSTUNREACH: a firewall says so, or nobody answers for the address.
    HostUnreachable,
    /// ENETUNREACH: no route.
    NetUnreachable,
    /// EACCES or EPERM: the machine's own firewall.
    Forbidden,
    /// Anything else: errno.
    Other(i32),
}

/// What CONNECT gave.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    /// In milliseconds.
    pub took: u64,
    /// Whether a login was sent.
    pub has_login: bool,
    /// Interim statuses before the last one.
    pub interim: Vec<u16>,
    /// The status; `None` where none came.
    pub status: Option<u16>,
    /// The reason phrase.
    pub reason: String,
    /// `Proxy-Authenticate`.
    pub challenges: Vec<Challenge>,
    /// Other fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The first 4 KiB of the body.
    pub body: Vec<u8>,
    /// Why there is no status.
    pub flaw: Option<ReadFlaw>,
}

/// Why bytes did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFlaw {
    /// The other end closed; after how many bytes of an answer.
    Closed(usize),
    /// The other end reset the connection; after how many bytes.
    Reset(usize),
    /// Nothing more came in time; after how many bytes.
    Silent(usize),
    /// So few bytes a second that nobody waits for the end.
    Slow(usize),
    /// It is not HTTP: the first bytes.
    NotHttp(Vec<u8>),
    /// A head of more than 64 KiB.
    TooLarge,
}

/// What a handshake gave.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// In milliseconds.
    pub took: u64,
    /// Why it did not come to an end. A certificate that is not trusted is no flaw here.
    pub flaw: Option<TlsFlaw>,
    /// The version, such as `TLSv1.3`.
    pub version: String,
    /// The certificates as they came, the server's own first.
    pub chain: Vec<Certificate>,
    /// Whether the certificates are good, for the trust of the exchange; `None` before one came.
    pub verdict: Option<Result<(), CertificateFlaw>>,
    /// Whether an authority of the organisation that signed, but is not known, is trusted: what is missing is likely
    /// to be an authority in between.
    pub has_relative: bool,
    /// Whether the server asked for a certificate of ours.
    pub asks_for_certificate: bool,
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFlaw {
    /// A fatal alert: its number (RFC 8446 §6).
    Alert(u8),
    /// The other end closed before it said anything, or in the middle.
    Closed,
    /// It reset the connection.
    Reset,
    /// Nothing came in time.
    Silent,
    /// It does not speak TLS: its first bytes.
    NotTls(Vec<u8>),
    /// It speaks an older version only (seen with [`Twist::OldTls`], or told by its hello).
    Old,
    /// Anything else, as the library says it.
    Other(String),
}

/// A certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Who it is for, as one line.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Names of the subjectAltName extension; empty where there is none.
    pub names: Vec<String>,
    /// From and until, in seconds since 1970.
    pub valid: (u64, u64),
    /// Whether it signed itself.
    pub is_self_signed: bool,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// Purposes by name (`serverAuth`, …); `None`: not limited.
    pub purposes: Option<Vec<String>>,
    /// `RSA 2048`, `EC P-256`, `Ed25519`.
    pub key: String,
    /// Bits of an RSA key; 0 for others.
    pub rsa_bits: u32,
    /// SHA-256 of its DER form, in hex.
    pub fingerprint: String,
    /// Where the issuer's certificate is said to be (AIA).
    pub issuer_url: Option<String>,
}

/// Why a certificate is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFlaw {
    /// T04.
    Expired,
    /// T05.
    NotYetValid,
    /// T07: the name is not among its names.
    WrongName,
    /// T08.
    NoNames,
    /// T09.
    NameConstraint,
    /// T10.
    WrongPurpose,
    /// T01: it signed itself and is not trusted.
    SelfSigned,
    /// T02, T03, T20: nobody who is trusted signed it. The issuer of the last one that came.
    UnknownIssuer(String),
    /// T21: nobody at all is trusted.
    NoRoots,
    /// T11, and signatures that nobody takes any more.
    Weak(String),
    /// Anything else.
    Other(String),
}

/// What an answer was.
#[derive(Clone, Debug, Default)]
pub struct Http {
    /// In milliseconds, until the head was there.
    pub took: u64,
    /// Whether a login was sent.
    pub has_login: bool,
    /// The status; `None` where none came.
    pub status: Option<u16>,
    /// The reason phrase.
    pub reason: String,
    /// Fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// `WWW-Authenticate`; for a plain URL through a proxy also its `Proxy-Authenticate`.
    pub challenges: Vec<Challenge>,
    /// The first 64 KiB of the body; of a module's zip, 4 MiB.
    pub body: Vec<u8>,
    /// How long the body said it was.
    pub length: Option<u64>,
    /// Whether TLS ended without a word (`close_notify`), where nothing but the end tells that the answer is whole.
    pub is_unclosed: bool,
    /// Why the answer is not whole. What is beyond that is not read and not missed.
    pub flaw: Option<ReadFlaw>,
}

impl Http {
    /// Returns the first field of a name, which is in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.fields, name)
    }
}

impl Connect {
    /// Returns the first field of a name, which is in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.fields, name)
    }
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

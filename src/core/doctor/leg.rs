//! One request of one tool, as the plan followed it: what the tool wants of it, the way it takes, what was
//! seen. The plan makes legs, the judge reads them.
//!
//! A leg is one request to one place: a redirect begins a new one, and [`Leg::earlier`] tells where it came
//! from. Nothing here decides what an answer means.

use std::{borrow::Cow, net::SocketAddr};

use crate::core::doctor::{
    finding::Tool,
    plan::go_import::{self, Discovery},
    probe::{Connect, Exchange, Http, Names, Stage, TcpFlaw, Tls, Trace, Twist},
    route::{Link, Proxy, Route, Trust},
};

/// What a tool wants of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// go: `https://PATH?go-get=1`, where the repository of a module is.
    Meta,
    /// git: `REPO/info/refs?service=git-upload-pack`.
    Repository,
    /// git: the request after it, `POST REPO/git-upload-pack`, which asks for nothing. Some let the first pass only.
    Pack,
    /// go, of a module proxy: `@v/V.info`.
    Info,
    /// `@v/V.mod`.
    Mod,
    /// `@v/V.zip`. Only its first 4 MiB are read.
    Zip,
    /// `@latest`.
    Latest,
    /// `@v/list`.
    List,
    /// Whether a module proxy serves the checksum database: `sumdb/NAME/supported`.
    SumdbSupported,
    /// The record of a module in the checksum database: `lookup/M@V`.
    SumdbLookup,
    /// git over ssh: the server's banner. Only [`Leg::seen`]'s `tcp` and [`Leg::banner`] are filled.
    Ssh,
    /// A server that was named as a URL, and is no repository as far as can be seen: any answer will do, unless
    /// it comes from somebody else (a portal).
    Plain,
}

impl Purpose {
    /// Whether it is a request of the module proxy's protocol.
    pub fn is_module(self) -> bool {
        matches!(self, Self::Info | Self::Mod | Self::Zip | Self::Latest | Self::List)
    }

    /// Whether it is about the checksum database.
    pub fn is_sumdb(self) -> bool {
        matches!(self, Self::SumdbSupported | Self::SumdbLookup)
    }
}

/// The module that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its path.
    pub path: String,
    /// Its version; `None` where none was said, or the server was not asked yet for the newest.
    pub version: Option<String>,
}

/// One request of one tool.
#[derive(Clone, Debug)]
pub struct Leg<'a> {
    /// Who sends it. A repository that is asked for a module is asked by git: go starts it, and fails with it
    /// ([`Leg::affects`]).
    pub tool: Tool,
    /// What it wants.
    pub purpose: Purpose,
    /// The module it is about.
    pub module: Option<Wanted>,
    /// For requests of the module proxy's protocol, and of the checksum database below it: the proxy's URL.
    pub base: Option<Link>,
    /// The tool's way: where it says which proxy, which login, which trust. `route.link` is the URL after the
    /// tool's rewriting; after a redirect it is the URL that the redirect leads to.
    pub route: Route,
    /// What was asked: by which proxy, with which login. `asked.login` is what the tool itself would have sent, or,
    /// where it was asked again after a 401, what a helper or GOAUTH said; its `place` tells which.
    pub asked: Exchange,
    /// What was seen.
    pub seen: Cow<'a, Trace>,
    /// For [`Purpose::Ssh`]: the first bytes that the server sent.
    pub banner: Option<&'a [u8]>,
    /// What the resolvers say of the name that is dialled: the proxy's, or without one the host's.
    pub names: Option<&'a Names>,
    /// What they say of the origin's own name, where a proxy is in between (D16, E28).
    pub origin_names: Option<&'a Names>,
    /// What was asked in addition, to find out why it failed: twists, other proxies, other logins.
    pub also: Vec<Also<'a>>,
    /// The requests before it that ended with a redirect to it or, without a `location`, with a 401 that was
    /// answered by a login; the first first.
    pub earlier: Vec<(Exchange, &'a Trace)>,
    /// Whether the tool's fetch ends with this request, as far as it fails: not for a module proxy whose "404" is
    /// followed by the next one's answer. The judge looks at no other leg, but drawing does.
    pub decides: bool,
}

/// A further question about a leg.
#[derive(Clone, Copy, Debug)]
pub struct Also<'a> {
    /// Why it was asked.
    pub why: Why,
    /// Whose certificates were trusted.
    pub trust: &'a Trust,
    /// What was seen.
    pub seen: &'a Trace,
}

/// Why something was asked in addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The same, done differently.
    Twist(Twist),
    /// Without the proxy: handshake only.
    WithoutProxy,
    /// Through a proxy that the machine's settings name, though not for this request: handshake only.
    OtherProxy,
    /// The proxy by another scheme (`https://` for `http://`, `http://` for `https://` and `socks5://`).
    ProxyScheme,
    /// Through the same proxy, to port 443.
    Port443,
    /// With the trust of another tool, or of the system: handshake only.
    Trust(Tool),
    /// With the credential that gocred, or another tool, would answer with.
    Login,
    /// With the login of the netrc entry behind the one that was rejected.
    Second,
    /// The same without a login: which ones are offered.
    NoLogin,
    /// The host's `/`, without a login.
    Root,
    /// By the addresses of DNS, where git's configuration names others.
    Unpinned,
    /// Which versions of the module a module proxy has that lacks the one that is wanted.
    Versions,
}

/// The first stage of a leg that failed. A stage of TLS fails by a flaw, or by a certificate that is not
/// trusted while trust is not switched off.
#[derive(Clone, Copy, Debug)]
pub enum Failed<'a> {
    /// The name that is dialled has no address.
    Names(&'a str),
    /// No address could be connected to.
    Tcp(&'a [(SocketAddr, Stage<TcpFlaw>)]),
    /// TLS to an `https://` proxy.
    ProxyTls(&'a Tls),
    /// CONNECT (or SOCKS): no status, or another one than 200.
    Connect(&'a Connect),
    /// TLS to the origin.
    Tls(&'a Tls),
    /// No whole answer, or one of another status than 200. For [`Purpose::Plain`] only what is not whole, 407,
    /// and errors of the server. What is in a whole answer with 200 is for the judge of its purpose.
    Http(&'a Http),
}

impl<'a> Leg<'a> {
    /// Returns the proxy it went through.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.asked.proxy.as_ref()
    }

    /// Returns `host:port` of what is dialled: the proxy, else the origin.
    pub fn endpoint(&self) -> String {
        match self.proxy() {
            Some(proxy) => format!("{}:{}", proxy.host, proxy.port),
            None => self.origin_endpoint(),
        }
    }

    /// Returns `host:port` of the origin.
    pub fn origin_endpoint(&self) -> String {
        let origin = &self.asked.link.origin;
        format!("{}:{}", origin.host(), port(origin))
    }

    /// Returns the origin's host.
    pub fn host(&self) -> &str {
        self.asked.link.origin.host()
    }

    /// Returns where the first request went, before any redirect.
    pub fn first_link(&self) -> &Link {
        self.earlier.first().map_or(&self.asked.link, |(first, _)| &first.link)
    }

    /// Whether a redirect led to another host on the way.
    pub fn has_left(&self) -> bool {
        self.earlier.iter().any(|(earlier, _)| earlier.link.origin.host() != self.host())
    }

    /// Returns the URL as it was asked, without userinfo.
    pub fn url(&self) -> String {
        self.asked.link.to_string()
    }

    /// Returns whose fetch fails with it: go fails with the git that it starts.
    pub fn affects(&self) -> Vec<Tool> {
        match (self.tool, &self.module) {
            (Tool::Git, Some(_)) => vec![Tool::Go, Tool::Git],
            (tool, _) => vec![tool],
        }
    }

    /// Returns what a further question gave.
    pub fn also(&self, why: Why) -> Option<&Also<'a>> {
        self.also.iter().find(|also| also.why == why)
    }

    /// Returns the whole answer, where one came.
    pub fn answer(&self) -> Option<&Http> {
        self.seen.http.as_ref().filter(|http| http.status.is_some() && http.flaw.is_none())
    }

    /// Returns the first stage that failed.
    pub fn failed(&self) -> Option<Failed<'_>> {
        failed(&self.seen, self.purpose, self.asked.trust.is_off)
            .filter(|failed| !self.has_tag(failed))
    }

    /// Whether a page says where the repository is, though its status is another than 200: go reads it all the
    /// same (cmd/go/internal/vcs `repoRootForImportDynamic`).
    fn has_tag(&self, failed: &Failed<'_>) -> bool {
        let (Failed::Http(http), Purpose::Meta, Some(module)) =
            (failed, self.purpose, &self.module)
        else {
            return false;
        };
        http.flaw.is_none()
            && http.status.is_some_and(|status| !(300..400).contains(&status))
            && matches!(go_import::discover(&http.body, &module.path), Discovery::Found(_))
    }
}

/// Returns the first stage of a trace that failed.
pub fn failed(trace: &Trace, purpose: Purpose, is_trust_off: bool) -> Option<Failed<'_>> {
    if let Some(Err(error)) = &trace.names {
        return Some(Failed::Names(error));
    }
    if !trace.tcp.is_empty() && trace.tcp.iter().all(|(_, stage)| stage.flaw.is_some()) {
        return Some(Failed::Tcp(&trace.tcp));
    }
    let is_bad =
        |tls: &&Tls| tls.flaw.is_some() || (!is_trust_off && matches!(tls.verdict, Some(Err(_))));
    if let Some(tls) = trace.proxy_tls.as_ref().filter(is_bad) {
        return Some(Failed::ProxyTls(tls));
    }
    if let Some(connect) = &trace.connect
        // An interim status is the last word for go, git and curl (P25).
        && (connect.status != Some(200) || !connect.interim.is_empty())
    {
        return Some(Failed::Connect(connect));
    }
    if let Some(tls) = trace.tls.as_ref().filter(is_bad) {
        return Some(Failed::Tls(tls));
    }
    let http = trace.http.as_ref()?;
    let is_whole = http.flaw.is_none() && http.status.is_some();
    // A server that is only looked at may say what it likes, but for errors of its own.
    let is_answer = |status| status < 500 && status != 407;
    let is_plain = purpose == Purpose::Plain && http.status.is_some_and(is_answer);
    let is_good = is_whole && (http.status == Some(200) || is_plain);
    (!is_good).then_some(Failed::Http(http))
}

/// Returns the port of an origin, written or by its scheme.
pub fn port(origin: &crate::core::origin::Origin) -> u16 {
    origin.port().unwrap_or_else(|| match origin.scheme() {
        "http" => 80,
        "ssh" | "git+ssh" => 22,
        "git" => 9418,
        _ => 443,
    })
}

//! Follows one request as its tool does: by its own proxy, through redirects, again with a login where the
//! first answer asks for one.

use std::borrow::Cow;

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{
        finding::Tool,
        leg::{Leg, Purpose, Wanted, port},
        machine::Machine,
        place::Place,
        plan::{Answers, Wallet, goauth, helper, pack, redirect, ssh},
        probe::{Exchange, Http, Names, Probe, Seen, TlsFlaw, Trace, Twist},
        route::{Link, Login, Pinned, Proxy, Route, Trust, Via, pinned, route},
    },
    origin::Origin,
};

/// Goes the ways, and notes what it does not know yet.
pub(in crate::core::doctor) struct Follower<'a> {
    pub(super) machine: &'a Machine,
    pub(super) wallet: &'a dyn Wallet,
    pub(super) answers: &'a Answers,
    /// The requests that were answered.
    pub(super) legs: Vec<Leg<'a>>,
    /// The probes that have no answer yet.
    pub(super) wanted: Vec<Probe>,
}

/// A request that a tool would send.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) tool: Tool,
    pub(super) purpose: Purpose,
    pub(super) link: Link,
    pub(super) module: Option<Wanted>,
    pub(super) base: Option<Link>,
    /// The login of the URL itself. What else a tool would send is the route's to say.
    pub(super) userinfo: Option<Login>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End<'a> {
    /// Nobody knows yet.
    Pending,
    /// Without an answer, or with another status.
    Failed(Option<u16>),
    /// With 200.
    Good(&'a Http),
    /// An ssh server greeted; more is not asked of it.
    Greeted,
}

impl<'a> Follower<'a> {
    pub(super) fn new(machine: &'a Machine, wallet: &'a dyn Wallet, answers: &'a Answers) -> Self {
        Self { machine, wallet, answers, legs: Vec::new(), wanted: Vec::new() }
    }

    /// Returns the way to where a redirect leads, where the tool follows it.
    fn led_to(
        &self,
        ask: &Ask,
        earlier: &[Request<'a>],
        from: &Link,
        http: &Http,
    ) -> Option<Route> {
        let follows = ask.tool != Tool::Curl
            && ask.purpose != Purpose::Plain
            && !redirect::is_forbidden(ask.tool, from, self.machine);
        let to = redirect::follow(ask, earlier, from, http).filter(|_| follows)?;
        asked_way(ask, &to, self.machine)
    }

    /// Follows a request to its end.
    pub(super) fn fetch(&mut self, ask: &Ask) -> End<'a> {
        let Some(first) = asked_way(ask, &ask.link, self.machine) else {
            return End::Failed(None);
        };
        if is_ssh(&first.link) {
            return self.ssh(ask, first);
        }
        let mut way = first;
        let mut login = match self.first_login(ask, &way) {
            Credential::Pending => return End::Pending,
            Credential::None => None,
            Credential::Login(login) => Some(login),
        };
        let mut earlier: Vec<Request<'a>> = Vec::new();
        let mut has_asked_again = false;
        loop {
            let proxy = match self.proxy(ask, &way.via) {
                Ok(proxy) => proxy,
                Err(end) => return end,
            };
            let exchange = Exchange {
                pinned: self.pinned(ask.tool, proxy.as_ref(), &way.link),
                proxy,
                link: way.link.clone(),
                login: login.clone(),
                trust: way.trust.clone(),
                fields: fields(ask, self.machine),
                suites: Vec::new(),
                twist: if ask.purpose == Purpose::Pack { Twist::Post } else { Twist::None },
            };
            self.ask_names(&exchange);
            let Some(trace) = self.twice(&exchange) else { return End::Pending };
            let http = trace.http.as_ref();
            let status = http.filter(|http| http.flaw.is_none()).and_then(|http| http.status);

            let to = http.filter(|_| redirect::is_redirect(status));
            let to = to.and_then(|http| self.led_to(ask, &earlier, &exchange.link, http));
            if let Some(next) = to {
                login = redirect::login(ask.tool, login, &exchange.link, &next);
                way = next;
                earlier.push((exchange, trace));
                continue;
            }
            if !has_asked_again && status.is_some_and(|status| (400..500).contains(&status)) {
                match self.login_after(ask, &exchange, http) {
                    Credential::Pending => return End::Pending,
                    Credential::Login(answer) => {
                        has_asked_again = true;
                        login = Some(answer);
                        earlier.push((exchange, trace));
                        continue;
                    }
                    Credential::None => {}
                }
            }
            self.push(ask, way, (exchange, trace), earlier);
            return http.filter(|_| status == Some(200)).map_or(End::Failed(status), End::Good);
        }
    }

    /// Returns the answer to an exchange, or asks for it.
    pub(super) fn exchange(&mut self, exchange: &Exchange) -> Option<&'a Trace> {
        let probe = Probe::Exchange(exchange.clone());
        match self.answers.get(&probe.key()) {
            Some((_, Seen::Trace(trace))) => Some(trace),
            Some(_) => None,
            None => {
                self.wanted.push(probe);
                None
            }
        }
    }

    /// Returns what the resolvers say of a name, or asks them. `None`, too, for an address.
    pub(super) fn names(&mut self, host: &str) -> Option<&'a Names> {
        if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        let probe = Probe::Names { host: host.to_owned() };
        match self.answers.get(&probe.key()) {
            Some((_, Seen::Names(names))) => Some(names),
            Some(_) => None,
            None => {
                self.wanted.push(probe);
                None
            }
        }
    }

    /// Runs a program, or returns how it ended. `Err`: it was not run yet.
    pub(super) fn program(
        &mut self,
        probe: Probe,
    ) -> Result<&'a crate::core::doctor::probe::Ran, ()> {
        if let Some((_, Seen::Program(ran))) = self.answers.get(&probe.key()) {
            Ok(ran)
        } else {
            self.wanted.push(probe);
            Err(())
        }
    }

    /// Returns the addresses of what is dialled, where git's configuration names them.
    fn pinned(&self, tool: Tool, proxy: Option<&Proxy>, link: &Link) -> Option<Pinned> {
        let dialled = proxy.map_or_else(
            || (link.origin.host(), port(&link.origin)),
            |proxy| (proxy.host.as_str(), proxy.port),
        );
        let is_git = tool == Tool::Git;
        is_git.then(|| pinned::of_git(dialled, &link.to_string(), self.machine)).flatten()
    }

    fn ask_names(&mut self, exchange: &Exchange) {
        let host = exchange
            .proxy
            .as_ref()
            .map_or_else(|| exchange.link.origin.host().to_owned(), |proxy| proxy.host.clone());
        self.names(&host);
    }

    /// Returns what is dialled first. `Err`: nobody yet, or never.
    fn proxy(&mut self, ask: &Ask, via: &Via) -> Result<Option<Proxy>, End<'a>> {
        match via {
            Via::Direct => Ok(None),
            Via::Proxy(proxy) => {
                self.with_password(ask, proxy.clone()).map(Some).ok_or(End::Pending)
            }
            // The checks speak of it: no packet tells more.
            Via::Broken { .. } => Err(End::Failed(None)),
        }
    }

    /// Returns the answer to an exchange; where the handshake was not answered, that of a second attempt. A busy
    /// machine is late once, a path that loses packets always. What tells the two reasons for that apart is asked
    /// at the same time.
    fn twice(&mut self, exchange: &Exchange) -> Option<&'a Trace> {
        let trace = self.exchange(exchange)?;
        if trace.tls.as_ref().is_none_or(|tls| tls.flaw != Some(TlsFlaw::Silent)) {
            return Some(trace);
        }
        let small = Twist::SmallSegments;
        self.exchange(&Exchange { login: None, twist: small, ..exchange.clone() });
        self.exchange(&Exchange { twist: Twist::Again, ..exchange.clone() })
    }

    /// git asks its helpers for the password of a proxy's user (http.c `init_curl_http_auth`). `None`: not yet.
    fn with_password(&mut self, ask: &Ask, mut proxy: Proxy) -> Option<Proxy> {
        let lacks = |login: &Login| login.secret.expose_secret().is_empty();
        if ask.tool != Tool::Git || !proxy.login.as_ref().is_some_and(lacks) {
            return Some(proxy);
        }
        let authority = format!("{}:{}", proxy.host, proxy.port);
        let Ok(origin) = Origin::new(&proxy.scheme, &authority) else { return Some(proxy) };
        let user = proxy.login.as_ref().map(|login| login.user.clone());
        match helper::answer_for(self, &Link { origin, path: "/".to_owned() }, user) {
            Credential::Pending => None,
            // Nobody knows the password: git asks a person for it, and sends none where there is none.
            Credential::None => {
                proxy.login = None;
                Some(proxy)
            }
            Credential::Login(login) => {
                proxy.login = Some(login);
                Some(proxy)
            }
        }
    }

    /// Returns the login of the first request.
    fn first_login(&mut self, ask: &Ask, way: &Route) -> Credential {
        if ask.userinfo.is_some() {
            return ask.userinfo.clone().into();
        }
        if ask.tool != Tool::Go {
            return way.login.clone().into();
        }
        goauth::eager(self, way)
    }

    /// Returns the login with which a tool asks again after a 4xx.
    fn login_after(&mut self, ask: &Ask, exchange: &Exchange, http: Option<&Http>) -> Credential {
        let status = http.and_then(|http| http.status);
        match ask.tool {
            // git asks its helpers where it was asked, and sent nothing of its own before: what a header of its
            // configuration or a URL says stays in force (http.c `handle_curl_result`).
            Tool::Git if status == Some(401) => {
                let is_fixed = exchange.login.as_ref().is_some_and(|login| {
                    ask.userinfo.is_some()
                        || !matches!(login.scheme, crate::core::doctor::route::Scheme::Basic)
                });
                if is_fixed { Credential::None } else { helper::answer(self, &exchange.link) }
            }
            Tool::Go if ask.userinfo.is_none() => goauth::after(self, exchange, http),
            Tool::Go | Tool::Git | Tool::Curl => Credential::None,
        }
    }

    /// Adds a request that was answered, and those that led to it; then what its tool sends next.
    fn push(&mut self, ask: &Ask, route: Route, last: Request<'a>, earlier: Vec<Request<'a>>) {
        let (asked, trace) = last;
        if ask.purpose == Purpose::Pack && !pack::is_blocked(trace) {
            return;
        }
        let next = pack::after(ask, &asked, trace.http.as_ref());
        let dialled = asked
            .proxy
            .as_ref()
            .map_or_else(|| asked.link.origin.host().to_owned(), |proxy| proxy.host.clone());
        let names = self.names(&dialled);
        self.legs.push(Leg {
            tool: ask.tool,
            purpose: ask.purpose,
            module: ask.module.clone(),
            base: ask.base.clone(),
            route,
            asked,
            seen: Cow::Borrowed(trace),
            banner: None,
            names,
            origin_names: None,
            also: Vec::new(),
            earlier,
            decides: true,
        });
        if let Some(next) = next {
            self.fetch(&next);
        }
    }

    /// git over ssh: only the connection is looked at.
    fn ssh(&mut self, ask: &Ask, route: Route) -> End<'a> {
        let config = match ssh::ask(self, &route.link, ask.module.is_some()) {
            Ok(config) => config,
            Err(ssh::Unknown::Pending) => return End::Pending,
            Err(ssh::Unknown::Hidden) => return End::Greeted,
        };
        let origin = &route.link.origin;
        let (host, port) = match &config {
            // Through another host or program: nobody here can follow.
            Some(config) if !config.is_direct => return End::Greeted,
            Some(config) => (config.host.clone(), config.port),
            None => (origin.host().to_owned(), port(origin)),
        };
        let names = self.names(&host);
        let probe = Probe::Banner { host: host.clone(), port };
        let Some((_, Seen::Banner(stage, bytes))) = self.answers.get(&probe.key()) else {
            self.wanted.push(probe);
            return End::Pending;
        };
        let trace = ssh::trace(names, (&host, port), *stage);
        let is_git = route.link.origin.scheme() == "git";
        // git's own server waits for the client to speak first.
        let is_good = stage.flaw.is_none() && (is_git || bytes.starts_with(b"SSH-"));
        let config = config.filter(|_| is_good && !is_git);
        if config.is_some_and(|config| !ssh::ask_keys(self, &config)) {
            return End::Pending;
        }
        let asked = Exchange::straight(route.link.clone());
        self.legs.push(Leg {
            tool: ask.tool,
            purpose: Purpose::Ssh,
            module: ask.module.clone(),
            base: None,
            route,
            asked,
            seen: Cow::Owned(trace),
            banner: Some(bytes),
            names,
            origin_names: None,
            also: Vec::new(),
            earlier: Vec::new(),
            decides: true,
        });
        if is_good { End::Greeted } else { End::Failed(None) }
    }
}

/// A request as it was sent, and what was seen of it.
type Request<'a> = (Exchange, &'a Trace);

/// What a tool has to send of a login, at first or after a 4xx.
pub(super) enum Credential {
    /// A program has to be run first.
    Pending,
    /// It has none.
    None,
    /// This one.
    Login(Login),
}

impl From<Option<Login>> for Credential {
    fn from(login: Option<Login>) -> Self {
        login.map_or(Self::None, Self::Login)
    }
}

/// Returns the way of a tool; for ssh, which no route is known of, straight.
pub(super) fn way(tool: Tool, link: &Link, machine: &Machine) -> Option<Route> {
    route(tool, link, machine).or_else(|| {
        is_ssh(link).then(|| Route {
            tool,
            link: link.clone(),
            rewritten: None,
            via: Via::Direct,
            via_place: Place::Default("ssh"),
            passed_over: None,
            login: None,
            trust: Trust::default(),
        })
    })
}

/// Returns the way of a request. GOINSECURE is about the host of a module only: whom go takes for a module proxy or a
/// checksum database is always checked (cmd/go modfetch `proxyRepo.getBody`).
fn asked_way(ask: &Ask, link: &Link, machine: &Machine) -> Option<Route> {
    let mut way = way(ask.tool, link, machine)?;
    if ask.purpose.is_module() || ask.purpose.is_sumdb() {
        way.trust.is_off = false;
    }
    Some(way)
}

/// Whether git uses ssh for a URL, or its own protocol: past every proxy, and only the connection is looked at.
pub(super) fn is_ssh(link: &Link) -> bool {
    ["ssh", "git+ssh", "ssh+git", "git"].contains(&link.origin.scheme())
}

/// Returns the fields by which a server may tell the tools apart. No version of git's protocol is asked for:
/// then the answer itself lists the references (gitprotocol-http(5)). A repository that was named by its URL is
/// asked in the same words by all tools, so that one request will do.
fn fields(ask: &Ask, machine: &Machine) -> Vec<(&'static str, String)> {
    let is_git = matches!(ask.purpose, Purpose::Repository | Purpose::Pack)
        || ask.link.path.contains("/info/refs?");
    let agent = if is_git {
        let git = machine.git.as_ref();
        let version = git.and_then(|git| git.version.split_whitespace().last());
        format!("git/{}", version.unwrap_or("2"))
    } else {
        "Go-http-client/1.1".to_owned()
    };
    vec![("user-agent", agent)]
}

/// The proxy of an exchange that another scheme is tried with.
pub(super) fn with_scheme(proxy: &Proxy, scheme: &str) -> Proxy {
    Proxy { scheme: scheme.to_owned(), login: None, ..proxy.clone() }
}

//! One exchange, stage by stage: names, TCP, the proxy, TLS, the request. It ends where a stage fails.

use std::{io, time::Duration};

use secrecy::{ExposeSecret, zeroize::Zeroizing};
use tokio::time::{Instant, timeout_at};

use crate::{
    core::doctor::{
        hello::Offer,
        leg::port,
        probe::{Connect, Exchange, Http, MAX_BODY, TcpFlaw, Tls, TlsFlaw, Trace, Twist},
        route::{Login, Proxy, Scheme, Trust},
    },
    net::doctor::{
        connect,
        dial::{dial, resolve},
        http::{self, Request},
        logins::{Known, ORIGINS, PROXIES},
        socks,
        stream::{Stream, fill},
        tls, until,
    },
};

/// How long a handshake may take.
const TLS: Duration = Duration::from_secs(4);
/// The name that [`Twist::OtherName`] says. No packet goes there.
const OTHER_NAME: &str = "www.example.com";
/// How long a server may take to reset a connection that it does not want.
const AT_ONCE: Duration = Duration::from_millis(300);
/// A request of git's protocol that asks for nothing (gitprotocol-common, "flush-pkt").
const FLUSH: &[u8] = b"0000";
/// How much of a proxy's page is kept, in bytes.
const MAX_PAGE: usize = 4096;

/// How long an exchange may take that is only asked to compare it with one that stalled.
const SMALL: Duration = Duration::from_secs(4);

/// Asks it.
pub(super) async fn ask(exchange: &Exchange, deadline: Instant) -> Trace {
    let mut trace = Trace::default();
    let deadline = match exchange.twist {
        Twist::SmallSegments => until(deadline, SMALL),
        _ => deadline,
    };
    // A stage that was not finished is not told: it is as if nobody had come so far.
    let way = Way { exchange, deadline };
    if timeout_at(deadline + Duration::from_millis(200), way.go(&mut trace)).await.is_err() {
        return trace;
    }
    trace
}

struct Way<'a> {
    exchange: &'a Exchange,
    deadline: Instant,
}

impl Way<'_> {
    async fn go(&self, trace: &mut Trace) {
        let Exchange { proxy, link, twist, trust, .. } = self.exchange;
        let is_plain = link.origin.scheme() == "http";
        let Some(stream) = self.reach(trace).await else { return };
        let tunnel = match proxy {
            Some(proxy) if is_plain && proxy.scheme.starts_with("http") => {
                return self.plain_through_proxy(trace, stream, proxy).await;
            }
            Some(proxy) => self.tunnel(trace, stream, proxy).await,
            None => Some((stream, Vec::new())),
        };
        let Some((stream, early)) = tunnel else { return };
        if is_plain {
            if *twist != Twist::HandshakeOnly {
                trace.http = self.request(stream, &mut None, true).await;
            }
            return;
        }
        let until = until(self.deadline, TLS);
        match twist {
            Twist::OldTls => {
                trace.tls = Some(tls::greet(stream, Offer::Old, link.origin.host(), until).await);
            }
            Twist::OwnSuites => {
                let offer = Offer::These(&self.exchange.suites);
                trace.tls = Some(tls::greet(stream, offer, link.origin.host(), until).await);
            }
            Twist::OtherName => {
                trace.tls = Some(tls::greet(stream, Offer::Usual, OTHER_NAME, until).await);
            }
            _ => {
                let host = link.origin.host();
                let (seen, stream) = tls::shake(stream, early, host, trust, until).await;
                let may_go_on = may_go_on(&seen, trust);
                let is_trusted = seen.verdict == Some(Ok(()));
                if seen.flaw == Some(TlsFlaw::Reset)
                    && proxy.is_none()
                    && self.resets_at_once(trace).await
                {
                    return;
                }
                trace.tls = Some(seen);
                let Some(stream) = stream.filter(|_| may_go_on) else { return };
                if *twist != Twist::HandshakeOnly {
                    trace.http = self.request(stream, &mut trace.tls, is_trusted).await;
                }
            }
        }
    }

    /// Connects to the proxy or the origin, and makes an `https://` proxy secure.
    async fn reach(&self, trace: &mut Trace) -> Option<Stream> {
        let Exchange { proxy, link, twist, trust, .. } = self.exchange;
        let (host, port) = match proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (link.origin.host(), port(&self.exchange.link.origin)),
        };
        let names = match &self.exchange.pinned {
            Some(pinned) => Ok(pinned.addresses.clone()),
            None => resolve(host, self.deadline).await,
        };
        let addresses = trace.names.insert(names).as_ref().ok()?;
        let (stream, tried) = dial(addresses, port, *twist, self.deadline).await;
        trace.tcp = tried;
        let stream: Stream = Box::new(stream?);
        if proxy.as_ref().is_none_or(|proxy| proxy.scheme != "https") {
            return Some(stream);
        }
        let trust = trust.proxy.as_deref().unwrap_or(trust);
        let until = until(self.deadline, TLS);
        let (seen, stream) = tls::shake(stream, Vec::new(), host, trust, until).await;
        let may_go_on = may_go_on(&seen, trust);
        trace.proxy_tls = Some(seen);
        stream.filter(|_| may_go_on)
    }

    /// Looks whether a connection is reset before anything was said, which is no matter of TLS; it is told
    /// as a flaw of TCP.
    async fn resets_at_once(&self, trace: &mut Trace) -> bool {
        let connected = trace.tcp.iter_mut().find(|(_, stage)| stage.flaw.is_none());
        let Some((address, stage)) = connected else { return false };
        let (stream, again) =
            dial(&[address.ip()], address.port(), Twist::None, self.deadline).await;
        let is_reset = match stream {
            Some(stream) => {
                let mut stream: Stream = Box::new(stream);
                let mut bytes = Vec::new();
                let listen = fill(&mut stream, &mut bytes);
                let heard = timeout_at(until(self.deadline, AT_ONCE), listen).await;
                heard.is_ok_and(|heard| {
                    heard.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
                })
            }
            None => again.iter().any(|(_, stage)| stage.flaw == Some(TcpFlaw::Reset)),
        };
        if is_reset {
            stage.flaw = Some(TcpFlaw::Reset);
        }
        is_reset
    }

    /// Opens a tunnel: without a login first, and then with one on a new connection.
    async fn tunnel(
        &self,
        trace: &mut Trace,
        mut stream: Stream,
        proxy: &Proxy,
    ) -> Option<(Stream, Vec<u8>)> {
        let login = self.proxy_login(trace, proxy);
        let target = self.target();
        let is_socks = proxy.scheme.starts_with("socks");
        let is_old = proxy.scheme.starts_with("socks4");
        if !is_socks {
            let (told, early) = connect::ask(&mut stream, &target, None, self.deadline).await;
            let again = early.is_none() && connect::asks_for_basic(&told);
            trace.connect = Some(told);
            if let Some(early) = early {
                return Some((stream, early));
            }
            if !again || login.is_none() {
                return None;
            }
            stream = self.reach(&mut Trace::default()).await?;
        }
        let Some(login) = login else {
            let (told, early) = socks::ask(&mut stream, &target, is_old, None, self.deadline).await;
            trace.connect = Some(told);
            return early.map(|early| (stream, early));
        };
        let known = PROXIES.of(&connect::place(proxy), login);
        let known = timeout_at(self.deadline, known.lock()).await.ok()?;
        if let Known::Rejected(told) = &*known {
            trace.connect = Some(told.clone());
            return None;
        }
        // What was taken once may be sent by all at the same time.
        let mut known = (!matches!(*known, Known::Taken)).then_some(known);
        let (told, early) = if is_socks {
            socks::ask(&mut stream, &target, is_old, Some(login), self.deadline).await
        } else {
            connect::ask(&mut stream, &target, Some(login), self.deadline).await
        };
        if let Some(known) = known.as_mut() {
            **known = verdict(told.status == Some(407), &told);
        }
        trace.connect = Some(told);
        early.map(|early| (stream, early))
    }

    /// Asks a proxy for a plain `http://` URL.
    async fn plain_through_proxy(&self, trace: &mut Trace, mut stream: Stream, proxy: &Proxy) {
        if self.exchange.twist == Twist::HandshakeOnly {
            return;
        }
        let target = self.exchange.link.to_string();
        let login = self.proxy_login(trace, proxy);
        // A login to the origin would be read by everybody on the way: it is not sent on plain HTTP.
        let (mut answer, _) = http::ask(
            &mut stream,
            &self.whole(self.head(&target, None, None)),
            self.limit(),
            self.deadline,
        )
        .await;
        let mut has_login = false;
        if let Some(login) = login.filter(|_| connect::asks_for_basic(&as_connect(&answer, false)))
        {
            let known = PROXIES.of(&connect::place(proxy), login);
            let Ok(mut known) = timeout_at(self.deadline, known.lock()).await else { return };
            if let Known::Rejected(told) = &*known {
                trace.connect = Some(told.clone());
            } else if let Some(mut stream) = self.reach(&mut Trace::default()).await {
                has_login = true;
                let request = self.whole(self.head(&target, Some(login), None));
                (answer, _) = http::ask(&mut stream, &request, self.limit(), self.deadline).await;
                *known = verdict(answer.status == Some(407), &as_connect(&answer, true));
            }
        }
        // Any other answer is passed on from the origin.
        let is_its_own = matches!(answer.status, None | Some(407))
            || answer.fields.iter().any(|(name, _)| name == "x-squid-error");
        if is_its_own {
            trace.connect.get_or_insert_with(|| as_connect(&answer, has_login));
        }
        trace.http = Some(answer);
    }

    /// Sends the request to the origin. What TLS says in place of an answer is told by its stage.
    async fn request(
        &self,
        mut stream: Stream,
        tls: &mut Option<Tls>,
        is_trusted: bool,
    ) -> Option<Http> {
        let target = &self.exchange.link.path;
        let login = self.exchange.login.as_ref().filter(|_| is_trusted);
        let Some(login) = login else {
            let request = self.whole(self.head(target, None, None));
            let (answer, alert) =
                http::ask(&mut stream, &request, self.limit(), self.deadline).await;
            return told(answer, alert, tls);
        };
        let known = ORIGINS.of(&self.exchange.link.origin.to_string(), login);
        let known = timeout_at(self.deadline, known.lock()).await.ok()?;
        if let Known::Rejected(answer) = &*known {
            return Some(answer.clone());
        }
        let request = self.whole(self.head(target, None, Some(login)));
        let ask = http::ask(&mut stream, &request, self.limit(), self.deadline);
        // What was taken once may be sent by all at the same time.
        let known = (!matches!(*known, Known::Taken)).then_some(known);
        let (mut answer, alert) = ask.await;
        answer.has_login = true;
        if let Some(mut known) = known {
            *known = verdict(answer.status == Some(401), &answer);
        }
        told(answer, alert, tls)
    }

    /// Ends a request, with its body where it has one.
    fn whole(&self, request: Request) -> Zeroizing<Vec<u8>> {
        let mut bytes = request.end();
        if self.exchange.twist == Twist::Post {
            bytes.extend_from_slice(FLUSH);
        }
        bytes
    }

    /// Returns how much of the answer is read.
    fn limit(&self) -> usize {
        let is_zip = self.exchange.link.path.rsplit('.').next() == Some("zip");
        if is_zip { http::MAX_ZIP } else { MAX_BODY }
    }

    fn head(&self, target: &str, proxy: Option<&Login>, origin: Option<&Login>) -> Request {
        let target = if target.is_empty() { "/" } else { target };
        let is_post = self.exchange.twist == Twist::Post;
        let method = if is_post { "POST" } else { "GET" };
        let mut request = Request::new(method, target, &self.exchange.link.origin.authority())
            .field("Accept", "*/*")
            .field("Connection", "close");
        for (name, value) in &self.exchange.fields {
            request = request.field(name, value);
        }
        if is_post {
            let kind = "application/x-git-upload-pack-request";
            let length = FLUSH.len().to_string();
            request = request.field("Content-Type", kind).field("Content-Length", &length);
        }
        if let Some(value) = proxy.and_then(connect::authorization) {
            request = request.field("Proxy-Authorization", value.expose_secret());
        }
        match origin.map(|login| (&login.scheme, login)) {
            Some((Scheme::Header(name), login)) => {
                request = request.field(name, login.secret.expose_secret());
            }
            Some((_, login)) => {
                if let Some(value) = connect::authorization(login) {
                    request = request.field("Authorization", value.expose_secret());
                }
            }
            None => {}
        }
        request
    }

    /// Returns the proxy's login where it may be sent: not on a TLS session that is not trusted.
    fn proxy_login<'a>(&self, trace: &Trace, proxy: &'a Proxy) -> Option<&'a Login> {
        let is_trusted = trace.proxy_tls.as_ref().is_none_or(|tls| tls.verdict == Some(Ok(())));
        let is_wanted = self.exchange.twist != Twist::NoProxyLogin;
        proxy.login.as_ref().filter(|_| is_trusted && is_wanted)
    }

    fn target(&self) -> String {
        format!("{}:{}", self.exchange.link.origin.host(), port(&self.exchange.link.origin))
    }
}

/// Returns whether the request follows a handshake: only where the user's tool would go on, too.
fn may_go_on(tls: &Tls, trust: &Trust) -> bool {
    tls.flaw.is_none() && (trust.is_off || tls.verdict == Some(Ok(())))
}

fn verdict<T: Clone>(is_rejected: bool, answer: &T) -> Known<T> {
    if is_rejected { Known::Rejected(answer.clone()) } else { Known::Taken }
}

fn told(answer: Http, alert: Option<TlsFlaw>, tls: &mut Option<Tls>) -> Option<Http> {
    match (alert, tls) {
        (Some(flaw), Some(tls)) => {
            tls.flaw = Some(flaw);
            None
        }
        _ => Some(answer),
    }
}

/// Tells the answer to a plain request as that of a proxy.
fn as_connect(answer: &Http, has_login: bool) -> Connect {
    Connect {
        took: answer.took,
        has_login,
        interim: Vec::new(),
        status: answer.status,
        reason: answer.reason.clone(),
        challenges: connect::challenges(&answer.fields),
        fields: answer.fields.clone(),
        body: answer.body.iter().take(MAX_PAGE).copied().collect(),
        flaw: answer.flaw.clone(),
    }
}

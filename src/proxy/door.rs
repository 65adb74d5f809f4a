//! Our own pages, on the port of the proxy: the status for people, and for programs.
//!
//! The same door as for everybody, and then more: a page of the web can make a browser ask us, with
//! the browser's uid. So only a request is served that names us as its host (no DNS rebinding), that no
//! other site has caused, and that shows a token which no other site can know. None of them changes
//! anything.

use std::{fmt::Write, io, net::SocketAddr};

use crate::{
    core::{
        http1::{Framing, Request},
        refusal::Refusal,
        secret::{ExposeSecret, SecretString, same},
    },
    proxy::{Shared, failure, hex, metrics, page, status},
};

/// What opens our pages.
#[derive(Debug)]
pub(crate) struct Keys {
    /// What programs show, and people once.
    pub(crate) token: SecretString,
    /// What the browser shows from then on. It goes to every port of this machine (RFC 6265 §8.5), so
    /// it is not the token; who gets hold of it still has to come in by the door of our user.
    cookie: SecretString,
}

impl Keys {
    pub(crate) fn new() -> io::Result<Self> {
        let mut random = [0; 48];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let (token, cookie) = random.split_at(24);
        Ok(Self { token: hex(token).into(), cookie: hex(cookie).into() })
    }
}

/// One of our pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// For people.
    Page,
    /// The report as JSON.
    Json,
    Metrics,
}

/// Returns whether a request is for one of our pages: by its target and its host.
pub(crate) fn is_ours(shared: &Shared, request: &Request) -> bool {
    room(shared, request).is_some()
}

/// Answers a request for one of our pages; `None`: it is for none of them.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Option<Result<Vec<u8>, Refusal>> {
    let room = room(shared, request)?;
    Some(refuse_foreign(request).and_then(|()| enter(shared, request, room)))
}

fn room(shared: &Shared, request: &Request) -> Option<Room> {
    let room = match path(request) {
        "/" | "/status" => Room::Page,
        "/metrics" => Room::Metrics,
        "/status.json" => Room::Json,
        _ => return None,
    };
    let mut hosts = request.fields.all("host");
    let host = std::str::from_utf8(hosts.next()?).ok()?;
    let is_own = shared
        .own
        .iter()
        .any(|own| host == own.to_string() || host == format!("localhost:{}", own.port()));
    (is_own && hosts.next().is_none()).then_some(room)
}

fn path(request: &Request) -> &str {
    request.target.split('?').next().unwrap_or_default()
}

/// Refuses what another site made a browser ask, and what would change something.
fn refuse_foreign(request: &Request) -> Result<(), Refusal> {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(failure::not_there("it is only read: with GET or HEAD"));
    }
    if request.framing() != Ok(Framing::Empty) {
        return Err(failure::not_there("a request for it has no body"));
    }
    let has = |name| request.fields.all(name).next().is_some();
    // A page that refreshes itself is the same origin, which is ours: there are no other pages here.
    let is_foreign = |site: &[u8]| !matches!(site, b"none" | b"same-origin");
    if has("origin") || has("referer") || request.fields.all("sec-fetch-site").any(is_foreign) {
        return Err(failure::not_there("another site asks for it"));
    }
    Ok(())
}

fn enter(shared: &Shared, request: &Request, room: Room) -> Result<Vec<u8>, Refusal> {
    let Keys { token, cookie } = &shared.keys;
    let shows = |value: &str| same(&value.into(), token);
    let bearer = text(request, "authorization").filter_map(|value| value.strip_prefix("Bearer "));
    let has_token = bearer.take(1).any(shows);
    let answer = match room {
        Room::Page => {
            let query = request.target.split_once('?').map(|(_, query)| query);
            if query.and_then(|query| query.strip_prefix("token=")).is_some_and(shows) {
                return Ok(Answer::to_clean_url(&cookie_name(shared), cookie).encode(request));
            }
            let name = format!("{}=", cookie_name(shared));
            let pairs = text(request, "cookie").flat_map(|value| value.split("; "));
            let mut cookies = pairs.filter_map(|pair| pair.strip_prefix(name.as_str()));
            if !has_token && !cookies.any(|value| same(&value.into(), cookie)) {
                return Err(failure::no_status_token());
            }
            Answer::new("text/html; charset=utf-8", page::html(&status::report(shared)))
                .field("Content-Security-Policy", &page::policy())
        }
        Room::Json | Room::Metrics if !has_token => return Err(failure::no_status_token()),
        Room::Json => {
            let json = serde_json::to_string_pretty(&status::report(shared));
            let json = json.map_err(|_| failure::bug("the report is not JSON"))?;
            Answer::new("application/json", json + "\n")
        }
        Room::Metrics => {
            let text = metrics::text(shared, &status::report(shared));
            Answer::new("text/plain; version=0.0.4; charset=utf-8", text)
        }
    };
    Ok(answer.encode(request))
}

/// Returns the values of a field that are text.
fn text<'a>(request: &'a Request, name: &'a str) -> impl Iterator<Item = &'a str> {
    request.fields.all(name).filter_map(|value| std::str::from_utf8(value).ok())
}

/// Cookies do not know ports: two proxies of one machine need two names.
fn cookie_name(shared: &Shared) -> String {
    let port = shared.own.first().map_or(0, SocketAddr::port);
    format!("gocred_status_{port}")
}

/// An answer of ours.
struct Answer {
    status: &'static str,
    fields: String,
    body: String,
}

impl Answer {
    fn new(kind: &str, body: String) -> Self {
        Self { status: "200 OK", fields: String::new(), body }.field("Content-Type", kind)
    }

    /// Takes the token out of the address line, where it would be kept.
    fn to_clean_url(cookie_name: &str, cookie: &SecretString) -> Self {
        let value =
            format!("{cookie_name}={}; Path=/; HttpOnly; SameSite=Strict", cookie.expose_secret());
        Self { status: "303 See Other", fields: String::new(), body: String::new() }
            .field("Location", "/status")
            .field("Set-Cookie", &value)
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.fields, "{name}: {value}\r\n");
        self
    }

    fn encode(self, request: &Request) -> Vec<u8> {
        let Self { status, fields, body } = self;
        let head = format!(
            "HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
             Cross-Origin-Opener-Policy: same-origin\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let body = if request.method == "HEAD" { "" } else { &body };
        (head + body).into_bytes()
    }
}

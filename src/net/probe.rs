//! Small requests of `login`: one GET, its status, and what it says about authentication.
//!
//! Redirects are not followed, so that a credential never leaves the origin it was given for; bodies
//! are not read.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Proxy, header, redirect::Policy};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::core::{
    challenge,
    secret::{ExposeSecret, SecretString},
};

/// How long one request may take, from the connection to the head of the answer.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a connection is kept. Servers keep one for 5 s at least.
const IDLE: Duration = Duration::from_secs(2);

/// RFC 9209.
const PROXY_STATUS: header::HeaderName = header::HeaderName::from_static("proxy-status");

/// How a host is reached.
#[derive(Clone, Debug)]
pub enum Route {
    /// Directly.
    Direct,
    /// Through a forward proxy, `http://host:port`; with what its door asks for, if anything.
    Via(String),
}

/// What a request is signed with.
#[derive(Clone, Copy, Debug)]
pub enum Signature<'a> {
    /// `Authorization: Basic`
    Basic(&'a str, &'a SecretString),
    /// `Authorization: Bearer`
    Bearer(&'a SecretString),
    /// Nothing.
    None,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The schemes that it offers, lower case.
    pub schemes: Vec<String>,
    /// Whether its body is JSON.
    pub body: Body,
}

/// What kind of body an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `application/json`, or a type built on it.
    Json,
    /// Anything else.
    Other,
}

/// Why there was no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// Nobody that we trust signed the host's certificate.
    #[error("{0}")]
    Authority(String),
    /// The host's certificate is wrong: expired, say, or of another name.
    #[error("{0}")]
    Certificate(String),
    /// The forward proxy wants to know who asks, or does not accept the answer.
    #[error("the proxy asks for a login (407)")]
    Proxy,
    /// The forward proxy opens no tunnel to the host, or does not pass the request on.
    #[error("the proxy opens no tunnel to it")]
    Refused,
    /// There was none in time.
    #[error("no answer in time")]
    Timeout,
    /// Anything else.
    #[error("{0}")]
    Unreachable(String),
}

/// Asks one origin.
#[derive(Debug)]
pub struct Asker {
    client: Client,
    runtime: Runtime,
}

impl Asker {
    /// Prepares the connection; nothing is sent yet.
    pub fn new(tls: ClientConfig, route: &Route) -> Result<Self, Error> {
        // Between two questions a person types: a connection that the server has closed meanwhile is not
        // noticed before it is used.
        let (client, runtime) =
            client(tls, route, |builder| builder.timeout(LIMIT).pool_idle_timeout(IDLE))?;
        Ok(Self { client, runtime })
    }

    /// Sends one GET.
    pub fn get(&self, url: &str, signature: Signature<'_>) -> Result<Head, Error> {
        let request = self.client.get(url);
        let request = match signature {
            Signature::Basic(user, password) => {
                request.basic_auth(user, Some(password.expose_secret()))
            }
            Signature::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Signature::None => request,
        };
        let response = self.runtime.block_on(async { request.send().await }).map_err(classify)?;
        if response.status() == 407 {
            return Err(Error::Proxy);
        }
        let fields = |name| response.headers().get_all(name).iter();
        if response.status().is_server_error() && is_our_refusal(response.headers()) {
            return Err(Error::Refused);
        }
        let is_json =
            fields(header::CONTENT_TYPE).filter_map(|value| value.to_str().ok()).any(|kind| {
                let kind = kind.split(';').next().unwrap_or_default().trim();
                kind == "application/json" || kind.ends_with("+json")
            });
        let challenges =
            fields(header::WWW_AUTHENTICATE).flat_map(|value| challenge::parse(value.as_bytes()));
        Ok(Head {
            status: response.status().as_u16(),
            schemes: challenges.map(|challenge| challenge.scheme.to_ascii_lowercase()).collect(),
            body: if is_json { Body::Json } else { Body::Other },
        })
    }
}

/// Whether our own proxy, and not the host, answers: it says so (RFC 9209).
pub(super) fn is_our_refusal(fields: &header::HeaderMap) -> bool {
    fields.get_all(PROXY_STATUS).iter().any(|status| status.as_bytes().starts_with(b"gocred;"))
}

pub(super) fn classify(error: reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::Timeout;
    }
    let text = chain(&error.without_url());
    if text.contains("proxy authorization required") {
        Error::Proxy
    } else if text.contains("UnknownIssuer") {
        Error::Authority(text)
    } else if text.contains("certificate") {
        Error::Certificate(text)
    } else if text.contains("tunnel error") {
        Error::Refused
    } else {
        Error::Unreachable(text)
    }
}

/// Makes what asks over one route, with its limits: it follows no redirect, and no proxy but the one of
/// the route.
pub(super) fn client(
    tls: ClientConfig,
    route: &Route,
    limited: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<(Client, Runtime), Error> {
    let failed = |error: reqwest::Error| Error::Unreachable(chain(&error.without_url()));
    let mut builder = limited(Client::builder())
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .user_agent(concat!("gocred/", env!("CARGO_PKG_VERSION")))
        .no_proxy();
    if let Route::Via(url) = route {
        builder = builder.proxy(Proxy::all(url).map_err(failed)?);
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Unreachable(error.to_string()))?;
    Ok((builder.build().map_err(failed)?, runtime))
}

/// Returns the innermost cause that says something; the outer ones only repeat that it failed.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        innermost = error.to_string();
        cause = error.source();
    }
    innermost
}

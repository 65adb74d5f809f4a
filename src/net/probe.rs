//! Small requests of `login` and `setup`: one GET, its status, and what it says about authentication, or
//! the start of its body.
//!
//! Redirects are not followed, so that a credential never leaves the origin it was given for.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Proxy, RequestBuilder, Response, header, redirect::Policy};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::core::{
    challenge,
    secret::{ExposeSecret, SecretString},
    setup::server::Page,
};

/// How long one request may take, from the connection to the head of the answer.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a connection is kept. Servers keep one for 5 s at least.
const IDLE: Duration = Duration::from_secs(2);

/// How much of a body is looked at, in bytes.
const MAX_BODY: usize = 4096;

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
    /// A field of the host's own.
    Field(&'a str, &'a SecretString),
    /// Nothing.
    None,
}

impl Signature<'_> {
    pub(super) fn onto(self, request: RequestBuilder) -> Result<RequestBuilder, Error> {
        Ok(match self {
            Self::Basic(user, password) => request.basic_auth(user, Some(password.expose_secret())),
            Self::Bearer(token) => request.bearer_auth(token.expose_secret()),
            Self::Field(name, secret) => request.header(name, sensitive(secret)?),
            Self::None => request,
        })
    }
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

    /// Sends one GET, and reads no body.
    pub fn get(&self, url: &str, signature: Signature<'_>) -> Result<Head, Error> {
        let response = self.runtime.block_on(self.sent(url, signature))?;
        let fields = |name| response.headers().get_all(name).iter();
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

    /// Sends one GET, and reads the start of the body. One that breaks off there is as it came.
    pub fn page(&self, url: &str, signature: Signature<'_>) -> Result<Page, Error> {
        self.runtime.block_on(async {
            let mut response = self.sent(url, signature).await?;
            let field = |name: &str| {
                let value = response.headers().get(name).and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            let mut page = Page {
                status: response.status().as_u16(),
                server: field("server"),
                jfrog: field("x-jfrog-version"),
                has_artifactory_id: response.headers().contains_key("x-artifactory-id"),
                is_html: field("content-type").to_ascii_lowercase().starts_with("text/html"),
                body: Vec::new(),
            };
            while let (true, Ok(Some(bytes))) = (page.body.len() < MAX_BODY, response.chunk().await)
            {
                page.body.extend_from_slice(&bytes);
            }
            page.body.truncate(MAX_BODY);
            Ok(page)
        })
    }

    async fn sent(&self, url: &str, signature: Signature<'_>) -> Result<Response, Error> {
        let request = signature.onto(self.client.get(url))?;
        let response = request.send().await.map_err(classify)?;
        if response.status() == 407 {
            return Err(Error::Proxy);
        }
        if response.status().is_server_error() && is_our_refusal(response.headers()) {
            return Err(Error::Refused);
        }
        Ok(response)
    }
}

/// Makes the value of a field, which is never printed.
fn sensitive(secret: &SecretString) -> Result<header::HeaderValue, Error> {
    let value = header::HeaderValue::from_str(secret.expose_secret());
    let mut value = value.map_err(|_| Error::Unreachable("the secret fits no field".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
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

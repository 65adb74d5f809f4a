//! Small requests with bodies: an API or an OAuth endpoint is asked, and its answer read.
//!
//! Redirects are not followed, so that a credential never leaves the URL it was given for. No
//! connection is kept. Bodies of both directions are wiped here; the buffers of HTTP and TLS are by the
//! allocator of the program.

use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::byte_serialize;
use reqwest::{
    Client, Method, Response as Answer,
    header::{self, HeaderMap, HeaderValue},
};
use rustls::ClientConfig;
use secrecy::zeroize::Zeroizing;
use tokio::runtime::Runtime;

use crate::{
    core::secret::{ExposeSecret, SecretString},
    net::probe::{Error, Route, Signature, classify, client, is_our_refusal},
};

/// A longer answer is none that we ask for, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Asks over one route.
#[derive(Debug)]
pub struct Api {
    client: Client,
    runtime: Runtime,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: Verb,
    /// The URL. Nothing in it is secret.
    pub url: &'a str,
    /// `Authorization`
    pub signature: Signature<'a>,
    /// Further fields; their values are marked as confidential.
    pub fields: &'a [(&'static str, &'a SecretString)],
    /// The body.
    pub body: Body<'a>,
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET
    Get,
    /// POST
    Post,
}

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// None.
    Empty,
    /// `application/x-www-form-urlencoded`
    Form(&'a [(&'a str, &'a SecretString)]),
    /// `application/json`, as it is.
    Json(&'a [u8]),
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The fields that are text, by their lower-case names.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// Returns the first field of a lower-case name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Api {
    /// Prepares the connection; nothing is sent yet.
    pub fn new(tls: ClientConfig, route: &Route) -> Result<Self, Error> {
        let (client, runtime) = client(tls, route, |builder| builder.pool_max_idle_per_host(0))?;
        Ok(Self { client, runtime })
    }

    /// Sends a request and reads its answer, within the limit.
    pub fn call(&self, call: &Call<'_>, limit: Duration) -> Result<Response, Error> {
        let method = match call.method {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
        };
        let mut request = self.client.request(method, call.url).timeout(limit);
        request = call.signature.onto(request)?;
        // GitHub answers a form with a form where nothing else is asked for.
        request = request.header(header::ACCEPT, "application/json");
        for (name, value) in call.fields {
            let mut value = HeaderValue::from_str(value.expose_secret())
                .map_err(|_| Error::Unreachable(format!("the value of {name} is no field's")))?;
            value.set_sensitive(true);
            request = request.header(*name, value);
        }
        let (kind, body) = match call.body {
            Body::Empty => (None, None),
            Body::Form(pairs) => (Some("application/x-www-form-urlencoded"), Some(form(pairs))),
            Body::Json(text) => (Some("application/json"), Some(Zeroizing::new(text.to_vec()))),
        };
        if let (Some(kind), Some(body)) = (kind, body) {
            request = request.header(header::CONTENT_TYPE, kind).body(Bytes::from_owner(body));
        }
        self.runtime.block_on(async { read(request.send().await.map_err(classify)?).await })
    }
}

/// Encodes a form into a buffer that never grows.
fn form(pairs: &[(&str, &SecretString)]) -> Zeroizing<Vec<u8>> {
    let size = |text: &str| 3 * text.len() + 1;
    let sizes = pairs.iter().map(|(key, value)| size(key) + size(value.expose_secret()));
    let mut body = Zeroizing::new(Vec::with_capacity(sizes.sum()));
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            body.push(b'&');
        }
        let key = byte_serialize(key.as_bytes());
        let value = byte_serialize(value.expose_secret().as_bytes());
        for piece in key.chain(["="]).chain(value) {
            body.extend_from_slice(piece.as_bytes());
        }
    }
    body
}

async fn read(mut answer: Answer) -> Result<Response, Error> {
    let status = answer.status();
    if status == 407 {
        return Err(Error::Proxy);
    }
    if status.is_server_error() && is_our_refusal(answer.headers()) {
        return Err(Error::Refused);
    }
    let fields = texts(answer.headers());
    let announced = answer.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(4096).min(MAX_BODY)));
    while let Some(piece) = answer.chunk().await.map_err(classify)? {
        let length = body.len() + piece.len();
        if length > MAX_BODY {
            return Err(Error::Unreachable("its answer is longer than 1 MiB".to_owned()));
        }
        if length > body.capacity() {
            // A buffer that becomes too small is wiped, which `Vec` does not do.
            let mut larger = Zeroizing::new(Vec::with_capacity(length * 2));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&piece);
    }
    Ok(Response { status: status.as_u16(), fields, body })
}

fn texts(fields: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&header::HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    fields.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
        time::Duration,
    };

    use super::{Api, Body, Call, Error, MAX_BODY, Response, Route, Signature, Verb, form};
    use crate::{core::secret::SecretString, net::tls};

    /// Answers one request with these bytes, and returns the request.
    fn served(answer: &'static str, call: Call<'_>) -> (Result<Response, Error>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let api = Api::new(tls::client(&[]).unwrap(), &Route::Direct).unwrap();
        let answer = api.call(&Call { url: &url, ..call }, Duration::from_secs(5));
        (answer, server.join().unwrap())
    }

    const GET: Call<'_> = Call {
        method: Verb::Get,
        url: "",
        signature: Signature::None,
        fields: &[],
        body: Body::Empty,
    };

    #[test]
    fn a_form_is_sent_and_its_answer_read() {
        let (key, token) = (SecretString::from("a b&c=ü"), SecretString::from("hunter2"));
        let call = Call {
            method: Verb::Post,
            fields: &[("x-vault-token", &token)],
            body: Body::Form(&[("grant", &key), ("x", &token)]),
            ..GET
        };
        let answer = "HTTP/1.1 429 Slow\r\nX-Scopes: a\r\nContent-Length: 2\r\n\r\n{}";
        let (answer, request) = served(answer, call);
        let answer = answer.unwrap();
        assert_eq!(answer.status, 429);
        assert_eq!((answer.field("x-scopes"), answer.body.as_slice()), (Some("a"), &b"{}"[..]));
        assert!(request.starts_with("POST /x HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("x-vault-token: hunter2"), "{request}");
        assert!(request.contains("content-type: application/x-www-form-urlencoded"), "{request}");
        assert!(request.ends_with("\r\n\r\ngrant=a+b%26c%3D%C3%BC&x=hunter2"), "{request}");
    }

    #[test]
    fn a_redirect_is_an_answer_and_a_proxys_refusal_is_none() {
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(served(moved, GET).0.unwrap().status, 302);
        let login = "HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(served(login, GET).0.unwrap_err(), Error::Proxy);
    }

    #[test]
    fn an_answer_without_end_is_refused() {
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(MAX_BODY + 1));
        let (answer, _) = served(endless.leak(), GET);
        assert!(matches!(answer, Err(Error::Unreachable(what)) if what.contains("1 MiB")));
    }

    #[test]
    fn a_form_never_outgrows_its_buffer() {
        let value = SecretString::from("\u{10ffff}".repeat(9));
        let body = form(&[("k", &value), ("\u{10ffff}", &value)]);
        let size: usize = 2 * (3 * 36 + 1) + (3 + 1) + (12 + 1);
        assert!(body.len() < size && body.capacity() == size);
    }
}

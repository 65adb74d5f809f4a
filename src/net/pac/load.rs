//! Loading a script: a file, a URL, the desktop's setting, or WPAD.
//!
//! Never through a proxy: the script says which one there is. What comes over http is as trustworthy
//! as the network; the limits are those of a script, not of a page.

use std::{io, path::Path, time::Duration};

use reqwest::{Client, header, redirect::Policy};
use thiserror::Error;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{
    core::{
        config::PacSource,
        pac::{desktop::Desktop, file, wpad},
        text::printable,
    },
    net::tls,
    sys::{desktop, env::Env, files},
};

/// How long loading may take, whatever is tried.
const LIMIT: Duration = Duration::from_secs(10);
/// How long one name of WPAD is tried.
const ONE_NAME: Duration = Duration::from_secs(3);
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// A script, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The script.
    pub text: String,
    /// Its path or URL, printable.
    pub place: String,
}

/// Why there is no script.
#[derive(Debug, Error)]
pub enum LoadError {
    /// What was found is not a script.
    #[error("{place}: {error}")]
    Content {
        /// The path or URL.
        place: String,
        /// What is wrong with it.
        error: file::Error,
    },
    /// The desktop's settings cannot be read.
    #[error("the desktop's proxy settings cannot be read: {0}")]
    Desktop(#[from] desktop::Error),
    /// The desktop leaves it to something that has to be asked for by name.
    #[error("the desktop is set to {0}")]
    Elsewhere(&'static str),
    /// The server did not give it.
    #[error("{place}: {what}")]
    Fetch {
        /// The URL.
        place: String,
        /// What happened.
        what: String,
    },
    /// The file cannot be read.
    #[error("{place}: {error}")]
    File {
        /// The path.
        place: String,
        /// Why.
        error: io::Error,
    },
    /// There is no domain to search.
    #[error("this machine has no search domain that `wpad` could be asked in")]
    NoDomain,
    /// Nothing came in time.
    #[error("{place}: nothing came within {} s", LIMIT.as_secs())]
    Timeout {
        /// The path or URL.
        place: String,
    },
    /// No name of WPAD has a script.
    #[error("no script at {0}")]
    Wpad(String),
}

/// Loads a script.
pub async fn load(source: &PacSource, env: &Env) -> Result<Loaded, LoadError> {
    let place = source.to_string();
    let loaded = timeout(LIMIT, from(source, &place, env)).await;
    loaded.unwrap_or(Err(LoadError::Timeout { place }))
}

async fn from(source: &PacSource, place: &str, env: &Env) -> Result<Loaded, LoadError> {
    match source {
        PacSource::Desktop => from_desktop(env).await,
        PacSource::File(path) => from_file(path, place).await,
        PacSource::Url(url) => from_url(&client(env)?, url).await,
        PacSource::Wpad => from_wpad(env).await,
    }
}

async fn from_desktop(env: &Env) -> Result<Loaded, LoadError> {
    let asked = env.clone();
    let setting = blocking(move || desktop::ask(&asked)).await.map_err(desktop::Error::from)??;
    if let Some(text) = setting.script() {
        return Ok(Loaded { text, place: "the desktop's settings".to_owned() });
    }
    match setting {
        Desktop::Pac(text) => match PacSource::parse(&text) {
            Ok(PacSource::File(path)) => from_file(&path, &printable(&text)).await,
            Ok(PacSource::Url(url)) => from_url(&client(env)?, &url).await,
            Ok(PacSource::Desktop | PacSource::Wpad) | Err(_) => {
                Err(LoadError::Elsewhere("a script whose URL is not http, https or file"))
            }
        },
        Desktop::Variables => Err(LoadError::Elsewhere("the proxy variables of the environment")),
        // Finding a proxy by name is an attack surface that has to be asked for.
        Desktop::Direct | Desktop::Manual(_) | Desktop::Wpad => Err(LoadError::Elsewhere(
            "automatic discovery (WPAD), which gocred uses only for `pac = \"wpad\"`",
        )),
    }
}

async fn from_file(path: &Path, place: &str) -> Result<Loaded, LoadError> {
    let wrong = |error| LoadError::File { place: place.to_owned(), error };
    let limit = u64::try_from(file::MAX_LENGTH).unwrap_or(u64::MAX);
    let read = path.to_owned();
    let bytes = blocking(move || files::read(&read, limit)).await.and_then(|bytes| bytes);
    let bytes = match bytes {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            return Err(wrong(io::Error::new(io::ErrorKind::NotFound, "there is no such file")));
        }
        Err(error) => return Err(wrong(error)),
    };
    decoded(&bytes, None, place)
}

async fn from_wpad(env: &Env) -> Result<Loaded, LoadError> {
    let path = Path::new("/etc/resolv.conf");
    let limit = u64::try_from(file::MAX_LENGTH).unwrap_or(u64::MAX);
    let bytes = blocking(move || files::read(path, limit)).await.and_then(|bytes| bytes);
    let bytes = bytes.ok().flatten().unwrap_or_default();
    let urls = wpad::urls(&wpad::search(&String::from_utf8_lossy(&bytes)));
    if urls.is_empty() {
        return Err(LoadError::NoDomain);
    }
    let client = client(env)?;
    for url in &urls {
        // A name that does not answer must not hide the one above it.
        if let Ok(Ok(loaded)) = timeout(ONE_NAME, from_url(&client, url)).await {
            return Ok(loaded);
        }
    }
    Err(LoadError::Wpad(urls.join(", ")))
}

async fn from_url(client: &Client, url: &str) -> Result<Loaded, LoadError> {
    let wrong = |what: String| LoadError::Fetch { place: url.to_owned(), what: printable(&what) };
    let failed = |error: reqwest::Error| wrong(innermost(&error.without_url()));
    let mut response = client.get(url).send().await.map_err(failed)?;
    if response.status() != 200 {
        return Err(wrong(format!("the server answered {}", response.status().as_u16())));
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let charset = kind.and_then(charset).map(ToOwned::to_owned);
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > file::MAX_LENGTH {
            break;
        }
    }
    decoded(&bytes, charset.as_deref(), url)
}

fn client(env: &Env) -> Result<Client, LoadError> {
    let wrong = |what: String| LoadError::Fetch { place: "TLS".to_owned(), what };
    let named = ["SSL_CERT_FILE", "GIT_SSL_CAINFO"].into_iter().filter_map(|name| env.path(name));
    let tls = tls::client(&named.collect::<Vec<_>>()).map_err(|error| wrong(error.to_string()))?;
    let policy = Policy::custom(|attempt| {
        let left_https = attempt.previous().last().is_some_and(|from| from.scheme() == "https")
            && attempt.url().scheme() != "https";
        if left_https {
            attempt.error("it redirects from https to http")
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("it redirects too often")
        } else {
            attempt.follow()
        }
    });
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(policy)
        .timeout(LIMIT)
        .user_agent(concat!("gocred/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .build()
        .map_err(|error| wrong(innermost(&error)))
}

fn decoded(bytes: &[u8], charset: Option<&str>, place: &str) -> Result<Loaded, LoadError> {
    match file::decode(bytes, charset) {
        Ok(text) => Ok(Loaded { text, place: place.to_owned() }),
        Err(error) => Err(LoadError::Content { place: place.to_owned(), error }),
    }
}

/// Returns the `charset` of a `Content-Type`.
fn charset(kind: &str) -> Option<&str> {
    let mut parameters = kind.split(';').skip(1).filter_map(|one| one.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)
}

/// Returns the innermost cause; the outer ones only repeat that it failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

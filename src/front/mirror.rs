//! `gocred setup --mirror NAME|URL`: which module proxy is meant, and what it says it is.
//!
//! It asks with the client of `login`: through the corporate proxy, with the company's authorities. The
//! stored credential goes to its own origin only, once, and after a refusal without it.

use crate::{
    core::{
        fault::{Fault, Kind},
        modproxy::list::{Base, Error as ListError, Target, Upstreams},
        origin::Origin,
        setup::{
            mirror::{self, PUBLIC, Public},
            server::{Page, Product, QUESTIONS, Server, judge},
        },
        text::printable,
    },
    front::{
        Context, goproxy_secrets,
        login::route::{self, Way},
        ui,
    },
    net::{
        probe::{Asker, Error, Signature},
        tls,
    },
    proxy::goproxy::Given,
};

/// A module proxy that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    /// Where it is.
    pub(crate) base: Base,
    /// What it is, in one line.
    pub(crate) about: String,
    /// What the person has to know or do.
    pub(crate) notes: Vec<String>,
}

/// Finds the module proxy, and asks one that is not known what it is.
pub(crate) fn find(text: &str, context: &Context) -> Result<Mirror, Fault> {
    if let Some(Public { host, about }) = mirror::public(text) {
        let origin = Origin::new("https", host);
        let origin = origin.map_err(|error| Fault::new(Kind::Internal, error.to_string()))?;
        let base = Base { origin, path: String::new() };
        return Ok(Mirror { base, about: format!("{host}: {about}"), notes: Vec::new() });
    }
    let base = parse(text)?;
    let (server, access) = ask(&base, context)?;
    let place = shown(&base);
    if server.product == Product::WebSite {
        return Err(Fault::new(Kind::NotFound, format!("{place} is {server}; nothing was changed"))
            .hint("open it in a browser: you may have to sign in to the network, or the path is another one"));
    }
    let notes = access.note(&base).into_iter().chain(path_note(&server, &base)).collect();
    Ok(Mirror { about: format!("{place} is {server}"), base, notes })
}

fn parse(text: &str) -> Result<Base, Fault> {
    let wrong = |what: &str| {
        let fault = Fault::new(Kind::Usage, format!("--mirror: {what}"));
        let hint =
            |Public { host, about }: Public| format!("`gocred setup --mirror {host}`: {about}");
        PUBLIC.into_iter().fold(fault, |fault, public| fault.hint(hint(public)))
    };
    let is_url = text.contains(['.', ':', '/']);
    match Upstreams::parse(text) {
        Ok(list) => match list.elements() {
            [only] if is_url => match &only.target {
                Target::Proxy(Base { path, .. }) if !path.bytes().all(|b| b.is_ascii_graphic()) => {
                    Err(wrong("the path of the URL has a character that no URL has"))
                }
                Target::Proxy(base) => Ok(base.clone()),
                Target::Direct | Target::Off => Err(wrong("this is no module proxy")),
            },
            [_] => Err(wrong("this is neither the name of a public module proxy nor a URL")),
            _ => Err(wrong("name one; lists stand in config.toml, `[goproxy]` `upstream`")),
        },
        Err(ListError::Userinfo(_)) => {
            Err(Fault::new(Kind::Usage, "--mirror: the URL has a user name or password in it")
                .hint("leave it out, and store it with `gocred login URL`"))
        }
        Err(ListError::Query(_)) => Err(wrong("the URL has a `?` or `#`")),
        Err(ListError::Empty | ListError::Element(..)) => {
            Err(wrong("this is neither the name of a public module proxy nor a URL"))
        }
    }
}

/// Whether the server answers whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// It does, or the stored credential opens it.
    Open,
    /// It refuses the credential that is stored.
    Rejected,
    /// It wants one, and the store cannot be read.
    Unread,
    /// It wants one, and none is stored.
    Wanted,
}

impl Access {
    fn note(self, base: &Base) -> Option<String> {
        let place = shown(base);
        match self {
            Self::Open => None,
            Self::Rejected => Some(format!(
                "{place} rejected the credential that is stored for it; run: gocred login {place}"
            )),
            Self::Unread => Some(format!(
                "{place} asks for a login, and the store cannot be read; run: gocred status --store"
            )),
            Self::Wanted => Some(format!("{place} asks for a login; run: gocred login {place}")),
        }
    }
}

fn ask(base: &Base, context: &Context) -> Result<(Server, Access), Fault> {
    let origin = &base.origin;
    let tls = tls::client(&route::authorities(origin, context)).map_err(|error| {
        Fault::new(Kind::Config, "no certificate authorities to check the server with")
            .cause(error)
            .hint("mend the file, or what names it: SSL_CERT_FILE, GIT_SSL_CAINFO, or `ca` in config.toml")
    })?;
    let way = route::to(origin, context)?;
    let failed = |error: Error| unreachable(&error, base, &way, context);
    let asker = Asker::new(tls, &way.route).map_err(failed)?;
    let (mut pages, mut access, mut given) = (Vec::<Page>::new(), Access::Open, None);
    for path in QUESTIONS {
        let path = format!("{}{path}", base.path);
        let url = format!("{origin}{path}");
        let mut page = asker.page(&url, signature(given.as_ref())).map_err(failed)?;
        if pages.is_empty() && is_refusal(&page) {
            (given, access) = match goproxy_secrets::find(origin, &path, context) {
                Ok(given) => (given, Access::Wanted),
                Err(_) => (None, Access::Unread),
            };
            if given.is_some() {
                page = asker.page(&url, signature(given.as_ref())).map_err(failed)?;
                access = if is_refusal(&page) { Access::Rejected } else { Access::Open };
            }
        }
        pages.push(page);
        if let Some(server) = judge(&pages) {
            return Ok((server, access));
        }
    }
    Err(Fault::new(Kind::Internal, "no verdict on a module proxy"))
}

fn is_refusal(page: &Page) -> bool {
    matches!(page.status, 401 | 403)
}

/// What the front would show, too.
fn signature(given: Option<&Given>) -> Signature<'_> {
    given.map_or(Signature::None, |given| Signature::Field(&given.name, &given.value))
}

/// Returns the base as `login` takes it.
fn shown(base: &Base) -> String {
    printable(&format!("{}{}", ui::place(&base.origin), base.path))
}

/// Says where a server has its module proxies, where the path is none of those.
fn path_note(server: &Server, base: &Base) -> Option<String> {
    let origin = &base.origin;
    match &server.product {
        Product::Artifactory(_) if !base.path.contains("/api/go/") => Some(format!(
            "Artifactory has module proxies at {origin}/artifactory/api/go/REPOSITORY"
        )),
        Product::Nexus(_) if !base.path.contains("/repository/") => {
            Some(format!("Nexus has module proxies at {origin}/repository/NAME"))
        }
        Product::Artifactory(_)
        | Product::Athens(_)
        | Product::Nexus(_)
        | Product::Other
        | Product::WebSite
        | Product::Unknown => None,
    }
}

/// Says why it was not reached, and what to do about it.
fn unreachable(error: &Error, base: &Base, way: &Way, context: &Context) -> Fault {
    let host = base.origin.authority();
    let fault = Fault::new(Kind::Network, format!("{host} cannot be asked; nothing was changed"));
    let fault = match &way.through {
        Some(proxy) => fault.at(format!("on the way through {proxy}")),
        None => fault,
    };
    let with_cause = |fault: Fault| fault.cause(printable(&error.to_string()));
    match error {
        Error::Authority(_) => with_cause(fault).hint(format!(
            "name your company's authority in config.toml: `[host.\"{host}\"]` `ca = \"/path/ca.pem\"`"
        )),
        Error::Certificate(_) => with_cause(fault).hint(format!(
            "`openssl s_client -connect {}:{} </dev/null` shows the certificate",
            base.origin.host(),
            base.origin.port().unwrap_or(443)
        )),
        Error::Proxy | Error::Refused | Error::Timeout => match (way.said(context), &way.through) {
            (Some(said), _) => match said.split_once("; run: ") {
                Some((what, run)) => fault.cause(printable(what)).hint(format!("run `{run}`")),
                None => fault.cause(printable(&said)),
            },
            (None, Some(proxy)) if *error == Error::Proxy => {
                with_cause(fault).hint(format!("run `gocred login --proxy {proxy}`"))
            }
            (None, _) => with_cause(fault),
        },
        Error::Unreachable(_) => with_cause(fault).hint("check the URL"),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::core::fault::Kind;

    #[test]
    fn a_mirror_is_a_public_name_or_one_url() {
        let base = parse("https://h.test:8443/artifactory/api/go/go/").unwrap();
        assert_eq!(super::shown(&base), "h.test:8443/artifactory/api/go/go");
        assert_eq!(parse("h.test").unwrap().origin.to_string(), "https://h.test");
        for text in [
            "",
            "gocenter",
            "direct",
            "https://a.test,direct",
            "file:///srv",
            "https://h?x",
            "https://h/a b",
            "https://h/\n/x",
        ] {
            let fault = parse(text).unwrap_err();
            assert_eq!(fault.kind, Kind::Usage, "{text}");
            assert_eq!(fault.hints.len(), 3, "{text}");
        }
    }

    #[test]
    fn an_account_in_the_url_is_refused_and_not_repeated() {
        let fault = parse("https://ana:hunter2@h.test").unwrap_err();
        assert!(!fault.to_string().contains("hunter2") && !fault.to_string().contains("ana"));
    }
}

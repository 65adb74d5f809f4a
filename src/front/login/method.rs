//! How a person signs in: by a token of theirs, in a browser, or with a code on another device.

use crate::{
    cli::Login,
    core::{
        config::OAuthClient,
        credential::{Kind as Namespace, Query},
        fault::{Fault, Kind},
        forge::Forge,
        oauth::{
            Client, Session, metadata, preset,
            server::{Secret, Server},
        },
        origin::Origin,
        secret::SecretString,
        text::printable,
    },
    front::{
        Context, browser, keyring,
        login::{
            line::Line,
            prompt::{self},
        },
        ui,
    },
    net::oauth,
    store::Store,
    sys::secret_file,
};

/// A flow of OAuth 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// A browser brings the code back to this machine.
    Browser,
    /// A person types a code elsewhere.
    Device,
}

/// All that a flow needs.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Which.
    pub(super) flow: Flow,
    /// At whom.
    pub(super) server: Server,
    /// As whom.
    pub(super) client: Client,
    /// For what.
    pub(super) scopes: Vec<String>,
}

/// What somebody has said about the client of a host: on the command line, in the configuration, or at
/// the last login.
struct Known {
    id: String,
    secret: Option<SecretString>,
    scopes: Vec<String>,
}

/// Decides how to sign in. `None`: with a token or a password, as ever.
pub(super) fn choose(
    arguments: &Login,
    origin: &Origin,
    forge: Option<Forge>,
    store: &mut dyn Store,
    context: &Context,
) -> Result<Option<Plan>, Fault> {
    let asked = match (arguments.web, arguments.device) {
        (true, _) => Some(Flow::Browser),
        (false, true) => Some(Flow::Device),
        (false, false) => None,
    };
    let is_attended = prompt::is_attended(&context.env) && !arguments.with_token;
    if asked.is_none() && !is_attended {
        let has_flag = arguments.client_id.is_some() && !arguments.with_token;
        return if has_flag {
            Err(Fault::new(Kind::Usage, "nobody is at the terminal to choose how to sign in")
                .hint("pass `--device` or `--web`"))
        } else {
            Ok(None)
        };
    }
    let configured = context.config.oauth(origin);
    let Some(known) = known(arguments, configured, origin, store)? else {
        return if asked.is_some() { Err(no_client(origin, forge)) } else { Ok(None) };
    };
    let server = match server(origin, forge, configured, context)? {
        Some(server) => server,
        None if asked.is_some() => return Err(no_server(origin)),
        None => return Ok(None),
    };
    let Some(flow) = pick(asked, &server, known.secret.is_some(), origin, context)? else {
        return Ok(None);
    };
    say_who(&server, origin);
    let scopes = if known.scopes.is_empty() { server.scopes.clone() } else { known.scopes };
    let client = Client { id: known.id, secret: known.secret, auth: server.client_auth };
    Ok(Some(Plan { flow, server, client, scopes }))
}

/// Returns what is known of the client.
fn known(
    arguments: &Login,
    configured: Option<&OAuthClient>,
    origin: &Origin,
    store: &mut dyn Store,
) -> Result<Option<Known>, Fault> {
    let flag = |scopes: &Option<String>| scopes.as_deref().map(crate::core::oauth::scopes);
    let mut known = match (&arguments.client_id, configured.and_then(|it| it.client_id.as_ref())) {
        (None, None) => last(origin, store)?,
        (id, configured) => id.as_ref().or(configured).map(|id| Known {
            id: id.clone(),
            secret: None,
            scopes: Vec::new(),
        }),
    };
    let Some(known) = &mut known else { return Ok(None) };
    if let Some(file) = configured.and_then(|it| it.client_secret_file.as_ref()) {
        let wrong = |cause: &dyn std::fmt::Display| {
            Fault::new(Kind::Config, "the secret of the client cannot be read")
                .cause(cause)
                .at(file.display())
        };
        let secret = secret_file::read(file).map_err(|error| wrong(&error))?;
        known.secret = Some(secret.ok_or_else(|| wrong(&"there is no such file"))?);
    }
    let configured = configured.map(|it| it.scopes.clone()).filter(|scopes| !scopes.is_empty());
    if let Some(scopes) = flag(&arguments.scopes).or(configured) {
        known.scopes = scopes;
    }
    if known.id.is_empty() || !known.id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::new(Kind::Usage, "a client id is a word of printable ASCII"));
    }
    Ok(Some(Known {
        id: known.id.clone(),
        secret: known.secret.clone(),
        scopes: known.scopes.clone(),
    }))
}

/// Returns the client of the last login here: whoever logs in again need not say it again.
fn last(origin: &Origin, store: &mut dyn Store) -> Result<Option<Known>, Fault> {
    let query = Query::origin(Namespace::Git, origin.clone());
    let mut records = store.find(&query).map_err(keyring::fault)?;
    records.sort_by_key(|record| std::cmp::Reverse(record.entry.stored));
    let mut sessions = records.iter().filter_map(|record| record.secrets.session.as_ref());
    let session = sessions.find_map(Session::parse);
    Ok(session.map(|session| Known {
        id: session.client_id,
        secret: session.client_secret,
        scopes: session.scopes,
    }))
}

/// Returns the server that gives tokens for a host: by its metadata where the configuration names it,
/// by the preset of its forge, or by what the host says of itself.
fn server(
    origin: &Origin,
    forge: Option<Forge>,
    configured: Option<&OAuthClient>,
    context: &Context,
) -> Result<Option<Server>, Fault> {
    let named = configured.and_then(|it| it.metadata.as_deref());
    if let (None, Some(server)) = (named, forge.and_then(|forge| preset::of(forge, origin))) {
        return Ok(Some(server));
    }
    let url = named.map_or_else(|| origin.to_string(), str::to_owned);
    let places = metadata::places(&url);
    let Some(first) = places.first() else { return Ok(None) };
    let line = Line::to_url(&first.url, origin, context)?;
    let allows_http = may_be_clear(&url, origin, context);
    for place in &places {
        let found = oauth::metadata(&line.api, place, allows_http)
            .map_err(|error| line.fault(&error, context))?;
        match found {
            Some(Ok(server)) => return Ok(Some(server)),
            Some(Err(error)) => {
                return Err(Fault::new(Kind::Policy, "the server's metadata is not used")
                    .cause(error)
                    .at(printable(&place.url)));
            }
            None => {}
        }
    }
    match named {
        Some(url) => Err(Fault::new(Kind::Network, "there is no metadata of a server")
            .at(printable(url))
            .hint("correct `metadata` in config.toml: the URL of the issuer, or of its metadata")),
        None => Ok(None),
    }
}

/// Whether secrets may go in clear text to the server that a URL names: the host itself is allowed
/// that, or the server is.
fn may_be_clear(url: &str, origin: &Origin, context: &Context) -> bool {
    let Ok((server, _)) = Origin::from_url(url) else { return false };
    let is_allowed = context.config.host(&server).is_some_and(|host| host.allow_http);
    server.scheme() == "http" && (server == *origin || is_allowed)
}

/// Chooses the flow: what was asked for, if the server has it, else what the person says.
fn pick(
    asked: Option<Flow>,
    server: &Server,
    has_secret: bool,
    origin: &Origin,
    context: &Context,
) -> Result<Option<Flow>, Fault> {
    let needs = |flow| match server.secret {
        Secret::Never => false,
        Secret::Browser => flow == Flow::Browser,
        Secret::Always => true,
    };
    let exists = |flow| match flow {
        Flow::Browser => server.authorize.is_some(),
        Flow::Device => server.device.is_some(),
    };
    let place = origin.authority();
    if let Some(flow) = asked {
        if !exists(flow) {
            let (what, other, word) = match flow {
                Flow::Browser => ("signs nobody in by a browser", Flow::Device, "--device"),
                Flow::Device => ("has no device flow", Flow::Browser, "--web"),
            };
            let fault = Fault::new(Kind::Rejected, format!("the server of {place} {what}"));
            return Err(if exists(other) { fault.hint(format!("pass `{word}`")) } else { fault });
        }
        if needs(flow) && !has_secret {
            return Err(Fault::new(Kind::Config, format!("{place} wants a secret of the client"))
                .hint(format!(
                    "put it into a file of yours (0600) and name that in config.toml: \
                     `[oauth.\"{place}\"]` `client_secret_file = \"/path\"`"
                )));
        }
        return Ok(Some(flow));
    }
    let can = |flow| exists(flow) && (has_secret || !needs(flow));
    let (browser, device) = (can(Flow::Browser), can(Flow::Device));
    let ways = [
        (browser, "b: in a browser"),
        (device, "d: with a code on another device"),
        (true, "t: with a token or password"),
    ];
    let ways: Vec<_> = ways.into_iter().filter(|(is_there, _)| *is_there).map(|it| it.1).collect();
    let usual = match (browser, device) {
        (true, true) if browser::is_there(&context.env) => 'b',
        (_, true) => 'd',
        (true, false) => 'b',
        (false, false) => return Ok(None),
    };
    loop {
        let answer = prompt::line(&format!(
            "How do you sign in to {place}? {} [{usual}] ",
            ways.join(", ")
        ))?;
        match answer.trim().chars().next().unwrap_or(usual).to_ascii_lowercase() {
            'b' if browser => return Ok(Some(Flow::Browser)),
            'd' if device => return Ok(Some(Flow::Device)),
            't' => return Ok(None),
            _ => {}
        }
    }
}

/// Says so where the tokens of a host come from elsewhere.
fn say_who(server: &Server, origin: &Origin) {
    if let Some(place) = server.place().filter(|place| place.host() != origin.host()) {
        ui::err(&format!("tokens of {} come from {place}", origin.authority()));
    }
}

fn no_client(origin: &Origin, forge: Option<Forge>) -> Fault {
    let place = origin.authority();
    let at = match forge {
        Some(forge) => format!("{} at {place}", forge.name()),
        None => place.clone(),
    };
    Fault::new(Kind::Usage, format!("gocred is not registered as a client of {at}"))
        .hint("pass `--client-id ID` of an application that you or your administrator registered there")
        .hint(format!(
            "or put it into config.toml, for everybody of your company: `[oauth.\"{place}\"]` \
             `client_id = \"ID\"`"
        ))
}

fn no_server(origin: &Origin) -> Fault {
    let place = origin.authority();
    Fault::new(Kind::Rejected, format!("{place} says nothing of OAuth 2"))
        .cause("neither /.well-known/oauth-authorization-server nor /.well-known/openid-configuration is metadata")
        .hint(format!(
            "name the server that gives its tokens in config.toml: `[oauth.\"{place}\"]` \
             `metadata = \"https://login.corp.example/realms/corp\"`"
        ))
}

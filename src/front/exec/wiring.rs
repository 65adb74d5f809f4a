//! What the tree finds in its environment: where its agent is, that git and go ask gocred, and the proxy.
//! No secret is among it but the token of that proxy, which opens nothing else (decisions.md, "Loopback
//! token").

use std::{ffi::OsString, fmt::Write as _};

use crate::{
    core::{
        fault::{Fault, Kind},
        setup::{
            gitconfig::helper_value,
            goenv::{goauth_command, runs_gocred},
        },
    },
    front::{
        Context, daemon, engine,
        env_cmd::{self, NO_PROXY, PROXY},
        exec::broken,
        proxy_cmd,
        setup::plan,
    },
    proxy::{Callers, inside::Inside},
    sys::{goenv, memory_file::MemoryFile, paths::Paths, random},
};

/// Returns what the tree works with, and so its agent: the agent answers only who has the same.
pub(super) fn context(context: &Context, netrc: Option<&MemoryFile>) -> Context {
    let Context { env, paths, config } = context;
    let mut name = String::from("@gocred-exec-");
    for byte in random::bytes::<16>().unwrap_or_default() {
        let _ = write!(name, "{byte:02x}");
    }
    let mut env = env.clone().with("GOCRED_AGENT", name);
    if let Some(file) = netrc {
        env = env.with("NETRC", file.path());
    }
    let paths = Paths::resolve(&env).unwrap_or_else(|| paths.clone());
    Context { env, paths, config: config.clone() }
}

/// The proxy of the tree.
pub(super) struct Proxy {
    url: String,
    /// Ends with this process.
    _inside: Option<Inside>,
}

/// Returns the proxy: the one that runs already, or one in this process, where the configuration has one.
pub(super) fn proxy(context: &Context) -> Result<Option<Proxy>, Fault> {
    let proxy = &context.config.proxy;
    if proxy.upstream.is_empty() && proxy.pac.is_none() {
        return Ok(None);
    }
    if let Some(url) = daemon::url(context) {
        return Ok(Some(Proxy { url, _inside: None }));
    }
    let (config, vault) = (context.config.clone(), engine::keyring(context)?);
    let tell = proxy_cmd::voice();
    // What has no code is not for people: that a client asks without the token first, say, as curl does.
    let voice = move |line: &str| {
        if line.starts_with("gocred[") {
            tell(line);
        }
    };
    let settings = engine::settings(config, Callers::Token, vault, voice, context)?;
    let inside = Inside::start(settings);
    let inside = inside.map_err(|error| broken("the proxy does not start", &error))?;
    Ok(Some(Proxy { url: inside.url().to_owned(), _inside: Some(inside) }))
}

/// Returns the variables of the tree.
pub(super) fn variables(
    context: &Context,
    has_agent: bool,
    proxy: Option<&Proxy>,
) -> Result<Vec<(String, OsString)>, Fault> {
    let mut variables = Vec::new();
    let mut set = |name: &str, value: OsString| variables.push((name.to_owned(), value));
    if has_agent {
        set("GOCRED_AGENT", context.paths.agent.clone().into());
    }
    if let Some(netrc) = context.env.raw("NETRC") {
        set("NETRC", netrc.to_owned());
    }
    for (number, value) in helpers(context)?.into_iter().enumerate() {
        let number = number + settings(context);
        set(&format!("GIT_CONFIG_KEY_{number}"), "credential.helper".into());
        set(&format!("GIT_CONFIG_VALUE_{number}"), value.into());
        set("GIT_CONFIG_COUNT", (number + 1).to_string().into());
    }
    set("GOAUTH", goauth(context)?.into());
    if let Some(proxy) = proxy {
        for name in PROXY {
            set(name, proxy.url.clone().into());
        }
        for name in NO_PROXY {
            set(name, env_cmd::no_proxy(context).into());
        }
    }
    Ok(variables)
}

/// How many settings git has from its environment already (git-config(1), `GIT_CONFIG_COUNT`).
fn settings(context: &Context) -> usize {
    context.env.text("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Ours alone, after an empty value, which takes the configured ones away: another helper would keep what
/// is lent here.
fn helpers(context: &Context) -> Result<[String; 2], Fault> {
    let gocred = plan::own_program(context)?;
    let helper = gocred.with_file_name("git-credential-gocred");
    let wrong = |what: &str| Fault::new(Kind::Config, what).at(helper.display());
    if !helper.is_file() {
        return Err(
            wrong("git-credential-gocred is not beside gocred").hint("install gocred again")
        );
    }
    let value = helper.to_str().and_then(helper_value);
    Ok([String::new(), value.ok_or_else(|| wrong("git cannot run a program of this name"))?])
}

/// Ours first, and behind it what was there.
fn goauth(context: &Context) -> Result<String, Fault> {
    let gocred = plan::own_program(context)?;
    let program = gocred.to_string_lossy();
    let own = goauth_command(&program).map_err(|error| {
        Fault::new(Kind::Config, "go cannot run a program of this name")
            .cause(error)
            .at(gocred.display())
    })?;
    let go = goenv::read(&context.env, context.paths.goenv.as_deref());
    let others = go.goauth.split(';').map(str::trim);
    let others = others.filter(|it| !it.is_empty() && *it != "off" && !runs_gocred(it));
    Ok([own.as_str()].into_iter().chain(others).collect::<Vec<_>>().join(";"))
}

//! The front in go's GOPROXY: what stood there becomes `[goproxy]` `upstream` of config.toml.
//!
//! Nothing that go asked before is lost, and nothing is written that leaves go with nobody to ask, unless
//! the person says so with `--goproxy` or `--mirror`.

use std::{net::SocketAddr, path::Path};

use crate::{
    core::{
        config::{DEFAULT_GOPROXY, Loopback},
        fault::{Fault, Kind},
        goproxy::DEFAULT,
        modproxy::list::Upstreams,
        setup::{
            Edit, goenv,
            goproxy::{self, Alone, Found, Kept},
            mirror,
        },
        text::printable,
    },
    front::{
        self, Context, daemon,
        login::configure,
        mirror::Mirror,
        proxy_cmd,
        setup::plan::{self, Plan},
        ui,
    },
    proxy::Callers,
    sys::{files, run},
};

/// Whether go is sent to the front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Goproxy {
    /// The person says so, whether it runs or not.
    Asked,
    /// It is, where the front answers.
    IfServed,
    /// The same as `Asked`, and the front asks this one.
    Mirror(Mirror),
    /// It is not.
    #[default]
    No,
}

/// Whether the front is there, or will be: as a service, or in the daemon that runs.
pub(super) fn is_expected(context: &Context) -> bool {
    let is_configured = context.config.goproxy.upstream.is_some();
    let is_locked = context.config.origins.lock_on(&["goproxy", "upstream"]).is_some();
    (is_configured || !is_locked)
        && (proxy_cmd::is_installed(context) || is_configured && daemon::place(context).is_some())
}

/// Whether it is at the same address after each start.
pub(super) fn has_port(context: &Context) -> bool {
    address(context).is_ok()
}

/// Plans both files.
pub(super) fn plan(wanted: &Goproxy, context: &Context, plan: &mut Plan) -> Result<(), Fault> {
    let front = address(context)?;
    let file = plan::goenv_file(context)?;
    let before = plan.text(&file)?;
    let text = before.clone().unwrap_or_default();
    let in_file = goenv::value(&text, "GOPROXY");
    let variable = context.env.text("GOPROXY").filter(|value| !value.is_empty());
    let of_release = of_release(context);
    let stands = variable.or(in_file).or_else(|| goenv::value(&of_release, "GOPROXY"));
    let found = goproxy::read(stands.unwrap_or(DEFAULT), front);
    let mirror = match wanted {
        Goproxy::Mirror(mirror) => Some(mirror),
        Goproxy::Asked | Goproxy::IfServed | Goproxy::No => None,
    };
    if let (Err(alone), None) = (&found, mirror) {
        plan.notes.push(format!("GOPROXY stays as it is: {}; {}", alone, remedy(alone, variable)));
        return Ok(());
    }
    let list = plan_upstreams(&found, mirror, context, plan)?;
    if let Ok(Found::Upstreams(kept)) = &found {
        note_kept(kept, &list, stands.is_some(), plan);
    }
    if proxy_cmd::callers() == Callers::Token {
        plan.notes.push(
            "this system does not tell who asks over loopback, so the address of the front has a \
             secret in it that changes with every start: put `eval \"$(gocred env)\"` into your \
             shell's profile in the place of GOPROXY"
                .to_owned(),
        );
        return Ok(());
    }
    let url = format!("http://{front}");
    // A list that has the front in another place is somebody's own work.
    let is_own_work = in_file.is_some_and(|value| {
        matches!(goproxy::read(value, front), Ok(Found::Front)) && !value.starts_with(&url)
    });
    if !is_own_work && let Some(edit) = goenv::goproxy(&text, &goproxy::value(front, &list)) {
        let gate = (*wanted == Goproxy::IfServed).then_some(front);
        plan.add_gated(file, before, vec![edit], gate)?;
    }
    if let (Some(_), Ok(Found::Upstreams(_)) | Err(_)) = (variable, &found) {
        plan.notes.push(format!(
            "the variable GOPROXY in your environment hides go's environment file: go does not ask \
             the front at {url} before you unset it, also in your shell's profile"
        ));
    }
    if proxy_cmd::is_installed(context) || daemon::place(context).is_some() {
        plan.front = Some(front);
    } else {
        plan.notes.push(format!(
            "nobody serves {url} yet, so that go would have nobody to ask; start it: `gocred proxy install`"
        ));
    }
    Ok(())
}

/// Plans `[goproxy]` `upstream`; returns what it will be.
fn plan_upstreams(
    found: &Result<Found, Alone>,
    mirror: Option<&Mirror>,
    context: &Context,
    plan: &mut Plan,
) -> Result<Upstreams, Fault> {
    let parsed = |text: &str| {
        let wrong = |error| Fault::new(Kind::Internal, "a list of upstreams is none").cause(error);
        Upstreams::parse(text).map_err(wrong)
    };
    let configured = context.config.goproxy.upstream.clone();
    let list = match (&configured, found) {
        (Some(list), _) => list.clone(),
        (None, Ok(Found::Upstreams(kept))) => kept.list.clone(),
        (None, Err(Alone::Off)) => parsed("off")?,
        (None, Err(Alone::Direct)) => parsed("direct")?,
        (None, Ok(Found::Front) | Err(Alone::File | Alone::Invalid(_))) => parsed(DEFAULT)?,
    };
    let list = match mirror {
        Some(mirror) => parsed(&mirror::chosen(Some(&list), &mirror.base))?,
        None => list,
    };
    if configured.as_ref() == Some(&list) {
        return Ok(list);
    }
    let flag = if mirror.is_some() { "--mirror" } else { "--goproxy" };
    front::refuse_locked(flag, &["goproxy", "upstream"], context)?;
    let file = context.paths.config.clone();
    let before = plan::read(&file)?;
    let bytes = before.clone().unwrap_or_default();
    let after = configure::module_proxies(bytes.clone(), &goproxy::text(&list), context)?;
    let edit = Edit::between(&String::from_utf8_lossy(&bytes), &after);
    plan.add(file, before, edit.into_iter().collect())?;
    Ok(list)
}

/// Says what of the old GOPROXY did not become an upstream.
fn note_kept(kept: &Kept, list: &Upstreams, is_set: bool, plan: &mut Plan) {
    if kept.is_quoted {
        plan.notes.push(
            "GOPROXY was in quotes, which go takes for a part of the URL; the front asks without \
             them"
                .to_owned(),
        );
    }
    for url in &kept.accounts {
        let url = printable(url);
        plan.notes.push(format!(
            "GOPROXY has an account for {url} in it, which was not copied; store it: `gocred login \
             {}`. It stays in the file in clear until `gocred import` moves it",
            ui::word(&url)
        ));
    }
    let is_asked = |base| list.proxies().any(|asked| asked == base);
    if is_set && !kept.list.proxies().all(is_asked) {
        plan.notes.push(format!(
            "GOPROXY named {}; the front asks what config.toml says: {}",
            printable(&goproxy::text(&kept.list)),
            printable(&goproxy::text(list))
        ));
    }
}

fn remedy(alone: &Alone, variable: Option<&str>) -> &'static str {
    match (alone, variable) {
        (Alone::Direct | Alone::Off, _) => {
            "`gocred setup --mirror NAME|URL` has go ask a module proxy first"
        }
        (Alone::File, _) => "there is nothing for the front to do",
        (Alone::Invalid(_), Some(_)) => "mend the variable GOPROXY of your environment",
        (Alone::Invalid(_), None) => "mend it with `go env -w GOPROXY=…`",
    }
}

/// Returns the text of GOROOT/go.env: some distributions have `GOPROXY=direct` there.
fn of_release(context: &Context) -> Vec<u8> {
    let name = format!("go{}", std::env::consts::EXE_SUFFIX);
    let go = context.env.text("PATH").and_then(|path| run::find(&name, path));
    let root = go.and_then(|go| go.canonicalize().ok()?.ancestors().nth(2).map(Path::to_owned));
    let text =
        root.and_then(|root| files::read(&root.join("go.env"), plan::MAX_FILE).ok().flatten());
    text.unwrap_or_default()
}

/// Returns where the front listens.
fn address(context: &Context) -> Result<SocketAddr, Fault> {
    let default = || DEFAULT_GOPROXY.parse().ok().and_then(Loopback::new);
    let listen = context.config.goproxy.listen.or_else(default).map(Loopback::address);
    listen.filter(|address| address.port() != 0).ok_or_else(|| {
        Fault::new(Kind::Config, "the front has another port with every start: `goproxy.listen`")
            .hint(format!("write `listen = \"{DEFAULT_GOPROXY}\"` into config.toml"))
    })
}

/// Has the daemon that runs take up the new configuration.
pub(super) fn take_up(context: &Context) {
    if let Some(Err(error)) = daemon::reload(context) {
        ui::err(&format!(
            "note: the proxy that runs did not take up the new configuration: {error}; run: gocred \
             proxy stop, and start it again"
        ));
    }
}

/// Says what keeps the daemon from serving go, now and after its next start.
pub(super) fn note_unready(front: SocketAddr, plan: &Plan, context: &Context) {
    let front = front.to_string();
    if proxy_cmd::serves(&front, context) {
        if proxy_cmd::is_unaware(&front, context) {
            ui::err(
                "note: go's first question does not start the service yet; run: gocred proxy install",
            );
        }
    } else if plan.changes.iter().any(|change| change.gate.is_some()) {
        ui::err(&format!(
            "note: GOPROXY was not written, because nobody serves http://{front} and go would have \
             nobody to ask; run: gocred proxy install && gocred setup --go"
        ));
    } else {
        ui::err(&format!(
            "note: nobody serves http://{front}, so that go has nobody to ask; run: gocred proxy \
             install"
        ));
    }
}

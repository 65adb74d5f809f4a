//! Opens a URL in the browser of the desktop.

use crate::{
    front::Context,
    sys::{detached, env::Env, run},
};

/// Returns whether a browser was started with it. Nothing is waited for.
pub(crate) fn open(url: &str, context: &Context) -> bool {
    let (name, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(target_os = "windows") {
        ("rundll32.exe", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let path = context.env.text("PATH").unwrap_or_default();
    let program = if is_there(&context.env) { run::find(name, path) } else { None };
    let arguments = [arguments, &[url]].concat();
    program.is_some_and(|program| detached::start(&program, &arguments).is_ok())
}

/// Returns whether a browser can be opened here, for the person at this terminal.
pub(crate) fn is_there(env: &Env) -> bool {
    let is_remote = env.text("SSH_CONNECTION").is_some();
    let has_display = env.text("DISPLAY").is_some() || env.text("WAYLAND_DISPLAY").is_some();
    !is_remote && (has_display || cfg!(any(target_os = "macos", target_os = "windows")))
}

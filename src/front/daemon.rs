//! Whether the loopback proxy runs, and where.

use crate::{
    core::credential::UnixTime,
    front::Context,
    proxy::control::{self, Error},
};

/// Returns what stands in `HTTPS_PROXY` for the running proxy: where the system cannot tell who asks,
/// that holds the loopback token, which is not for display.
pub(crate) fn url(context: &Context) -> Option<String> {
    control::url(context.paths.control.as_deref()?).ok()
}

/// Returns the URL of the running proxy for display.
pub(crate) fn place(context: &Context) -> Option<String> {
    let url = url(context)?;
    Some(match url.split_once('@') {
        Some((_, authority)) => format!("http://{authority}"),
        None => url,
    })
}

/// Returns what stands in `GOPROXY` for the running module proxy front, if its path holds the secret
/// without which it serves nobody: it is another one at every start, and not for display.
pub(crate) fn goproxy(context: &Context) -> Option<String> {
    let url = control::goproxy(context.paths.control.as_deref()?).ok()?;
    let (_, rest) = url.split_once("://")?;
    rest.contains('/').then_some(url)
}

/// Returns whether the module proxy front of the running proxy listens at an address.
pub(crate) fn serves(context: &Context, address: &str) -> bool {
    let report = context.paths.control.as_deref().and_then(|path| control::status(path).ok());
    let listen = report.and_then(|report| report.goproxy).map(|front| front.listen);
    listen.is_some_and(|listen| listen.iter().any(|its| its == address))
}

/// Makes the running proxy read its configuration anew; `None`: there is none.
pub(crate) fn reload(context: &Context) -> Option<Result<(), Error>> {
    match control::reload(context.paths.control.as_deref()?) {
        Err(Error::NotRunning) => None,
        told => Some(told),
    }
}

/// Returns what the running proxy has told a client last, if that was not before `since`.
pub(crate) fn last_finding(context: &Context, since: UnixTime) -> Option<String> {
    let report = control::status(context.paths.control.as_deref()?).ok()?;
    let last = report.findings.into_iter().max_by_key(|finding| finding.at)?;
    (last.at >= since).then_some(last.message)
}

//! Whether the loopback proxy runs, and where.

use crate::{front::Context, proxy::control};

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

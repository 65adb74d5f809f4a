//! Whose certificates a tool trusts.
//!
//! Whether a file stands in place of the system's or beside it is decided when libcurl is built. This follows
//! Debian's: there `/etc/ssl/certs` stays trusted until a folder is named, also for git (`--with-ca-path`).

use std::path::PathBuf;

use crate::core::{
    doctor::{
        machine::{GitValue, Machine},
        route::{Link, Trust, git_config},
    },
    pattern,
};

/// Go: `SSL_CERT_FILE` and `SSL_CERT_DIR`. GOINSECURE switches verification off for a module's own host.
pub(super) fn of_go(link: &Link, machine: &Machine) -> Trust {
    let (file, folder) = (variable(machine, "SSL_CERT_FILE"), variable(machine, "SSL_CERT_DIR"));
    // Go reads the system's files or folders only where the variable of the same kind is not set.
    let has_system = file.is_none() || folder.is_none();
    let path = link.path.split(['?', '#']).next().unwrap_or_default();
    let module = format!("{}{}", link.origin.host(), path.trim_end_matches('/'));
    let is_off = machine
        .go_setting("GOINSECURE")
        .is_some_and(|(patterns, _)| pattern::matches(patterns.raw(), &module));
    Trust { file, folder, has_system, is_off, proxy: None }
}

/// git: the variables before the configuration, and verification as the configuration says for this URL.
pub(super) fn of_git(url: &str, machine: &Machine) -> Trust {
    let value = |key| git_config::best(&machine.git_config, ("http", key), url);
    let path = |value: Option<&GitValue>| {
        let value = value.filter(|value| !value.value.raw().is_empty())?;
        Some((expanded(value.value.raw(), machine), value.place.to_string()))
    };
    let file = variable(machine, "GIT_SSL_CAINFO").or_else(|| path(value("sslcainfo")));
    let folder = variable(machine, "GIT_SSL_CAPATH").or_else(|| path(value("sslcapath")));
    let is_off = machine.variables.contains_key("GIT_SSL_NO_VERIFY")
        || value("sslverify").is_some_and(|value| is_false(value.value.raw()));
    // A proxy's certificate has settings of its own, beside the system's (`http.c`).
    let of_proxy =
        variable(machine, "GIT_PROXY_SSL_CAINFO").or_else(|| path(value("proxysslcainfo")));
    let proxy = Trust { file: of_proxy, has_system: true, ..Trust::default() };
    Trust { has_system: folder.is_none(), file, folder, is_off, proxy: Some(Box::new(proxy)) }
}

/// curl: `CURL_CA_BUNDLE`, or else what OpenSSL's programs read.
pub(super) fn of_curl(machine: &Machine) -> Trust {
    let bundle = variable(machine, "CURL_CA_BUNDLE");
    let (file, folder) = match bundle {
        Some(bundle) => (Some(bundle), None),
        None => (variable(machine, "SSL_CERT_FILE"), variable(machine, "SSL_CERT_DIR")),
    };
    let has_system = file.is_none() || folder.is_none();
    Trust { file, folder, has_system, is_off: false, proxy: None }
}

fn variable(machine: &Machine, name: &str) -> Option<(PathBuf, String)> {
    let value = machine.variable(name)?;
    Some((PathBuf::from(value.raw()), format!("${name}")))
}

/// `git_config_pathname`: `~/`.
fn expanded(path: &str, machine: &Machine) -> PathBuf {
    match (path.strip_prefix("~/"), &machine.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// `git_config_bool`
fn is_false(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.is_empty() || ["false", "no", "off"].contains(&value.as_str()) || value.parse() == Ok(0)
}

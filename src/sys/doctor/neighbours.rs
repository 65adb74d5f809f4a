//! The proxies that the files of apt, npm and pip name, and whether these check certificates. Nothing else of the
//! files is kept: they may hold tokens.

use std::path::{Path, PathBuf};

use crate::{
    core::doctor::{place::Place, private::Private},
    sys::doctor::text,
};

/// More files than this of a folder are not read.
const MOST: usize = 32;

/// What such files say.
#[derive(Default)]
pub(super) struct Neighbours {
    /// The program, the proxy, and the line.
    pub(super) proxies: Vec<(&'static str, Private, Place)>,
    /// The program, and the line that makes it take any certificate.
    pub(super) careless: Vec<(&'static str, Place)>,
}

/// Reads them.
pub(super) fn read(home: &Path) -> Neighbours {
    let mut files: Vec<(&'static str, PathBuf)> = vec![("apt", PathBuf::from("/etc/apt/apt.conf"))];
    if let Ok(folder) = std::fs::read_dir("/etc/apt/apt.conf.d") {
        let mut parts: Vec<PathBuf> = folder.flatten().take(MOST).map(|file| file.path()).collect();
        parts.sort();
        files.extend(parts.into_iter().map(|file| ("apt", file)));
    }
    files.push(("npm", home.join(".npmrc")));
    files.push(("pip", PathBuf::from("/etc/pip.conf")));
    files.push(("pip", home.join(".config/pip/pip.conf")));
    files.push(("pip", home.join(".pip/pip.conf")));
    let mut found = Neighbours::default();
    for (program, path) in files {
        for (index, line) in text::read(&path).lines.iter().flatten().enumerate() {
            let place = || Place::File(path.clone(), Some(index + 1));
            if let Some(value) = proxy(program, line.raw()) {
                found.proxies.push((program, Private::of("https_proxy", value), place()));
            }
            if is_careless(program, line.raw()) {
                found.careless.push((program, place()));
            }
        }
    }
    found
}

/// Returns whether a line switches the check of certificates off: npm's `strict-ssl`, pip's `trusted-host`.
fn is_careless(program: &str, line: &str) -> bool {
    let Some((name, value)) = line.split_once('=') else { return false };
    let (name, value) = (name.trim(), value.trim());
    match program {
        "npm" => name == "strict-ssl" && value == "false",
        "pip" => name == "trusted-host" && !value.is_empty(),
        _ => false,
    }
}

/// Returns the proxy of a line, where it names one for https.
fn proxy<'a>(program: &str, line: &'a str) -> Option<&'a str> {
    let line = line.trim();
    let value = match program {
        "apt" => {
            let rest = line.strip_prefix("Acquire::")?;
            let rest = rest.strip_prefix("https::").or_else(|| rest.strip_prefix("http::"))?;
            rest.strip_prefix("Proxy")?.trim_end_matches(';')
        }
        "npm" => {
            let (name, value) = line.split_once('=')?;
            matches!(name.trim(), "https-proxy" | "proxy").then_some(value)?
        }
        _ => {
            let (name, value) = line.split_once('=')?;
            (name.trim() == "proxy").then_some(value)?
        }
    };
    let value = value.trim().trim_matches(['"', '\'']);
    value.contains("://").then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{is_careless, proxy};

    #[test]
    fn a_proxy_is_found_in_each_grammar() {
        for (program, line, value) in [
            ("apt", "Acquire::http::Proxy \"http://p:3128/\";", Some("http://p:3128/")),
            ("apt", "Acquire::https::Proxy \"false\";", None),
            ("apt", "// Acquire::http::Proxy \"http://p:3128/\";", None),
            ("npm", "https-proxy=http://p:3128", Some("http://p:3128")),
            ("npm", "//registry/:_authToken=npm_x", None),
            ("pip", "proxy = http://p:3128", Some("http://p:3128")),
        ] {
            assert_eq!(proxy(program, line), value, "{line}");
        }
    }

    #[test]
    fn checks_that_are_switched_off_are_found() {
        for (program, line, expected) in [
            ("npm", "strict-ssl = false", true),
            ("npm", "strict-ssl=true", false),
            ("npm", "; strict-ssl=false", false),
            ("pip", "trusted-host = pypi.corp.example", true),
            ("pip", "# trusted-host = x", false),
            ("apt", "strict-ssl=false", false),
        ] {
            assert_eq!(is_careless(program, line), expected, "{line}");
        }
    }
}

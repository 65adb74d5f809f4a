//! The file of git-credential-store: whose logins are in it, and for which origins. Their passwords are passed over.

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{machine::Machine, place::Place, route::address::decoded},
    origin::Origin,
};

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The line.
    pub place: Place,
    /// Where its login belongs.
    pub origin: Origin,
    /// Whose it is.
    pub user: String,
}

/// Returns the lines of every such file that git's configuration names, in git's order of files.
pub fn all(machine: &Machine) -> Vec<Stored> {
    let mut found = Vec::new();
    for (path, file) in &machine.git_credentials {
        let lines = file.text.iter().flat_map(|text| text.expose_secret().lines()).enumerate();
        found.extend(lines.filter_map(|(index, line)| {
            let (origin, user) = parse(line)?;
            Some(Stored { place: Place::File(path.clone(), Some(index + 1)), origin, user })
        }));
    }
    found
}

/// Reads `https://user:password@host:port/path` (git's `credential_from_url_gently`).
fn parse(line: &str) -> Option<(Origin, String)> {
    let (scheme, rest) = line.split_once("://")?;
    let authority = rest.split('/').next()?;
    let (userinfo, host) = authority.rsplit_once('@')?;
    let (user, _) = userinfo.split_once(':')?;
    Some((Origin::new(scheme, &decoded(host)).ok()?, decoded(user)))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_names_an_origin_and_a_user() {
        for (line, read) in [
            ("https://ana:p%40ss@h.test", Some(("https://h.test", "ana"))),
            ("https://a%40b:x@h.test%3a8443/team", Some(("https://h.test:8443", "a@b"))),
            ("http://ana:x@h.test:8080", Some(("http://h.test:8080", "ana"))),
            ("https://h.test", None),
            ("# a note", None),
            ("", None),
        ] {
            let own = parse(line).map(|(origin, user)| (origin.to_string(), user));
            let own = own.as_ref().map(|(origin, user)| (origin.as_str(), user.as_str()));
            assert_eq!(own, read, "{line}");
        }
    }
}

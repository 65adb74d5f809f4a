//! The entry of a netrc that stands behind another one for the same host. The first one counts, so that a server
//! which takes the second is never shown it.
//!
//! It is tried where the first was rejected: which of two is the old one, no file tells. Of more than two only the
//! next one is, as every attempt counts where an account can be locked.

use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use crate::core::{
    doctor::{
        finding::Tool,
        leg::Leg,
        machine::Machine,
        mend::order::is_same,
        place::Place,
        route::{Login, Scheme, git_target},
    },
    netrc,
};

/// The entry that is never asked.
pub(in crate::core::doctor) struct Second {
    /// The file.
    pub(in crate::core::doctor) file: PathBuf,
    /// The line of the first entry.
    pub(in crate::core::doctor) first: usize,
    /// The line of this one.
    pub(in crate::core::doctor) line: usize,
    /// Its login.
    pub(in crate::core::doctor) login: Login,
}

/// Returns the entry behind the one whose login a request has, if it says anything else.
pub(in crate::core::doctor) fn of(leg: &Leg<'_>, machine: &Machine) -> Option<Second> {
    let Place::File(file, Some(line)) = &leg.asked.login.as_ref()?.place else { return None };
    let text = machine.netrc.get(file)?.text.as_ref()?.expose_secret();
    let read = netrc::curl::read(text.as_bytes());
    let mut entries = read.entries.iter().skip_while(|entry| entry.line != *line);
    let first = entries.next().filter(|first| first.machine != netrc::Machine::Default)?;
    let next = entries
        .find(|entry| entry.machine == first.machine && !is_same(entry, first))
        .filter(|entry| entry.password.is_some())?;
    let user = |entry: &netrc::Entry| entry.login.as_ref().and_then(|login| login.text.clone());
    // A URL with a user finds that user's entry, wherever it stands.
    let is_named = || {
        let target = git_target::of(&leg.asked.link, machine);
        machine.asked_user().is_some() || target.userinfo.is_some_and(|parts| parts.user.is_some())
    };
    if user(first) != user(next) && leg.tool != Tool::Go && is_named() {
        return None;
    }
    let login = Login {
        user: user(next).unwrap_or_default(),
        secret: next.password.as_ref()?.text.clone()?,
        scheme: Scheme::Basic,
        place: Place::File(file.clone(), Some(next.line)),
    };
    Some(Second { file: file.clone(), first: first.line, line: next.line, login })
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::core::doctor::{
        judge::hand::{answer, leg, logged_in},
        leg::Purpose,
        machine::{Machine, Netrc, Stat},
        place::Place,
    };

    /// Returns the lines of both entries, where the first was sent.
    fn lines(text: &str) -> Option<(usize, usize)> {
        let mut machine = Machine::default();
        let text = Some(text.to_owned().into());
        machine.netrc.insert("/h/.netrc".into(), Netrc { stat: Stat::default(), text });
        let url = "https://h.test/x.git/info/refs?service=git-upload-pack";
        let leg = leg(Purpose::Repository, "", url, answer(401, &[], ""));
        let leg = logged_in(leg, Place::File("/h/.netrc".into(), Some(1)));
        of(&leg, &machine).map(|second| (second.first, second.line))
    }

    #[test]
    fn only_another_login_for_the_same_host_is_a_second_one() {
        const ONE: &str = "machine h.test login a password x\n";
        for (rest, found) in [
            ("machine h.test login a password y\n", Some((1, 2))),
            ("machine h.test login b password x\n", Some((1, 2))),
            (
                "machine i.test login a password y\nmachine h.test login a password z\n",
                Some((1, 3)),
            ),
            (ONE, None),
            ("machine i.test login a password y\n", None),
            ("default login a password y\n", None),
            ("", None),
        ] {
            assert_eq!(lines(&format!("{ONE}{rest}")), found, "{rest}");
        }
        assert_eq!(lines("default login a password x\nmachine h.test login a password y\n"), None);
    }
}

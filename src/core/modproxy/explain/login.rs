//! What an upstream says of a credential, or of its absence.

use super::{About, text};
use crate::core::{credential::UnixTime, refusal::Refusal};

/// A credential that an upstream was shown: what may be said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Whose it is; may be empty.
    pub user: String,
    /// When it was stored.
    pub stored: Option<UnixTime>,
    /// When it ends.
    pub expires: Option<UnixTime>,
}

impl About<'_> {
    /// It wants a credential, and there is none (A14). A clear-text host gets none that was not allowed
    /// for it (A16).
    pub fn login_needed(&self) -> Refusal {
        let who = self.who();
        let refusal = if self.place.origin.scheme() == "http" {
            denied(format!("{who} asks for a login, and gets none over http://"))
                .code("A16")
                .detail("secrets go over https:// only, where you do not allow it for a host")
        } else {
            denied(format!("{who} asks for a login, and none is stored for it")).code("A14")
        };
        refusal.received(401).detail(self.wanted()).run(self.login())
    }

    /// It rejects the credential (A15), which may have ended (A31). Nobody sends it again until it
    /// changes.
    pub fn login_rejected(&self, shown: &Shown, now: UnixTime) -> Refusal {
        let Shown { user, stored, expires } = shown;
        let (whose, who) = (whose(user), self.who());
        let ended = expires.filter(|expires| *expires <= now);
        let refusal = if let Some(ended) = ended {
            let ago = age(ended, now);
            denied(format!("{who} rejected the credential{whose}, which expired {ago}")).code("A31")
        } else {
            let stored = stored.map(|stored| format!(", stored {}", age(stored, now)));
            let stored = stored.unwrap_or_default();
            denied(format!("{who} rejected the credential{whose}{stored}")).code("A15")
        };
        refusal
            .received(401)
            .detail("gocred does not send it there again, so that no account is locked")
            .detail(self.wanted())
            .run(self.login())
    }

    /// It takes the credential, and does not let its owner have this (A05).
    pub(super) fn not_allowed(&self, shown: &Shown) -> Refusal {
        let Shown { user, stored: _, expires: _ } = shown;
        let message =
            format!("{} does not let the credential{} have this", self.who(), whose(user));
        denied(message).code("A05").detail("a scope or a role is missing, or the module is blocked")
    }

    /// Returns the command that stores a credential for who answered.
    fn login(&self) -> String {
        let origin = &self.place.origin;
        // What begins with a dash is an option to every program.
        let is_host =
            |host: &str| host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
        match origin.scheme() {
            _ if !is_host(origin.host()) => text::command(&["gocred", "status"]),
            "http" => text::command(&["gocred", "login", "--allow-http", &origin.to_string()]),
            _ => text::command(&["gocred", "login", &origin.authority()]),
        }
    }
}

fn denied(message: String) -> Refusal {
    // Not 401, which asks for a credential (RFC 9110 §15.5.2): what go sends ends at the front.
    Refusal::new(403, "http_request_denied", message)
}

fn whose(user: &str) -> String {
    const MOST: usize = 64;
    let user = crate::core::text::start(user, MOST);
    if user.is_empty() { String::new() } else { format!(" of {user}") }
}

/// Returns how long ago something was, in one unit.
fn age(then: UnixTime, now: UnixTime) -> String {
    const UNITS: [(u64, &str); 4] =
        [(365 * 86_400, "year"), (86_400, "day"), (3600, "hour"), (60, "minute")];
    let passed = now.saturating_sub(then);
    let unit = UNITS.iter().find(|(seconds, _)| passed >= *seconds);
    match unit.map(|(seconds, name)| (passed / seconds, name)) {
        None => "just now".to_owned(),
        Some((1, name)) => format!("1 {name} ago"),
        Some((many, name)) => format!("{many} {name}s ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{tests::about, text},
        Shown, age,
    };

    const NOW: u64 = 1_790_000_000;
    const LIST: &str = "/h.test/m/@v/list";

    fn shown(user: &str, stored: Option<u64>, expires: Option<u64>) -> Shown {
        Shown { user: user.to_owned(), stored, expires }
    }

    #[test]
    fn a_missing_credential_is_one_command_away() {
        let told = about("https://proxy.test/go", LIST, |about| about.login_needed());
        assert_eq!(
            text(&told),
            "gocred[A14]: proxy.test asks for a login, and none is stored for it\n\
             go wanted h.test/m from https://proxy.test/go\n\
             run: gocred login proxy.test\n"
        );
        let told = about("http://cdn.test:8080/go", LIST, |about| about.login_needed());
        assert!(text(&told).starts_with(
            "gocred[A16]: cdn.test:8080 (to which proxy.test redirects) asks for a login, and gets \
             none over http://\n"
        ));
        assert!(text(&told).ends_with("run: gocred login --allow-http http://cdn.test:8080\n"));
    }

    #[test]
    fn a_rejected_credential_tells_its_age() {
        let told = |shown: Shown| {
            about("https://proxy.test/go", LIST, |about| text(&about.login_rejected(&shown, NOW)))
        };
        let three_days = Some(NOW - 3 * 86_400 - 5);
        assert!(told(shown("ana", three_days, None)).starts_with(
            "gocred[A15]: proxy.test rejected the credential of ana, stored 3 days ago\n"
        ));
        assert!(
            told(shown("", None, Some(NOW + 1)))
                .starts_with("gocred[A15]: proxy.test rejected the credential\n")
        );
        assert!(told(shown("ana", three_days, Some(NOW - 7200))).starts_with(
            "gocred[A31]: proxy.test rejected the credential of ana, which expired 2 hours ago\n"
        ));
        assert!(told(Shown::default()).ends_with("run: gocred login proxy.test\n"));
    }

    #[test]
    fn an_age_has_one_unit() {
        for (passed, said) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7199, "1 hour ago"),
            (86_400, "1 day ago"),
            (364 * 86_400, "364 days ago"),
            (800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(age(NOW - passed, NOW), said);
        }
        assert_eq!(age(NOW + 60, NOW), "just now");
    }

    #[test]
    fn a_host_is_never_an_option() {
        let told = about("https://-x.test/", LIST, |about| about.login_needed());
        assert!(text(&told).ends_with("run: gocred status\n"));
    }
}

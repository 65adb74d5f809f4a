//! Text of the user's machine that may hold a secret: it is shown without one, and it is never printed
//! in another way.

use std::{fmt, net::Ipv6Addr};

/// A value of a variable or a file. What it shows has no password; what it holds is for parsers.
#[derive(Clone, Default)]
pub struct Private {
    value: String,
    /// Whether it names hosts, where nobody needs to write a scheme.
    has_places: bool,
}

impl Private {
    /// Takes a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), has_places: false }
    }

    /// Takes the value of a variable or a key. In `user:password` without a host, which is a slip, the password
    /// stands where other settings have a port.
    pub fn of(name: &str, value: impl Into<String>) -> Self {
        Self { value: value.into(), has_places: has_places(name) }
    }

    /// Returns the value as it is, for a parser. It is not for people.
    pub fn raw(&self) -> &str {
        &self.value
    }

    /// Returns the commands of a list with `;`, each with its first word only: what follows may be a token.
    /// git's folder is none.
    pub fn programs(&self) -> String {
        let command = |part: &str| {
            let mut words = part.split_whitespace();
            match (words.next().unwrap_or_default(), words.next()) {
                ("git", Some(folder)) if folder.starts_with('/') => format!("git {folder}"),
                // What `gocred setup` writes.
                (program, Some("goauth")) if is_own(program) && words.next().is_none() => {
                    format!("{program} goauth")
                }
                // A login in a program's place.
                (program, _) if program.contains(['@', ':']) && !is_path(program) => "…".to_owned(),
                (program, None) => program.to_owned(),
                (program, Some(_)) => format!("{program} …"),
            }
        };
        self.value.split(';').map(command).collect::<Vec<_>>().join("; ")
    }

    /// Returns the flags of a list, without their values: `-ldflags=-X=main.token=…` may hold one. `-mod` has
    /// four values, all of go's own, and `-tags` names that stand in source files.
    pub fn flags(&self) -> String {
        let flag = |word: &str| match word.split_once('=') {
            _ if !word.starts_with('-') => "…".to_owned(),
            Some((name, _)) if !["mod", "tags"].contains(&name.trim_start_matches('-')) => {
                format!("{name}=…")
            }
            _ => word.to_owned(),
        };
        self.value.split_whitespace().map(flag).collect::<Vec<_>>().join(" ")
    }

    /// Returns the value of `credential.helper`: the program only, and nothing of a script of its own.
    pub fn helper(&self) -> String {
        if self.value.starts_with('!') { "!…".to_owned() } else { self.programs() }
    }

    fn shown(&self) -> String {
        let shown = shown(&self.value);
        if self.has_places { bare_places(&shown) } else { shown }
    }

    /// Returns the value of one of go's settings as people may see it.
    pub fn of_go(&self, name: &str) -> String {
        match name {
            "GOAUTH" => self.programs(),
            "GOFLAGS" => self.flags(),
            _ => Self::of(name, self.value.as_str()).to_string(),
        }
    }
}

/// Two are the same where their values are, wherever they stand.
impl PartialEq for Private {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Private {}

impl fmt::Display for Private {
    /// Writes it with every `user:password@` of a URL as `user:***@`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

/// Returns text without the passwords of its URLs. A user name alone may be a token, so it goes, too,
/// where no password follows. A password may hold anything unescaped, `/`, `#` (E37), `,` and blanks among
/// it: everything before the last `@` of a line that is not another URL's counts. Better too much than one.
fn shown(text: &str) -> String {
    let line = |line: &str| {
        let mut parts = line.split("://");
        let mut shown = bare(parts.next().unwrap_or_default());
        for part in parts {
            shown.push_str("://");
            match part.rsplit_once('@') {
                Some((login, place)) => {
                    let user = login.split_once(':').map_or("***", |(user, _)| user);
                    shown.push_str(user);
                    if login.contains(':') {
                        shown.push_str(":***");
                    }
                    shown.push('@');
                    shown.push_str(place);
                }
                None => shown.push_str(&cut_off(part)),
            }
        }
        shown
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Whether a program is gocred, named by its path.
fn is_own(program: &str) -> bool {
    is_path(program) && program.rsplit(['/', '\\']).next() == Some("gocred")
}

/// Whether a program is named by its path.
fn is_path(program: &str) -> bool {
    let is_drive = program.get(1..3).is_some_and(|behind| [":/", ":\\"].contains(&behind));
    is_drive || program.starts_with(['/', '~', '.', '$'])
}

/// go's settings that name hosts.
const OF_GO: &[&str] = &["goproxy", "goprivate", "gonoproxy", "gonosumdb", "goinsecure", "gosumdb"];

/// Whether the value of a variable or a key names hosts.
pub(super) fn has_places(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OF_GO.contains(&name.as_str()) || name.rsplit(['.', '_']).next() == Some("proxy")
}

/// Cuts a list at its first place without a scheme that has a word for a port: what stands behind it may be more of a
/// password.
fn bare_places(text: &str) -> String {
    let mut at = 0;
    for piece in text.split_inclusive([',', '|']) {
        let place = piece.trim_end_matches([',', '|']);
        let address = place.trim().split('/').next().unwrap_or_default();
        let is_seen = place.contains("://") || place.contains('@');
        let cut = if is_seen || address.parse::<Ipv6Addr>().is_ok() {
            place.to_owned()
        } else {
            cut_off(place)
        };
        if cut != place {
            return format!("{}{cut}", text.get(..at).unwrap_or_default());
        }
        at += piece.len();
    }
    text.to_owned()
}

/// A URL without `@` may be the beginning of one whose password holds `://`: what stands after `:` and is no
/// port goes.
fn cut_off(text: &str) -> String {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((host, port)) = authority.split_once(':').filter(|_| !text.starts_with('[')) else {
        return text.to_owned();
    };
    let after = port.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_port = after.is_empty() || after.starts_with([',', '|', ';', ' ', '"', '\'', ')', '.']);
    if is_port { text.to_owned() } else { format!("{host}:***") }
}

/// A proxy may be written without a scheme: `user:password@host:port`, or a token in the user's place. `git@host`
/// is how ssh is written, and no secret.
fn bare(text: &str) -> String {
    let Some((login, place)) = text.rsplit_once('@') else { return text.to_owned() };
    if let Some((user, _)) = login.split_once(':') {
        return format!("{user}:***@{place}");
    }
    let start = login.rfind(['=', ' ', '"', '\'']).map_or(0, |at| at + 1);
    match login.split_at_checked(start) {
        Some((before, user)) if user != "git" => format!("{before}***@{place}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Private;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let auth = Private::new("netrc; /opt/x --token hunter2;git /home/x");
        assert_eq!(auth.programs(), "netrc; /opt/x …; git /home/x");
        let flags = Private::new("-mod=mod -modcacherw -ldflags=-X=a.t=hunter2 '-tags=hunter2 x'");
        assert_eq!(flags.flags(), "-mod=mod -modcacherw -ldflags=… … …");
        assert_eq!(flags.of_go("GOFLAGS"), flags.flags());
        for (value, shown) in [
            ("http://ana:hunter2@proxy:3128", "http://ana:***@proxy:3128"),
            ("http://ana:hun/ter#2@proxy:3128", "http://ana:***@proxy:3128"),
            ("https://ghp_token@h/x,direct", "https://***@h/x,direct"),
            ("https://a:b@h|https://c:d@i/x", "https://a:***@h|https://c:***@i/x"),
            ("https://h/x", "https://h/x"),
            ("https://h:8443/x:y,direct", "https://h:8443/x:y,direct"),
            ("http://ana:hunter2://h@proxy", "http://ana:***://***@proxy"),
            ("https://h:80|https://[::1]:80/x", "https://h:80|https://[::1]:80/x"),
            ("direct", "direct"),
            ("ana:hunter2@proxy:3128", "ana:***@proxy:3128"),
            ("http://ana:h,un ter2@proxy,direct", "http://ana:***@proxy,direct"),
            ("export P=ana:hunter2@h", "export P=ana:***@h"),
            ("git@h:team/lib", "git@h:team/lib"),
            ("hunter2@proxy:99999", "***@proxy:99999"),
            ("export P=hunter2@proxy", "export P=***@proxy"),
        ] {
            let value = Private::new(value);
            assert_eq!(value.to_string(), shown);
            assert!(!format!("{value:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_password_in_the_place_of_a_port_is_not_shown() {
        for name in
            ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "http.proxy", "http.https://h/.proxy"]
        {
            for (value, shown) in [
                ("ana:hunter2", "ana:***"),
                ("proxy.corp.test:3128", "proxy.corp.test:3128"),
                ("ana:hunter2@proxy:3128", "ana:***@proxy:3128"),
                ("http://proxy:3128", "http://proxy:3128"),
                ("ana:hun,ter2", "ana:***"),
                ("ana:hun/ter2", "ana:***"),
                ("", ""),
            ] {
                let value = Private::of(name, value);
                assert_eq!(value.to_string(), shown, "{name}");
                assert!(!format!("{value:?}").contains("hunter2"));
            }
        }
        for (value, shown) in [
            ("ana:hunter2", "ana:***"),
            ("ana:hunter2,direct", "ana:***"),
            ("https://h:8443/x,ana:hunter2|direct", "https://h:8443/x,ana:***"),
            ("goproxy.corp.test:8443,direct", "goproxy.corp.test:8443,direct"),
            ("https://h/x:y|file:///srv/a:b,off", "https://h/x:y|file:///srv/a:b,off"),
            ("ana:hunter2@h,direct", "ana:***@h,direct"),
        ] {
            assert_eq!(Private::of("GOPROXY", value).to_string(), shown);
        }
        for (name, value, shown) in [
            ("GOPRIVATE", "*.corp.test,ana:hunter2", "*.corp.test,ana:***"),
            ("GONOSUMDB", "ana:hunter2@h.test,i.test", "ana:***@h.test,i.test"),
            ("GOSUMDB", "ana:hunter2", "ana:***"),
            ("GOSUMDB", "s.test+a1b2+AbC/d= https://h:80", "s.test+a1b2+AbC/d= https://h:80"),
            ("NO_PROXY", "h.test:443,::1,fe80::/10,[::1]:8", "h.test:443,::1,fe80::/10,[::1]:8"),
            ("no_proxy", "localhost, ana:hunter2", "localhost, ana:***"),
            ("GOVCS", "*:git,public:off", "*:git,public:off"),
        ] {
            assert_eq!(Private::of(name, value).to_string(), shown);
        }
        assert_eq!(
            Private::new("ana:hunter2;hunter2@h;netrc;C:\\x").programs(),
            "…; …; netrc; C:\\x"
        );
        assert_eq!(
            Private::new("/bin/gocred goauth;/bin/gocred goauth hunter2;gocred hunter2").programs(),
            "/bin/gocred goauth; /bin/gocred …; gocred …"
        );
        assert_eq!(Private::of("https_proxy", "http://h"), Private::new("http://h"));
        assert_eq!(Private::of("NO_PROXY", "host:443,[::1]").to_string(), "host:443,[::1]");
    }
}

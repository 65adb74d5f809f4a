//! The go settings that decide about credentials, as go itself would resolve them.
//!
//! It deliberately keeps no raw GOPROXY, whose URLs may hold a password, and knows no other
//! setting. GOROOT/go.env is not read: what it says of GOPROXY is [`goproxy::DEFAULT`].

use crate::core::{
    goproxy::{self, Element, Target},
    pattern,
};

/// The effective settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoEnv {
    /// GOAUTH; `netrc` by default.
    pub goauth: String,
    /// GOPRIVATE; empty by default.
    pub goprivate: String,
    /// GONOPROXY where it is set; go takes GOPRIVATE where it is not.
    pub gonoproxy: Option<String>,
    /// GOPROXY.
    pub goproxy: Vec<Element>,
}

impl GoEnv {
    /// Resolves each setting from an environment and the text of go's environment file
    /// (cmd/go `cfg.Getenv`): an empty or missing variable does not override the file.
    pub fn resolve<'a>(variable: impl Fn(&'static str) -> Option<&'a str>, file: &'a str) -> Self {
        let value = |name| {
            let set = variable(name).filter(|value| !value.is_empty());
            set.or_else(|| in_file(file, name))
        };
        let text = |name| value(name).filter(|value| !value.is_empty()).map(ToOwned::to_owned);
        Self {
            goauth: text("GOAUTH").unwrap_or_else(|| "netrc".to_owned()),
            goprivate: text("GOPRIVATE").unwrap_or_default(),
            gonoproxy: text("GONOPROXY"),
            // An empty GOPROXY in the user's file hides that of GOROOT/go.env.
            goproxy: goproxy::parse(value("GOPROXY").unwrap_or(goproxy::DEFAULT)),
        }
    }

    /// Returns whether go may ask this host, `host` or `host:port`, itself because a pattern names
    /// it: GOPRIVATE, or GONOPROXY where it is set.
    pub fn is_private(&self, host: &str) -> bool {
        let gonoproxy = self.gonoproxy.as_deref().unwrap_or_default();
        [self.goprivate.as_str(), gonoproxy]
            .into_iter()
            .any(|patterns| pattern::may_match_host(patterns, host))
    }

    /// Returns whether go asks the hosts of all modules itself, before any module proxy.
    pub fn is_direct(&self) -> bool {
        self.goproxy.first().is_some_and(|element| element.target == Target::Direct)
    }
}

/// Returns the last value of a name in the text of go's environment file: lines `NAME=value`,
/// nothing quoted or trimmed, everything else passed over (cmd/go `cfg.readEnvFile`).
fn in_file<'a>(file: &'a str, name: &str) -> Option<&'a str> {
    file.split('\n').rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::GoEnv;
    use crate::core::goproxy::origins;

    fn resolve(variables: &'static [(&str, &str)], file: &str) -> GoEnv {
        let find =
            |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        GoEnv::resolve(find, file)
    }

    fn proxies(env: &GoEnv) -> Vec<String> {
        origins(&env.goproxy).map(ToString::to_string).collect()
    }

    #[test]
    fn without_settings_the_defaults_of_go_hold() {
        let env = resolve(&[], "");
        assert_eq!((env.goauth.as_str(), env.goprivate.as_str()), ("netrc", ""));
        assert_eq!(env.gonoproxy, None);
        assert_eq!(proxies(&env), ["https://proxy.golang.org"]);
        assert!(!env.is_direct());
    }

    #[test]
    fn the_environment_wins_over_the_file_unless_it_is_empty() {
        let file = "GOPRIVATE=file.test\nGOPROXY=https://file.test\nGOAUTH=off\n";
        let env = resolve(&[("GOPRIVATE", "env.test"), ("GOPROXY", ""), ("GOAUTH", "x")], file);
        assert_eq!((env.goprivate.as_str(), env.goauth.as_str()), ("env.test", "x"));
        assert_eq!(proxies(&env), ["https://file.test"]);
    }

    #[test]
    fn the_file_is_read_line_by_line_and_the_last_line_wins() {
        let file =
            "# GOAUTH=a\n GOAUTH=b\nGOAUTH\nGOAUTHX=c\nGOAUTH=d\nGOAUTH=e=f \nexport GOAUTH=g";
        assert_eq!(resolve(&[], file).goauth, "e=f ");
    }

    #[test]
    fn an_empty_goproxy_in_the_file_is_no_proxy_at_all() {
        assert_eq!(resolve(&[], "GOPROXY=\nGOAUTH=\n").goproxy, []);
        assert_eq!(resolve(&[], "GOPROXY=\nGOAUTH=\n").goauth, "netrc");
    }

    #[test]
    fn private_is_what_goprivate_or_an_explicit_gonoproxy_names() {
        let env = resolve(&[("GOPRIVATE", "a.test/x"), ("GONOPROXY", "*.b.test")], "");
        assert!(env.is_private("a.test") && env.is_private("git.b.test:8443"));
        assert!(!env.is_private("c.test"));
        assert!(!resolve(&[("GONOPROXY", "none")], "").is_private("c.test"));
    }

    #[test]
    fn direct_counts_only_in_the_first_place() {
        assert!(resolve(&[("GOPROXY", " direct")], "").is_direct());
        assert!(!resolve(&[("GOPROXY", "https://a,direct")], "").is_direct());
    }

    #[test]
    fn a_password_in_goproxy_is_not_kept() {
        let env = resolve(&[("GOPROXY", "https://ana:hunter2@h,direct")], "");
        assert!(!format!("{env:?}").contains("hunter2"));
    }
}

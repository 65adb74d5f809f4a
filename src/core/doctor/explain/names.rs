//! The hosts that a text is about, in place of those of the pages' examples: so that a command can be pasted.

use crate::core::doctor::{
    explain::about::About,
    machine::Machine,
    route::{self, Via},
};

/// The repository of the examples.
const REPOSITORY: &str = "git.corp.example/team/lib";
/// Its host.
const HOST: &str = "git.corp.example";
/// The module proxy of the examples.
const MODULE_PROXY: &str = "goproxy.corp.example";
/// Their corporate proxy.
const PROXY: &str = "proxy.corp.example:8080";

/// The names of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    repository: Option<String>,
    host: Option<String>,
    module_proxy: Option<String>,
    proxy: Option<String>,
}

impl Names {
    /// Takes them from a text, and the corporate proxy from this machine.
    pub fn of(about: &About, machine: &Machine) -> Self {
        let module = about.target.as_deref().filter(|target| !target.contains("://"));
        let module = module.and_then(|target| target.split('@').next());
        let mut names = Self::default();
        if let Some(link) = &about.link {
            let authority = link.origin.authority();
            if ["/@v/", "/@latest", "/sumdb/", "/lookup/"].iter().any(|it| link.path.contains(it)) {
                names.module_proxy = Some(authority);
            } else {
                let path = link.path.trim_end_matches('/').trim_end_matches(".git");
                names.repository = (path.len() > 1).then(|| format!("{authority}{path}"));
                names.host = Some(authority);
            }
            if let Some(Via::Proxy(proxy)) =
                route::route(about.tool, link, machine).map(|route| route.via)
            {
                names.proxy = Some(format!("{}:{}", proxy.host, proxy.port));
            }
        }
        if let Some(module) = module {
            names.repository = Some(module.to_owned());
            let host = module.split('/').next().map(str::to_owned);
            names.host = names.host.or(host);
        }
        names
    }

    /// Puts them into a command of a page.
    pub fn fill(&self, command: &str) -> String {
        // The module proxy's example ends as the proxy's begins.
        let marked = command.replace(MODULE_PROXY, "\u{1}");
        let filled = [(PROXY, &self.proxy), (REPOSITORY, &self.repository), (HOST, &self.host)]
            .into_iter()
            .filter_map(|(example, own)| Some((example, own.as_deref().filter(|it| is_plain(it))?)))
            .fold(marked, |command, (example, own)| command.replace(example, own));
        let own = self.module_proxy.as_deref().filter(|own| is_plain(own));
        filled.replace('\u{1}', own.unwrap_or(MODULE_PROXY))
    }
}

/// Whether a shell takes it as it is, within quotation marks and without.
fn is_plain(text: &str) -> bool {
    text.len() <= 200 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::core::doctor::{explain::about::About, machine::Machine, private::Private};

    #[test]
    fn a_command_has_the_hosts_of_the_text() {
        let proxy = ("https_proxy".to_owned(), Private::new("http://u:kanarie@px.lan:3128"));
        let machine = Machine { variables: [proxy].into(), ..Machine::default() };
        let fill = |text: &str, command: &str| Names::of(&About::of(text), &machine).fill(command);
        let git = "fatal: unable to access 'https://u:kanarie@code.lan:8443/a/b.git/': x";
        for (text, command, expected) in [
            (git, "gocred login git.corp.example", "gocred login code.lan:8443"),
            (
                git,
                "curl 'https://git.corp.example/team/lib.git/info'",
                "curl 'https://code.lan:8443/a/b.git/info'",
            ),
            (
                git,
                "gocred login --proxy http://proxy.corp.example:8080",
                "gocred login --proxy http://px.lan:3128",
            ),
            (git, "curl https://goproxy.corp.example/x", "curl https://goproxy.corp.example/x"),
            (
                "go: code.lan/a/b@v1.0.0: reading https://mods.lan/code.lan/a/b/@v/v1.0.0.info: 403",
                "curl https://goproxy.corp.example/git.corp.example/team/lib/@v/list",
                "curl https://mods.lan/code.lan/a/b/@v/list",
            ),
            (
                "Get \"https://h.lan/$(id)\": x",
                "gocred login git.corp.example",
                "gocred login git.corp.example",
            ),
            ("nothing", "gocred login git.corp.example", "gocred login git.corp.example"),
        ] {
            assert_eq!(fill(text, command), expected, "{text}");
        }
    }
}

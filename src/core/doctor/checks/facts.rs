//! What every check asks first: which modules and hosts are wanted, which way they go, what is set.

use crate::core::{
    doctor::{
        catalogue,
        finding::{Finding, Severity},
        machine::{Machine, Module},
        place::Place,
        private::Private,
        target::Target,
    },
    goproxy::{self, DEFAULT},
    pattern,
};

/// A module that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its path.
    pub(crate) path: String,
    /// Its version.
    pub(crate) version: Option<String>,
}

impl Wanted {
    /// Returns the host of its path.
    pub(crate) fn host(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }
}

/// A place that a tool asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `http`, `https`, `ssh`.
    pub(crate) scheme: String,
    /// The host, in lower case.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

/// The machine, and what is wanted of it.
pub(crate) struct Facts<'a> {
    /// What was asked.
    pub(crate) target: &'a Target,
    /// The machine.
    pub(crate) machine: &'a Machine,
    /// The modules that are wanted.
    pub(crate) modules: Vec<Wanted>,
}

/// A value that is set, and where.
pub(crate) type Set = (Private, Place);

impl<'a> Facts<'a> {
    /// Works out what is wanted.
    pub(crate) fn of(target: &'a Target, machine: &'a Machine) -> Self {
        let modules = match target {
            Target::Module { path, version } => {
                vec![Wanted { path: path.clone(), version: version.clone() }]
            }
            Target::Url(_) => Vec::new(),
            Target::Here => {
                let module = machine.module.as_ref();
                let fetched = module.map(Module::fetched).unwrap_or_default().into_iter();
                fetched.map(|(path, version)| Wanted { path, version: Some(version) }).collect()
            }
        };
        Self { target, machine, modules }
    }

    /// Starts a finding.
    #[expect(clippy::unused_self, reason = "every theme starts its findings from the facts")]
    pub(crate) fn finding(
        &self,
        code: &'static str,
        severity: Severity,
        cause: impl Into<String>,
    ) -> Finding {
        Finding::new(catalogue::entry(code), cause).severity(severity)
    }

    /// Returns whether go is what fetches.
    pub(crate) fn is_for_go(&self) -> bool {
        !matches!(self.target, Target::Url(_))
    }

    /// Returns error where go fetches, else warning.
    pub(crate) fn for_go(&self) -> Severity {
        if self.is_for_go() { Severity::Error } else { Severity::Warning }
    }

    /// Returns one of go's settings that says something.
    pub(crate) fn go(&self, name: &str) -> Option<Set> {
        self.machine.go_setting(name).filter(|(value, _)| !value.raw().is_empty())
    }

    /// Returns GOPROXY, or go's default.
    pub(crate) fn goproxy(&self) -> Set {
        let default = || (Private::new(DEFAULT), Place::Default("go"));
        self.machine.go_setting("GOPROXY").unwrap_or_else(default)
    }

    /// Returns whether a module is fetched from its own host, past GOPROXY.
    pub(crate) fn is_private(&self, module: &str) -> bool {
        let patterns = self.go("GONOPROXY").or_else(|| self.go("GOPRIVATE"));
        patterns.is_some_and(|(patterns, _)| pattern::matches(patterns.raw(), module))
    }

    /// Returns the wanted modules that GOPROXY is asked for.
    pub(crate) fn proxied(&self) -> impl Iterator<Item = &Wanted> {
        self.modules.iter().filter(|module| !self.is_private(&module.path))
    }

    /// Returns whether some module is wanted through GOPROXY; true where only go.mod's own are, and none.
    pub(crate) fn asks_proxies(&self) -> bool {
        self.is_for_go() && (self.modules.is_empty() || self.proxied().next().is_some())
    }

    /// Returns whether git is what fetches, or go runs it for sure.
    pub(crate) fn is_for_git(&self) -> bool {
        if !self.is_for_go() {
            return true;
        }
        let (list, _) = self.goproxy();
        let is_direct =
            goproxy::pieces(list.raw()).next().is_some_and(|(text, _)| text == "direct");
        let is_private = self.modules.iter().any(|module| self.is_private(&module.path));
        is_private || is_direct && !self.modules.is_empty()
    }

    /// Returns the proxies of GOPROXY that are asked before the list ends, as written.
    pub(crate) fn elements(&self) -> Vec<String> {
        let (list, _) = self.goproxy();
        let pieces = goproxy::pieces(list.raw());
        let pieces = pieces.take_while(|(text, _)| !matches!(*text, "direct" | "off"));
        pieces.map(|(text, _)| text.to_owned()).collect()
    }

    /// Returns the places that are asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let mut asked: Vec<Asked> = Vec::new();
        match self.target {
            Target::Url(url) => asked.extend(place(url)),
            Target::Module { .. } | Target::Here => {
                if self.asks_proxies() {
                    asked.extend(self.elements().iter().filter_map(|element| place(element)));
                }
                let (list, _) = self.goproxy();
                let is_direct = goproxy::pieces(list.raw()).any(|(text, _)| text == "direct");
                let direct =
                    self.modules.iter().filter(|it| is_direct || self.is_private(&it.path));
                asked.extend(direct.filter_map(|module| place(module.host())));
            }
        }
        let mut unique = Vec::new();
        for place in asked {
            if !unique.contains(&place) {
                unique.push(place);
            }
        }
        unique
    }

    /// Returns a variable that a tool takes first, of two spellings.
    pub(crate) fn first(&self, names: &[&'static str]) -> Option<(&'static str, &'a Private)> {
        let machine = self.machine;
        names.iter().find_map(|name| Some((*name, machine.variable(name)?)))
    }
}

/// Reads a URL, or a host.
pub(super) fn place(url: &str) -> Option<Asked> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
    let default = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        "ssh" => 22,
        _ => return None,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    (!host.is_empty()).then_some(Asked { scheme, host, port })
}

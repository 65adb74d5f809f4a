//! What git and go will do, as their own configuration says: shared by `login` and `status`.

use crate::{
    core::{
        config::{DEFAULT_GOPROXY, GoProxy},
        goenv::GoEnv,
        goproxy,
        modproxy::list::Upstreams,
        origin::Origin,
        setup::{
            gitconfig::{self, Listed},
            goenv::runs_gocred,
        },
    },
    front::{self, Context, ui},
    sys::{git, goenv},
};

/// How git and go are configured.
#[derive(Clone, Debug)]
pub(crate) struct Wiring {
    /// git's values in order, or why there are none.
    pub(crate) git: Result<Vec<Listed>, NoGit>,
    /// go's settings.
    pub(crate) go: GoEnv,
    /// The URL of the front, where GOPROXY names it.
    pub(crate) front: Option<String>,
    /// The module proxies behind the front, where GOPROXY names that.
    pub(crate) behind: Vec<Origin>,
}

/// Why git's configuration is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoGit {
    /// git refuses its own configuration, with this message.
    Broken(String),
    /// It is not on PATH.
    Missing,
}

impl Wiring {
    /// Reads both.
    pub(crate) fn read(context: &Context) -> Self {
        let git = git::program(&context.env).ok_or(NoGit::Missing).and_then(|program| {
            git::configuration(&program).map_err(|error| NoGit::Broken(error.to_string()))
        });
        let go = goenv::read(&context.env, context.paths.goenv.as_deref());
        let config = &context.config.goproxy;
        let front = named_front(&go, config);
        let list = config.upstream.as_ref().filter(|_| front.is_some());
        let proxies = list.into_iter().flat_map(Upstreams::proxies);
        let behind = proxies.map(|base| base.origin.clone()).collect();
        Self { git, go, front, behind }
    }

    /// Returns the helpers that git asks, in order; for an origin, those of its URL sections, too.
    pub(crate) fn helpers(&self, origin: Option<&Origin>) -> Vec<&Listed> {
        let mut helpers = Vec::new();
        for setting in self.git.iter().flatten().filter(|setting| is_helper(setting, origin)) {
            if setting.value.is_empty() {
                helpers.clear();
            } else {
                helpers.push(setting);
            }
        }
        helpers
    }

    /// Returns whether git asks gocred for an origin, or in general.
    pub(crate) fn is_git_wired(&self, origin: Option<&Origin>) -> bool {
        self.helpers(origin).iter().any(|helper| gitconfig::runs_gocred(&helper.value))
    }

    /// Returns whether git tells the paths of an origin.
    pub(crate) fn tells_paths(&self, origin: &Origin) -> bool {
        let mut keys = [origin.to_string(), origin.authority()]
            .map(|url| format!("credential.{url}.usehttppath"))
            .into_iter()
            .chain(["credential.usehttppath".to_owned()]);
        let listed = || self.git.iter().flatten();
        let last = |key: String| listed().rfind(|it| it.key == key);
        // git lists a key without value with an empty one, and takes it for true.
        let is_true = |value: &str| {
            matches!(value.to_ascii_lowercase().as_str(), "" | "true" | "yes" | "on" | "1")
        };
        keys.find_map(last).is_some_and(|it| is_true(&it.value))
    }

    /// Returns whether go asks gocred.
    pub(crate) fn is_go_wired(&self) -> bool {
        self.go.goauth.split(';').any(runs_gocred)
    }

    /// Returns whether GOPROXY names the origin, or the front does that it names.
    pub(crate) fn is_module_proxy(&self, origin: &Origin) -> bool {
        goproxy::origins(&self.go.goproxy).any(|proxy| proxy == origin) || self.is_behind(origin)
    }

    /// Returns whether the front, which go asks, asks the origin.
    pub(crate) fn is_behind(&self, origin: &Origin) -> bool {
        self.behind.contains(origin)
    }
}

/// Returns the URL of the front, where GOPROXY names it.
fn named_front(go: &GoEnv, config: &GoProxy) -> Option<String> {
    let listen = config.listen.map(|listen| listen.address().to_string());
    let listen = listen.as_deref().unwrap_or(DEFAULT_GOPROXY);
    let is_front = |proxy: &&Origin| proxy.scheme() == "http" && proxy.authority() == listen;
    goproxy::origins(&go.goproxy).find(is_front).map(ToString::to_string)
}

/// Says that go still asks the front, when nobody serves it any more.
pub(crate) fn note_left(context: &Context) {
    let go = goenv::read(&context.env, context.paths.goenv.as_deref());
    // A broken configuration is no reason to say less.
    let config = front::config(&context.paths).unwrap_or_default();
    if let Some(url) = named_front(&go, &config.goproxy) {
        ui::err(&format!(
            "note: GOPROXY names {url}, where nobody serves go now; `gocred setup --undo` takes that \
             back, `gocred proxy install` starts it"
        ));
    }
}

/// Returns whether a value is a helper for every host, or for this one. git compares more than that
/// (wildcards, paths: gitcredentials(7)); this is enough to say who is asked.
fn is_helper(setting: &Listed, origin: Option<&Origin>) -> bool {
    if setting.key == "credential.helper" {
        return true;
    }
    let section =
        setting.key.strip_prefix("credential.").and_then(|rest| rest.strip_suffix(".helper"));
    let (Some(url), Some(origin)) = (section, origin) else { return false };
    let url = url.trim_end_matches('/');
    url == origin.to_string() || url == origin.authority()
}

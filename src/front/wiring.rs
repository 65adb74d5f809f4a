//! What git and go will do, as their own configuration says: shared by `login` and `status`.

use crate::{
    core::{
        goenv::GoEnv,
        goproxy,
        origin::Origin,
        setup::{
            gitconfig::{self, Listed},
            goenv::runs_gocred,
        },
    },
    front::Context,
    sys::{git, goenv},
};

/// How git and go are configured.
#[derive(Clone, Debug)]
pub(crate) struct Wiring {
    /// git's values in order, or why there are none.
    pub(crate) git: Result<Vec<Listed>, NoGit>,
    /// go's settings.
    pub(crate) go: GoEnv,
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
        Self { git, go: goenv::read(&context.env, context.paths.goenv.as_deref()) }
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

    /// Returns whether GOPROXY names the origin.
    pub(crate) fn is_module_proxy(&self, origin: &Origin) -> bool {
        goproxy::origins(&self.go.goproxy).any(|proxy| proxy == origin)
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

//! What matters of who asks: it may not be this process that answers.

use crate::{core::agent::Flags, sys::env::Env};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Whether nobody can be asked anything.
    pub is_unattended: bool,
    /// Whether it is probably cmd/go's git.
    pub is_go: bool,
    /// Whether it has a GOPRIVATE of its own, which only it can read.
    pub is_private: bool,
}

impl Asker {
    /// Reads it from the environment of who asks.
    pub(crate) fn of(env: &Env) -> Self {
        let is = |name, value| env.text(name).is_some_and(|text| text == value);
        Self {
            is_unattended: env.is_unattended(),
            is_go: is("GCM_INTERACTIVE", "never") && is("GIT_TERMINAL_PROMPT", "0"),
            is_private: env.text("GOPRIVATE").is_some(),
        }
    }

    /// Returns what the agent is told of it.
    pub(super) fn flags(self) -> Flags {
        Flags::NONE
            .with(Flags::UNATTENDED, self.is_unattended)
            .with(Flags::GO, self.is_go)
            .with(Flags::PRIVATE, self.is_private)
    }

    /// Reads what [`Self::flags`] returns.
    #[cfg(feature = "full")]
    pub(crate) fn told(flags: Flags) -> Self {
        Self {
            is_unattended: flags.has(Flags::UNATTENDED),
            is_go: flags.has(Flags::GO),
            is_private: flags.has(Flags::PRIVATE),
        }
    }

    /// Returns what `status` shows for who erased. cmd/go sets both variables for every git that it runs
    /// (modload/init.go); others may set them too, so that this is a guess and says so.
    pub(super) fn erases_as(self) -> &'static str {
        if self.is_go { "git erase (probably run by go)" } else { "git erase" }
    }
}

#[cfg(test)]
mod tests {
    use super::Asker;
    use crate::sys::env::Env;

    #[test]
    fn go_is_named_only_where_its_environment_is_seen() {
        let who = |values: &[(&'static str, &str)]| Asker::of(&Env::of(values)).erases_as();
        assert_eq!(who(&[]), "git erase");
        assert_eq!(who(&[("GIT_TERMINAL_PROMPT", "0")]), "git erase");
        let go = [("GIT_TERMINAL_PROMPT", "0"), ("GCM_INTERACTIVE", "never")];
        assert_eq!(who(&go), "git erase (probably run by go)");
    }

    #[cfg(feature = "full")]
    #[test]
    fn the_agent_is_told_what_matters() {
        for (name, value) in
            [("GOPRIVATE", "h"), ("GIT_TERMINAL_PROMPT", "0"), ("GCM_INTERACTIVE", "no")]
        {
            let asker = Asker::of(&Env::of(&[(name, value)]));
            assert_eq!(Asker::told(asker.flags()), asker);
            assert_ne!(asker, Asker::of(&Env::of(&[])));
        }
    }
}

//! What matters of who asks: it may not be this process that answers.

use crate::sys::env::Env;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Whether nobody can be asked anything.
    pub is_unattended: bool,
    /// Whether it is probably cmd/go's git.
    pub is_go: bool,
}

impl Asker {
    /// Reads it from the environment of who asks.
    pub(crate) fn of(env: &Env) -> Self {
        let is = |name, value| env.text(name).is_some_and(|text| text == value);
        Self {
            is_unattended: env.is_unattended(),
            is_go: is("GCM_INTERACTIVE", "never") && is("GIT_TERMINAL_PROMPT", "0"),
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
}

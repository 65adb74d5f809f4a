//! Why a tool gets no answer: a line that it shows to whoever runs it, and an exit code.

use thiserror::Error;

use crate::{
    core::{
        fault::{Fault, Kind},
        origin::Origin,
        text::printable,
    },
    store,
};

/// Why there is no answer. Its text never holds a secret, nor anything that a terminal acts on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{line}")]
pub(super) struct Trouble {
    /// Decides the exit code.
    pub(super) kind: Kind,
    line: String,
}

impl Trouble {
    /// The question is none.
    pub(super) fn usage(what: impl AsRef<str>) -> Self {
        Self::of_kind(Kind::Usage, what.as_ref())
    }

    /// Nothing is known of this place; the command that changes that.
    pub(super) fn nothing(origin: &Origin) -> Self {
        let place = crate::front::ui::place(origin);
        let what = format!("nothing is stored for {place}; run: gocred login {place}");
        Self::of_kind(Kind::NotFound, &what)
    }

    /// Something of this place is in the way; the command that brings one further.
    pub(super) fn at(kind: Kind, origin: &Origin, what: &str, command: &str) -> Self {
        let place = crate::front::ui::place(origin);
        Self::of_kind(kind, &format!("{place}: {what}; run: {command}"))
    }

    /// `gocred[K05]: registry.corp.example: the keyring is locked; run: gocred unlock`
    pub(super) fn of_store(origin: &Origin, error: &store::Error) -> Self {
        let (code, command) = (error.code(), error.command());
        let place = crate::front::ui::place(origin);
        let line = printable(&format!("gocred[{code}]: {place}: {error}; run: {command}"));
        Self { kind: Kind::Store, line }
    }

    /// What the agent said, which names itself.
    pub(super) fn told(line: &str) -> Self {
        Self { kind: Kind::Store, line: printable(line) }
    }

    fn of_kind(kind: Kind, what: &str) -> Self {
        Self { kind, line: printable(&format!("gocred: {what}")) }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        let code = fault.code.map(|code| format!("[{code}]")).unwrap_or_default();
        let line = printable(&format!("gocred{code}: {}", fault.one_line()));
        Self { kind: fault.kind, line }
    }
}

#[cfg(test)]
mod tests {
    use super::Trouble;
    use crate::{core::origin::Origin, store::Error};

    #[test]
    fn a_line_says_what_where_and_what_to_run() {
        let origin = Origin::new("https", "registry.corp.test:5000").unwrap();
        assert_eq!(
            Trouble::of_store(&origin, &Error::Locked).to_string(),
            "gocred[K05]: registry.corp.test:5000: the keyring is locked; run: gocred unlock"
        );
        assert_eq!(
            Trouble::nothing(&origin).to_string(),
            "gocred: nothing is stored for registry.corp.test:5000; \
             run: gocred login registry.corp.test:5000"
        );
        assert_eq!(Trouble::usage("a\u{1b}[31m\n").to_string(), "gocred: a\\u{1b}[31m\\u{a}");
    }
}

//! One shape for every failure that a person reads: what, cause, where, and what to paste next.

use std::fmt;

/// What kind of failure it is. Decides the exit code (product.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer is no: not found, or a finding of severity error. Exit 1.
    NotFound,
    /// The command line is wrong. Exit 2.
    Usage,
    /// A configuration file or variable is wrong. Exit 3.
    Config,
    /// Authentication is needed, or was rejected. Exit 4.
    Rejected,
    /// The store is locked or unavailable. Exit 5.
    Store,
    /// The network or an upstream failed. Exit 6.
    Network,
    /// Policy forbids it. Exit 7.
    Policy,
    /// A bug of ours. Exit 70.
    Internal,
    /// Interrupted; nothing half done. Exit 130.
    Interrupted,
}

/// Every exit code and what it means, as README prints it.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done; healthy"),
    (
        1,
        "the answer is no: not found, a finding of severity error, `status` shows a broken account \
         (with `--strict`: a warning)",
    ),
    (2, "usage"),
    (3, "configuration"),
    (4, "authentication needed or rejected"),
    (5, "store locked or unavailable"),
    (6, "network or upstream"),
    (7, "forbidden by policy"),
    (70, "a bug of ours, with where to report it"),
    (130, "interrupted; nothing half done"),
];

impl Kind {
    /// Returns the process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NotFound => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Rejected => 4,
            Self::Store => 5,
            Self::Network => 6,
            Self::Policy => 7,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }
}

/// A failure as it is told to people. No field ever holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Decides the exit code.
    pub kind: Kind,
    /// The code of what happened, such as `K05`, where it has one.
    pub code: Option<&'static str>,
    /// What happened: lower case, no trailing period, says whose fault.
    pub message: String,
    /// The causes below it, outermost first.
    pub causes: Vec<String>,
    /// Where: `file:line`, or the step and the endpoint.
    pub at: Option<String>,
    /// Commands to paste, or one sentence that holds one in backticks.
    pub hints: Vec<String>,
}

impl Fault {
    /// Starts a fault with its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (code, causes, at, hints) = (None, Vec::new(), None, Vec::new());
        Self { kind, code, message: message.into(), causes, at, hints }
    }

    /// Names it by its code.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds a cause below the ones already there.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says where it happened.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.at = Some(place.to_string());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the fault in one line: message, causes, place, and the first hint.
    pub fn one_line(&self) -> String {
        let mut line = self.message.clone();
        for cause in &self.causes {
            line.push_str(": ");
            line.push_str(cause);
        }
        if let Some(at) = &self.at {
            line.push_str(" (");
            line.push_str(at);
            line.push(')');
        }
        if let Some(hint) = self.hints.first() {
            line.push_str("; ");
            line.push_str(hint);
        }
        line
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map(|code| format!("[{code}]")).unwrap_or_default();
        write!(f, "error{code}: {}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  Caused by: {cause}")?;
        }
        if let Some(at) = &self.at {
            write!(f, "\n  at: {at}")?;
        }
        if !self.hints.is_empty() {
            f.write_str("\n")?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::{Fault, Kind};

    #[test]
    fn a_fault_says_what_why_where_and_what_next() {
        let fault = Fault::new(Kind::Rejected, "the proxy p:8080 rejected the password of ana")
            .cause("407 after Basic")
            .at("proxy login, on the way to h:443")
            .hint("run `gocred login --proxy http://p:8080`");
        assert_eq!(
            fault.to_string(),
            "error: the proxy p:8080 rejected the password of ana\n  \
             Caused by: 407 after Basic\n  \
             at: proxy login, on the way to h:443\n\n\
             hint: run `gocred login --proxy http://p:8080`"
        );
        assert_eq!(
            fault.one_line(),
            "the proxy p:8080 rejected the password of ana: 407 after Basic \
             (proxy login, on the way to h:443); \
             run `gocred login --proxy http://p:8080`"
        );
    }
}

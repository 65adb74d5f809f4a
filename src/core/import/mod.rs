//! Secrets in the files of other programs: where each stands, what becomes of it, and the edit that
//! takes it out and leaves every other byte where it was.
//!
//! It deliberately reads no file, knows no store, and decides nothing about policy: whether git asks
//! us, whether a proxy runs and what a person wants is the caller's.

pub mod backup;
pub mod edit;
mod git_credentials;
mod gitconfig;
mod goenv;
mod header;
mod lines;
pub mod mask;
mod netrc;
mod npmrc;
mod pip;
mod shell;
mod userinfo;

use std::{fmt, ops::Range};

use thiserror::Error;

use crate::core::{
    credential::{Key, Proof},
    netrc::import::{Kept, Stay as StayInNetrc},
    secret::SecretString,
};

/// The largest file that is read, in bytes: what people write by hand is far smaller.
pub const MAX_FILE: usize = 1024 * 1024;

/// The most secrets that one file may hold: more are no person's, and each is asked about.
pub(super) const MAX_FOUND: usize = 1000;

/// The grammar of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// git's configuration.
    GitConfig,
    /// What `git credential-store` writes.
    GitCredentials,
    /// go's environment file.
    GoEnv,
    /// A netrc.
    Netrc,
    /// npm's configuration.
    Npmrc,
    /// pip's configuration, and `.pypirc`.
    Pip,
    /// What a shell reads at its start, or a file of `NAME=value`.
    Shell,
}

/// A secret that stands in a file.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its line, from 1.
    pub line: usize,
    /// What it is called there, such as `remote.origin.url`; never with a secret.
    pub name: String,
    /// The secret, for [`mask::mask`].
    pub secret: SecretString,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a secret.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It can move.
    Move(Move),
    /// It stays where it is.
    Stay(Stay),
}

/// How a secret moves.
#[derive(Clone, Debug)]
pub struct Move {
    /// What it is stored under.
    pub key: Key,
    /// What is stored.
    pub proof: Proof,
    /// Who has to ask gocred from then on.
    pub asker: Asker,
    /// What goes out of the file; empty for a netrc, where that depends on the other entries.
    pub cut: Option<Cut>,
}

/// A piece of a file that gives way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which bytes.
    pub span: Range<usize>,
    /// What stands there then.
    pub put: Put,
}

/// What takes the place of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Nothing.
    Nothing,
    /// The URL of the loopback proxy.
    Proxy,
    /// The same for git, with the account that makes git ask its helper.
    ProxyOfGit,
}

/// The program that reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// git, which asks its credential helper.
    Git,
    /// go, which runs its GOAUTH commands.
    Go,
    /// Both, for a netrc.
    GitAndGo,
    /// pip, which runs a program `keyring`.
    Pip,
    /// What goes through a forward proxy.
    Proxy,
}

/// Why a secret stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// The account or the secret has a control character.
    Control,
    /// It stands in a comment.
    Comment,
    /// It is sent to every host.
    EveryHost,
    /// It is sent in a header that no credential helper gives.
    Header,
    /// A credential helper that is written in place.
    Inline,
    /// It names no account.
    NoAccount,
    /// What it is for is no host.
    NotAHost,
    /// What it is for is no proxy that gocred can use.
    NotAProxy,
    /// As the netrc's own rules have it.
    Netrc(StayInNetrc),
    /// npm reads it nowhere else.
    Npm,
    /// pip asks another program than ours, or none.
    Provider,
    /// Programs disagree where its password ends.
    Ambiguous,
    /// twine reads it nowhere else.
    Upload,
    /// Programs read it from the environment.
    Variable,
    /// It is written in a way that cannot be edited safely.
    Written,
    /// gocred does not know who reads it.
    Unknown,
}

/// Why a file is left alone.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {what}")]
pub struct Malformed {
    /// The line, from 1; 0 is the whole file.
    pub line: usize,
    /// What is wrong, never with a value.
    pub what: String,
}

/// Finds the secrets of a file, in the order of their lines.
pub fn find(form: Form, source: &[u8]) -> Result<Vec<Found>, Malformed> {
    let mut found = match form {
        Form::GitConfig => gitconfig::find(source)?,
        Form::GitCredentials => git_credentials::find(source),
        Form::GoEnv => goenv::find(source),
        Form::Netrc => netrc::find(source)?,
        Form::Npmrc => npmrc::find(source),
        Form::Pip => pip::find(source),
        Form::Shell => shell::find(source),
    };
    if found.len() > MAX_FOUND {
        let what = format!("it holds more than {MAX_FOUND} secrets");
        return Err(Malformed { line: 0, what });
    }
    if form != Form::Netrc {
        found.sort_by_key(|found| found.line);
    }
    Ok(found)
}

/// Takes the secrets at these places of what [`find`] returned out of the file. The second list names
/// those that have to stay after all.
pub fn take(
    form: Form,
    source: &[u8],
    found: &[Found],
    places: &[usize],
    put: impl Fn(Put) -> String,
) -> (Vec<edit::Splice>, Vec<(usize, Kept)>) {
    if form == Form::Netrc {
        return netrc::take(source, places);
    }
    let cut = |place: &usize| match &found.get(*place)?.verdict {
        Verdict::Move(Move { cut, .. }) => cut.clone(),
        Verdict::Stay(_) => None,
    };
    let mut cuts: Vec<Cut> = places.iter().filter_map(cut).collect();
    cuts.sort_by_key(|cut| cut.span.start);
    // Two names of one place, such as two keys below one header.
    cuts.dedup();
    let splices = cuts.into_iter().filter_map(|Cut { span, put: what }| {
        edit::Splice::of(source, span, put(what).into_bytes())
    });
    (splices.collect(), Vec::new())
}

impl Form {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Netrc,
        Self::GitCredentials,
        Self::GitConfig,
        Self::GoEnv,
        Self::Shell,
        Self::Npmrc,
        Self::Pip,
    ];

    /// Returns its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitConfig => "gitconfig",
            Self::GitCredentials => "git-credentials",
            Self::GoEnv => "goenv",
            Self::Netrc => "netrc",
            Self::Npmrc => "npmrc",
            Self::Pip => "pip",
            Self::Shell => "shell",
        }
    }
}

impl fmt::Display for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "its account or secret has a control character",
            Self::Comment => "it stands in a comment: delete it yourself",
            Self::EveryHost => "git sends it to every host; `gocred login HOST` keeps it for one",
            Self::Header => "it goes in a header that git takes from no helper",
            Self::Inline => "it is a helper of its own: `gocred login HOST`, then delete it",
            Self::NoAccount => "it names no account",
            Self::NotAHost => "what it is for is not a host",
            Self::NotAProxy => "what it is for is not a proxy that gocred can use",
            Self::Netrc(stay) => return stay.fmt(f),
            Self::Npm => "npm reads its tokens here only, it asks no credential helper",
            Self::Provider => {
                "pip asks gocred only after `pip config set global.keyring-provider subprocess`"
            }
            Self::Upload => "twine reads it here, it asks no credential helper of ours",
            Self::Ambiguous => "a password with an `@` of its own is read in several ways",
            Self::Variable => "programs read it from their environment",
            Self::Written => "it is written in a way that cannot be edited safely",
            Self::Unknown => "gocred does not know which program reads it",
        })
    }
}

#[cfg(test)]
pub(super) mod fixture {
    //! What the tests of each grammar compare: `line name origin user:secret` of what moves, and
    //! `line name - reason` of what stays.

    use super::{Form, Put, Verdict, edit, find, take};
    use crate::core::{credential::Proof, secret::ExposeSecret};

    pub(in crate::core::import) fn told(form: Form, text: &str) -> Vec<String> {
        find(form, text.as_bytes()).unwrap().iter().map(line).collect()
    }

    fn line(found: &super::Found) -> String {
        let start = format!("{} {}", found.line, found.name);
        match &found.verdict {
            Verdict::Stay(stay) => format!("{start} - {stay:?}"),
            Verdict::Move(one) => {
                let secret = match &one.proof {
                    Proof::Password(password) => password.expose_secret().to_owned(),
                    Proof::Encoded { authtype, credential } => {
                        format!("{authtype} {}", credential.expose_secret())
                    }
                };
                let path = one.key.path.as_ref().map(|path| format!("/{path}"));
                let path = path.unwrap_or_default();
                format!("{start} {}{path} {}:{secret}", one.key.origin, one.key.user)
            }
        }
    }

    /// Takes everything out that can move, and checks that it can be put back.
    pub(in crate::core::import) fn taken(form: Form, text: &str) -> String {
        let found = find(form, text.as_bytes()).unwrap();
        let places: Vec<usize> = (0..found.len()).collect();
        let (splices, _) = take(form, text.as_bytes(), &found, &places, |put| {
            let url = match put {
                Put::Nothing => "",
                Put::Proxy => "http://127.0.0.1:7407",
                Put::ProxyOfGit => "http://gocred@127.0.0.1:7407",
            };
            url.to_owned()
        });
        let after = edit::apply(text.as_bytes(), &splices).unwrap();
        assert_eq!(edit::revert(&after, &splices).unwrap().as_slice(), text.as_bytes());
        String::from_utf8(after).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{Form, edit, find, mask, take};
    use crate::core::secret::ExposeSecret;

    /// Words that mean something in one of the grammars, and bytes that mean nothing.
    fn file() -> impl Strategy<Value = Vec<u8>> {
        let word = prop::sample::select(vec![
            "export ",
            "set -gx ",
            "HTTPS_PROXY",
            "GOPROXY",
            "=",
            "\"",
            "'",
            "\\",
            "\n",
            "\r\n",
            " ",
            "https://",
            "http://",
            "ana",
            ":",
            "hunter2-hunter2-hunter2",
            "@",
            "git.corp.test",
            ":8443",
            "/",
            ",",
            "|",
            "$X",
            "${X}",
            "#",
            ";",
            "[remote \"o\"]",
            "[url \"",
            "\"]",
            "[http]",
            "url",
            "proxy",
            "extraHeader",
            "Authorization: Basic ",
            "YW5hOmh1bnRlcjI=",
            "Bearer ",
            "insteadOf",
            "//r/:_authToken",
            "_auth",
            "index-url",
            "password",
            "machine ",
            " login ",
            " password ",
            "ghp_abcdefghijklmnopqrst",
            "%0a",
            "%",
            "\u{feff}",
            "é",
            "\t",
            "{",
            "}",
        ]);
        let noise = prop::collection::vec(any::<u8>(), 0..3);
        let piece = prop_oneof![
            9 => word.prop_map(|word| word.as_bytes().to_vec()),
            1 => noise,
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn the_largest_file_is_read_at_once() {
        for (form, unit) in [
            (Form::GitConfig, "[a]\nb=c\n"),
            (Form::GitConfig, "[url \"https://a:b@h\"]x=y\n"),
            (Form::GitConfig, "[remote \"o\"]\nurl=https://a:b@h\n"),
            (Form::GitCredentials, "https://a:b@h\n"),
            (Form::GoEnv, "GOPROXY=https://a:b@h\n"),
            (Form::Shell, "set a b "),
            (Form::Shell, "set -x "),
            (Form::Shell, "a=b "),
            (Form::Shell, "HTTPS_PROXY=http://a:b@h:1\n"),
            (Form::Shell, "https://a:b@"),
            (Form::Shell, "'"),
            (Form::Npmrc, "_auth=a\n"),
            (Form::Pip, "a = https://a:b@h https://a:b@h\n"),
            (Form::Pip, "a=\n b\n"),
        ] {
            let source = unit.repeat(super::MAX_FILE / unit.len());
            let start = Instant::now();
            let _ = find(form, source.as_bytes());
            // Half a second on an idle machine, without optimisation.
            assert!(start.elapsed() < Duration::from_secs(20), "{unit:?}: {:?}", start.elapsed());
        }
    }

    proptest! {
        #[test]
        fn any_file_is_read_and_what_is_taken_out_comes_back(source in file()) {
            for form in Form::ALL {
                let Ok(found) = find(form, &source) else { continue };
                for one in &found {
                    let secret = one.secret.expose_secret();
                    prop_assert!(one.line >= 1);
                    prop_assert!(!one.name.contains(char::is_control));
                    prop_assert!(secret.len() < 20 || !one.name.contains(secret));
                    prop_assert!(secret.is_empty() || mask::mask(&one.secret) != secret);
                }
                let places: Vec<usize> = (0..found.len()).collect();
                let put = |_| "http://127.0.0.1:7407".to_owned();
                let (splices, _) = take(form, &source, &found, &places, put);
                let after = edit::apply(&source, &splices).expect("the pieces are apart");
                let back = edit::revert(&after, &splices).expect("they fit");
                prop_assert_eq!(back.as_slice(), source.as_slice());
            }
        }
    }
}

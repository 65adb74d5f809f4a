//! The secret: from standard input, or from the person at the terminal. Never from argv, the
//! environment or a URL.

use std::io::{self, Read};

use secrecy::zeroize::Zeroizing;

use crate::{
    core::{
        fault::{Fault, Kind},
        secret::{ExposeSecret, SecretString},
    },
    front::{Context, login::prompt},
};

/// A longer secret is a mistake, in bytes: git's protocol has lines of at most 65,535.
const MAX_SECRET: usize = 60 * 1024;
const BLOCK: usize = 8192;

/// Where the secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// `--with-token`
    Stdin,
    /// A prompt.
    Terminal,
}

/// Reads the secret.
pub(super) fn read(from: From, question: &str, context: &Context) -> Result<SecretString, Fault> {
    let secret = match from {
        From::Stdin => stdin(io::stdin().lock())?,
        From::Terminal if prompt::is_attended(&context.env) => prompt::secret(question)?,
        From::Terminal => {
            return Err(Fault::new(Kind::Usage, "nobody is at the terminal to type a secret")
                .hint("pipe it in: `gocred login HOST --with-token < FILE`"));
        }
    };
    check(&secret)?;
    Ok(secret)
}

/// Reads everything, and cuts one newline at the end.
fn stdin(mut input: impl Read) -> Result<SecretString, Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET + BLOCK));
    // A block as large as std's own buffer passes that one over, which is never wiped.
    let mut block = Zeroizing::new([0; BLOCK]);
    while bytes.len() <= MAX_SECRET {
        match input.read(block.as_mut_slice()) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(block.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(
                    Fault::new(Kind::Usage, "standard input cannot be read").cause(error.kind())
                );
            }
        }
    }
    if bytes.len() > MAX_SECRET {
        return Err(Fault::new(
            Kind::Usage,
            format!("the secret on standard input is longer than {MAX_SECRET} bytes"),
        ));
    }
    let line = bytes.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let text = str::from_utf8(line.unwrap_or(&bytes));
    text.map(SecretString::from)
        .map_err(|_| Fault::new(Kind::Usage, "the secret on standard input is not UTF-8"))
}

/// Refuses what no header and no line of git's protocol can carry.
fn check(secret: &SecretString) -> Result<(), Fault> {
    let text = secret.expose_secret();
    if text.is_empty() {
        return Err(Fault::new(Kind::Usage, "the secret is empty; nothing was stored"));
    }
    if text.contains(['\0', '\r', '\n']) {
        return Err(Fault::new(
            Kind::Usage,
            "the secret holds a line end or a NUL; it must be one line",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_SECRET, check, stdin};
    use crate::core::{fault::Kind, secret::ExposeSecret};

    #[test]
    fn one_newline_at_the_end_is_cut() {
        for (input, secret) in [("a b\n", "a b"), ("a", "a"), ("a\r\n", "a"), (" a \n", " a ")] {
            assert_eq!(stdin(input.as_bytes()).unwrap().expose_secret(), secret);
        }
    }

    #[test]
    fn what_is_not_one_line_is_refused_without_repeating_it() {
        for input in ["", "\n", "hunter2\n\n", "hunter2\nx", "hunter2\0", "hunter2\rx"] {
            let fault = check(&stdin(input.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(fault.kind, Kind::Usage);
            assert!(!fault.to_string().contains("hunter2"));
        }
        assert!(stdin(&b"\xff\n"[..]).is_err());
        let long = vec![b'x'; MAX_SECRET + 1];
        assert!(stdin(&long[..]).is_err());
    }
}

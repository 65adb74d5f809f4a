//! A command that prints a credential: the tool of a cloud, `pass`, or a script of the company. It gets
//! an environment without secrets, no standard input, no folder of somebody else's, and five seconds.

use std::{ffi::OsStr, path::Path, time::Duration};

use crate::{
    broker::{Lease, SourceError},
    core::{config::SourceRule, credential::UnixTime, secret::SecretString},
    source::{
        fields::{self, Fields},
        lease as leased, password,
    },
    sys::{
        env::Env,
        run::{self, Output},
    },
};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Runs it. It prints a JSON object, or nothing but the secret, in one line.
pub(super) fn lease(
    rule: &SourceRule,
    account: String,
    env: &Env,
    now: UnixTime,
) -> Result<Lease, SourceError> {
    let output = run(&rule.command, &[], b"", env)?;
    let broken = |what: &str| SourceError::Broken(format!("{} {what}", program(&rule.command)));
    let printed = &output.stdout;
    if printed.trim_ascii_start().starts_with(b"{") {
        let fields: Fields = serde_json::from_slice(printed)
            .map_err(|error| broken(&format!("prints no JSON: {}", place(&error))))?;
        // Where `user` is no field, it is the account, as without fields.
        let user = rule.user.clone().filter(|name| fields.contains_key(name));
        let rule = &SourceRule { user, ..rule.clone() };
        let named =
            fields::named(&fields, rule).map_err(|what| broken(&format!("prints: {what}")))?;
        if named.ends.is_some_and(|end| end <= now) {
            return Err(broken("prints a credential that has ended"));
        }
        let user = named.user.unwrap_or(account);
        return Ok(leased("exec", (user, password(named.secret)), named.ends, rule.cache, now));
    }
    let line = printed.strip_suffix(b"\n").unwrap_or(printed);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_secret = |text: &&str| !text.is_empty() && !text.contains(char::is_control);
    let Some(secret) = std::str::from_utf8(line).ok().filter(is_secret) else {
        return Err(broken("prints neither a JSON object nor one line of text"));
    };
    let proof = password(SecretString::from(secret));
    Ok(leased("exec", (account, proof), None, rule.cache, now))
}

/// Runs a command with more arguments and this input. One that fails says nothing of what it printed:
/// half of it may be a secret.
pub(super) fn run(
    words: &[String],
    more: &[&str],
    input: &[u8],
    env: &Env,
) -> Result<Output, SourceError> {
    let name = program(words);
    let arguments = words.iter().skip(1).map(String::as_str).chain(more.iter().copied());
    let arguments: Vec<&OsStr> = arguments.map(OsStr::new).collect();
    let output = run::alone(Path::new(name), &arguments, &env.harmless(), input, LIMIT);
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => SourceError::Silent(format!("{name}: {error}")),
        _ => SourceError::Broken(format!("{name} cannot be run: {error}")),
    })?;
    match output.code {
        Some(0) => Ok(output),
        Some(code) => Err(SourceError::Broken(format!("{name} ended with {code}"))),
        None => Err(SourceError::Broken(format!("{name} was ended by a signal"))),
    }
}

fn program(words: &[String]) -> &str {
    words.first().map_or("", String::as_str)
}

/// Says where JSON is wrong, and nothing of what stands there.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::lease;
    use crate::{
        broker::{CacheFor, SourceError},
        core::{config::SourceRule, credential::Proof, secret::ExposeSecret},
        sys::env::Env,
    };

    fn of(script: &str) -> Result<(String, CacheFor), SourceError> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let rule = SourceRule { command, ..SourceRule::default() };
        let env = Env::of(&[("HOME", "/home/ana"), ("GOAUTH", "x")]);
        let lease = lease(&rule, "bot".to_owned(), &env, 1000)?;
        let Proof::Password(secret) = lease.proof else { panic!("a password") };
        Ok((format!("{}:{}", lease.user, secret.expose_secret()), lease.cache))
    }

    #[test]
    fn it_prints_json_or_one_line() {
        assert_eq!(of("echo s3cret"), Ok(("bot:s3cret".to_owned(), CacheFor::Never)));
        assert_eq!(of("printf 'a b\\r\\n'").unwrap().0, "bot:a b");
        let json = r#"echo '{"username":"ana","password":"pw","expires_at":2000}'"#;
        assert_eq!(of(json), Ok(("ana:pw".to_owned(), CacheFor::Until(2000))));
        assert_eq!(of(r#"echo ' {"password":"pw"}'"#).unwrap().0, "bot:pw");
        // It says whom it is for; else the configuration does.
        let command = ["/bin/sh", "-c", json].map(str::to_owned).to_vec();
        for (user, expected) in [("password", "pw"), ("bot", "ana")] {
            let rule = SourceRule {
                user: Some(user.to_owned()),
                command: command.clone(),
                ..SourceRule::default()
            };
            let lease = lease(&rule, user.to_owned(), &Env::of(&[]), 1000).unwrap();
            assert_eq!(lease.user, expected);
        }
    }

    #[test]
    fn what_fails_says_so_and_nothing_that_was_printed() {
        for (script, what) in [
            ("echo hunter2; exit 3", "ended with 3"),
            ("echo hunter2; kill -9 $$", "a signal"),
            ("true", "neither a JSON object"),
            ("printf 'hunter2\\nhunter2\\n'", "one line of text"),
            ("printf '\\377hunter2'", "one line of text"),
            ("echo '{\"password\":\"hunter2\"'", "no JSON: line 2"),
            ("echo '{\"secret\":\"hunter2\"}'", "`password`"),
            ("echo '{\"password\":\"hunter2\",\"expires_at\":999}'", "has ended"),
        ] {
            let error = of(script).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains("hunter2"), "{script}: {error}");
        }
        let rule = SourceRule { command: vec!["/none".to_owned()], ..SourceRule::default() };
        assert!(lease(&rule, String::new(), &Env::of(&[]), 0).is_err());
    }

    #[test]
    fn its_environment_has_what_a_tool_needs_and_nothing_else() {
        assert_eq!(of("echo $HOME$GOAUTH$CARGO_MANIFEST_DIR").unwrap().0, "bot:/home/ana");
        assert_eq!(of("pwd").unwrap().0, "bot:/");
    }
}

//! Another git credential helper, by its absolute path and in its own protocol (gitcredentials(7)). It is
//! only ever asked: what it said is not given back to it, and nothing is erased there.

use std::fmt::Write as _;

use secrecy::zeroize::Zeroizing;

use crate::{
    broker::{Lease, SourceError, Wanted},
    core::{
        config::SourceRule,
        credential::Secrets,
        gitproto::{Request, decode::Decoder},
    },
    source::{exec, lease as leased},
    sys::env::Env,
};

/// Asks it. `Ok(None)`: it has nothing.
pub(super) fn lease(
    rule: &SourceRule,
    wanted: &Wanted<'_>,
    env: &Env,
) -> Result<Option<Lease>, SourceError> {
    let question = question(wanted);
    let output = exec::run(&rule.command, &["get"], question.as_bytes(), env)?;
    let name = rule.command.first().map_or("", String::as_str);
    let Some(Answer { user, secrets, ends }) = parse(&output.stdout)
        .map_err(|what| SourceError::Broken(format!("{name} answers wrongly: {what}")))?
    else {
        return Ok(None);
    };
    // git itself asks on where a helper's answer has ended.
    if ends.is_some_and(|end| end <= wanted.now) {
        return Ok(None);
    }
    Ok(Some(leased("helper", (user, secrets.proof), ends, rule.cache, wanted.now)))
}

fn question(wanted: &Wanted<'_>) -> String {
    let Wanted { origin, path, user, now: _ } = wanted;
    let mut text = format!(
        "capability[]=authtype\nprotocol={}\nhost={}\n",
        origin.scheme(),
        origin.authority()
    );
    for (key, value) in [("path", path), ("username", user)] {
        // The decoder of git's requests lets no line feed through, and another front must not.
        if let Some(value) = value.filter(|value| !value.contains(['\n', '\r', '\0'])) {
            let _ = writeln!(text, "{key}={value}");
        }
    }
    text.push('\n');
    text
}

struct Answer {
    user: String,
    secrets: Secrets,
    ends: Option<u64>,
}

/// Reads what a helper says: the same attributes as in a request.
fn parse(bytes: &Zeroizing<Vec<u8>>) -> Result<Option<Answer>, String> {
    let mut decoder = Decoder::default();
    decoder.feed(bytes).map_err(|error| error.what.to_string())?;
    let request = decoder.finish().map_err(|error| error.what.to_string())?;
    let Some(secrets) = request.secrets() else { return Ok(None) };
    let Request { username, password_expiry_utc, .. } = request;
    Ok(Some(Answer { user: username.unwrap_or_default(), secrets, ends: password_expiry_utc }))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::lease;
    use crate::{
        broker::{CacheFor, Lease, SourceError, Wanted},
        core::{config::SourceRule, credential::Proof, origin::Origin, secret::ExposeSecret},
        sys::env::Env,
    };

    fn of(script: &str) -> Result<Option<Lease>, SourceError> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let rule = SourceRule { command, ..SourceRule::default() };
        let origin = Origin::new("https", "h:8443").unwrap();
        let wanted = Wanted { origin: &origin, path: Some("a/b"), user: None, now: 1000 };
        lease(&rule, &wanted, &Env::of(&[]))
    }

    #[test]
    fn it_is_asked_as_git_asks_and_its_answer_is_read() {
        let script = "test $0 = get; { tr '\\n' ' '; } | sed 's/^/username=x\\npassword=/'";
        let lease = of(script).unwrap().unwrap();
        let Proof::Password(secret) = lease.proof else { panic!("a password") };
        let asked = "capability[]=authtype protocol=https host=h:8443 path=a/b  ";
        assert_eq!(secret.expose_secret(), asked);
        let script = "echo authtype=Bearer; echo credential=t; echo password_expiry_utc=1100";
        let lease = of(script).unwrap().unwrap();
        assert!(matches!(lease.proof, Proof::Encoded { .. }));
        assert_eq!((lease.cache, lease.refresh_at), (CacheFor::Until(1100), Some(1080)));
    }

    #[test]
    fn nothing_is_nothing_and_noise_is_an_error_that_repeats_none_of_it() {
        for script in ["true", "echo username=x", "echo quit=1", "printf 'username=x\\n\\n'"] {
            assert!(of(script).unwrap().is_none(), "{script}");
        }
        let ended = "echo username=x; echo password=y; echo password_expiry_utc=999";
        assert!(of(ended).unwrap().is_none());
        let error = of("echo hunter2").unwrap_err().to_string();
        assert!(error.contains("answers wrongly") && !error.contains("hunter2"), "{error}");
        assert!(of("echo username=x; exit 1").is_err());
    }
}

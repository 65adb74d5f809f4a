//! G35: ssh does not trust the server's key, or has no key of its own that it can use. Whether the server takes one
//! is not tried.

use crate::core::doctor::{
    finding::{Confidence, Finding, Kind, Severity},
    judge::{Case, say},
    leg::Leg,
    place::Place,
    plan::ssh::{Config, Question, answered, of},
    probe::Ran,
    shell::quoted,
};

/// A line of a file of known keys, or what a server shows.
struct Known {
    /// `@revoked`, `@cert-authority`, or nothing.
    mark: String,
    kind: String,
    key: String,
    /// Its file and line.
    place: Place,
}

/// Judges what OpenSSH's programs said of a server that answers.
pub(super) fn findings(leg: &Leg<'_>, case: &Case<'_>) -> Vec<Finding> {
    let is_for_go = leg.module.is_some();
    let config = answered(case.answers, case.machine, &leg.asked.link, is_for_go);
    let Some(mut config) = config else { return Vec::new() };
    let can_ask = case.machine.has_terminal || case.machine.variable("SSH_ASKPASS").is_some();
    config.is_batch |= !can_ask;
    let ask = |question: &Question<'_>| of(case.answers, &config.probe(question));
    let server = server(leg, &config, ask);
    server.into_iter().chain(own(leg, &config, ask)).collect()
}

/// The server's key: unknown, another one, or revoked.
fn server<'a>(
    leg: &Leg<'_>,
    config: &Config,
    ask: impl Fn(&Question<'_>) -> Option<&'a Ran>,
) -> Option<Finding> {
    let files = config.known.as_ref()?;
    let shown = ask(&Question::Shown).map(|ran| keys(ran.output.raw(), "")).unwrap_or_default();
    let mut known = Vec::new();
    for file in files {
        // Under the name alone, where there is a port, ssh looks for the same key only (sshconnect.c, "checking
        // without port identifier"): another one there is another server's.
        for (index, name) in config.names.iter().enumerate() {
            let ran = ask(&Question::Known(name, file));
            let found = ran.map(|ran| keys(ran.output.raw(), file)).unwrap_or_default();
            known.extend(found.into_iter().map(|known| (index == 0, known)));
        }
    }
    if known.iter().any(|(_, known)| known.mark == "@cert-authority") {
        return None;
    }
    let same = |one: &Known| shown.iter().any(|own| own.kind == one.kind && own.key == one.key);
    let revoked = known.iter().map(|(_, it)| it).find(|it| it.mark == "@revoked" && same(it));
    if let Some(revoked) = revoked {
        let reason = format!("{} marks the key of {} as revoked.", revoked.place, endpoint(config));
        return Some(start(leg, reason).seen(
            Kind::File,
            revoked.place.clone(),
            "@revoked",
            "none",
        ));
    }
    known.retain(|(_, known)| known.mark.is_empty());
    let is_known = known.iter().any(|(_, known)| same(known));
    known.retain(|(is_own, _)| *is_own);
    if is_known || shown.is_empty() && (!known.is_empty() || config.strict != "yes") {
        return None;
    }
    match known
        .iter()
        .map(|(_, it)| it)
        .find(|known| shown.iter().any(|own| own.kind == known.kind))
    {
        Some(other) => Some(changed(leg, config, other)),
        None => unknown(leg, config),
    }
}

/// The command by which a person sees the fingerprints of the server's keys.
fn fingerprint(config: &Config) -> String {
    format!("ssh-keyscan -p {} {} | ssh-keygen -lf -", config.port, quoted(&config.host))
}

/// Another key of the same kind is known.
fn changed(leg: &Leg<'_>, config: &Config, other: &Known) -> Finding {
    let (Known { kind, place, .. }, endpoint) = (other, endpoint(config));
    let reason = format!(
        "{endpoint} shows another {kind} key than {place} has: the server was set up anew, or somebody stands \
         between."
    );
    let name = config.names.first().map_or("", String::as_str);
    let file = match place {
        Place::File(file, _) => file.display().to_string(),
        _ => String::new(),
    };
    let mut finding = start(leg, reason)
        .seen(Kind::File, place.clone(), format!("another {kind} key"), "the server's")
        .reproduce(fingerprint(config))
        .run(format!("ssh-keygen -R {} -f {}", quoted(name), quoted(&file)));
    "compare the new fingerprint with the one that the server's owner publishes; then take the old line out"
        .clone_into(&mut finding.fix.text);
    if config.strict == "no" { finding.severity(Severity::Warning) } else { finding }
}

/// No key of the server is known.
fn unknown(leg: &Leg<'_>, config: &Config) -> Option<Finding> {
    if !["yes", "ask"].contains(&config.strict.as_str()) {
        return None;
    }
    let (is_asked, endpoint) = (config.strict == "ask" && !config.is_batch, endpoint(config));
    let reason = if is_asked {
        format!(
            "The key of {endpoint} is not known: ssh asks whether it is right, and fails where nobody can answer."
        )
    } else {
        format!(
            "The key of {endpoint} is not known, and ssh may not take it (StrictHostKeyChecking={}){}.",
            config.strict,
            if config.is_batch {
                ", nor is there anybody to ask (BatchMode, or no terminal)"
            } else {
                ""
            }
        )
    };
    let files = config.known.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let finding = start(leg, reason)
        .seen(Kind::File, Place::Endpoint(endpoint), "no line in the known keys", files)
        .reproduce(fingerprint(config))
        .run(fingerprint(config));
    Some(if is_asked { finding.severity(Severity::Warning) } else { finding })
}

fn endpoint(config: &Config) -> String {
    format!("{}:{}", config.host, config.port)
}

/// The user's keys: readable by others, behind a passphrase that nobody gives, or none at all.
fn own<'a>(
    leg: &Leg<'_>,
    config: &Config,
    ask: impl Fn(&Question<'_>) -> Option<&'a Ran>,
) -> Option<Finding> {
    let keys = config.keys.as_ref()?;
    let is_agent = config.agent.as_deref() != Some("");
    if is_agent && ask(&Question::Agent)?.code == Some(0) {
        return None;
    }
    let (mut open, mut locked) = (None, None);
    for file in keys {
        let Some(ran) = ask(&Question::Key(file)) else { continue };
        if ran.code == Some(0) {
            return None;
        }
        if ran.error.contains("too open") {
            open = open.or(Some(file));
        } else if ran.error.contains("incorrect passphrase") {
            locked = locked.or(Some(file));
        } else if !ran.error.contains("No such file") {
            // A token, or a kind of file that is not known here.
            return None;
        }
    }
    let place = |file: &String| Place::File(file.into(), None);
    let finding = match (open, locked) {
        (Some(file), _) => {
            let reason = format!(
                "ssh passes over the key in {file}: others can read it. No other key is left, and no agent has one."
            );
            start(leg, reason)
                .seen(Kind::File, place(file), "readable by others", "mode 0600")
                .reproduce(format!("ls -l {}", quoted(file)))
                .run(format!("chmod 600 {}", quoted(file)))
        }
        (None, Some(file)) => {
            let reason = format!(
                "the key in {file} is behind a passphrase, no agent has it, and {}.",
                if config.is_batch {
                    "nobody can be asked for it (BatchMode, or no terminal)"
                } else {
                    "ssh asks for it each time: it fails where nobody can answer"
                }
            );
            let finding = start(leg, reason)
                .seen(Kind::File, place(file), "encrypted", "a key that an agent holds")
                .reproduce("ssh-add -l")
                .run(format!("ssh-add {}", quoted(file)));
            if config.is_batch { finding } else { finding.severity(Severity::Warning) }
        }
        (None, None) => {
            let reason = format!(
                "ssh has no key to log in with at {}: no agent has one, and none of its files is there.",
                config.host
            );
            let finding = start(leg, reason)
                .confidence(Confidence::Likely)
                .seen(Kind::File, Place::Default("ssh"), "no key", keys.join(", "))
                .reproduce("ssh-add -l; ls ~/.ssh")
                .run("ssh-keygen -t ed25519");
            // With a terminal somebody may type a password, where a server takes one.
            if config.is_batch { finding } else { finding.severity(Severity::Warning) }
        }
    };
    Some(finding)
}

fn start(leg: &Leg<'_>, reason: String) -> Finding {
    say::about(leg, "G35", reason)
}

/// Reads lines of known keys, as `ssh-keygen -F` and `ssh-keyscan` print them. Behind `# … found: line N` stands the
/// line N of the file.
fn keys(output: &str, file: &str) -> Vec<Known> {
    let (mut known, mut line) = (Vec::new(), None);
    for text in output.lines() {
        if let Some(rest) = text.strip_prefix('#') {
            let number = rest
                .rsplit_once("found: line ")
                .and_then(|(_, number)| number.split(' ').next()?.parse().ok());
            line = number.or(line);
            continue;
        }
        let mut words = text.split_whitespace().peekable();
        let mark = words.next_if(|word| word.starts_with('@')).unwrap_or_default().to_owned();
        let (Some(_), Some(kind), Some(key)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let (kind, key) = (kind.to_owned(), key.to_owned());
        known.push(Known { mark, kind, key, place: Place::File(file.into(), line) });
    }
    known
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn a_known_key_is_told_with_its_line() {
        let said = "# Host [h.test]:2222 found: line 3 \n[h.test]:2222 ssh-ed25519 AAAAx c\n\
                    # Host h.test found: line 7 REVOKED\n@revoked |1|a=|b= ssh-rsa AAAAy\n";
        let all: Vec<String> = keys(said, "/k")
            .into_iter()
            .map(|it| format!("{} {} {} {}", it.place, it.mark, it.kind, it.key))
            .collect();
        assert_eq!(all, ["/k:3  ssh-ed25519 AAAAx", "/k:7 @revoked ssh-rsa AAAAy"]);
        let shown = keys("# h.test:22 SSH-2.0-OpenSSH_9.2p1\nh.test ssh-rsa AAAAy\n", "");
        assert_eq!((shown.len(), shown[0].key.as_str()), (1, "AAAAy"));
    }
}

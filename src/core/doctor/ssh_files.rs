//! OpenSSH's own files (`ssh_config(5)`), as far as they decide whether `ssh -G` can be asked for what counts for a host.
//!
//! What they say is ssh's to tell. Here it is only seen whether telling runs a program (`Match exec`), and whether it
//! depends on what a diagnosis does not know: the user, who is not part of an origin, and git's command.

/// The criteria of `Match` that are not for `ssh -G`.
const UNASKABLE: &[&str] = &["exec", "user", "command", "sessiontype", "version"];

/// Returns the paths that a file includes, as they are written. `None`: `ssh -G` must not be asked.
pub fn includes(text: &str) -> Option<Vec<String>> {
    let mut paths = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with('#') {
            continue;
        }
        let separators = [' ', '\t', '=', '"', '\r', '\u{c}'];
        let mut words = line.split(separators).filter(|word| !word.is_empty());
        let keyword = words.next().unwrap_or_default();
        if keyword.eq_ignore_ascii_case("match") {
            let is_unaskable = |word: &str| {
                let word = word.trim_start_matches('!').to_ascii_lowercase();
                UNASKABLE.contains(&word.as_str())
            };
            if words.any(is_unaskable) {
                return None;
            }
        } else if keyword.eq_ignore_ascii_case("include") {
            let (_, rest) = line.split_at(line.find(separators).unwrap_or(line.len()));
            paths.extend(arguments(rest.trim_start_matches([' ', '\t', '=']))?);
        }
    }
    Some(paths)
}

/// Takes a list of paths apart. `None`: it is written in a way that is not read here.
fn arguments(mut rest: &str) -> Option<Vec<String>> {
    let mut paths = Vec::new();
    loop {
        rest = rest.trim_start();
        let (path, behind) = match rest.chars().next() {
            None | Some('#') => return Some(paths),
            Some('"') => rest.get(1..)?.split_once('"')?,
            Some(_) => rest.split_once([' ', '\t', '\r']).unwrap_or((rest, "")),
        };
        if path.contains(['\\', '\'', '"', '%', '$']) {
            return None;
        }
        paths.push(path.to_owned());
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::includes;

    #[test]
    fn what_runs_a_program_or_is_not_known_is_not_asked_for() {
        for (text, paths) in [
            ("", Some(&[][..])),
            (
                "Host a\n\tPort 3\nMatch host b\n\tUser git\nMatch all\nMatch final host c\n",
                Some(&[]),
            ),
            ("Match host b exec \"id\"\n", None),
            ("  match !EXEC id\n", None),
            ("Match=exec id\n", None),
            ("Match user git\n", None),
            ("# Match exec id\nHost exec\n", Some(&[])),
            (
                "Include a ~/b \"c d\"\ninclude=config.d/*\r\n",
                Some(&["a", "~/b", "c d", "config.d/*"]),
            ),
            ("Include ${HOME}/x\n", None),
            ("Include 'x y'\n", None),
            ("Include \"x\n", None),
        ] {
            let wanted = paths.map(|paths| paths.iter().map(|it| (*it).to_owned()).collect());
            assert_eq!(includes(text), wanted, "{text}");
        }
    }
}

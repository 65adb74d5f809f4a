//! Whether a host took a credential: the verdict on an answer without and an answer with it.
//!
//! It is deliberately careful: only an answer that changes to a success proves anything, and only a
//! refusal that stays one rejects (decisions.md).

/// What two answers prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 401 or 404 without, 2xx with.
    Accepted,
    /// 401 without and with.
    Rejected,
    /// Neither.
    Undecidable,
}

/// What a host answered to a request without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anonymous {
    /// The status code.
    pub status: u16,
    /// The schemes that it offers (RFC 9110 §11.6.1), lower case.
    pub schemes: Vec<String>,
}

/// Compares the status without a credential with the one with it.
pub fn verdict(without: u16, with: u16) -> Verdict {
    match (without, with) {
        (401 | 404, 200..=299) => Verdict::Accepted,
        (401, 401) => Verdict::Rejected,
        _ => Verdict::Undecidable,
    }
}

impl Anonymous {
    /// Returns whether a second request, with the credential, can prove anything.
    pub fn is_telling(&self) -> bool {
        match self.status {
            401 => self.schemes.is_empty() || self.schemes.iter().any(|scheme| scheme == "basic"),
            404 => true,
            _ => false,
        }
    }
}

/// Chooses the requests that are repeated with the credential, in order: every one that was refused
/// with 401, because its answer is clear; else the first that was hidden behind a 404. Whoever asks
/// stops at the first one that is not undecidable, so that a wrong secret is sent once.
pub fn worth_repeating(answers: &[Anonymous]) -> Vec<usize> {
    let telling = || answers.iter().enumerate().filter(|(_, answer)| answer.is_telling());
    let refused: Vec<usize> =
        telling().filter(|(_, answer)| answer.status == 401).map(|(index, _)| index).collect();
    if refused.is_empty() { telling().take(1).map(|(index, _)| index).collect() } else { refused }
}

/// Returns the paths that are asked for a path of the user: a repository's advertisement
/// (gitprotocol-http(5)), a module proxy's list, and the path itself. What is below the path comes
/// first: its neighbour may belong to somebody else. Without a path, the root.
pub fn paths(path: &str) -> Vec<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let refs = "/info/refs?service=git-upload-pack";
    if path.is_empty() {
        return vec!["/".to_owned(), "/?go-get=1".to_owned()];
    }
    if path.strip_suffix(".git").is_some() {
        return vec![format!("{path}{refs}")];
    }
    if path.ends_with("/@v/list") {
        return vec![path.to_owned()];
    }
    vec![
        format!("{path}{refs}"),
        format!("{path}.git{refs}"),
        format!("{path}/@v/list"),
        format!("{path}?go-get=1"),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Anonymous, Verdict, paths, verdict, worth_repeating};

    #[test]
    fn only_a_refusal_that_turns_into_success_accepts() {
        for (without, with, expected) in [
            (401, 200, Verdict::Accepted),
            (404, 200, Verdict::Accepted),
            (401, 401, Verdict::Rejected),
            (404, 404, Verdict::Undecidable),
            (404, 401, Verdict::Undecidable),
            (401, 403, Verdict::Undecidable),
            (401, 404, Verdict::Undecidable),
            (401, 302, Verdict::Undecidable),
            (401, 500, Verdict::Undecidable),
            (200, 200, Verdict::Undecidable),
            (403, 200, Verdict::Undecidable),
        ] {
            assert_eq!(verdict(without, with), expected, "{without} {with}");
        }
    }

    #[test]
    fn clear_refusals_are_repeated_first_and_one_hidden_page_otherwise() {
        let answers = |statuses: &[u16]| -> Vec<Anonymous> {
            statuses.iter().map(|&status| Anonymous { status, schemes: Vec::new() }).collect()
        };
        assert_eq!(worth_repeating(&answers(&[404, 401, 200, 401])), [1, 3]);
        assert_eq!(worth_repeating(&answers(&[302, 404, 404])), [1]);
        assert_eq!(worth_repeating(&answers(&[200, 302, 403, 500])), [0; 0]);
    }

    #[test]
    fn a_host_that_does_not_take_basic_is_not_tried_with_it() {
        let only = |scheme: &str| Anonymous { status: 401, schemes: vec![scheme.to_owned()] };
        assert!(!only("negotiate").is_telling());
        assert!(only("basic").is_telling());
    }

    #[test]
    fn a_path_is_asked_as_repository_and_as_module_proxy() {
        assert_eq!(paths("/t/lib.git"), ["/t/lib.git/info/refs?service=git-upload-pack"]);
        assert_eq!(paths("/t/lib/").len(), 4);
        assert_eq!(paths(""), paths("/"));
        assert_eq!(paths("/a/@v/list"), ["/a/@v/list"]);
    }
}

//! Challenges (RFC 9110 §11.6.1): the lists of `Proxy-Authenticate` and `WWW-Authenticate`.
//!
//! It does not judge which scheme is the best; a list that breaks off gives what came before.

use crate::core::http1::is_token;

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, case as received.
    pub scheme: String,
    /// The parameters, names in lower case, values without quotes.
    pub params: Vec<(String, String)>,
    /// The token that some schemes send instead of parameters (NTLM, Negotiate).
    pub token: Option<String>,
}

impl Challenge {
    /// Returns whether it is of a scheme, whatever its case.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// Returns a parameter. `name` is lower case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Parses one field value, which may hold several challenges.
pub fn parse(value: &[u8]) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = Rest(value);
    loop {
        rest.skip(b", \t");
        let Some(word) = rest.token() else { return challenges };
        if let Some(text) = rest.value_after_equals() {
            // A parameter belongs to the scheme before it; without one it means nothing.
            let Some(last) = challenges.last_mut() else { return challenges };
            last.params.push((word.to_ascii_lowercase(), text));
            continue;
        }
        if rest.0.trim_ascii_start().starts_with(b"=") {
            return challenges;
        }
        let token = rest.token68();
        challenges.push(Challenge { scheme: word, params: Vec::new(), token });
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, bytes: &[u8]) {
        while let Some((_, rest)) = self.0.split_first().filter(|(first, _)| bytes.contains(first))
        {
            self.0 = rest;
        }
    }

    fn token(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| !is_token(*byte)).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (!word.is_empty()).then(|| word.iter().copied().map(char::from).collect())
    }

    /// Takes `= token` or `= "quoted"`, with the blanks that RFC 9110 §11.2 tolerates.
    fn value_after_equals(&mut self) -> Option<String> {
        let mut rest = Rest(self.0);
        rest.skip(b" \t");
        rest.0 = rest.0.strip_prefix(b"=")?;
        rest.skip(b" \t");
        let value = match rest.0.strip_prefix(b"\"") {
            Some(quoted) => {
                rest.0 = quoted;
                rest.quoted()
            }
            None => rest.token(),
        }?;
        self.0 = rest.0;
        Some(value)
    }

    /// Takes what stands before the closing quote (RFC 9110 §5.6.4).
    fn quoted(&mut self) -> Option<String> {
        let mut value = Vec::new();
        let mut bytes = self.0.iter();
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' => value.push(*bytes.next()?),
                byte => value.push(*byte),
            }
        }
        self.0 = bytes.as_slice();
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// Takes a token68 (RFC 9110 §11.2) that ends where its list element ends. What is a parameter
    /// (`realm=x`) is left alone: its `=` is followed by a value.
    fn token68(&mut self) -> Option<String> {
        let mut rest = Rest(self.0);
        rest.skip(b" ");
        let is_token68 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
        let letters = rest.0.iter().take_while(|byte| is_token68(byte)).count();
        let pad = rest.0.iter().skip(letters).take_while(|byte| **byte == b'=').count();
        let (word, after) = rest.0.split_at_checked(letters + pad)?;
        let ends = after.trim_ascii_start().first().is_none_or(|byte| *byte == b',');
        if letters == 0 || !ends {
            return None;
        }
        self.0 = after;
        Some(word.iter().copied().map(char::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Challenge, parse};

    fn shown(challenges: &[Challenge]) -> String {
        let one = |challenge: &Challenge| {
            let params = challenge.params.iter().map(|(name, value)| format!(" {name}={value:?}"));
            let token = challenge.token.iter().map(|token| format!(" <{token}>"));
            format!("{}{}", challenge.scheme, token.chain(params).collect::<String>())
        };
        challenges.iter().map(one).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn lists_are_taken_apart() {
        for (value, expected) in [
            ("", ""),
            ("Negotiate", "Negotiate"),
            ("Negotiate, NTLM", "Negotiate | NTLM"),
            ("NTLM TlRMTVNTUAAC=", "NTLM <TlRMTVNTUAAC=>"),
            ("Basic realm=\"Corp, \\\"Web\\\" Proxy\"", "Basic realm=\"Corp, \\\"Web\\\" Proxy\""),
            (
                "Basic realm=x, charset=\"UTF-8\", NTLM",
                "Basic realm=\"x\" charset=\"UTF-8\" | NTLM",
            ),
            ("Digest realm = \"r\" , nonce=n==, Basic realm=b", "Digest realm=\"r\" nonce=\"n\""),
            (", , Basic REALM=\"\",, Bearer", "Basic realm=\"\" | Bearer"),
            (
                "Bearer scope=\"a b\", Negotiate YII=, Basic realm=\"r\"",
                "Bearer scope=\"a b\" | Negotiate <YII=> | Basic realm=\"r\"",
            ),
            ("realm=\"no scheme\"", ""),
            ("Basic realm=\"open", "Basic"),
        ] {
            assert_eq!(shown(&parse(value.as_bytes())), expected, "{value}");
        }
    }

    #[test]
    fn schemes_and_parameters_have_no_case() {
        let challenges = parse(b"bAsIc ReAlM=\"r\"");
        assert!(challenges[0].is("Basic"));
        assert_eq!(challenges[0].param("realm"), Some("r"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_written_list_is_read_again(list in prop::collection::vec(("[A-Z][a-z]{1,6}", "[ -!#-\\[\\]-~]{0,12}"), 1..4)) {
            let text: Vec<String> = list.iter().map(|(scheme, realm)| format!("{scheme} realm=\"{realm}\"")).collect();
            let read = parse(text.join(", ").as_bytes());
            let pairs: Vec<_> = read.iter().map(|c| (c.scheme.clone(), c.param("realm").unwrap_or("-").to_owned())).collect();
            prop_assert_eq!(pairs, list);
        }
    }
}

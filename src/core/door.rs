//! What the running loopback proxy tells git's helper on its control socket: the token of its door,
//! where that is, and what stands in the way behind it. One line of JSON asks, and one answers.
//!
//! The helper links no JSON library. It reads this one answer only, whose fields are `null` or text.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::core::{origin::Origin, secret::SecretString};

/// The question, with its line end.
pub const QUESTION: &str = "{\"ask\":\"door\"}\n";

/// The answer.
#[derive(Clone, Debug)]
pub struct Door {
    /// What opens it, together with the user name [`USER`].
    pub token: SecretString,
    /// Where it is.
    pub listen: Vec<SocketAddr>,
    /// Why no request will pass, where that is known: `gocred[P02]: …; run: …`.
    pub trouble: Option<String>,
    /// What a client was told last, in the same form.
    pub finding: Option<String>,
}

/// The user name that goes with the token.
pub const USER: &str = "gocred";

impl Door {
    /// Parses the answer. `None`: it is not one.
    pub fn parse(line: &str) -> Option<Self> {
        let listen = field(line, "listen")?;
        Some(Self {
            token: field(line, "token")?.into(),
            listen: listen.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?,
            trouble: field(line, "trouble"),
            finding: field(line, "finding"),
        })
    }

    /// Returns whether it is at the place that a URL names.
    pub fn is_at(&self, origin: &Origin) -> bool {
        let port = origin.port().unwrap_or(80);
        let hosts = hosts(origin);
        self.listen.iter().any(|door| door.port() == port && hosts.contains(&door.ip()))
    }
}

/// Returns the addresses of this machine that a host stands for: of a name that is none, no one.
pub fn hosts(origin: &Origin) -> Vec<IpAddr> {
    let host = origin.host().trim_matches(['[', ']']);
    if host == "localhost" {
        return vec![Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
    }
    host.parse().ok().filter(IpAddr::is_loopback).into_iter().collect()
}

/// Returns the text of a field. Within a text every quote has a backslash before it, so that the name
/// with its two quotes is found nowhere else.
fn field(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("\"{name}\":\""))?;
    let mut text = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(match characters.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                plain => plain,
            }),
            plain => text.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Door;
    use crate::core::{origin::Origin, secret::ExposeSecret};

    #[test]
    fn an_answer_is_read_whatever_its_texts_hold() {
        let line = r#"{"token":"ab12","listen":"127.0.0.1:7407 [::1]:7407","trouble":null,"finding":"a \"token\":\"x\" \\ \u001b 上"}"#;
        let door = Door::parse(line).unwrap();
        assert_eq!(door.token.expose_secret(), "ab12");
        assert_eq!(door.trouble, None);
        assert_eq!(door.finding.as_deref(), Some("a \"token\":\"x\" \\ \u{1b} 上"));
        for broken in ["", "{}", r#"{"token":"a"}"#, r#"{"token":"a","listen":"x"}"#] {
            assert!(Door::parse(broken).is_none(), "{broken}");
        }
        for end in 0..line.len() - 1 {
            // Half an answer is none, or lacks its last field.
            if let Some(half) = line.get(..end).and_then(Door::parse) {
                assert_eq!((half.trouble, half.finding), (None, None));
            }
        }
    }

    #[test]
    fn a_door_is_where_it_says_and_nowhere_else() {
        let line = r#"{"token":"t","listen":"127.0.0.1:7407","trouble":null,"finding":null}"#;
        let door = Door::parse(line).unwrap();
        for (host, is_it) in [
            ("127.0.0.1:7407", true),
            ("localhost:7407", true),
            ("127.0.0.1:7408", false),
            ("127.0.0.1", false),
            ("127.0.0.2:7407", false),
            ("[::1]:7407", false),
            ("proxy.test:7407", false),
        ] {
            assert_eq!(door.is_at(&Origin::new("http", host).unwrap()), is_it, "{host}");
        }
    }
}

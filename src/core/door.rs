//! What the running loopback proxy tells git's helper on its control socket: the token of its door,
//! where that is, and what stands in the way behind it.
//!
//! The helper links no JSON library: the answer is one line of four fields with tabs between them.

use crate::core::origin::Origin;

/// The question, with its line end.
pub const QUESTION: &str = "{\"ask\":\"door\"}\n";

/// The answer. It has no `Debug`: the token is not for display.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    /// What opens it, together with the user name [`USER`].
    pub token: &'a str,
    /// Where it is: `127.0.0.1:7407 [::1]:7407`.
    pub listen: &'a str,
    /// Why no request will pass, where that is known: `gocred[P02]: …; run: …`. Else empty.
    pub trouble: &'a str,
    /// What a client was told last, in the same form.
    pub finding: &'a str,
}

/// The user name that goes with the token.
pub const USER: &str = "gocred";

impl<'a> Door<'a> {
    /// Returns the line, without its end.
    pub fn encode(&self) -> String {
        let Self { token, listen, trouble, finding } = self;
        let plain = |text: &str| text.replace(char::is_control, " ");
        format!("{token}\t{listen}\t{}\t{}", plain(trouble), plain(finding))
    }

    /// Parses the line. `None`: it is not one.
    pub fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.strip_suffix('\n')?.split('\t');
        let mut next = || fields.next();
        let door = Self { token: next()?, listen: next()?, trouble: next()?, finding: next()? };
        fields.next().is_none().then_some(door)
    }

    /// Returns whether it is at the place that a URL names, as `gocred setup` writes it.
    pub fn is_at(&self, origin: &Origin) -> bool {
        let place = origin.authority();
        self.listen.split(' ').any(|listen| listen == place)
    }
}

/// Returns whether a host is one that the door may be at.
pub fn may_be_at(origin: &Origin) -> bool {
    let host = origin.host();
    host == "[::1]" || host.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::Door;
    use crate::core::origin::Origin;

    fn door(listen: &str) -> Door<'_> {
        Door { token: "ab12", listen, trouble: "", finding: "a\tb\n上" }
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let line = door("127.0.0.1:7407 [::1]:7407").encode() + "\n";
        let read = Door::parse(&line).unwrap();
        assert_eq!((read.token, read.listen), ("ab12", "127.0.0.1:7407 [::1]:7407"));
        assert_eq!((read.trouble, read.finding), ("", "a b 上"));
        for broken in ["", "{}\n", "a\tb\tc\n", "a\tb\tc\td\te\n", "a\tb\tc\td"] {
            assert!(Door::parse(broken).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn a_door_is_where_it_says_and_nowhere_else() {
        let door = door("127.0.0.1:7407 [::1]:7407");
        for (host, is_it) in [
            ("127.0.0.1:7407", true),
            ("[::1]:7407", true),
            ("localhost:7407", false),
            ("127.0.0.1:7408", false),
            ("127.0.0.1", false),
            ("127.0.0.2:7407", false),
            ("proxy.test:7407", false),
        ] {
            assert_eq!(door.is_at(&Origin::new("http", host).unwrap()), is_it, "{host}");
        }
    }
}

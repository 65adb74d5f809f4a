//! The client's side of SOCKS 5 (RFC 1928, and RFC 1929 for its login), as a state machine without
//! IO. Names go to the server as names; it does not know BIND, UDP or GSSAPI.
//!
//! The caller owns the connection. It calls [`Client::advance`] with what it has read and not yet
//! used, sends what is to be sent, and reads where there is not enough. Nothing is taken from the
//! input before a message is complete, so it does not matter how the bytes were split.

use std::net::IpAddr;

use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::core::{
    secret::{ExposeSecret, SecretString},
    target::{Authority, Host},
};

const VERSION: u8 = 5;
/// Of the login's own messages (RFC 1929 §2).
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;

/// One negotiation on one connection.
#[derive(Debug)]
pub struct Client {
    request: Vec<u8>,
    login: Option<Login>,
    state: State,
}

/// The message of a login.
struct Login(Zeroizing<Vec<u8>>);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Method,
    Verdict,
    Reply,
}

/// What the caller does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Read more bytes.
    More,
    /// The tunnel is open; what is left of the input belongs to it.
    Open,
    /// Send these bytes.
    Send(Zeroizing<Vec<u8>>),
}

/// Why there is no tunnel.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The login cannot be said in SOCKS 5.
    #[error("the user name and the password for SOCKS have 1 to 255 bytes each")]
    Login,
    /// The server wants a login, and there is none.
    #[error("it wants a login that gocred was not given")]
    LoginNeeded,
    /// The server does not accept the login.
    #[error("it rejected the login")]
    LoginRejected,
    /// The server accepts no way of logging in that we know.
    #[error("it takes neither a password nor a client without one")]
    NoMethod,
    /// It speaks, but not SOCKS 5.
    #[error("it does not speak SOCKS 5{}", among(*.0))]
    NotSocks(u8),
    /// It breaks the protocol.
    #[error("it breaks SOCKS 5: {0}")]
    Protocol(&'static str),
    /// It refuses this target.
    #[error("it answers: {0}")]
    Refused(Refusal),
}

/// What a server answers instead of a connection (RFC 1928 §6).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// 1
    #[error("general failure")]
    General,
    /// 2
    #[error("not allowed by its rules")]
    NotAllowed,
    /// 3
    #[error("network unreachable")]
    NetworkUnreachable,
    /// 4
    #[error("host unreachable")]
    HostUnreachable,
    /// 5
    #[error("connection refused")]
    ConnectionRefused,
    /// 6
    #[error("TTL expired")]
    Expired,
    /// 7
    #[error("CONNECT is not supported")]
    Command,
    /// 8
    #[error("addresses of this kind are not supported")]
    AddressKind,
    /// Anything else.
    #[error("failure {0}")]
    Other(u8),
}

impl Client {
    /// Starts a negotiation. The login is sent only to a server that asks for one.
    pub fn new(target: &Authority, login: Option<(&str, &SecretString)>) -> Result<Self, Error> {
        let login = login.map(|(user, password)| Login::new(user, password)).transpose()?;
        Ok(Self { request: request(target)?, login, state: State::Greeting })
    }

    /// Returns whether the login was sent and not answered.
    pub fn awaits_verdict(&self) -> bool {
        self.state == State::Verdict
    }

    /// Goes on as far as the input allows.
    pub fn advance(&mut self, input: &mut Vec<u8>) -> Result<Step, Error> {
        match self.state {
            State::Greeting => {
                if let Some(first) = input.first() {
                    return Err(Error::NotSocks(*first));
                }
                let methods: &[u8] = if self.login.is_some() {
                    &[2, NO_LOGIN, USER_PASSWORD]
                } else {
                    &[1, NO_LOGIN]
                };
                let greeting = [&[VERSION], methods].concat();
                self.say(State::Method, Zeroizing::new(greeting), input)
            }
            State::Method => self.method(input),
            State::Verdict => self.verdict(input),
            State::Reply => reply(input),
        }
    }

    fn method(&mut self, input: &mut Vec<u8>) -> Result<Step, Error> {
        let method = match input[..] {
            [first, ..] if first != VERSION => return Err(Error::NotSocks(first)),
            [_, method, ..] => method,
            _ => return Ok(Step::More),
        };
        input.drain(..2);
        match (method, self.login.take()) {
            (NO_LOGIN, _) => self.request(input),
            (USER_PASSWORD, Some(Login(message))) => self.say(State::Verdict, message, input),
            (NO_METHOD, None) => Err(Error::LoginNeeded),
            (NO_METHOD, Some(_)) => Err(Error::NoMethod),
            _ => Err(Error::Protocol("it chose a method that was not offered")),
        }
    }

    fn verdict(&mut self, input: &mut Vec<u8>) -> Result<Step, Error> {
        match input[..] {
            // Some servers put the version of SOCKS here.
            [first, ..] if first != LOGIN_VERSION && first != VERSION => {
                Err(Error::Protocol("its answer to the login is none"))
            }
            [_, 0, ..] => {
                input.drain(..2);
                self.request(input)
            }
            [_, _, ..] => Err(Error::LoginRejected),
            _ => Ok(Step::More),
        }
    }

    fn request(&mut self, input: &[u8]) -> Result<Step, Error> {
        let request = std::mem::take(&mut self.request);
        self.say(State::Reply, Zeroizing::new(request), input)
    }

    /// The two take turns: what is here before the server was asked answers something else.
    fn say(
        &mut self,
        next: State,
        message: Zeroizing<Vec<u8>>,
        input: &[u8],
    ) -> Result<Step, Error> {
        if !input.is_empty() {
            return Err(Error::Protocol("it speaks out of turn"));
        }
        self.state = next;
        Ok(Step::Send(message))
    }
}

/// Reads the answer to the request. Some servers refuse without the rest of the message.
fn reply(input: &mut Vec<u8>) -> Result<Step, Error> {
    let length = match input[..] {
        [first, ..] if first != VERSION => {
            return Err(Error::Protocol("its answer is none"));
        }
        [_, code @ 1..=255, ..] => return Err(Error::Refused(Refusal::from(code))),
        [_, _, _, V4, ..] => 4 + 4 + 2,
        [_, _, _, NAME, length, ..] => 5 + usize::from(length) + 2,
        [_, _, _, V6, ..] => 4 + 16 + 2,
        [_, _, _, NAME] | [] | [_] | [_, _] | [_, _, _] => return Ok(Step::More),
        [_, _, _, _, ..] => return Err(Error::Protocol("its answer has an unknown address")),
    };
    if input.len() < length {
        return Ok(Step::More);
    }
    input.drain(..length);
    Ok(Step::Open)
}

fn request(target: &Authority) -> Result<Vec<u8>, Error> {
    let mut request = vec![VERSION, CONNECT, 0];
    match &target.host {
        Host::Address(IpAddr::V4(address)) => {
            request.push(V4);
            request.extend(address.octets());
        }
        Host::Address(IpAddr::V6(address)) => {
            request.push(V6);
            request.extend(address.octets());
        }
        Host::Name(name) => {
            let length = u8::try_from(name.len());
            request.extend([NAME, length.map_err(|_| Error::Protocol("the name is too long"))?]);
            request.extend(name.bytes());
        }
    }
    request.extend(target.port.to_be_bytes());
    Ok(request)
}

impl Login {
    fn new(user: &str, password: &SecretString) -> Result<Self, Error> {
        let password = password.expose_secret();
        // Reserved at once: a vector that grows leaves its old bytes behind.
        let mut message = Zeroizing::new(Vec::with_capacity(3 + user.len() + password.len()));
        message.push(LOGIN_VERSION);
        for text in [user, password] {
            let length = u8::try_from(text.len()).ok().filter(|length| *length > 0);
            message.push(length.ok_or(Error::Login)?);
            message.extend_from_slice(text.as_bytes());
        }
        Ok(Self(message))
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

impl From<u8> for Refusal {
    fn from(code: u8) -> Self {
        match code {
            1 => Self::General,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::Expired,
            7 => Self::Command,
            8 => Self::AddressKind,
            code => Self::Other(code),
        }
    }
}

/// Says what the first byte of an answer looks like.
fn among(first: u8) -> &'static str {
    match first {
        0 | 4 => ", but SOCKS 4",
        b'H' => ", but HTTP: write http:// for it",
        0x15 | 0x16 => ", but TLS",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Client, Error, Refusal, Step};
    use crate::core::{secret::SecretString, target::Authority};

    fn client(target: &str, login: Option<(&str, &str)>) -> Client {
        let target = Authority::parse(target).unwrap();
        let password = login.map(|(_, password)| SecretString::from(password));
        let login = login.map(|(user, _)| user).zip(password.as_ref());
        Client::new(&target, login).unwrap()
    }

    /// Lets a client read a server's turns; returns what it sent, what it left, and how it ended.
    fn talk(mut client: Client, turns: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>, Result<Step, Error>) {
        let (mut sent, mut input, mut turns) = (Vec::new(), Vec::new(), turns.iter());
        loop {
            match client.advance(&mut input) {
                Ok(Step::Send(bytes)) => sent.push(bytes.to_vec()),
                Ok(Step::More) => match turns.next() {
                    Some(turn) => input.extend_from_slice(turn),
                    None => return (sent, input, Ok(Step::More)),
                },
                end => {
                    turns.for_each(|turn| input.extend_from_slice(turn));
                    return (sent, input, end);
                }
            }
        }
    }

    const OPEN: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    #[test]
    fn a_name_stays_a_name_and_an_address_an_address() {
        for (target, kind) in [
            ("git.corp.test:443", &b"\x03\x0dgit.corp.test\x01\xbb"[..]),
            ("192.0.2.1:80", &[1, 192, 0, 2, 1, 0, 80]),
            ("[::1]:65535", &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255]),
        ] {
            let (sent, left, end) = talk(client(target, None), &[&[5, 0], OPEN, b"early"]);
            assert_eq!(end, Ok(Step::Open));
            assert_eq!(sent, [&[5, 1, 0][..], &[&[5, 1, 0], kind].concat()]);
            assert_eq!(left, b"early");
        }
    }

    #[test]
    fn what_follows_the_answer_belongs_to_the_tunnel() {
        for answer in [OPEN, b"\x05\0\0\x03\x04test\0\0", &[&[5, 0, 0, 4], &[0; 18][..]].concat()] {
            let answer = [answer, b"early"].concat();
            let (_, left, end) = talk(client("h:1", None), &[&[5, 0], &answer]);
            assert_eq!((left, end), (b"early".to_vec(), Ok(Step::Open)));
        }
    }

    #[test]
    fn a_login_is_sent_only_to_a_server_that_asks() {
        let login = Some(("ana", "geheim"));
        let (sent, _, end) = talk(client("h:1", login), &[&[5, 0], OPEN]);
        assert_eq!((&sent[0][..], sent.len(), end), (&[5, 2, 0, 2][..], 2, Ok(Step::Open)));
        for accepted in [[1, 0], [5, 0]] {
            let (sent, _, end) = talk(client("h:1", login), &[&[5, 2], &accepted, OPEN]);
            assert_eq!((&sent[1][..], end), (&b"\x01\x03ana\x06geheim"[..], Ok(Step::Open)));
        }
        let (sent, _, end) = talk(client("h:1", login), &[&[5, 2], &[1, 1]]);
        assert_eq!((sent.len(), end), (2, Err(Error::LoginRejected)));
        let (_, _, end) = talk(client("h:1", login), &[&[5, 255]]);
        assert_eq!(end, Err(Error::NoMethod));
        let (_, _, end) = talk(client("h:1", None), &[&[5, 255]]);
        assert_eq!(end, Err(Error::LoginNeeded));
        for method in [1, 2, 3] {
            let (sent, _, end) = talk(client("h:1", None), &[&[5, method]]);
            assert!(matches!((sent.len(), end), (1, Err(Error::Protocol(_)))));
        }
    }

    #[test]
    fn a_login_has_1_to_255_bytes_in_each_part_and_does_not_show() {
        let target = Authority::parse("h:1").unwrap();
        let of = |user: usize, password: usize| {
            let (user, password) = ("u".repeat(user), "g".repeat(password));
            Client::new(&target, Some((&user, &password.into())))
                .map(|client| format!("{client:?}"))
        };
        for (user, password) in [(0, 1), (1, 0), (256, 1), (1, 256)] {
            assert_eq!(of(user, password), Err(Error::Login));
        }
        assert!(!of(255, 255).unwrap().contains("gggg") && of(1, 1).is_ok());
    }

    #[test]
    fn each_refusal_is_told_as_soon_as_it_is_known() {
        for (code, refusal) in [
            (1, Refusal::General),
            (2, Refusal::NotAllowed),
            (3, Refusal::NetworkUnreachable),
            (4, Refusal::HostUnreachable),
            (5, Refusal::ConnectionRefused),
            (6, Refusal::Expired),
            (7, Refusal::Command),
            (8, Refusal::AddressKind),
            (9, Refusal::Other(9)),
            (255, Refusal::Other(255)),
        ] {
            let (_, _, end) = talk(client("h:1", None), &[&[5, 0], &[5, code]]);
            assert_eq!(end, Err(Error::Refused(refusal)));
        }
    }

    #[test]
    fn another_protocol_is_recognised() {
        for (said, told) in
            [(&b"HTTP/1.1 400 x"[..], "http://"), (b"\0\x5b", "SOCKS 4"), (b"\x15\x03\x01", "TLS")]
        {
            let (_, _, end) = talk(client("h:1", None), &[said]);
            let error = end.unwrap_err();
            assert!(matches!(error, Error::NotSocks(_)) && error.to_string().contains(told));
        }
        let mut early = b"SSH-2.0".to_vec();
        assert_eq!(client("h:1", None).advance(&mut early), Err(Error::NotSocks(b'S')));
    }

    #[test]
    fn who_answers_before_being_asked_is_not_believed() {
        let together = [&[5, 0][..], OPEN].concat();
        let (sent, _, end) = talk(client("h:1", None), &[&together]);
        assert!(matches!((sent.len(), end), (1, Err(Error::Protocol(_)))));
        let (sent, _, end) = talk(client("h:1", Some(("u", "p"))), &[&[5, 2, 1, 0]]);
        assert!(matches!((sent.len(), end), (1, Err(Error::Protocol(_)))));
    }

    proptest! {
        #[test]
        fn how_the_answer_is_split_does_not_matter(
            name in prop::collection::vec(any::<u8>(), 0..255), cut in any::<prop::sample::Index>(),
        ) {
            let length = u8::try_from(name.len()).unwrap();
            let answer = [&[5, 0, 0, 3, length], &name[..], &[1, 2], b"tunnel"].concat();
            let (head, tail) = answer.split_at(cut.index(answer.len()));
            let (_, left, end) = talk(client("h:1", None), &[&[5], &[0], head, tail]);
            prop_assert_eq!((&left[..], end), (&b"tunnel"[..], Ok(Step::Open)));
            let bytes: Vec<&[u8]> = answer.chunks(1).collect();
            let turns: Vec<&[u8]> = [&[5][..], &[0]].into_iter().chain(bytes).collect();
            prop_assert_eq!(talk(client("h:1", None), &turns).2, Ok(Step::Open));
        }

        #[test]
        fn any_bytes_end_within_the_longest_message(
            turns in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        ) {
            let turns: Vec<&[u8]> = turns.iter().map(Vec::as_slice).collect();
            let (sent, left, end) = talk(client("h:1", Some(("u", "p"))), &turns);
            prop_assert!(sent.len() <= 3);
            prop_assert!(end != Ok(Step::More) || left.len() < 4 + 1 + 255 + 2);
        }
    }
}

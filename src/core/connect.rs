//! The client's side of CONNECT (RFC 9110 §9.3.6), as a state machine without IO; and of the one
//! request beside it, which logs a connection in before there is a target.
//!
//! The caller owns the socket: it sends what [`Connect::request`] returns and feeds every byte that
//! it reads until a [`Step`] other than [`Step::More`] comes. It does not choose a scheme.

use secrecy::zeroize::Zeroizing;

use crate::core::{
    challenge::{self, Challenge},
    http1::{Body, Coding, Error, Feed, Framing, HeadReader, Response},
    page,
    refusal::retry_after,
    secret::{ExposeSecret, SecretString},
    target::Authority,
};

/// More interim answers than this are an attack, not progress.
const MAX_INTERIM: u8 = 16;
const ENDLESS: &str = "there are more than 16 interim answers";
/// The longest page of a 407 that is read to its end so that the connection can go on, in bytes.
const MAX_PAGE: usize = 256 * 1024;

/// One exchange on one connection.
#[derive(Debug)]
pub struct Connect {
    purpose: Purpose,
    target: String,
    head: HeadReader,
    interim: u8,
    page: Option<Page>,
    /// A tunnel that may be a page.
    doubt: Option<Doubt>,
    /// Whether the request carries a login: only then the page of a 407 says anything of interest.
    proves: bool,
}

/// An answer that opens a tunnel, or promises a page.
#[derive(Debug)]
struct Doubt {
    /// `Proxy-Authentication-Info`
    info: Option<Vec<u8>>,
}

/// What the request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    LogIn,
    Tunnel,
}

/// The rest of an answer that opens no tunnel: the page for people.
#[derive(Debug)]
struct Page {
    status: u16,
    challenges: Vec<Challenge>,
    connection: Connection,
    body: Body,
    read: usize,
    /// How much of the text is kept at most, and the text.
    wanted: usize,
    text: Vec<u8>,
}

/// What becomes of a connection after an answer that opens no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The proxy closes it, or there is no knowing where its answer ends.
    Closed,
    /// The next request may be sent on it.
    Kept,
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read more bytes and feed them.
    More,
    /// The tunnel is open. `early` was read past the head and belongs to the tunnel.
    Open {
        /// Bytes of the tunnelled protocol that arrived with the head.
        early: Vec<u8>,
        /// `Proxy-Authentication-Info` (RFC 7615), which Digest reads.
        info: Option<Vec<u8>>,
    },
    /// The request that only logs in was answered, with anything but a 407.
    LoggedIn {
        /// Its status code.
        status: u16,
        /// Whether a CONNECT can follow here.
        connection: Connection,
    },
    /// The proxy asks for credentials.
    Challenge {
        /// Every challenge of every `Proxy-Authenticate` field, in order.
        challenges: Vec<Challenge>,
        /// Whether the login can go on here: NTLM and Negotiate live on one connection.
        connection: Connection,
        /// The beginning of the page, where the request carried a login: it may say what is wrong.
        page: Vec<u8>,
    },
    /// The proxy refused for another reason.
    Refused {
        /// Its status code.
        status: u16,
        /// Its reason phrase, in whatever encoding; not fit for display as it is.
        reason: Vec<u8>,
        /// When to try again.
        retry_after: Option<String>,
    },
}

impl Connect {
    /// Starts an exchange that opens a tunnel.
    pub fn new(target: &Authority) -> Self {
        Self::start(Purpose::Tunnel, target.to_string())
    }

    /// Starts an exchange that only logs the connection in. It asks the proxy for its own front page,
    /// which every proxy answers itself, and which it need not and must not forward (RFC 9110 §7.6.2):
    /// nobody else hears of it. A HEAD has no body to wait for.
    pub fn log_in(proxy: &Authority) -> Self {
        Self::start(Purpose::LogIn, proxy.to_string())
    }

    fn start(purpose: Purpose, target: String) -> Self {
        let head = HeadReader::default();
        Self { purpose, target, head, interim: 0, page: None, doubt: None, proves: false }
    }

    /// Returns the method and the target of the request, which Digest signs.
    pub fn line(&self) -> (&'static str, String) {
        match self.purpose {
            Purpose::LogIn => ("HEAD", format!("http://{}/", self.target)),
            Purpose::Tunnel => ("CONNECT", self.target.clone()),
        }
    }

    /// Returns the request. `via` is the value of `Via`, `authorization` that of
    /// `Proxy-Authorization`. The bytes are wiped when they are dropped.
    pub fn request(
        &mut self,
        via: &str,
        authorization: Option<&SecretString>,
    ) -> Zeroizing<Vec<u8>> {
        self.proves = authorization.is_some();
        let (method, target) = self.line();
        let host = &self.target;
        let last = match self.purpose {
            Purpose::LogIn => "Max-Forwards: 0\r\n",
            Purpose::Tunnel => "",
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nVia: {via}\r\n{last}");
        with_authorization(head.as_bytes(), authorization)
    }

    /// Takes bytes from the proxy, however they were split. Interim answers (1xx) are passed over.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Step, Error> {
        loop {
            if let Some(page) = self.page.take() {
                return Ok(self.turn(page, bytes));
            }
            if let Some(Doubt { info }) = self.doubt.take_if(|_| !bytes.is_empty()) {
                return Ok(Step::Open { early: bytes.to_vec(), info });
            }
            if self.doubt.is_some() {
                return Ok(Step::More);
            }
            let Feed::Done { lines, used } = self.head.feed(bytes)? else { return Ok(Step::More) };
            bytes = bytes.get(used..).unwrap_or_default();
            let response = Response::parse(&lines)?;
            match (response.status, self.purpose) {
                (100..=199, _) => {
                    if self.interim == MAX_INTERIM {
                        return Err(Error::TooLarge(ENDLESS));
                    }
                    self.interim += 1;
                    self.head = HeadReader::default();
                }
                // A length or coding in a 2xx means nothing (RFC 9110 §9.3.6): what follows is the
                // tunnel.
                (200..=299, Purpose::Tunnel) => {
                    let info = response.fields.all("proxy-authentication-info").next();
                    let info = info.map(<[u8]>::to_vec);
                    // Some send a page instead (P20). Its bytes, or none within a moment, tell.
                    if bytes.is_empty() && promises_page(&response) {
                        self.doubt = Some(Doubt { info });
                        return Ok(Step::More);
                    }
                    return Ok(Step::Open { early: bytes.to_vec(), info });
                }
                (407, _) | (200.., Purpose::LogIn) => {
                    let wanted = if self.proves { page::MAX } else { 0 };
                    self.page = Some(Page::new(&response, self.line().0, wanted));
                }
                (status, _) => {
                    let later = response.fields.all("retry-after").next();
                    let retry_after = later.and_then(retry_after);
                    return Ok(Step::Refused { status, reason: response.reason, retry_after });
                }
            }
        }
    }

    /// Reads the page to its end where the connection goes on behind it, and as far as it is wanted
    /// where it does not.
    fn turn(&mut self, mut page: Page, bytes: &[u8]) -> Step {
        let is_read = |page: &Page| page.text.len() >= page.wanted;
        if page.connection == Connection::Closed && is_read(&page) {
            return page.step();
        }
        let mut unread = Vec::new();
        if let Ok(used) = page.body.feed(bytes, &mut unread) {
            page.read += used;
            // What follows the page was sent before we asked: it answers nothing of ours.
            if used < bytes.len() || page.read > MAX_PAGE {
                page.connection = Connection::Closed;
            }
        } else {
            // The challenges are good; only the connection is not.
            page.connection = Connection::Closed;
            page.wanted = 0;
        }
        let left = page.wanted.saturating_sub(page.text.len());
        page.text.extend(unread.into_iter().take(left));
        let is_enough = page.connection == Connection::Closed && is_read(&page);
        if is_enough || page.body.is_done() {
            return page.step();
        }
        self.page = Some(page);
        Step::More
    }

    /// Returns what is known when no more is read, because the proxy has closed or takes too long:
    /// the head of an answer whose page is incomplete.
    pub fn give_up(&mut self) -> Option<Step> {
        if let Some(Doubt { info }) = self.doubt.take() {
            return Some(Step::Open { early: Vec::new(), info });
        }
        let mut page = self.page.take()?;
        page.connection = Connection::Closed;
        Some(page.step())
    }

    /// Returns whether only a page is missing, or what tells a tunnel from one.
    pub fn is_in_page(&self) -> bool {
        self.page.is_some() || self.doubt.is_some()
    }

    /// Returns whether the proxy has said anything.
    pub fn has_begun(&self) -> bool {
        !self.head.is_empty() || self.interim > 0
    }
}

impl Page {
    fn new(response: &Response, method: &str, wanted: usize) -> Self {
        let framing = response.framing(method).unwrap_or(Framing::Close);
        let is_kept = response.keeps_open()
            && !response.fields.has_word("proxy-connection", "close")
            && framing != Framing::Close;
        let values = response.fields.all("proxy-authenticate");
        Self {
            status: response.status,
            challenges: values.flat_map(challenge::parse).collect(),
            connection: if is_kept { Connection::Kept } else { Connection::Closed },
            body: Body::new(framing, Coding::Plain),
            read: 0,
            wanted,
            text: Vec::new(),
        }
    }

    fn step(self) -> Step {
        let Self { status, challenges, connection, body: _, read: _, wanted: _, text } = self;
        match status {
            407 => Step::Challenge { challenges, connection, page: text },
            status => Step::LoggedIn { status, connection },
        }
    }
}

/// Returns whether an answer that opens a tunnel says that a page follows. Its fields mean nothing
/// there, so this alone decides nothing.
fn promises_page(response: &Response) -> bool {
    let mut kinds = response.fields.all("content-type");
    let is_html =
        |kind: &[u8]| kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"));
    let is_empty = response.fields.all("content-length").any(|length| length == b"0");
    kinds.any(is_html) && !is_empty
}

/// Completes a head with `Proxy-Authorization` and the empty line, in memory that is wiped.
pub fn with_authorization(head: &[u8], authorization: Option<&SecretString>) -> Zeroizing<Vec<u8>> {
    const NAME: &[u8] = b"Proxy-Authorization: ";
    let value = authorization.map(|value| value.expose_secret().as_bytes());
    let room = value.map_or(0, |value| NAME.len() + value.len() + 2);
    // Reserved at once: a vector that grows leaves its old bytes behind.
    let mut request = Zeroizing::new(Vec::with_capacity(head.len() + room + 2));
    request.extend_from_slice(head);
    if let Some(value) = value {
        request.extend_from_slice(NAME);
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Connect, Connection, Step};
    use crate::core::{http1::Error, target::Authority};

    fn connect() -> Connect {
        Connect::new(&Authority::parse("git.corp.example:443").unwrap())
    }

    fn feed_all(chunks: &[&[u8]]) -> Result<Step, Error> {
        let mut connect = connect();
        let mut rest = chunks.iter();
        while let Some(chunk) = rest.next() {
            match connect.feed(chunk)? {
                Step::More => {}
                Step::Open { mut early, info } => {
                    rest.for_each(|chunk| early.extend_from_slice(chunk));
                    return Ok(Step::Open { early, info });
                }
                step => return Ok(step),
            }
        }
        Ok(Step::More)
    }

    #[test]
    fn the_request_names_the_target_twice_and_the_secret_once() {
        let bytes = connect().request("1.1 x", Some(&"Basic YTpi".into()));
        assert_eq!(
            String::from_utf8(bytes.to_vec()).unwrap(),
            "CONNECT git.corp.example:443 HTTP/1.1\r\nHost: git.corp.example:443\r\nVia: 1.1 x\r\n\
             Proxy-Authorization: Basic YTpi\r\n\r\n"
        );
        assert!(!connect().request("1.1 x", None).windows(6).any(|window| window == b"Proxy-"));
    }

    #[test]
    fn a_407_keeps_every_challenge_in_order() {
        let head = b"HTTP/1.1 407 no\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate:  NTLM, Basic realm=\"r\"\r\n\r\n";
        let Ok(Step::Challenge { challenges, .. }) = feed_all(&[head]) else { panic!() };
        let schemes: Vec<&str> = challenges.iter().map(|c| c.scheme.as_str()).collect();
        assert_eq!(schemes, ["Negotiate", "NTLM", "Basic"]);
    }

    #[test]
    fn a_login_goes_on_where_the_end_of_the_407_is_known() {
        for (head, body, expected) in [
            ("Content-Length: 5\r\n", "hello", Connection::Kept),
            ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", Connection::Kept),
            ("Content-Length: 0\r\n", "", Connection::Kept),
            ("", "hello", Connection::Closed),
            ("Content-Length: 5\r\nConnection: close\r\n", "hello", Connection::Closed),
            ("Content-Length: 5\r\nProxy-Connection: close\r\n", "", Connection::Closed),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", "hello", Connection::Closed),
            ("Content-Length: 5\r\n", "hello!", Connection::Closed),
            ("Transfer-Encoding: chunked\r\n", "x", Connection::Closed),
        ] {
            let head = format!("HTTP/1.1 407 no\r\nProxy-Authenticate: NTLM\r\n{head}\r\n");
            let whole = format!("{head}{body}");
            let Ok(Step::Challenge { challenges, connection, page: _ }) =
                feed_all(&[whole.as_bytes()])
            else {
                panic!("{whole}")
            };
            assert_eq!((challenges.len(), connection), (1, expected), "{whole}");
        }
        let endless =
            format!("HTTP/1.1 407 no\r\nContent-Length: 9999999\r\n\r\n{}", "x".repeat(300_000));
        let step = feed_all(&[endless.as_bytes()]);
        assert!(matches!(step, Ok(Step::Challenge { connection: Connection::Closed, .. })));
    }

    #[test]
    fn a_request_that_only_logs_in_goes_no_further_than_the_proxy() {
        let mut connect = Connect::log_in(&Authority::parse("p.corp.example:3128").unwrap());
        let bytes = connect.request("1.1 x", None);
        assert_eq!(
            String::from_utf8(bytes.to_vec()).unwrap(),
            "HEAD http://p.corp.example:3128/ HTTP/1.1\r\nHost: p.corp.example:3128\r\n\
             Via: 1.1 x\r\nMax-Forwards: 0\r\n\r\n"
        );
        // The length of a HEAD's answer is that of the page which is not sent.
        let answer = b"HTTP/1.1 400 no\r\nContent-Length: 3222\r\n\r\n";
        let step = Step::LoggedIn { status: 400, connection: Connection::Kept };
        assert_eq!(connect.feed(answer), Ok(step));
    }

    #[test]
    fn a_page_that_breaks_off_leaves_the_challenges() {
        let mut connect = connect();
        let head = b"HTTP/1.1 407 no\r\nProxy-Authenticate: NTLM\r\nContent-Length: 9\r\n\r\nhel";
        assert_eq!(connect.feed(head), Ok(Step::More));
        assert!(connect.is_in_page());
        let step = connect.give_up();
        let Some(Step::Challenge { challenges, connection, page: _ }) = step else { panic!() };
        assert_eq!((challenges.len(), connection), (1, Connection::Closed));
        assert_eq!(connect.give_up(), None);
    }

    #[test]
    fn a_407_to_a_login_keeps_the_beginning_of_its_page() {
        let head = "HTTP/1.1 407 no\r\nProxy-Authenticate: Basic\r\n";
        let long = "y".repeat(6000);
        for (fields, body, expected) in [
            ("Content-Length: 6\r\n", "locked", "locked"),
            ("Connection: close\r\nContent-Length: 6\r\n", "locked", "locked"),
            ("Transfer-Encoding: chunked\r\n", "6\r\nlocked\r\n0\r\n\r\n", "locked"),
            ("Connection: close\r\n", &long, long.get(..4096).unwrap()),
        ] {
            let mut connect = connect();
            let _ = connect.request("1.1 x", Some(&"Basic YTpi".into()));
            let step = connect.feed(format!("{head}{fields}\r\n{body}").as_bytes());
            let Ok(Step::Challenge { page, .. }) = step else { panic!("{fields}: {step:?}") };
            assert_eq!(page, expected.as_bytes(), "{fields}");
        }
        // Nobody waits for the page of a connection that is lost, when nothing was sent to be judged.
        let head = format!("{head}Connection: close\r\nContent-Length: 6\r\n\r\n");
        let Ok(Step::Challenge { page, .. }) = connect().feed(head.as_bytes()) else { panic!() };
        assert_eq!(page, b"");
    }

    #[test]
    fn a_tunnel_that_promises_a_page_waits_for_its_first_bytes() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n";
        let open = |early: &[u8]| Step::Open { early: early.to_vec(), info: None };
        let mut connect = connect();
        assert_eq!(connect.feed(head), Ok(Step::More));
        assert!(connect.is_in_page());
        assert_eq!(connect.feed(b"<html>"), Ok(open(b"<html>")));
        let mut silent = Connect::new(&Authority::parse("h:443").unwrap());
        assert_eq!(silent.feed(head), Ok(Step::More));
        assert_eq!(silent.give_up(), Some(open(b"")));
        let empty = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(feed_all(&[empty]), Ok(open(b"")));
    }

    #[test]
    fn a_refusal_says_when_to_try_again() {
        let step = feed_all(&[b"HTTP/1.1 503 busy\r\nRetry-After: 30\r\n\r\n"]);
        let (reason, retry_after) = (b"busy".to_vec(), Some("30".to_owned()));
        assert_eq!(step, Ok(Step::Refused { status: 503, reason, retry_after }));
    }

    #[test]
    fn interim_answers_are_passed_over_and_early_bytes_are_kept() {
        let answer =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ok\r\nContent-Length: 9\r\n\r\nSSH-2.0";
        assert_eq!(feed_all(&[answer]), Ok(Step::Open { early: b"SSH-2.0".to_vec(), info: None }));
        let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
        assert_eq!(feed_all(&[&endless]), Err(Error::TooLarge(super::ENDLESS)));
    }

    #[test]
    fn what_is_not_http_is_an_error_and_nothing_is_no_beginning() {
        assert!(feed_all(&[b"SSH-2.0-OpenSSH_9\r\n\r\n"]).is_err());
        assert!(feed_all(&[b"\x15\x03\x03\x00\x02\x01\x00"]).is_err());
        assert!(matches!(feed_all(&[&vec![b'a'; 70_000]]), Err(Error::TooLarge(_))));
        assert!(!connect().has_begun());
    }

    proptest! {
        #[test]
        fn the_split_of_the_input_does_not_matter(
            bytes in prop::collection::vec(prop::sample::select(&b"12 407\r\n:HTTP/ x"[..]), 0..60),
            at in 0usize..60,
        ) {
            let bytes = [b"HTTP/1.1 ", &bytes[..], b"\r\n\r\nrest"].concat();
            let (left, right) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(feed_all(&[left, right]), feed_all(&[&bytes]));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = feed_all(&[&bytes]);
        }
    }
}

//! The loopback address that a browser is sent back to (RFC 8252 §7.3): one port, one answer to our
//! question, and the end.
//!
//! It serves nobody else: what is no answer to our question gets 404 and says nothing about it. There
//! is no page but a sentence, which no script, no frame and no cache touches.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::core::{
    oauth::code::{self, CALLBACK, Error, Issuer},
    secret::SecretString,
};

/// A longer head is no browser's.
const MAX_HEAD: usize = 16 * 1024;
/// How long a browser may take to send it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A port that a browser may be sent to.
#[derive(Debug)]
pub struct Callback {
    listener: TcpListener,
    port: u16,
}

impl Callback {
    /// Opens a port that the system chooses. 127.0.0.1, because `localhost` may be something else (RFC
    /// 8252 §8.3).
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Returns `redirect_uri`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{CALLBACK}", self.port)
    }

    /// Waits for the browser. What somebody else asks meanwhile changes nothing.
    pub async fn code(
        self,
        state: &SecretString,
        issuer: &Issuer<'_>,
    ) -> Result<SecretString, Error> {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                // Out of file descriptors, say: it is tried again.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(Ok(target)) = timeout(PATIENCE, target(&mut stream, self.port)).await else {
                continue;
            };
            let answer = match &target {
                Some(target) => code::returned(target, state, issuer),
                None => Err(Error::Foreign),
            };
            let (status, text) = match &answer {
                Ok(_) => ("200 OK", "You are signed in to the command line. Close this tab and go back to your terminal.".to_owned()),
                Err(Error::Foreign) => ("404 Not Found", "There is nothing here.".to_owned()),
                Err(error) => ("400 Bad Request", format!("Signing in did not work: {error}. Your terminal says more.")),
            };
            let _ = timeout(PATIENCE, respond(&mut stream, status, &text)).await;
            match answer {
                Err(Error::Foreign) => {}
                answer => return answer,
            }
        }
    }
}

/// Reads the head of a request; returns the target of a GET that means this very port.
async fn target(stream: &mut TcpStream, port: u16) -> io::Result<Option<String>> {
    let mut head = Vec::with_capacity(MAX_HEAD);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    // A name that leads here by DNS is not ours (DNS rebinding).
    let host = format!("127.0.0.1:{port}");
    let is_meant = lines.any(|line| {
        line.split_once(':')
            .is_some_and(|(name, value)| name.eq_ignore_ascii_case("host") && value.trim() == host)
    });
    let is_http = version.is_some_and(|version| version.starts_with("HTTP/1."));
    let is_one = method == Some("GET") && is_http && is_meant;
    Ok(target.filter(|_| is_one).map(str::to_owned))
}

async fn respond(stream: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    // The words of a server may be in it.
    let text: String = text.chars().map(|c| if c == '<' || c == '&' { ' ' } else { c }).collect();
    let page = format!("<!doctype html><meta charset=utf-8><title>gocred</title><p>{text}\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
         Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // What is unread when it closes would reset the connection, and the page with it.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::{Callback, Error, Issuer};
    use crate::core::secret::{ExposeSecret, SecretString};

    fn ask(port: u16, head: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// Sends requests one after the other, and returns what came of them.
    fn served(heads: Vec<String>) -> (Result<String, Error>, Vec<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let callback = Callback::open().await.unwrap();
            let port = callback.port;
            let browser = std::thread::spawn(move || {
                let of = |head: &String| ask(port, &head.replace("PORT", &port.to_string()));
                heads.iter().map(of).collect::<Vec<_>>()
            });
            let issuer = Issuer { name: None, is_promised: false };
            let code = callback.code(&SecretString::from("s"), &issuer).await;
            let code = code.map(|code| code.expose_secret().to_owned());
            (code, browser.join().unwrap())
        })
    }

    fn get(target: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n")
    }

    #[test]
    fn only_the_answer_to_our_question_ends_the_wait() {
        let heads = vec![
            get("/favicon.ico"),
            get("/callback?code=evil&state=x"),
            get("/callback?code=evil&state=s").replace("127.0.0.1:PORT", "evil.test:PORT"),
            get("/callback?code=evil&state=s").replace("GET", "POST"),
            "\u{16}\u{3}\u{1}".to_owned() + &"x".repeat(20_000),
            get("/callback?code=good&state=s"),
        ];
        let (code, pages) = served(heads);
        assert_eq!(code.as_deref(), Ok("good"));
        for page in &pages[..4] {
            assert!(page.starts_with("HTTP/1.1 404 ") && !page.contains("evil"), "{page}");
        }
        let last = pages.last().unwrap();
        assert!(last.starts_with("HTTP/1.1 200 ") && !last.contains("good"), "{last}");
    }

    #[test]
    fn the_words_of_a_server_are_shown_and_do_nothing() {
        let head = get("/callback?error=x&error_description=%3Cscript%3E&state=s");
        let (code, pages) = served(vec![head]);
        assert!(matches!(code, Err(Error::Refused(_))));
        assert!(
            pages[0].starts_with("HTTP/1.1 400 ") && !pages[0].contains("<script"),
            "{}",
            pages[0]
        );
    }
}

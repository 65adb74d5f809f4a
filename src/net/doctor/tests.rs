//! Exchanges with servers that answer what a test tells them. `tests/it/inject` asks real ones.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::answer;
use crate::core::{
    doctor::{
        place::Place,
        probe::{Exchange, Probe, ReadFlaw, Seen, TcpFlaw, TlsFlaw, Trace, Twist},
        route::{Link, Login, Proxy, Scheme},
    },
    origin::Origin,
};

const SECOND: Duration = Duration::from_secs(3);

/// What was asked of a server.
type Asked = Arc<Mutex<Vec<String>>>;

/// Starts a server that answers each request by its head, as often as it is asked.
fn server(reply: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let told = Arc::clone(&asked);
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let request = head(&mut stream);
            told.lock().unwrap().push(request.clone());
            let _ = stream.write_all(&reply(&request));
        }
    });
    (address, asked)
}

fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        bytes.push(byte[0]);
        // A TLS hello has no end of a head.
        if bytes[0] == 0x16 && bytes.len() > 60 {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn login(password: &str) -> Login {
    Login {
        user: "ana".to_owned(),
        secret: password.into(),
        scheme: Scheme::Basic,
        place: Place::Default("a test"),
    }
}

fn exchange(scheme: &str, address: SocketAddr) -> Exchange {
    let origin = Origin::new(scheme, &address.to_string()).unwrap();
    let link = Link { origin, path: "/team/lib?go-get=1".to_owned() };
    let fields = vec![("Git-Protocol", "version=2".to_owned())];
    Exchange { fields, ..Exchange::straight(link) }
}

fn through(proxy: SocketAddr, login: Option<Login>) -> Exchange {
    let proxy = Proxy {
        scheme: "http".to_owned(),
        host: proxy.ip().to_string(),
        port: proxy.port(),
        login,
    };
    let mut exchange = exchange("https", "127.0.0.1:443".parse().unwrap());
    exchange.proxy = Some(proxy);
    exchange
}

fn traces(exchanges: &[Exchange]) -> Vec<Trace> {
    let probes: Vec<Probe> = exchanges.iter().cloned().map(Probe::Exchange).collect();
    let seen = answer(&probes, SECOND).into_iter();
    seen.map(|seen| if let Seen::Trace(trace) = seen { trace } else { panic!("{seen:?}") })
        .collect()
}

fn trace(exchange: Exchange) -> Trace {
    traces(&[exchange]).remove(0)
}

#[test]
fn an_answer_is_told_with_its_challenges_and_what_is_missing_of_it() {
    let (address, asked) = server(|_| {
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\", NTLM\r\n\
          Content-Length: 10\r\n\r\nabc"
            .to_vec()
    });
    let http = trace(exchange("http", address)).http.unwrap();
    assert_eq!((http.status, http.reason.as_str()), (Some(401), "Unauthorized"));
    let schemes: Vec<&str> = http.challenges.iter().map(|it| it.scheme.as_str()).collect();
    assert_eq!(schemes, ["Basic", "NTLM"]);
    assert_eq!((http.body.as_slice(), http.length), (&b"abc"[..], Some(10)));
    assert_eq!(http.flaw, Some(ReadFlaw::Closed(3)));
    let request = asked.lock().unwrap().remove(0);
    assert!(request.starts_with("GET /team/lib?go-get=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nGit-Protocol: version=2\r\n"), "{request}");
    assert!(request.contains("\r\nUser-Agent: gocred-doctor/"), "{request}");
    assert!(!request.contains("uthorization"), "{request}");
}

#[test]
fn what_is_no_http_is_told_by_its_first_bytes() {
    let (address, _) = server(|_| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    let http = trace(exchange("http", address)).http.unwrap();
    assert!(matches!(http.flaw, Some(ReadFlaw::NotHttp(first)) if first.starts_with(b"SSH-2.0")));
    let tls = trace(exchange("https", address)).tls.unwrap();
    assert!(matches!(tls.flaw, Some(TlsFlaw::NotTls(first)) if first.starts_with(b"SSH-2.0")));
}

#[test]
fn an_alert_is_told_by_its_number_and_the_end_of_a_connection_as_such() {
    let (address, _) = server(|_| b"\x15\x03\x03\x00\x02\x02\x70".to_vec());
    for twist in [Twist::None, Twist::OldTls, Twist::OtherName] {
        let tls = trace(Exchange { twist, ..exchange("https", address) }).tls.unwrap();
        assert_eq!(tls.flaw, Some(TlsFlaw::Alert(112)), "{twist:?}");
    }
    let (address, _) = server(|_| Vec::new());
    let tls = trace(exchange("https", address)).tls.unwrap();
    assert!(matches!(tls.flaw, Some(TlsFlaw::Closed | TlsFlaw::Reset)), "{tls:?}");
}

#[test]
fn a_closed_port_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let trace = trace(exchange("https", address));
    assert_eq!(trace.tcp[0].0, address);
    assert_eq!(trace.tcp[0].1.flaw, Some(TcpFlaw::Refused));
    assert!(trace.tls.is_none() && trace.http.is_none());
}

#[test]
fn a_silent_server_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let start = std::time::Instant::now();
    let seen = traces(&[exchange("https", address), through(address, None)]);
    assert!(start.elapsed() < SECOND + Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(seen[0].tls.as_ref().unwrap().flaw, Some(TlsFlaw::Silent));
    assert_eq!(seen[1].connect.as_ref().unwrap().flaw, Some(ReadFlaw::Silent(0)));
}

#[test]
fn a_wrong_login_is_sent_to_a_proxy_once_however_many_ask() {
    let (address, asked) = server(|_| {
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\
          Content-Length: 0\r\n\r\n"
            .to_vec()
    });
    let exchanges: Vec<Exchange> = (0..5)
        .map(|at| {
            let mut one = through(address, Some(login("kanarie-wrong")));
            one.link.path = format!("/{at}");
            one
        })
        .collect();
    for trace in traces(&exchanges) {
        let connect = trace.connect.unwrap();
        assert!(connect.has_login && connect.status == Some(407), "{connect:?}");
        assert!(!format!("{connect:?}").contains("kanarie"));
    }
    let sent = asked.lock().unwrap();
    let with_login = sent.iter().filter(|head| head.contains("Proxy-Authorization")).count();
    assert_eq!(with_login, 1);
}

#[test]
fn a_login_is_not_sent_where_another_scheme_is_wanted_or_none_is_allowed() {
    let (address, asked) = server(|_| {
        b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n"
            .to_vec()
    });
    let seen = trace(through(address, Some(login("kanarie"))));
    let connect = seen.connect.unwrap();
    assert!(!connect.has_login && connect.challenges.len() == 2);
    let (basic, basic_asked) =
        server(|_| b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x\r\n\r\n".to_vec());
    trace(Exchange { twist: Twist::NoProxyLogin, ..through(basic, Some(login("kanarie"))) });
    for asked in [asked, basic_asked] {
        assert!(asked.lock().unwrap().iter().all(|head| !head.contains("Authorization")));
    }
}

#[test]
fn interim_answers_and_a_page_in_place_of_a_tunnel_are_told() {
    let (address, _) = server(|_| {
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 200 OK\r\nX-Squid-Error: no\r\n\r\n\
          <html>log in</html>"
            .to_vec()
    });
    let seen = trace(through(address, None));
    let connect = seen.connect.unwrap();
    assert_eq!((connect.interim.as_slice(), connect.status), (&[100, 102][..], Some(200)));
    assert!(connect.body.starts_with(b"<html>"));
    assert!(
        matches!(seen.tls.unwrap().flaw, Some(TlsFlaw::NotTls(first)) if first.starts_with(b"<html>"))
    );
}

#[test]
fn a_login_for_the_origin_is_sent_once_where_it_is_wrong() {
    // Plain HTTP to an origin is nothing that the tools refuse.
    let (address, asked) = server(|head| {
        let status = if head.contains("Authorization: Basic") { "401 No" } else { "200 OK" };
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    });
    let one = |path: &str| {
        let mut one = Exchange { login: Some(login("kanarie-2")), ..exchange("http", address) };
        one.link.path = path.to_owned();
        one
    };
    for seen in traces(&[one("/a"), one("/b"), one("/c")]) {
        let http = seen.http.unwrap();
        assert!(http.has_login && http.status == Some(401));
    }
    // The others connect, and have nothing more to say.
    let asked = asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|head| !head.is_empty()).count(), 1);
}

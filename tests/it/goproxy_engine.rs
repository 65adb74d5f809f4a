//! The module proxy front within the test process: what goes to whom, and what comes back, over hostile
//! servers. Real go is in the other `goproxy_*`.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use gocred::{
    core::{config::Config, modproxy::list::Upstreams, origin::Origin, secret::SecretString},
    proxy::{
        Callers, Plan, Proxy, Trouble,
        goproxy::{Front, FrontReport, Given, Limits, Secrets, Settings as FrontSettings},
    },
};

use super::{
    proxy_lab::Client,
    proxy_within::{NoVault, door, settings},
    support::eventually,
};

/// What every test asks for.
const INFO: &str = "/example.com/m/@v/v1.0.0.info";
const JSON: &str = "{\"Version\":\"v1.0.0\"}";

/// Credentials by origin; counts how often it was asked.
#[derive(Default)]
struct Store {
    values: Mutex<BTreeMap<String, (&'static str, String)>>,
    asked: AtomicUsize,
}

impl Store {
    fn set(&self, origin: &str, name: &'static str, value: &str) {
        let mut values = self.values.lock().expect("the values");
        values.insert(origin.to_owned(), (name, value.to_owned()));
    }
}

impl Secrets for Store {
    fn given(&self, origin: &Origin, _: &str) -> Result<Option<Given>, Trouble> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let values = self.values.lock().expect("the values");
        Ok(values.get(&origin.to_string()).map(|(name, value)| Given {
            name: (*name).to_owned(),
            value: SecretString::from(value.clone()),
            user: "ana".to_owned(),
            stored: Some(1),
            expires: None,
        }))
    }
}

/// A running front; it ends with the value.
struct Within {
    address: SocketAddr,
    front: Front,
    proxy: Proxy,
    store: Arc<Store>,
    server: Option<JoinHandle<()>>,
}

impl Within {
    fn before(list: &str) -> Self {
        Self::with(list, Limits::default(), Callers::Uid, "")
    }

    fn limited(list: &str, limits: Limits) -> Self {
        Self::with(list, limits, Callers::Uid, "")
    }

    fn with(list: &str, limits: Limits, callers: Callers, config: &str) -> Self {
        let config = Config::parse(config).expect("a configuration");
        let mut settings = settings(&[], callers, Arc::new(NoVault), Vec::new());
        settings.plan = Plan::new(config).expect("a plan");
        let proxy = Proxy::new(settings, Vec::new(), 4096).expect("a proxy");
        let store = Arc::new(Store::default());
        let secrets = Arc::clone(&store) as Arc<dyn Secrets>;
        let list = Upstreams::parse(list).expect("a list");
        let settings = FrontSettings { list, limits, secrets, roots: Vec::new() };
        let front = Front::new(&proxy, settings);
        let listener = door();
        let address = listener.local_addr().expect("an address");
        let serving = front.clone();
        let server = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                serving.serve(vec![listener]).await;
            });
            runtime.shutdown_background();
        });
        Self { address, front, proxy, store, server: Some(server) }
    }

    fn client(&self) -> Client {
        Client::to(self.address)
    }

    /// Asks on a connection of its own; returns the head and the body.
    fn get(&self, path: &str) -> (String, String) {
        let mut client = self.client();
        client.send(self.request(path));
        let head = client.head().unwrap_or_default();
        (head, client.until_end())
    }

    fn request(&self, path: &str) -> String {
        let host = self.address;
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    }

    fn report(&self) -> FrontReport {
        self.front.report()
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.proxy.stop();
        if let Some(server) = self.server.take()
            && server.join().is_err()
            && !thread::panicking()
        {
            unreachable!("the front panicked");
        }
    }
}

/// A server that says what it is told to, byte for byte, and remembers the heads that it got.
struct Far {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

/// What a [`Far`] does after it has answered.
enum Then {
    Keep,
    Close,
    /// It says nothing more, and does not close.
    Hang,
    Reset,
}

impl Far {
    /// `answer` gets the number of the request, from 0, and its head.
    fn saying(answer: impl Fn(usize, &str) -> (String, Then) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heads, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::default());
        let (log, count, answer) = (Arc::clone(&heads), Arc::clone(&connections), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                AtomicUsize::fetch_add(&count, 1, Ordering::Relaxed);
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                thread::spawn(move || serve(&stream, &log, &*answer));
            }
        });
        Self { address, heads, connections }
    }

    /// Answers everything with the same.
    fn always(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::saying(move |_, _| (answer.clone(), Then::Keep))
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("the heads").clone()
    }
}

fn serve(
    stream: &TcpStream,
    log: &Mutex<Vec<String>>,
    answer: &dyn Fn(usize, &str) -> (String, Then),
) {
    let mut client = Client::on(stream.try_clone().expect("a clone"));
    while let Some(head) = client.head() {
        let number = {
            let mut log = log.lock().expect("the heads");
            log.push(head.clone());
            log.len() - 1
        };
        let (text, then) = answer(number, &head);
        if (&*stream).write_all(text.as_bytes()).is_err() {
            return;
        }
        match then {
            Then::Keep => {}
            Then::Close => return,
            Then::Reset => {
                rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).expect("set");
                return;
            }
            Then::Hang => {
                let _ = (&*stream).read_to_end(&mut Vec::new());
                return;
            }
        }
    }
}

/// An answer with its length.
fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn an_answer_comes_through_and_its_connection_is_used_again() {
    let far = Far::saying(|_, _| {
        let fields = "Content-Type: application/json\r\nSet-Cookie: a=b";
        (ok(JSON).replacen("\r\n", &format!("\r\n{fields}\r\n"), 1), Then::Keep)
    });
    let front = Within::before(&format!("{}/go,direct", far.url()));
    front.store.set(&far.url(), "Authorization", "Basic YTpi");
    let mut client = front.client();
    for _ in 0..20 {
        client.send(format!(
            "GET {INFO} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Go-http-client/1.1\r\n\
             Authorization: Basic bWluZQ==\r\nCookie: c=d\r\nAccept-Encoding: gzip\r\n\r\n",
            front.address
        ));
        let head = client.head().expect("a head");
        assert_eq!(status(&head), "200", "{head}");
        assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
        assert!(!head.contains("Set-Cookie") && !head.contains("Connection"), "{head}");
        assert_eq!(client.exactly(JSON.len()), JSON);
    }
    assert_eq!(far.connections.load(Ordering::Relaxed), 1);
    assert_eq!(front.store.asked.load(Ordering::Relaxed), 1);
    let heads = far.heads();
    for head in &heads {
        assert!(head.starts_with("GET /go/example.com/m/@v/v1.0.0.info HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nAuthorization: Basic YTpi\r\n"), "{head}");
        assert!(head.contains("\r\nUser-Agent: Go-http-client/1.1\r\nVia: 1.1 gocred-"), "{head}");
        for foreign in ["bWluZQ", "Cookie", "gzip"] {
            assert!(!head.contains(foreign), "{head}");
        }
    }
    let report = front.report();
    assert_eq!((report.totals.requests, report.totals.answered), (20, 20));
    assert_eq!((report.totals.connections, report.totals.retries), (1, 0));
    assert_eq!(report.upstreams.len(), 1);
    assert_eq!(report.upstreams[0].credential, "accepted");
    eventually("nothing is under way", || front.report().transfers.is_empty().then_some(()));
}

#[test]
fn a_comma_goes_on_after_404_and_a_pipe_after_anything() {
    let missing = Far::always(
        "HTTP/1.1 404 Nicht da\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nnot here\n",
    );
    let forbids = Far::always("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let has = Far::always(&ok(JSON));
    let url = |far: &Far| far.url();
    for (list, expected) in [
        (format!("{},{}", url(&missing), url(&has)), "200"),
        (format!("{},{}", url(&forbids), url(&has)), "403"),
        (format!("{}|{}", url(&forbids), url(&has)), "200"),
        (format!("{},{}", url(&forbids), "direct"), "403"),
        (format!("{}|{}", url(&forbids), "direct"), "404"),
        (format!("{}|{}", url(&missing), url(&forbids)), "403"),
        (format!("{}|{}", url(&forbids), url(&missing)), "403"),
        ("direct".to_owned(), "404"),
        ("off".to_owned(), "404"),
    ] {
        let (head, body) = Within::before(&list).get(INFO);
        assert_eq!(status(&head), expected, "{list}: {head}{body}");
    }
    // As it was sent: go reads the status, and prints the text.
    let (head, body) = Within::before(&missing.url()).get(INFO);
    assert!(head.starts_with("HTTP/1.1 404 Nicht da\r\nContent-Type: text/plain\r\n"), "{head}");
    assert_eq!(body, "not here\n");
}

#[test]
fn what_passes_is_asked_again_and_what_lasts_is_not() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let far = Far::saying(move |number, _| match number {
        0 => (busy.to_owned(), Then::Keep),
        1 => (String::new(), Then::Reset),
        _ => (ok(JSON), Then::Keep),
    });
    let front = Within::before(&far.url());
    assert_eq!(front.get(INFO).1, JSON);
    // The kept connection that was reset is replaced, and costs nothing.
    assert_eq!((far.heads().len(), front.report().totals.retries), (3, 1));
    for answer in ["401 Unauthorized", "403 Forbidden", "407 Proxy", "500 Oops"] {
        let far = Far::always(&format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n"));
        let front = Within::before(&far.url());
        let (head, body) = front.get(INFO);
        assert!(matches!(status(&head), "403" | "500" | "502"), "{head}{body}");
        assert_eq!(far.heads().len(), 1, "{answer}");
    }
}

#[test]
fn a_body_that_ends_early_is_asked_for_again() {
    let far = Far::saying(|number, _| match number {
        0 => ("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"Vers".to_owned(), Then::Close),
        _ => (ok(JSON), Then::Keep),
    });
    assert_eq!(Within::before(&far.url()).get(INFO).1, JSON);
}

#[test]
fn nothing_waits_longer_than_its_limit() {
    let limits = Limits {
        headers: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        ..Limits::default()
    };
    let big = "x".repeat(100_000);
    for (answer, expected) in [
        (String::new(), "504"),
        ("HTTP/1.1 200 OK\r\nContent-".to_owned(), "504"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"V".to_owned(), "504"),
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nPK{big}"), "200"),
    ] {
        let far = Far::saying(move |_, _| (answer.clone(), Then::Hang));
        let front = Within::limited(&far.url(), limits);
        let begun = Instant::now();
        let what = if expected == "200" { "/m.test/m/@v/v1.0.0.zip" } else { INFO };
        let (head, body) = front.get(what);
        assert_eq!(status(&head), expected, "{head}{body}");
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_eq!(far.heads().len(), 1);
        if expected == "200" {
            // The client sees that it is cut off, and we say why elsewhere.
            assert!(body.len() < 200_000);
            eventually("it is told", || {
                front.report().findings.iter().any(|found| found.code.is_some()).then_some(())
            });
        } else {
            assert!(body.starts_with("gocred["), "{body}");
        }
    }
}

#[test]
fn a_credential_follows_no_redirect_and_the_target_gets_its_own() {
    let end = Far::always(&ok(JSON));
    let to = end.url();
    let far = Far::saying(move |_, _| {
        let text =
            format!("HTTP/1.1 302 Found\r\nLocation: {to}/blob?sig=x\r\nContent-Length: 0\r\n\r\n");
        (text, Then::Keep)
    });
    let allow = "[proxy]\nallow = [\"127.0.0.0/8\"]\n";
    let front = Within::with(&far.url(), Limits::default(), Callers::Uid, allow);
    front.store.set(&far.url(), "X-JFrog-Art-Api", "S3cret");
    assert_eq!(front.get(INFO).1, JSON);
    assert!(far.heads()[0].contains("\r\nX-JFrog-Art-Api: S3cret\r\n"));
    let seen = end.heads().remove(0);
    assert!(seen.starts_with("GET /blob?sig=x HTTP/1.1\r\n"), "{seen}");
    assert!(!seen.contains("S3cret") && !seen.contains("X-JFrog"), "{seen}");
    let front = Within::with(&far.url(), Limits::default(), Callers::Uid, allow);
    front.store.set(&end.url(), "Authorization", "Bearer own");
    assert_eq!(front.get(INFO).1, JSON);
    assert!(end.heads()[1].contains("\r\nAuthorization: Bearer own\r\n"));
    assert!(!far.heads()[1].contains("Bearer own"));
}

#[test]
fn a_redirect_leads_to_no_forbidden_place() {
    let inside = Far::always(&ok(JSON));
    for location in [
        inside.url(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        "http://[::1]:1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "//user:pw@h.test/".to_owned(),
    ] {
        let text =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let far = Far::always(&text);
        let front = Within::before(&far.url());
        let (head, body) = front.get(INFO);
        assert!(matches!(status(&head), "403" | "502" | "508"), "{location}: {head}{body}");
        assert!(!body.contains("pw@"), "{body}");
    }
    assert_eq!(inside.connections.load(Ordering::Relaxed), 0);
    // To itself it may, wherever it is; and not for ever.
    let far = Far::saying(|number, _| match number {
        0 => ("HTTP/1.1 301 x\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n".into(), Then::Keep),
        _ => (ok(JSON), Then::Keep),
    });
    let front = Within::before(&far.url());
    assert_eq!(front.get(INFO).1, JSON);
    assert_eq!(far.connections.load(Ordering::Relaxed), 1);
    let far = Far::saying(|number, _| {
        let text = format!("HTTP/1.1 302 x\r\nLocation: /{number}\r\nContent-Length: 0\r\n\r\n");
        (text, Then::Keep)
    });
    let (head, body) = Within::before(&far.url()).get(INFO);
    assert_eq!(status(&head), "502", "{head}{body}");
    assert!(body.contains("[H10]"), "{body}");
    assert_eq!(far.heads().len(), 11);
}

#[test]
fn a_page_never_reaches_go_as_an_answer() {
    let page = "<!DOCTYPE html><html><form>sign in</form></html>";
    let html = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    );
    for what in ["@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip"] {
        for answer in [html.clone(), ok(page), ok(&format!("\u{feff}\n{page}"))] {
            let far = Far::always(&answer);
            let (head, body) = Within::before(&far.url()).get(&format!("/example.com/m/{what}"));
            assert_eq!(status(&head), "502", "{what}: {head}{body}");
            assert!(head.contains("Content-Type: text/plain"), "{head}");
            assert!(!body.contains('<') && body.contains("[H0"), "{body}");
        }
    }
}

#[test]
fn a_hostile_answer_ends_in_a_clear_error() {
    let fields = "X: y\r\n".repeat(10_000);
    let long = "a".repeat(1_000_000);
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            .to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"aaaXX".to_owned(),
        "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}".to_owned(),
        "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
        "\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{16}".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{fields}\r\n"),
        format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(200),
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n".repeat(200),
        "HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
            .to_owned(),
    ] {
        let shown = answer.get(..60).unwrap_or(&answer).to_owned();
        let far = Far::saying(move |_, _| (answer.clone(), Then::Close));
        let front = Within::before(&far.url());
        let (head, body) = front.get(INFO);
        assert!(matches!(status(&head), "502" | "504"), "{shown:?}: {head}{body}");
        assert!(body.starts_with("gocred"), "{shown:?}: {body}");
        assert!(!head.contains("Proxy-Authenticate"), "{head}");
    }
    // What follows an answer belongs to nobody.
    let far = Far::always(&(ok(JSON) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"));
    let front = Within::before(&far.url());
    for _ in 0..3 {
        assert_eq!(front.get(INFO).1, JSON);
    }
    assert_eq!(far.connections.load(Ordering::Relaxed), 3);
    assert_eq!(front.report().upstreams[0].kept, 0);
}

#[test]
fn a_stale_credential_is_tried_once_by_64_at_once() {
    let far =
        Far::always("HTTP/1.1 401 no\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
    let front = Within::before(&far.url());
    front.store.set(&far.url(), "Authorization", "Basic b2xk");
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let (head, body) = front.get(INFO);
                assert_eq!(status(&head), "403", "{head}{body}");
                assert!(body.contains("gocred login") && body.contains("[A15]"), "{body}");
                assert!(!head.to_ascii_lowercase().contains("www-authenticate"), "{head}");
            });
        }
    });
    assert_eq!(far.heads().len(), 1);
    front.store.set(&far.url(), "Authorization", "Basic bmV3");
    eventually("the new one is tried", || {
        front.get(INFO);
        far.heads().iter().any(|head| head.contains("bmV3")).then_some(())
    });
    let old = far.heads().iter().filter(|head| head.contains("b2xk")).count();
    assert_eq!(old, 1);
}

#[test]
fn who_cannot_be_seen_shows_the_secret_of_the_path() {
    let far = Far::always(&ok(JSON));
    let front = Within::with(&far.url(), Limits::default(), Callers::Token, "");
    let (head, body) = front.get(INFO);
    assert_eq!(status(&head), "403", "{head}");
    assert!(body.contains("gocred env"), "{body}");
    let url = front.front.url(front.address);
    let path = url.strip_prefix(&format!("http://{}", front.address)).expect("its URL");
    assert_eq!(path.len(), 51);
    assert_eq!(front.get(&format!("{path}{INFO}")).1, JSON);
    assert!(far.heads().iter().all(|head| !head.contains("/s-")));
}

#[test]
fn a_client_is_answered_as_it_asks_or_refused() {
    let far = Far::saying(|_, head| {
        let length = JSON.len();
        let body = if head.starts_with("HEAD") { "" } else { JSON };
        (format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"), Then::Keep)
    });
    let front = Within::before(&far.url());
    let host = front.address;
    let ask = |bytes: &str| {
        let mut client = front.client();
        client.send(bytes);
        client.until_end()
    };
    for (bytes, expected) in [
        (format!("POST {INFO} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"), "405"),
        (format!("GET {INFO} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc"), "405"),
        (format!("GET {INFO} HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "421"),
        (format!("GET {INFO} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil\r\n\r\n"), "403"),
        (format!("GET http://h/{INFO} HTTP/1.1\r\nHost: {host}\r\n\r\n"), "421"),
        (format!("GET /../etc HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), "404"),
        (format!("GET {INFO}?x=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), "404"),
        (format!("CONNECT h:443 HTTP/1.1\r\nHost: {host}\r\n\r\n"), "405"),
        (format!("GET {INFO} HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(10_000)), "431"),
        (format!("HEAD {INFO} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), "200"),
        (format!("GET {INFO} HTTP/1.0\r\nHost: {host}\r\n\r\n"), "200"),
    ] {
        let answer = ask(&bytes);
        assert_eq!(status(&answer), expected, "{bytes}: {answer}");
    }
    let head = ask(&format!("HEAD {INFO} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    assert!(head.contains(&format!("Content-Length: {}\r\n", JSON.len())), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn a_large_body_streams_and_is_seen_on_its_way() {
    let begin = format!("PK{}", "x".repeat(200_000));
    let far = Far::saying(move |_, _| {
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n{begin}"), Then::Hang)
    });
    let front = Within::before(&far.url());
    let mut client = front.client();
    client.send(front.request("/example.com/m/@v/v1.0.0.zip"));
    let head = client.head().expect("a head");
    assert!(head.contains("\r\nContent-Length: 400000\r\n"), "{head}");
    assert_eq!(client.exactly(200_002).len(), 200_002);
    let [transfer] = &front.report().transfers[..] else { panic!("one") };
    assert_eq!((transfer.bytes, transfer.total), (200_002, Some(400_000)));
    assert_eq!((transfer.stage.as_str(), transfer.upstream.as_str()), ("receiving", &*far.url()));
    assert_eq!(transfer.what, "example.com/m/@v/v1.0.0.zip");
}

#[test]
fn chunks_are_passed_on_as_the_client_knows_them() {
    let data = "PK".to_owned() + &"y".repeat(300_000);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x};a=b\r\n{data}\r\n0\r\n\r\n",
        data.len()
    );
    let far = Far::always(&chunked);
    let front = Within::before(&far.url());
    let zip = "/example.com/m/@v/v1.0.0.zip";
    let (head, body) = front.get(zip);
    assert!(head.contains("\r\nTransfer-Encoding: chunked\r\n"), "{head}");
    assert!(body.ends_with("\r\n0\r\n\r\n") && body.len() > data.len());
    let mut client = front.client();
    client.send(format!("GET {zip} HTTP/1.0\r\nHost: {}\r\n\r\n", front.address));
    let head = client.head().expect("a head");
    assert!(!head.contains("Transfer-Encoding"), "{head}");
    assert_eq!(client.until_end(), data);
    assert_eq!(far.connections.load(Ordering::Relaxed), 1);
}

#[test]
fn one_that_fails_too_often_is_left_alone_and_a_pipe_goes_on_at_once() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", gone.local_addr().expect("an address"));
    drop(gone);
    let has = Far::always(&ok(JSON));
    let front = Within::before(&format!("{url}|{}", has.url()));
    for _ in 0..6 {
        assert_eq!(front.get(INFO).1, JSON);
    }
    let report = front.report();
    assert!(report.upstreams[0].health.starts_with("out of order"), "{report:?}");
    assert_eq!((report.upstreams[0].failed, report.upstreams[1].answered), (5, 6));
    // Where nobody else is asked, go is told why.
    let front = Within::before(&url);
    for _ in 0..5 {
        assert!(front.get(INFO).1.contains("[N01]"));
    }
    let (head, body) = front.get(INFO);
    assert_eq!(status(&head), "503", "{head}{body}");
    assert!(body.contains("[K14]") && body.contains("last: gocred[N01]"), "{body}");
}

#[test]
fn nobody_is_asked_for_a_client_that_has_gone() {
    let far = Far::saying(|_, _| (String::new(), Then::Hang));
    let front = Within::before(&far.url());
    let mut client = front.client();
    client.send(front.request(INFO));
    eventually("it is asked", || (far.heads().len() == 1).then_some(()));
    assert_eq!(front.report().transfers.len(), 1);
    drop(client);
    eventually("it has ended", || front.report().transfers.is_empty().then_some(()));
}

#[test]
fn all_of_a_list_that_is_silent_takes_little_longer_than_one() {
    let limits = Limits { headers: Duration::from_secs(1), ..Limits::default() };
    let silent = || Far::saying(|_, _| (String::new(), Then::Hang));
    let (first, second, third) = (silent(), silent(), silent());
    let list = format!("{}|{}|{}", first.url(), second.url(), third.url());
    let front = Within::limited(&list, limits);
    let begun = Instant::now();
    let (head, body) = front.get(INFO);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(status(&head), "504", "{head}{body}");
    assert!(body.contains("[H01]"), "{body}");
}

#[test]
fn a_slow_head_and_a_silent_body_share_their_time() {
    let limits = Limits { whole: Duration::from_secs(6), ..Limits::default() };
    let far = Far::saying(|_, _| {
        thread::sleep(Duration::from_secs(1));
        ("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"V".to_owned(), Then::Hang)
    });
    let front = Within::limited(&far.url(), limits);
    let begun = Instant::now();
    let (head, body) = front.get(INFO);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(status(&head), "504", "{head}{body}");
    assert!(body.contains("[H02]"), "{body}");
}

#[test]
fn one_that_is_silent_is_waited_for_once_where_there_is_another() {
    let limits = Limits { headers: Duration::from_secs(1), ..Limits::default() };
    let silent = Far::saying(|_, _| (String::new(), Then::Hang));
    let has = Far::always(&ok(JSON));
    let front = Within::limited(&format!("{}|{}", silent.url(), has.url()), limits);
    for _ in 0..5 {
        assert_eq!(front.get(INFO).1, JSON);
    }
    assert_eq!((silent.heads().len(), has.heads().len()), (1, 5));
}

/// A corporate proxy, or a handshake, that takes longer than a server may take for the head of an answer
/// is no reason to give it up.
#[test]
fn the_time_for_a_head_begins_when_there_is_a_connection() {
    let far = Far::saying(|_, head| {
        if head.starts_with("CONNECT ") {
            thread::sleep(Duration::from_secs(2));
            return ("HTTP/1.1 200 ok\r\n\r\n".to_owned(), Then::Keep);
        }
        (ok(JSON), Then::Keep)
    });
    let limits = Limits { headers: Duration::from_secs(1), ..Limits::default() };
    let config = format!("[proxy]\nupstream = [\"{}\"]\n", far.url());
    let front = Within::with("http://modules.test", limits, Callers::Uid, &config);
    let (head, body) = front.get(INFO);
    assert_eq!((status(&head), body.as_str()), ("200", JSON), "{head}{body}");
    // What all of it takes has a limit all the same.
    let limits = Limits { whole: Duration::from_secs(1), ..Limits::default() };
    let front = Within::with("http://modules.test", limits, Callers::Uid, &config);
    let begun = Instant::now();
    assert_eq!(status(&front.get(INFO).0), "504");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// A server that sends so many bytes at once, and then as many a second as it says, in tenths.
fn dripping(at_once: usize, a_second: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                Client::on(stream.try_clone().expect("a clone")).head();
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nPK";
                let mut next = [head.as_bytes(), &vec![b'x'; at_once]].concat();
                while (&stream).write_all(&next).is_ok() {
                    thread::sleep(Duration::from_millis(100));
                    next = vec![b'x'; a_second / 10];
                }
            });
        }
    });
    address
}

/// Half a KB a second ends when its window does, and more than one goes on; the window is 30 s by default.
#[test]
fn a_body_below_the_rate_is_ended_and_one_above_it_lives() {
    let window = Duration::from_secs(3);
    let limits = Limits { window, ..Limits::default() };
    let zip = "/m.test/m/@v/v1.0.0.zip";
    // What reaches the client is past what is collected before its head.
    let slow = Within::limited(&format!("http://{}", dripping(100_000, 512)), limits);
    let begun = Instant::now();
    let mut client = slow.client();
    client.send(slow.request(zip));
    assert_eq!(status(&client.head().expect("a head")), "200");
    let mut stream = client.stream();
    let ended = loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => panic!("it looks complete"),
            Ok(_) => {}
            Err(error) => break error.kind(),
        }
    };
    assert_eq!(ended, std::io::ErrorKind::ConnectionReset);
    // The first window has the beginning.
    let took = begun.elapsed();
    assert!((window..window * 4).contains(&took), "{took:?}");
    eventually("it is told", || {
        let told = slow.report().findings;
        told.iter().any(|found| found.code.as_deref() == Some("H03")).then_some(())
    });
    // Where nothing has reached the client it is told why.
    let slow = Within::limited(&format!("http://{}", dripping(0, 512)), limits);
    let (head, body) = slow.get(zip);
    assert_eq!(status(&head), "504", "{head}{body}");
    assert!(body.contains("[H03]") && body.contains("in 3 s"), "{body}");
    let good = Within::limited(&format!("http://{}", dripping(100_000, 1230)), limits);
    let mut client = good.client();
    client.send(good.request(zip));
    assert_eq!(status(&client.head().expect("a head")), "200");
    // Four windows.
    assert_eq!(client.exactly(100_000 + 1230 * 12).len(), 100_000 + 1230 * 12);
    assert!(good.report().findings.is_empty(), "{:?}", good.report().findings);
}

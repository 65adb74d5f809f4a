//! Who may ask the front, and what it gives to whom: another user, a page in a browser and a name that
//! leads to us are refused; what go sent and what a host was given go nowhere else.

use std::{
    sync::{Arc, OnceLock},
    thread,
};

use super::{
    goproxy_lab::{ALLOW, Front, Gopher, LIB, Office, front, prepared},
    proxy_browser::{attempts, rebound, same_port},
    proxy_lab::{Next, Upstream, status},
    support::{
        as_another_user,
        go::Release,
        home::{GOCRED, Home},
        lab::Lab,
        program,
    },
};

const LIST: &str = "/a.test/x/@v/list";

/// A module proxy that has one thing for everybody.
fn open() -> Upstream {
    Upstream::start(|client, head| {
        client.send(if head.contains(".info ") {
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n\
             {\"Version\":\"v1.0.0\"}"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nv1.0.0\n"
        });
        Next::Again
    })
}

#[test]
fn another_user_gets_nothing() {
    let Some(mut another) = as_another_user() else { return };
    let Some(curl) = program("curl", "curl") else { return };
    let (home, upstream) = (Home::new(), open());
    let front = front(&home, &upstream.url());
    let url = format!("{}{LIST}", front.url);
    let output =
        another.arg(curl).args(["-sS", "-i", "--noproxy", "*", &url]).output().expect("curl");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.starts_with("HTTP/1.1 403 gocred[K03]: "), "{output:?}");
    assert!(!told.contains("v1.0.0"), "{told}");
    assert_eq!(upstream.connections(), 0);
    assert!(front.get(LIST, "").ends_with("v1.0.0\n"));
}

/// As in a container that runs as nobody: there a uid says nothing.
#[test]
fn where_the_uid_says_nothing_the_path_is_a_secret_of_this_start() {
    let Some(unshare) = program("unshare", "util-linux") else { return };
    let Some(gopher) = Gopher::new(Release::Go119) else { return };
    let (home, upstream) = (Home::new(), open());
    home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}"));
    let start = || {
        let run = home.run(&unshare).args(["--user", "--map-user=65534", GOCRED]);
        let mut front = Front::start(&prepared(run, &upstream.url()));
        let told = home.gocred().arg("env").output().success();
        let value = told.split("GOPROXY='").nth(1).and_then(|rest| rest.split(',').next());
        let url = value.unwrap_or_else(|| panic!("{told}"));
        // What it says of itself at its start ends in journals.
        assert!(url.starts_with(&format!("{}/s-", front.url)), "{told}");
        url.clone_into(&mut front.url);
        front
    };
    let first = start();
    let (address, secret) = first.place();
    let secret = secret.to_owned();
    let digits = secret.strip_prefix("/s-").expect("a secret path");
    assert!(digits.len() == 48 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
    assert!(first.get(LIST, "").ends_with("v1.0.0\n"));
    let asked = upstream.heads().len();
    let wrong = format!("/s-{}", "0".repeat(48));
    for path in [
        "",
        "/s-",
        &wrong,
        secret.strip_suffix(|_| true).unwrap_or_default(),
        &secret.to_uppercase(),
        "/x",
    ] {
        let answer = first.send(&format!("GET {path}{LIST} HTTP/1.1\r\nHost: {address}\r\n"));
        assert!(matches!(status(&answer), "403" | "404"), "{path}: {answer}");
        assert!(!answer.contains(digits) && !answer.contains("v1.0.0"), "{answer}");
    }
    assert_eq!(upstream.heads().len(), asked);
    // go uses it as any other.
    let run = gopher.go(&first.url).args(["list", "-m", "-versions", "a.test/x"]);
    assert_eq!(run.output().success(), "a.test/x v1.0.0\n");
    let heads = upstream.heads();
    assert!(heads.iter().all(|head| !head.contains(digits) && !head.contains("/s-")), "{heads:?}");
    drop(first);
    let second = start();
    assert_ne!(second.place().1, secret);
    let (address, _) = second.place();
    let answer = second.send(&format!("GET {secret}{LIST} HTTP/1.1\r\nHost: {address}\r\n"));
    assert!(matches!(status(&answer), "403" | "404"), "{answer}");
}

#[test]
fn a_name_that_leads_to_us_and_another_site_are_refused() {
    let (home, upstream) = (Home::new(), open());
    let front = front(&home, &upstream.url());
    let (address, before) = front.place();
    let port = address.port();
    for host in [
        "rebound.test",
        &format!("rebound.test:{port}"),
        &format!("127.0.0.1.nip.test:{port}"),
        &format!("127.0.0.2:{port}"),
        "127.0.0.1",
        "",
        &format!("127.0.0.1:{}", port ^ 1),
        &format!("a@127.0.0.1:{port}"),
    ] {
        let answer = front.send(&format!("GET {before}{LIST} HTTP/1.1\r\nHost: {host}\r\n"));
        assert!(matches!(status(&answer), "400" | "403" | "421"), "{host:?}: {answer}");
    }
    let answer = front.send(&format!("GET {before}{LIST} HTTP/1.1\r\n"));
    assert!(matches!(status(&answer), "400" | "403" | "421"), "{answer}");
    let twice = format!("Host: {address}\r\nHost: rebound.test\r\n");
    let answer = front.send(&format!("GET {before}{LIST} HTTP/1.1\r\n{twice}"));
    assert!(matches!(status(&answer), "400" | "403" | "421"), "{answer}");
    for fields in [
        "Origin: http://evil.test\r\n",
        "Origin: null\r\n",
        "Referer: http://evil.test/x\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
        &format!("Origin: http://{address}\r\n"),
    ] {
        let answer = front.get(LIST, fields);
        assert_eq!(status(&answer), "403", "{fields}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-allow"), "{answer}");
    }
    assert_eq!(upstream.connections(), 0);
    for host in [address.to_string(), format!("localhost:{port}")] {
        let answer = front.send(&format!("GET {before}{LIST} HTTP/1.1\r\nHost: {host}\r\n"));
        assert_eq!(status(&answer), "200", "{answer}");
    }
}

/// Tries what a page can do to the front, and reports what it saw.
const PAGE: &str = r"<script>
(async () => {
  for (const host of ['127.0.0.1', 'localhost', 'rebound.test']) {
    const at = `http://${host}:${port}/a.test/x/@v/list`;
    await attempt(host + ' fetch', async () => look(await fetch(at)));
    await attempt(host + ' no-cors', async () =>
      look(await fetch(at, { mode: 'no-cors', credentials: 'include' })));
    await attempt(host + ' no referrer', async () =>
      look(await fetch(at, { mode: 'no-cors', referrerPolicy: 'no-referrer' })));
    await attempt(host + ' post', async () =>
      look(await fetch(at, { method: 'POST', mode: 'no-cors', body: 'x' })));
    await attempt(host + ' script', () => element('script', at));
    await attempt(host + ' link', () => element('link', at));
    await attempt(host + ' img', () => element('img', at));
    await attempt(host + ' frame', async () => {
      const it = document.createElement('iframe');
      it.src = at;
      document.body.append(it);
      await new Promise((done) => { it.onload = done; });
      try { return 'read ' + it.contentDocument.body.innerText; } catch { return 'error'; }
    });
  }
  await fetch('/report', { method: 'POST', body: JSON.stringify(seen) });
})();
</script>";

#[test]
fn a_page_in_chromium_reaches_nobody_behind_the_front() {
    let (home, upstream) = (Home::new(), open());
    let front = front(&home, &upstream.url());
    let (address, _) = front.place();
    let tried = attempts(PAGE, address.port(), Vec::new(), "read ");
    let Some((count, _browser)) = tried else { return };
    assert_eq!(count, 24);
    assert_eq!(upstream.connections(), 0, "{:?}", upstream.heads());
    assert!(front.get(LIST, "").ends_with("v1.0.0\n"), "go is served as before");
}

/// DNS rebinding: to the browser, what we say is the page's own, and it names the page as its host.
#[test]
fn a_page_whose_name_leads_to_the_front_reads_none_of_it() {
    const PAGE: &str = "<!doctype html><script>
        (async () => {
          const seen = [];
          for (const path of ['/', '/a.test/x/@v/list', '/a.test/x/@latest', '/sumdb/sum.test/latest'])
            try {
              const answer = await fetch(path, { headers: { 'X-A': 'b' } });
              seen.push(answer.status + ' ' + (await answer.text()).split('\\n')[0]);
            } catch (error) { seen.push('error'); }
          await fetch('http://@REPORTS@/report', { method: 'POST', mode: 'no-cors', body: seen.join('\\n') });
        })()</script>";
    let (home, upstream) = (Home::new(), open());
    home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}"));
    // The resolver gives 127.0.0.1 first.
    let (listener, ours) = same_port();
    let run = home.gocred().args(["proxy", "run", "--listen", "127.0.0.1:0", "--goproxy", &ours]);
    let _front = Front::start(&run.args(["--goproxy-upstream", &upstream.url()]));
    let Some(seen) = rebound(&home, listener, PAGE) else { return };
    assert_eq!(seen.lines().count(), 4, "{seen}");
    for line in seen.lines() {
        assert!(line.starts_with("421 gocred") || line.starts_with("403 gocred"), "{seen}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn what_the_client_sent_ends_at_the_front() {
    let (home, upstream) = (Home::new(), open());
    let front = front(&home, &upstream.url());
    let fields = "Authorization: Basic YTpi\r\nCookie: a=b\r\nProxy-Authorization: Basic YTpi\r\n\
                  PRIVATE-TOKEN: x\r\nX-JFrog-Art-Api: y\r\nUser-Agent: GoCommand/1\r\nTE: trailers\r\n";
    assert!(front.get(LIST, fields).ends_with("v1.0.0\n"));
    let head = upstream.heads().pop().expect("a request").to_ascii_lowercase();
    for name in ["authorization:", "cookie:", "private-token:", "x-jfrog-art-api:", "\r\nte:"] {
        assert!(!head.contains(name), "{head}");
    }
    assert!(
        head.contains("\r\nuser-agent: gocommand/1\r\n") && head.contains("\r\nvia: "),
        "{head}"
    );
}

/// A module proxy that we know sends us to hosts that we know nothing for, by each status that does so.
#[test]
fn no_redirect_takes_a_credential_along() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(office) = Office::new(&lab) else { return };
    let home = Home::new();
    let config = "[host.\"artifactory.corp.test\"]\nheader = \"X-JFrog-Art-Api\"\n";
    home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}\n{config}"));
    office.login(&lab, "GOPROXY", &["goproxy.corp.test"]);
    office.login(&lab, "JFROG", &["artifactory.corp.test"]);
    lab.forget();
    for list in [
        "https://goproxy.corp.test/redirected",
        // It has no credential here.
        "https://goproxy.corp.test/stored",
        "https://artifactory.corp.test/artifactory/api/go/go-virtual",
    ] {
        let front = Front::start(&prepared(office.run(&home, GOCRED), list));
        let answer = front.get(&format!("/{LIB}/@v/v1.0.0.zip"), "");
        let is_stored = list.ends_with("stored");
        assert_eq!(status(&answer), if is_stored { "403" } else { "200" }, "{answer}");
        if is_stored {
            // 401 would ask go for a login to us.
            assert!(answer.contains("gocred login store.corp.test"), "{answer}");
        }
    }
    let requests = lab.requests();
    for host in ["cdn.corp.test", "store.corp.test"] {
        let mut there = requests.iter().filter(|request| request.host == host).peekable();
        assert!(there.peek().is_some(), "{requests:?}");
        for request in there {
            let sent = (&*request.auth, &*request.key, &*request.cookie);
            assert_eq!(sent, ("", "", ""), "{request:?}");
        }
    }
}

/// A stale credential is shown once, however many ask at a time.
#[test]
fn sixty_four_at_once_with_a_stale_credential_are_one_attempt() {
    let Some(mut lab) = Lab::enter() else { return };
    let Some(office) = Office::new(&lab) else { return };
    let home = Home::new();
    home.write(".config/gocred/config.toml", format!("[proxy]\n{ALLOW}"));
    let login =
        ["login", "goproxy.corp.test", "--username", "builder", "--with-token", "--no-verify"];
    office.run(&office.home, GOCRED).args(login).input("stale\n").output().success();
    let front = Front::start(&prepared(office.run(&home, GOCRED), "https://goproxy.corp.test"));
    lab.forget();
    let answers: Vec<String> = thread::scope(|scope| {
        let ask = || front.get(&format!("/{LIB}/@v/list"), "");
        let mut running = Vec::new();
        for _ in 0..64 {
            running.push(scope.spawn(ask));
        }
        running.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    for answer in answers {
        assert_eq!(status(&answer), "403", "{answer}");
        assert!(answer.contains("gocred[A15]") && answer.contains("stored just now"), "{answer}");
        assert!(answer.contains("gocred login goproxy.corp.test"), "{answer}");
    }
    let shown = lab.requests().iter().filter(|request| !request.auth.is_empty()).count();
    assert_eq!(shown, 1, "{:?}", lab.requests());
}

/// The names and arguments of what runs: nothing secret in them (the whole matrix is swept as well).
#[test]
fn the_daemon_shows_no_credential_in_its_arguments() {
    let (home, upstream) = (Home::new(), open());
    let url = upstream.url().replace("http://", "http://ana:S3cretS3cret@");
    let run = prepared(home.gocred(), &url);
    let output = run.command().output().expect("gocred");
    assert!(!output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("S3cretS3cret"), "{told}");
    assert!(told.contains("gocred login"), "{told}");
}

/// A server sends us to ourselves, where targets on loopback are allowed: with the path that it was asked
/// for it would be sent there for ever.
#[test]
fn a_redirect_to_the_front_itself_ends() {
    let url = Arc::new(OnceLock::<String>::new());
    let target = Arc::clone(&url);
    let upstream = Upstream::start(move |client, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let url = target.get().expect("the front runs");
        client.send(format!(
            "HTTP/1.1 302 Found\r\nLocation: {url}{path}\r\nContent-Length: 0\r\n\r\n"
        ));
        Next::Again
    });
    let home = Home::new();
    let front = front(&home, &upstream.url());
    url.set(front.url.clone()).expect("once");
    let answer = front.get(LIST, "");
    assert!(answer.contains("gocred[") && !answer.contains("200 OK"), "{answer}");
    assert!(upstream.heads().len() <= 10, "{:?}", upstream.heads());
}

/// What a redirect carries in its URL is nobody's to give.
#[test]
fn a_redirect_with_a_login_in_it_gives_no_login() {
    let there = open();
    let place = there.address;
    let upstream = Upstream::start(move |client, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        client.send(format!(
            "HTTP/1.1 302 Found\r\nLocation: http://ana:S3cretS3cret@{place}{path}\r\n\
             Content-Length: 0\r\n\r\n"
        ));
        Next::Again
    });
    let home = Home::new();
    let front = front(&home, &upstream.url());
    let answer = front.get(LIST, "");
    assert!(!answer.contains("S3cretS3cret"), "{answer}");
    let sent = there.heads();
    assert!(
        sent.iter().all(|head| !head.to_ascii_lowercase().contains("authorization")),
        "{sent:?}"
    );
    let report = home.gocred().args(["proxy", "status", "--json"]).output().success();
    assert!(!report.contains("S3cretS3cret"), "{report}");
}

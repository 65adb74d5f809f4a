//! What a proxy does that can be trusted: each promise has a test that sends the bytes and looks at
//! what arrived upstream. Those that stand elsewhere are named here, the others follow.
//!
//! | promise | tests |
//! |---|---|
//! | 1. another user is refused before a byte is read | `proxy_connect::another_user_is_refused_before_a_byte_is_read`, `who_is_gone_is_not_served`, `a_forwarder_of_another_user_is_that_user`, `proxy_connect::our_own_user_is_refused_in_another_network_where_nobody_can_see_who_it_is` |
//! | 2. no web server, no state by GET, a private control socket | `proxy_http::only_a_proxy_is_served`, `no_path_of_a_web_page_does_anything`, `proxy_connect::the_control_socket_is_private_and_a_stale_one_is_replaced`, `audit_proxy::the_control_socket_answers_no_other_user_even_where_its_mode_lets_them_in`, `proxy_browser` |
//! | 3. nothing that two parsers read differently | `proxy_http::what_two_parsers_could_read_differently_reaches_nobody`, `every_spelling_of_a_smuggled_request_ends_the_connection` |
//! | 4. the targets of CONNECT | `proxy_connect::only_plain_targets_reach_the_upstream` |
//! | 5. special addresses, and ourselves | `proxy_connect::special_addresses_are_refused_in_every_spelling`, `proxy_connect::a_name_is_refused_for_what_it_resolves_to`, `our_own_listener_is_refused_in_every_spelling`, `a_pac_file_does_not_lead_to_ourselves`, `two_proxies_that_are_each_others_upstream_notice_it`, `no_answer_of_a_name_server_leads_to_ourselves` |
//! | 6. fields of one hop, and logins, stay where they belong | `proxy_http::what_concerns_one_hop_stays_on_it`, `proxy_auth::the_secret_goes_out_after_a_challenge_and_then_at_once`, `a_login_of_the_client_goes_nowhere` |
//! | 7. Basic only where it was asked for, and never after more | `proxy_auth::nobody_but_the_configured_upstream_gets_the_secret`, `audit_proxy::an_offer_of_basic_that_comes_late_does_not_weaken_a_stronger_one`, `a_proxy_that_only_a_pac_file_names_gets_no_secret` |
//! | 8. no login after a 407 without a challenge, or on the direct way | `proxy_auth::nobody_but_the_configured_upstream_gets_the_secret` |
//! | 9. one failed login | `proxy_refused`, `proxy_guard` |
//! | 10. an upstream's failure is ours to tell | `proxy_connect::each_failure_of_an_upstream_has_its_code_and_its_words`, `proxy_hostile` |
//! | 11. half-open heads, and long ones | `proxy_connect::ten_thousand_half_open_heads_hold_nobody`, `proxy_http::a_head_has_its_limits` |
//! | 12. loopback only | `proxy_connect::a_taken_port_is_named` |
//! | 13. half-closes, and much data whole | `proxy_connect::early_bytes_and_half_closes_pass_both_ways`, `proxy_connect::much_data_arrives_whole_through_many_tunnels_at_once`, tests/soak (1 GiB both ways in 64 tunnels) |
//! | 14. a silent tunnel lives | `a_tunnel_that_is_silent_for_half_an_hour_lives` |
//! | 15. a signal ends it in time | `proxy_connect::a_signal_ends_an_idle_proxy_at_once_and_a_busy_one_when_it_is_done`, `service` |
//! | 16. secrets are nowhere else | `leak`, `proxy_auth::the_secret_goes_out_after_a_challenge_and_then_at_once`, `nobody_else_can_look_into_the_memory` |
//! | 17. a hostile PAC file | `proxy_pac_engine::a_run_that_is_ended_costs_neither_the_proxy_nor_the_next_question`, `proxy_pac::a_script_of_ten_megabytes_is_not_run`, `a_pac_file_that_gives_no_answer_is_not_direct` |
//! | 18. fuzzing | tests/fuzz |

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    proxy_lab::{CONNECT, Client, Daemon, Next, Upstream, proxy, save, status},
    support::{
        as_another_user,
        home::{GOCRED, Home},
        keyring::Keyring,
        program, skipped,
    },
};

/// A program that ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a port").port()
}

/// The client has asked, and closed, before it was looked at. Linux says uid 0 of such a connection
/// after a while, and names no socket at once.
#[test]
fn who_is_gone_is_not_served() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let daemon = Daemon::through(&home, &[&upstream]);
    daemon.signal(Signal::STOP);
    for linger in [None, Some(Duration::ZERO)] {
        for _ in 0..10 {
            let mut client = daemon.client();
            client.send(CONNECT);
            rustix::net::sockopt::set_socket_linger(client.stream(), linger).expect("set");
        }
    }
    let mut here = daemon.client();
    here.send(CONNECT);
    daemon.signal(Signal::CONT);
    assert_eq!(status(&here.head().expect("an answer")), "200");
    assert_eq!(upstream.connections(), 1);
    let report = home.gocred().args(["proxy", "status", "--json"]).output().success();
    assert!(report.contains("\"K03\""), "{report}");
}

/// What Docker's `docker-proxy` does for a container whose host opens a port to it: another user's
/// process connects on its behalf.
#[test]
fn a_forwarder_of_another_user_is_that_user() {
    const FORWARD: &str = "import socket, sys, threading\n\
        def copy(a, b):\n    \
            while (bytes := a.recv(65536)): b.sendall(bytes)\n    \
            b.shutdown(socket.SHUT_WR)\n\
        door = socket.create_server(('127.0.0.1', 0))\n\
        print(door.getsockname()[1], flush=True)\n\
        while True:\n    \
            here, _ = door.accept()\n    \
            there = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n    \
            threading.Thread(target=copy, args=(here, there), daemon=True).start()\n    \
            threading.Thread(target=copy, args=(there, here), daemon=True).start()\n";
    let Some(mut another_user) = as_another_user() else { return };
    let Some(_) = program("/usr/bin/python3", "python3") else { return };
    let (home, upstream) = (Home::new(), Upstream::echo());
    let daemon = Daemon::through(&home, &[&upstream]);
    let child = another_user
        .args(["/usr/bin/python3", "-I", "-c", FORWARD, &daemon.address.port().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a forwarder");
    let mut forwarder = Running(child);
    let mut port = String::new();
    let stdout = forwarder.0.stdout.take().expect("stdout");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut port).expect("a port");
    let port: u16 = port.trim().parse().expect("a port");
    for request in [CONNECT, "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n"] {
        let mut container = Client::to((std::net::Ipv4Addr::LOCALHOST, port).into());
        container.send(request);
        let told = container.until_end();
        assert!(told.starts_with("HTTP/1.1 403 gocred[K03]: "), "{told}");
    }
    assert_eq!(upstream.connections(), 0);
}

/// A page can make a browser send GET, HEAD and POST anywhere, and forms with bodies.
#[test]
fn no_path_of_a_web_page_does_anything() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let mut daemon = Daemon::through(&home, &[&upstream]);
    let own = daemon.address;
    for path in [
        "/",
        "/stop",
        "/quit",
        "/PxQuit",
        "/reload",
        "/proxy.pac",
        "/access.log",
        "/?ask=stop",
        "/metrics",
        "/status.json",
        "/status",
        "//",
        "/?token=",
        "/?token=0",
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
            let told = daemon.ask(format!(
                "{method} {path} HTTP/1.1\r\nHost: {own}\r\nOrigin: http://evil.test\r\n\
                 Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nReferer: http://evil.test/\r\n\
                 Content-Type: text/plain\r\nContent-Length: 14\r\n\r\n{{\"ask\":\"stop\"}}"
            ));
            // The status page is there, and told to nobody who is sent by another site.
            assert!(matches!(status(&told), "403" | "421"), "{method} {path}: {told}");
            assert!(!told.contains("tunnels") && !told.contains("Set-Cookie"), "{told}");
            assert!(!told.to_ascii_lowercase().contains("access-control-"), "{told}");
        }
    }
    // The words of the control socket are no request.
    assert_eq!(status(&daemon.ask("{\"ask\":\"stop\"}\n\r\n\r\n")), "400");
    assert!(daemon.child.try_wait().expect("a child").is_none(), "it has ended");
    assert_eq!(upstream.connections(), 0);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_spelling_of_a_smuggled_request_ends_the_connection() {
    let (home, upstream) = (Home::new(), Upstream::echo());
    let daemon = Daemon::through(&home, &[&upstream]);
    let smuggled = "GET http://smuggled.test/ HTTP/1.1\r\nHost: smuggled.test\r\n\r\n";
    for fields in [
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 0",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0,0",
        "Content-Length: 0x5",
        "Content-Length: -1",
        "Content-Length:",
        "Content-Length: 1 1",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999",
        "Content-Length\t: 5",
        "Content-Length: \u{661}",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: cHuNkEd\x0c",
        "Transfer-Encoding:\u{a0}chunked",
        "Transfer-Encoding",
        ": x",
        "X\0: a",
        "X\r: a",
        "X: a\r\r\nY: b",
        "\u{fe}: x",
        "X(Y): z",
        " X: a",
        "\tX: a",
    ] {
        let first = format!("POST http://h.test/ HTTP/1.1\r\nHost: h.test\r\n{fields}\r\n\r\n");
        let told = daemon.ask([&first, "0\r\n\r\n", smuggled].concat());
        assert_eq!(status(&told), "400", "{fields:?}: {told}");
        assert_eq!(told.matches("\r\nProxy-Status: ").count(), 1, "{fields:?}: {told}");
    }
    for line in [
        "GET  http://h.test/ HTTP/1.1",
        "GET http://h.test/ HTTP/1.1 ",
        "GET http://h.test/",
        "GET\thttp://h.test/\tHTTP/1.1",
        " GET http://h.test/ HTTP/1.1",
        "G(T http://h.test/ HTTP/1.1",
        "GET http://h.test/ a HTTP/1.1",
        "GET http://h.test/ HTTP/1.10",
        "GET http://h.test/ HTTP/01.1",
        "GET http://h.test/ http/1.1",
        "GET http://h.test/\u{0} HTTP/1.1",
        "GET http://h.test/\u{b} HTTP/1.1",
        "GET http://h.test@evil.test/ HTTP/1.1",
        "GET http://h.test:080/ HTTP/1.1",
        "GET http://h.test:/ HTTP/1.1",
        "GET http://h%2etest/ HTTP/1.1",
        "GET http:///etc/passwd HTTP/1.1",
        "GET //h.test/ HTTP/1.1",
        "GET h.test HTTP/1.1",
    ] {
        let told = daemon.ask(format!("{line}\r\nHost: h.test\r\n\r\n{smuggled}"));
        assert!(matches!(status(&told), "400" | "421" | "505"), "{line:?}: {told}");
        assert_eq!(told.matches("\r\nProxy-Status: ").count(), 1, "{line:?}: {told}");
    }
    assert_eq!(upstream.connections(), 0);
}

/// Names that `/etc/hosts` gives to IPv4 loopback addresses: Go uses a proxy for them, and not for
/// `localhost`.
fn loopback_name() -> Option<(String, String)> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut lines = hosts.lines().filter(|line| line.starts_with("127."));
    let found = lines.find_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?.to_owned();
        Some((address, words.find(|name| !name.ends_with("localhost"))?.to_owned()))
    });
    if found.is_none() {
        skipped("/etc/hosts gives no name to loopback; run tests/lab/enter.sh cargo test");
    }
    found
}

#[test]
fn our_own_listener_is_refused_in_every_spelling() {
    let Some((address, name)) = loopback_name() else { return };
    let home = Home::new();
    // Everything is allowed that can be.
    home.write(".config/gocred/config.toml", "[proxy]\nallow = [\"0.0.0.0/0\", \"::/0\"]\n");
    let run = home.gocred().args(["proxy", "run", "--listen", &format!("{address}:0")]);
    let run = run.args(["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]);
    let run = if TcpListener::bind("[::1]:0").is_ok() {
        run
    } else {
        home.gocred().args(["proxy", "run", "--listen", &format!("{address}:0")])
    };
    let daemon = Daemon::start(&run);
    let port = daemon.address.port();
    let octets: Vec<u32> = address.split('.').map(|octet| octet.parse().expect("octet")).collect();
    let number = octets.iter().fold(0_u32, |number, octet| number << 8 | octet);
    let [a, b, c, d] = octets[..] else { unreachable!("four octets") };
    for host in [
        address.clone(),
        name.clone(),
        name.to_uppercase(),
        format!("{name}."),
        number.to_string(),
        format!("{number:#x}"),
        format!("{number:#o}").replace("0o", "0"),
        format!("{a}.{}", number & 0xff_ffff),
        format!("{a}.{b}.{}", number & 0xffff),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        "0.0.0.0".to_owned(),
        "0".to_owned(),
        "0x0".to_owned(),
        "[::]".to_owned(),
        format!("[::ffff:{address}]"),
        format!("[::{address}]"),
        format!("[64:ff9b::{address}]"),
        "[::ffff:0.0.0.0]".to_owned(),
    ] {
        for request in [
            format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: h\r\n\r\n"),
            format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        ] {
            let told = daemon.ask(&request);
            let is_known = told.starts_with("HTTP/1.1 508 gocred[K11]: ");
            // A spelling that the resolver does not take, or that is no name, leads nowhere either.
            let leads_nowhere = ["400", "502", "504"].contains(&status(&told));
            assert!(is_known || (leads_nowhere && host.ends_with('.')), "{request}: {told}");
        }
    }
}

#[test]
fn a_pac_file_does_not_lead_to_ourselves() {
    let home = Home::new();
    let port = free_port();
    home.write(
        "own.pac",
        format!(
            "FindProxyForURL = (url, host) => ({{
                'http.test': 'PROXY 127.0.0.1:{port}',
                'tls.test': 'HTTPS 127.0.0.1:{port}',
                'socks.test': 'SOCKS5 127.0.0.1:{port}',
                'name.test': 'PROXY localhost:{port}',
                'number.test': 'PROXY 2130706433:{port}',
                'zero.test': 'PROXY 0.0.0.0:{port}',
                'again.test': 'PROXY 127.0.0.1:{port}; PROXY [::ffff:127.0.0.1]:{port}',
            }})[host] || 'DIRECT'"
        ),
    );
    home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\nallow = [\"127.0.0.0/8\"]\npac = {:?}\n", home.path().join("own.pac")),
    );
    let run = home.gocred().args(["proxy", "run", "--listen", &format!("127.0.0.1:{port}")]);
    let daemon = Daemon::start(&run);
    for host in [
        "http.test",
        "tls.test",
        "socks.test",
        "name.test",
        "number.test",
        "zero.test",
        "again.test",
    ] {
        for request in [
            format!("CONNECT {host}:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
            format!("GET http://{host}/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        ] {
            let told = daemon.ask(&request);
            assert!(told.starts_with("HTTP/1.1 508 gocred[K11]: "), "{request}: {told}");
        }
    }
    // What goes direct is known, too.
    let told = daemon.ask(format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(told.starts_with("HTTP/1.1 508 gocred[K11]: "), "{told}");
}

/// Each is the other's upstream: what is sent to one comes back to it, by way of the other.
#[test]
fn two_proxies_that_are_each_others_upstream_notice_it() {
    let ports = [free_port(), free_port()];
    let homes = [Home::new(), Home::new()];
    let start = |at: usize| {
        let run = homes[at].gocred().args(["proxy", "run"]);
        let run = run.args(["--listen", &format!("127.0.0.1:{}", ports[at])]);
        Daemon::start(&run.args(["--upstream", &format!("http://127.0.0.1:{}", ports[1 - at])]))
    };
    let [first, second] = [start(0), start(1)];
    for request in [CONNECT, "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n"] {
        let begun = Instant::now();
        let told = first.ask(request);
        assert_eq!(status(&told), "508", "{told}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    drop((first, second));
}

/// A name server that says what it likes: first another address, then ours.
const REBINDING: &str = r#"
set -e
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
printf '127.0.0.1 localhost\n' >hosts
printf 'nameserver 127.0.0.9\noptions timeout:1 attempts:1\n' >resolv.conf
mount --bind hosts /etc/hosts
mount --bind resolv.conf "$(readlink -f /etc/resolv.conf)"
cat >server.py <<'END'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.9", 53))
print("ready", flush=True)
asked = {}
while True:
    q, to = s.recvfrom(512)
    end = q.index(b"\0", 12)
    name, kind = q[12:end + 1], q[end + 1:end + 3]
    asked[name] = asked.get(name, 0) + (kind == b"\0\1")
    both = [bytes([192, 0, 2, 1]), bytes([127, 0, 0, 1])]
    if name.startswith(b"\3own"): answer = both[1:]
    elif name.startswith(b"\4both"): answer = both
    else: answer = both[:1] if asked[name] <= 1 else both[1:]
    if kind != b"\0\1": answer = []
    rr = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + a for a in answer)
    s.sendto(q[:2] + b"\x81\x80\0\1\0" + bytes([len(answer)]) + b"\0\0\0\0" + q[12:end + 5] + rr, to)
END
python3 -u server.py >ready &
until grep -q ready ready; do sleep 0.02; done
"$1" proxy run --listen 127.0.0.1:0 >address 2>/dev/null &
until grep -q listening address; do sleep 0.02; done
port=$(sed 's/.*://' address)
for host in own.test both.test rebound.test rebound.test; do
    for at in 1 2 3; do
        exec 3<>/dev/tcp/127.0.0.1/$port
        printf 'CONNECT %s:%s HTTP/1.1\r\nHost: h\r\n\r\n' "$host" "$port" >&3
        read -r line <&3
        echo "$host $line"
        exec 3<&-
    done
    [ $host != rebound.test ] || sleep 5.1 # longer than an answer is kept
done
"#;

#[test]
fn no_answer_of_a_name_server_leads_to_ourselves() {
    let Some(unshare) = program("unshare", "util-linux") else { return };
    let Some(_) = program("python3", "python3") else { return };
    let spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child"];
    let users = ["--user", "--map-root-user"];
    let works = |flags: &[&str]| {
        let status = Command::new(&unshare).args(flags).arg("true").output();
        status.is_ok_and(|output| output.status.success())
    };
    let flags = match (works(&spaces), [&spaces[..], &users].concat()) {
        (true, _) => spaces.to_vec(),
        (false, flags) if works(&flags) => flags,
        (false, _) => return skipped("this machine gives no namespaces"),
    };
    let home = Home::new();
    home.write(".config/gocred/config.toml", "[proxy]\nallow = [\"127.0.0.0/8\"]\n");
    let run = home.run(&unshare).args(flags).args(["bash", "-c", REBINDING, "bash", GOCRED]);
    let said = run.limit(Duration::from_secs(120)).output().success();
    assert_eq!(said.lines().count(), 12, "{said}");
    for line in said.lines() {
        assert!(!line.contains(" 200 "), "{said}");
        if line.starts_with("own.test ") {
            assert!(line.contains("508 gocred[K11]"), "{said}");
        }
    }
    let rebound = said.lines().filter(|line| line.starts_with("rebound.test "));
    assert!(rebound.skip(3).all(|line| line.contains("508 gocred[K11]")), "{said}");
}

/// `Proxy-Authorization` of the client, to every kind of next hop; `Proxy-Authenticate` and its like,
/// back.
#[test]
fn a_login_of_the_client_goes_nowhere() {
    let answer = |head: &str| {
        if head.starts_with("CONNECT ") {
            return "HTTP/1.1 200 ok\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n".to_owned();
        }
        let fields = "Proxy-Authenticate: Basic realm=\"x\"\r\nProxy-Authentication-Info: a=b\r\n\
                      Proxy-Connection: keep-alive\r\n";
        format!(
            "HTTP/1.1 103 Early Hints\r\n{fields}\r\nHTTP/1.1 200 OK\r\n{fields}\
             Transfer-Encoding: chunked\r\n\r\n\
             2\r\nok\r\n0\r\nProxy-Authenticate: Basic\r\nX-Sum: 1\r\n\r\n"
        )
    };
    let server = Upstream::start(move |client, head| {
        client.send(answer(head));
        if head.starts_with("CONNECT ") { Next::Close } else { Next::Again }
    });
    for through in [vec![], vec![&server]] {
        let home = Home::new();
        let daemon = Daemon::through(&home, &through);
        let login = "Proxy-Authorization: Basic eDp5\r\nproxy-authorization: Bearer eDp5\r\n";
        let place = server.address;
        let told = daemon.ask(format!(
            "GET http://{place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{login}\r\n"
        ));
        assert_eq!(told.matches("HTTP/1.1 ").count(), 2, "{told}");
        assert!(told.ends_with("2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"), "{told}");
        let told = [
            told,
            daemon.ask(format!(
                "POST http://{place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                 Connection: close\r\n\r\n0\r\n{login}\r\n"
            )),
            {
                let mut client = daemon.client();
                client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: x\r\n{login}\r\n"));
                client.head().expect("an answer")
            },
        ]
        .concat();
        assert!(!told.contains("Proxy-Auth") && !told.contains("Proxy-Connection"), "{told}");
    }
    assert!(server.heads().len() >= 5, "{:?}", server.heads());
    assert_eq!(server.logins(), 0, "{:?}", server.heads());
}

/// A PAC file may come from anybody who can answer for `wpad`: what it names is sent no ticket, and no
/// secret that was stored for somebody else.
#[test]
fn a_proxy_that_only_a_pac_file_names_gets_no_secret() {
    let Some(keyring) = Keyring::unlocked() else { return };
    for offer in
        ["Basic realm=\"corp\"", "NTLM", "Negotiate", "Negotiate, NTLM, Basic realm=\"corp\""]
    {
        let home = Home::new();
        let known = Upstream::basic("ana:right");
        let stranger = Upstream::saying(format!(
            "HTTP/1.1 407 x\r\nProxy-Authenticate: {offer}\r\nContent-Length: 0\r\n\r\n"
        ));
        save(&keyring, &known, "ana:right");
        let script = format!("FindProxyForURL = () => 'PROXY {}'", stranger.address);
        let pac = home.write("proxy.pac", script);
        home.write(
            ".config/gocred/config.toml",
            format!("[proxy]\npac = {pac:?}\nupstream = [\"{}\"]\n", known.url()),
        );
        let run = proxy(&home, &[]).env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        let daemon = Daemon::start(&run);
        for request in [CONNECT, "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n"] {
            let told = daemon.ask(request);
            assert_eq!(status(&told), "502", "{offer}: {told}");
        }
        assert!(stranger.connections() > 0, "{offer}");
        assert_eq!(stranger.logins(), 0, "{offer}: {:?}", stranger.heads());
        assert_eq!(known.connections(), 0, "{offer}");
    }
}

/// A script that gives no answer leads to the proxy that is configured for it, and where there is none,
/// nowhere.
#[test]
fn a_pac_file_that_gives_no_answer_is_not_direct() {
    for script in [
        "FindProxyForURL = () => { while (true); }",
        "FindProxyForURL = () => { for (var a = ['x'];;) a.push(a.join('y')); }",
        "FindProxyForURL = () => { throw 'up'; }",
        "FindProxyForURL = () => 'QUIC q:1'",
        "while (true);",
        "<html>Sign in</html>",
        "",
    ] {
        for has_upstream in [true, false] {
            let (home, upstream) = (Home::new(), Upstream::echo());
            let pac = home.write("proxy.pac", script);
            home.write(
                ".config/gocred/config.toml",
                format!("[proxy]\npac = {pac:?}\nallow = [\"127.0.0.0/8\"]\n"),
            );
            let upstreams = if has_upstream { vec![upstream.url()] } else { Vec::new() };
            let daemon = Daemon::start(&proxy(&home, &upstreams));
            let mut client = daemon.client();
            client.send(CONNECT);
            let told = client.head().expect("an answer");
            let get =
                daemon.ask("GET http://h.test/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            if has_upstream {
                assert_eq!((status(&told), status(&get)), ("200", "200"), "{script}: {told}{get}");
                assert_eq!(upstream.connections(), 2, "{script}");
            } else {
                assert!(told.starts_with("HTTP/1.1 502 gocred[P42]: "), "{script}: {told}");
                assert!(get.starts_with("HTTP/1.1 502 gocred[P42]: "), "{script}: {get}");
            }
        }
    }
}

/// The clock of the proxy runs six hundred times as fast.
#[test]
fn a_tunnel_that_is_silent_for_half_an_hour_lives() {
    let Some(faketime) = program("faketime", "faketime") else { return };
    let (home, upstream) = (Home::new(), Upstream::echo());
    let gocred = home.gocred().command();
    let run = home.run(faketime).args(["-f", "+0 x600"]).arg(gocred.get_program());
    let run = run.args(["proxy", "run", "--listen", "127.0.0.1:0", "--upstream", &upstream.url()]);
    let daemon = Daemon::start(&run);
    let mut tunnel = daemon.client();
    tunnel.send(CONNECT);
    assert_eq!(status(&tunnel.head().expect("an answer")), "200");
    // A client that asks for nothing is closed after 75 s of that clock: so it does run.
    let begun = Instant::now();
    assert_eq!(daemon.ask(""), "");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Passing time is what is tested.
    std::thread::sleep(Duration::from_millis(3_500).saturating_sub(begun.elapsed()));
    tunnel.send("still here");
    assert_eq!(tunnel.exactly(10), "still here");
    // A peer that is gone is found by the kernel, on both sides.
    let Some(ss) = program("ss", "iproute2") else { return };
    for peer in [tunnel.stream().local_addr().expect("an address"), upstream.address] {
        let filter = ["-tnoH", "state", "established", "dst", &peer.to_string()];
        let told = home.run(&ss).args(filter).output().success();
        assert!(told.contains("timer:(keepalive,"), "{peer}: {told}");
    }
}

/// Another process of the same user, who may look into most programs of theirs.
#[test]
fn nobody_else_can_look_into_the_memory() {
    let Some(mut another_user) = as_another_user() else { return };
    let (home, upstream) = (Home::new(), Upstream::echo());
    let daemon = Daemon::through(&home, &[&upstream]);
    let folder = format!("/proc/{}", daemon.child.id());
    for file in ["mem", "environ", "maps", "auxv"] {
        let path = format!("{folder}/{file}");
        let output = another_user.arg("cat").arg(&path).output().expect("cat");
        assert!(!output.status.success() && output.stdout.is_empty(), "{file}: {output:?}");
        let Some(again) = as_another_user() else { return };
        another_user = again;
    }
    // What is not dumpable belongs to root, whoever runs it (prctl(2)), and leaves no core.
    let limits = std::fs::read_to_string(format!("{folder}/limits")).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}

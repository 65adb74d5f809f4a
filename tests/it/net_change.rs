//! A network that changes: a namespace with two ends of a cable, routes that come and go, and a
//! private /etc. The test starts itself again inside of it.

use std::{
    fs,
    net::UdpSocket,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gocred::net::change::{Change, Changes};
use tokio::time::timeout;

use super::{
    proxy_lab::{Daemon, Next, Upstream, proxy, status},
    support::{home::Home, program, skipped},
};

/// How soon a change must be told.
const SOON: Duration = Duration::from_secs(2);
/// How long nothing must be told where nothing has changed: longer than a change takes.
const QUIET: Duration = Duration::from_millis(1500);

/// Runs a test in namespaces of its own, where `/etc` is an empty folder.
fn inside(test: &str, body: impl FnOnce()) {
    const MARK: &str = "GOCRED_TEST_INSIDE";
    if std::env::var_os(MARK).is_some() {
        return body();
    }
    let Some(unshare) = program("unshare", "util-linux") else { return };
    if program("ip", "iproute2").is_none() {
        return;
    }
    let etc = Home::new();
    let namespaces = ["-Urnm", "-nm"].into_iter().find(|namespaces| {
        Command::new(&unshare).args([namespaces, "true"]).output().unwrap().status.success()
    });
    let Some(namespaces) = namespaces else {
        return skipped("this machine gives no namespaces; run as root");
    };
    let script = "mount --bind \"$1\" /etc && shift && exec \"$@\"";
    let output = Command::new(unshare)
        .args([namespaces, "sh", "-c", script, "sh"])
        .arg(etc.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn ip(line: &str) {
    let output = Command::new("ip").args(line.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {line}: {output:?}");
}

/// Replaces a file as resolvers do.
fn replace(file: &str, text: &str) {
    let new = Path::new(file).with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

async fn told(changes: &mut Changes, what: &str) -> Change {
    timeout(SOON, changes.next()).await.expect(what)
}

async fn nothing(changes: &mut Changes, what: &str) {
    let change = timeout(QUIET, changes.next()).await;
    assert!(change.is_err(), "{what}: {change:?}");
}

#[test]
fn routes_and_addresses_that_change_are_told_and_nothing_else() {
    inside("net_change::routes_and_addresses_that_change_are_told_and_nothing_else", || {
        ip("link set lo up");
        ip("link add d0 type veth peer name d1");
        ip("link set d1 up");
        run(async {
            let mut changes = Changes::new().unwrap();
            let changes = &mut changes;
            ip("addr add 192.0.2.1/24 dev d0");
            ip("link set d0 up");
            ip("route add default via 192.0.2.254");
            assert_eq!(told(changes, "a network comes up").await, Change::Routes);
            ip("link set d0 txqueuelen 77");
            ip("route add 192.0.2.9/32 dev d0");
            nothing(changes, "what does not change the way").await;
            ip("route del default");
            assert_eq!(told(changes, "the default route goes").await, Change::Routes);
            ip("-6 addr add 2001:db8::1/64 dev d0 nodad");
            assert_eq!(told(changes, "an IPv6 address").await, Change::Routes);
            ip("-6 route add default via fe80::1 dev d0 expires 600");
            assert_eq!(told(changes, "an IPv6 router").await, Change::Routes);
            ip("-6 route replace default via fe80::1 dev d0 expires 1800");
            nothing(changes, "the router says it again").await;
            ip("link set d1 down");
            assert_eq!(told(changes, "the cable is out").await, Change::Routes);
            ip("link set d1 up");
            assert_eq!(told(changes, "the cable is in").await, Change::Routes);
            ip("route add 10.0.0.0/8 via 192.0.2.7");
            ip("link add wg0 type bridge");
            ip("link set wg0 up");
            ip("addr add 10.9.9.9/32 dev wg0");
            assert_eq!(told(changes, "a VPN comes up").await, Change::Routes);
        });
    });
}

#[test]
fn another_resolver_is_told_however_its_file_is_replaced() {
    inside("net_change::another_resolver_is_told_however_its_file_is_replaced", || {
        run(async {
            let resolv = "/etc/resolv.conf";
            let mut changes = Changes::new().unwrap();
            let changes = &mut changes;
            replace(resolv, "nameserver 192.0.2.53\n");
            assert_eq!(told(changes, "a first file").await, Change::Names);
            replace(resolv, "nameserver 192.0.2.54\n");
            assert_eq!(told(changes, "replaced").await, Change::Names);
            replace(resolv, "nameserver 192.0.2.54\n");
            fs::write("/etc/hostname", "other").unwrap();
            nothing(changes, "the same again").await;
            fs::write(resolv, "nameserver 192.0.2.55\n").unwrap();
            assert_eq!(told(changes, "written in place").await, Change::Names);
            let stub = "/etc/run/systemd/stub.conf";
            fs::create_dir_all("/etc/run/systemd").unwrap();
            replace(stub, "nameserver 127.0.0.53\n");
            nothing(changes, "a file that nobody reads").await;
            fs::remove_file(resolv).unwrap();
            symlink("run/systemd/stub.conf", resolv).unwrap();
            assert_eq!(told(changes, "a link").await, Change::Names);
            replace(stub, "nameserver 127.0.0.54\n");
            assert_eq!(told(changes, "replaced behind the link").await, Change::Names);
            fs::remove_file(stub).unwrap();
            assert_eq!(told(changes, "gone").await, Change::Names);
        });
    });
}

#[test]
fn a_storm_is_told_as_one_change_and_a_cancelled_wait_loses_none() {
    inside("net_change::a_storm_is_told_as_one_change_and_a_cancelled_wait_loses_none", || {
        ip("link add d0 type veth peer name d1");
        ip("link set d0 up");
        ip("link set d1 up");
        run(async {
            let mut changes = Changes::new().unwrap();
            for at in 1..=200 {
                ip(&format!("addr add 10.1.{at}.1/24 dev d0"));
            }
            fs::write("/etc/resolv.conf", "nameserver 192.0.2.53\n").unwrap();
            let start = Instant::now();
            // As in a `select!` whose other arms are busy.
            let change = loop {
                if let Ok(change) = timeout(Duration::from_millis(5), changes.next()).await {
                    break change;
                }
                assert!(start.elapsed() < SOON);
            };
            assert_eq!(change, Change::Both);
            nothing(&mut changes, "after the storm").await;
        });
    });
}

#[test]
fn nothing_wakes_up_while_nothing_changes() {
    inside("net_change::nothing_wakes_up_while_nothing_changes", || {
        ip("link set lo up");
        let switches = || {
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        run(async {
            let mut changes = Changes::new().unwrap();
            let before = switches();
            let traffic = std::thread::spawn(|| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                for _ in 0..1000 {
                    socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
                }
            });
            nothing(&mut changes, "traffic").await;
            traffic.join().unwrap();
            let woken = switches() - before;
            assert!(woken <= 3, "{woken}");
        });
    });
}

#[test]
fn a_system_that_refuses_one_source_is_heard_by_the_other() {
    inside("net_change::a_system_that_refuses_one_source_is_heard_by_the_other", || {
        if fs::write("/proc/sys/user/max_inotify_instances", "0").is_err() {
            return skipped("this machine gives no user namespaces");
        }
        ip("link set lo up");
        run(async {
            let mut changes = Changes::new().unwrap();
            ip("addr add 192.0.2.1/24 dev lo");
            assert_eq!(told(&mut changes, "an address").await, Change::Routes);
        });
    });
}

/// R11: what was known of the way to an upstream is not true in another network.
#[test]
fn an_upstream_that_was_out_of_order_is_used_at_once_in_another_network() {
    let test = "net_change::an_upstream_that_was_out_of_order_is_used_at_once_in_another_network";
    inside(test, || {
        ip("link set lo up");
        ip("link add d0 type veth peer name d1");
        ip("link set d1 up");
        let works = Arc::new(AtomicBool::new(false));
        let first = {
            let works = Arc::clone(&works);
            Upstream::start(move |client, _| {
                if works.load(Ordering::Relaxed) {
                    client.send("HTTP/1.1 200 ok\r\n\r\n");
                } else {
                    client.until_end();
                }
                Next::Close
            })
        };
        let (home, second) = (Home::new(), Upstream::echo());
        let daemon = Daemon::start(&proxy(&home, &[first.url(), second.url()]));
        let ask = || {
            let mut client = daemon.client();
            client.send("CONNECT h.test:443 HTTP/1.1\r\nHost: h.test:443\r\n\r\n");
            assert_eq!(status(&client.head().expect("an answer")), "200");
        };
        ask();
        assert_eq!((first.connections(), second.connections()), (1, 1));
        works.store(true, Ordering::Relaxed);
        // It would be tried again after 2.5 s at the earliest.
        let changed = Instant::now();
        ip("addr add 192.0.2.1/24 dev d0");
        ip("link set d0 up");
        ip("route add default via 192.0.2.254");
        let used = super::support::eventually("the first upstream is used", || {
            ask();
            (first.connections() > 1).then(|| changed.elapsed())
        });
        assert!(used < SOON, "{used:?}");
    });
}

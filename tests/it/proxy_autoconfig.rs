//! The proxy and a PAC file: which upstream a target takes, and what happens when the file fails.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use super::{
    proxy_lab::{Daemon, Upstream, proxy, status},
    support::{eventually, home::Home},
};

/// Asks for a tunnel; returns the head of the answer.
fn connect(daemon: &Daemon, target: &str) -> String {
    let mut client = daemon.client();
    client.send(format!("CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
    client.head().expect("an answer")
}

/// Starts a proxy by a script, and with these upstreams for the case that it fails.
fn start(home: &Home, script: &str, fallback: &[&Upstream]) -> Daemon {
    let file = home.write("proxy.pac", script);
    let urls: Vec<String> = fallback.iter().map(|upstream| upstream.url()).collect();
    home.write(
        ".config/gocred/config.toml",
        format!(
            "[proxy]\npac = \"{}\"\nupstream = {urls:?}\nallow = [\"127.0.0.0/8\"]\n",
            file.display()
        ),
    );
    Daemon::start(&proxy(home, &[]))
}

#[test]
fn each_target_takes_the_way_that_the_script_names() {
    let (home, one, two) = (Home::new(), Upstream::echo(), Upstream::echo());
    let script = format!(
        "function FindProxyForURL(url, host) {{
            if (dnsDomainIs(host, '.one.test')) return 'PROXY {}';
            if (host == 'dead.test') return 'PROXY 127.0.0.1:9; PROXY {}';
            return 'PROXY {}';
        }}",
        one.address, two.address, two.address
    );
    let daemon = start(&home, &script, &[]);
    assert_eq!(status(&connect(&daemon, "git.one.test:443")), "200");
    assert_eq!((one.connections(), two.connections()), (1, 0));
    assert_eq!(status(&connect(&daemon, "git.two.test:443")), "200");
    assert_eq!(status(&connect(&daemon, "dead.test:443")), "200");
    assert_eq!((one.connections(), two.connections()), (1, 2));
}

#[test]
fn a_script_that_fails_gives_way_to_what_is_configured_and_never_to_direct() {
    let script = "function FindProxyForURL() { throw new Error('no'); }";
    let (home, fallback) = (Home::new(), Upstream::echo());
    let daemon = start(&home, script, &[&fallback]);
    assert_eq!(status(&connect(&daemon, "git.one.test:443")), "200");
    assert_eq!(fallback.connections(), 1);
    for script in [script, "while (true) {}", "this is no script", ""] {
        let (home, target) = (Home::new(), Upstream::echo());
        let daemon = start(&home, script, &[]);
        let told = connect(&daemon, &target.address.to_string());
        // Addresses of this machine never take a proxy; a name that is not ours does.
        assert_eq!(status(&told), "200", "{told}");
        let told = connect(&daemon, "git.one.test:443");
        assert!(told.starts_with("HTTP/1.1 502 gocred[P42]: the PAC file: "), "{script}: {told}");
    }
}

#[test]
fn no_script_leads_back_to_the_proxy_itself() {
    let home = Home::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.expect("a port").port();
    let script = format!("function FindProxyForURL() {{ return 'PROXY 127.0.0.1:{port}'; }}");
    let file = home.write("proxy.pac", script);
    home.write(
        ".config/gocred/config.toml",
        format!("[proxy]\npac = \"{}\"\nlisten = [\"127.0.0.1:{port}\"]\n", file.display()),
    );
    let run = home.gocred().args(["proxy", "run"]);
    let daemon = Daemon::start(&run);
    let told = connect(&daemon, "git.one.test:443");
    assert!(told.starts_with("HTTP/1.1 508 gocred[K11]: "), "{told}");
}

#[test]
fn a_better_script_is_taken_when_the_configuration_is_read_anew() {
    let (home, one, two) = (Home::new(), Upstream::echo(), Upstream::echo());
    let script = |upstream: &Upstream| {
        format!("function FindProxyForURL() {{ return 'PROXY {}'; }}", upstream.address)
    };
    let daemon = start(&home, &script(&one), &[]);
    assert_eq!(status(&connect(&daemon, "a.test:443")), "200");
    assert_eq!(one.connections(), 1);
    home.write("proxy.pac", script(&two));
    home.gocred().args(["proxy", "reload"]).output().success();
    eventually("the new script is asked", || {
        connect(&daemon, "a.test:443");
        (two.connections() > 0).then_some(())
    });
}

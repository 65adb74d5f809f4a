//! N: packets and connections.

use crate::inject::case::{
    Case, Target,
    Tool::{Git, Go},
    both,
};

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let fails = |code, about, host| both(code, about, host, |case| case);
    let hangs = |code, about, host| {
        both(code, about, host, |case| match case.target {
            Target::Url(_) => case.hangs(&[Git]),
            _ => case.hangs(&[Go]),
        })
    };
    let from = |code, about, url: &str| {
        let case = Case::new(code).about(about).goenv(&format!("GOPROXY={url}"));
        case.module("example.com/pub@v1.0.0")
    };
    [
        fails("N01", "nobody listens", "refused.corp.test"),
        fails("N01", "a firewall resets", "rstfw.corp.test"),
        hangs("N02", "SYN is dropped", "drop.corp.test"),
        hangs("N02", "the queue is full", "full.corp.test"),
        fails("N03", "administratively prohibited", "adminproh.corp.test"),
        fails("N04", "no route", "netunreach.corp.test"),
        fails("N05", "reset as soon as it is accepted", "accrst.corp.test"),
        hangs("N06", "large packets vanish", "mtu.corp.test"),
        vec![
            from("N01", "nobody listens at the module proxy", "https://refused.corp.test"),
            from("N01", "nobody listens at the port", "https://pub.corp.test:8444"),
            from("N02", "the module proxy's packets are dropped", "https://drop.corp.test").hangs(&[Go]),
            from("N03", "the module proxy is prohibited", "https://adminproh.corp.test"),
            from("N04", "no route to the module proxy", "https://netunreach.corp.test"),
            from("N05", "the module proxy resets", "https://accrst.corp.test"),
            from("N06", "large packets of the module proxy vanish", "https://mtu.corp.test").hangs(&[Go]),
            Case::new("N07")
                .about("eight descriptors")
                .wrap(&["sh", "-c", "ulimit -n 8; exec \"$@\"", "sh"])
                .origin("pub.corp.test"),
            // Of two first packets one is lost, so that each is sent twice.
            Case::new("N08")
                .about("first packets get lost")
                .repository("pub.corp.test")
                .root(|stage| {
                    let address = crate::inject::farm::address("pub.corp.test");
                    stage.sh(&format!(
                        "iptables -I INPUT -d {address} -p tcp --syn --dport 443 \
                         -m statistic --mode nth --every 2 --packet 0 -j DROP"
                    ));
                })
                .succeeds(&[Git]),
            // All ports of the range are in use for this destination.
            Case::new("N09")
                .about("no local port left")
                .origin("pub.corp.test")
                .root(|stage| {
                    stage.sh("echo 40000 40007 > /proc/sys/net/ipv4/ip_local_port_range");
                    stage.serve(
                        "exec bash -c 'for at in 3 4 5 6 7 8 9 10; do eval \"exec $at<>/dev/tcp/pub.corp.test/443\"; done; sleep 60'",
                    );
                    stage.sh("until [ $(ss -Htn state established dport = :443 | wc -l) -ge 8 ]; do sleep 0.05; done");
                }),
        ],
    ]
    .concat()
}

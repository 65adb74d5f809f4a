//! Packets that do not arrive, by the kernel's own firewall.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// `INPUT`, because what `OUTPUT` drops is an error to who sends a datagram. Over loopback a packet has
/// up to 64 KiB, so that `mtu` loses everything that is longer than a small segment.
const RULES: &str = "*filter
-A INPUT -d 127.0.4.2 -j DROP
-A INPUT -d 127.0.4.3 -j REJECT --reject-with icmp-admin-prohibited
-A INPUT -d 127.0.4.4 -j REJECT --reject-with icmp-net-unreachable
-A INPUT -d 127.0.4.5 -p tcp -j REJECT --reject-with tcp-reset
-A INPUT -d 127.0.4.6 -m length --length 700: -j DROP
-A INPUT -s 127.0.4.6 -m length --length 700: -j DROP
-A INPUT -d 127.0.0.77 -j DROP
COMMIT
";

/// Sets the rules.
pub(super) fn raise() {
    let path = format!("{}:/usr/sbin:/sbin", crate::support::path());
    let mut child = Command::new("iptables-restore")
        .env("PATH", path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("iptables-restore; run `sh install/packages.sh test`");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(RULES.as_bytes()).expect("written");
    drop(input);
    assert!(child.wait().expect("iptables-restore").success(), "iptables-restore failed");
}

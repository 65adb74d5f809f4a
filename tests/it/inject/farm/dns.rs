//! Names: dnsmasq for those that work, an own responder for answers that dnsmasq does not give.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    fmt::Write as _, fs, net::UdpSocket, path::Path, process::Child, process::Command, thread,
};

use super::{hosts, serve};

/// What the responder answers for the names of a zone.
const ZONES: &[(&[u8], Answer)] = &[
    (b"\x02sf\x04test", Answer::Code(2)),
    (b"\x02ni\x04test", Answer::Code(4)),
    (b"\x02fe\x04test", Answer::Code(1)),
    (b"\x02rf\x04test", Answer::Code(5)),
    (b"\x02tc\x04test", Answer::Cut),
    (b"\x02gb\x04test", Answer::Garbage),
];

#[derive(Clone, Copy)]
enum Answer {
    /// This response code.
    Code(u8),
    /// Cut, and nobody listens on TCP.
    Cut,
    /// Not a DNS message.
    Garbage,
}

/// Answers at 127.0.0.95 and, where it is asked directly, at 127.0.0.96.
pub(super) fn answer() {
    for address in ["127.0.0.95:53", "127.0.0.96:53"] {
        let socket = UdpSocket::bind(address).expect("the responder's port");
        thread::spawn(move || {
            let mut buffer = [0_u8; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if let Some(reply) = buffer.get(..length).and_then(reply) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
    }
}

/// The head and the question come back, with another second line (RFC 1035 §4.1.1).
fn reply(question: &[u8]) -> Option<Vec<u8>> {
    let is_in = |zone: &[u8]| {
        question.to_ascii_lowercase().windows(zone.len()).any(|window| window == zone)
    };
    let found = ZONES.iter().find(|(zone, _)| is_in(zone));
    let answer = found.map_or(Answer::Code(5), |(_, answer)| *answer);
    let (second, code) = match answer {
        Answer::Code(code) => (0x81, code),
        Answer::Cut => (0x83, 0),
        Answer::Garbage => return Some(b"SSH-2.0-no dns here\r\n".to_vec()),
    };
    let mut reply = question.get(..2)?.to_vec();
    reply.extend([second, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0]);
    // The question ends after the name's zero, the type and the class.
    let name = question.get(12..)?;
    let end = name.iter().position(|byte| *byte == 0)? + 5;
    reply.extend(name.get(..end)?);
    Some(reply)
}

/// Starts dnsmasq at 127.0.0.53, and another one at 127.0.0.54 that knows some names otherwise.
pub(super) fn servers(own: &Path) -> Vec<Child> {
    let mut names = String::from(
        "local=/corp.test/\nlocal=/other.test/\nhost-record=v6only.corp.test,::1\n\
         host-record=v6bad.corp.test,100::1\n",
    );
    for zone in ["sf", "ni", "fe", "tc", "gb", "rf"] {
        let _ = writeln!(names, "server=/{zone}.test/127.0.0.95");
    }
    for (host, address) in hosts::all() {
        let _ = writeln!(names, "host-record={host},{address}");
    }
    let good = hosts::address("pub.corp.test");
    let portal = hosts::address("portal.other.test");
    let _ = writeln!(names, "host-record=v6bad.corp.test,{good}");
    let _ = writeln!(names, "host-record=stale.corp.test,{good}");
    let _ = writeln!(names, "host-record=split.corp.test,{good}");
    let _ = writeln!(names, "address=/hijack.test/{portal}");
    let other = "local=/corp.test/\nhost-record=split.corp.test,127.0.4.1\n".to_owned();
    [("53", names), ("54", other)]
        .into_iter()
        .map(|(last, names)| {
            let file = own.join(format!("dnsmasq-{last}.conf"));
            let head = format!(
                "port=53\nlisten-address=127.0.0.{last}\nbind-interfaces\nno-resolv\nno-hosts\n\
                 user=root\ncache-size=0\npid-file={}\n",
                own.join(format!("run/dnsmasq-{last}.pid")).display()
            );
            fs::write(&file, head + &names).expect("dnsmasq's file");
            let mut command = Command::new("/usr/sbin/dnsmasq");
            command.arg("--keep-in-foreground").arg(format!("--conf-file={}", file.display()));
            serve(own, &format!("dnsmasq-{last}"), &mut command)
        })
        .collect()
}

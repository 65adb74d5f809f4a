//! A record as a message of syslog (RFC 5424), with everything in its structured data.

use std::fmt::Write;

use crate::core::audit::Entry;

/// `authpriv` (10) and `informational` (6).
const PRIORITY: u32 = 10 * 8 + 6;
/// The number of an enterprise that RFC 5612 keeps for examples: we have none.
const ID: &str = "gocred@32473";

/// Returns the line.
pub fn syslog(entry: &Entry) -> String {
    let Entry { seq, at, event, caller, target, account, rule, us, hash } = entry;
    let pid = caller.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let mut line = format!("<{PRIORITY}>1 {at} - gocred {pid} {event} [{ID}");
    let number = |value: Option<u64>| value.map(|value| value.to_string());
    for (name, value) in [
        ("seq", Some(seq.to_string())),
        ("uid", Some(caller.uid.to_string())),
        ("start", number(caller.start)),
        ("exe", caller.exe.clone()),
        ("chain", Some(caller.chain.join(" < "))),
        ("tty", Some(caller.tty.to_string())),
        ("via", Some(caller.via.clone())),
        ("protocol", Some(target.protocol.clone())),
        ("host", Some(target.host.clone())),
        ("port", target.port.map(|port| port.to_string())),
        ("path", target.path.clone()),
        ("user", Some(account.user.clone())),
        ("mac", Some(account.mac.clone())),
        ("source", Some(account.source.clone())),
        ("rule", rule.clone()),
        ("us", Some(us.to_string())),
        ("hash", Some(hash.clone())),
    ] {
        if let Some(value) = value {
            // Writing to a text cannot fail.
            let _ = write!(line, " {name}=\"{}\"", escaped(&value));
        }
    }
    line.push_str("] credential released");
    line
}

/// Escapes what RFC 5424 §6.3.3 names.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

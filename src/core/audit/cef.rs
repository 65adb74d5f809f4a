//! A record in `ArcSight`'s Common Event Format, version 0 of it.

use crate::core::audit::Entry;

/// Returns the line.
pub fn cef(entry: &Entry) -> String {
    let Entry { seq, at: _, event, caller, target, account, rule, us, hash } = entry;
    let version = env!("CARGO_PKG_VERSION");
    let event = header(event);
    let mut line = format!("CEF:0|gocred|gocred|{version}|{event}|Credential released|1|");
    let text = |value: &Option<u64>| value.map(|value| value.to_string());
    let path = target.path.as_ref().map(|_| entry.url());
    for (key, value) in [
        ("rt", Some(entry.millis().to_string())),
        ("externalId", Some(seq.to_string())),
        ("outcome", Some("success".to_owned())),
        ("app", Some(target.protocol.clone())),
        ("dhost", Some(target.host.clone())),
        ("dpt", target.port.map(|port| port.to_string())),
        ("request", path),
        ("duser", Some(account.user.clone())),
        ("suid", Some(caller.uid.to_string())),
        ("spid", text(&caller.pid)),
        ("sproc", caller.exe.clone().or_else(|| caller.chain.first().cloned())),
        ("cs1Label", Some("chain".to_owned())),
        ("cs1", Some(caller.chain.join(" < "))),
        ("cs2Label", Some("secretMac".to_owned())),
        ("cs2", Some(account.mac.clone())),
        ("cs3Label", Some("source".to_owned())),
        ("cs3", Some(account.source.clone())),
        ("cs4Label", Some("via".to_owned())),
        ("cs4", Some(caller.via.clone())),
        ("cs5Label", Some("hash".to_owned())),
        ("cs5", Some(hash.clone())),
        ("cs6Label", rule.as_ref().map(|_| "rule".to_owned())),
        ("cs6", rule.clone()),
        ("cn1Label", Some("microseconds".to_owned())),
        ("cn1", Some(us.to_string())),
    ] {
        let Some(value) = value else { continue };
        if !line.ends_with('|') {
            line.push(' ');
        }
        line.extend([key, "="]);
        line.push_str(&extension(&value));
    }
    line
}

/// Escapes what ends a field of the head.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|")
}

/// Escapes what ends a key or a line. There is no line break in a record.
fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=")
}

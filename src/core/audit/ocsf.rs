//! A record as an event of the Open Cybersecurity Schema Framework, 1.6.0: API Activity (6003), Read;
//! of the proxy's own login, Authentication (3002), Logon.

use serde_json::{Value, json};

use crate::core::audit::Entry;

/// The version of the schema.
const VERSION: &str = "1.6.0";

/// A class of the schema, and the one activity of it.
struct Class {
    uid: u32,
    name: &'static str,
    category: &'static str,
    activity: u32,
    activity_name: &'static str,
}

const READ: Class = Class {
    uid: 6003,
    name: "API Activity",
    category: "Application Activity",
    activity: 2,
    activity_name: "Read",
};

const LOGON: Class = Class {
    uid: 3002,
    name: "Authentication",
    category: "Identity & Access Management",
    activity: 1,
    activity_name: "Logon",
};

/// Returns the event.
pub fn ocsf(entry: &Entry) -> Value {
    let Entry { seq, at, event, caller, target, account, rule, us, hash } = entry;
    let is_login = caller.via == "proxy";
    let class = if is_login { LOGON } else { READ };
    let Class { uid, name, category, activity, activity_name } = class;
    let user = json!({ "name": account.user });
    without_nulls(json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": uid / 1000,
        "category_name": category,
        "class_uid": uid,
        "class_name": name,
        "type_uid": uid * 100 + activity,
        "type_name": format!("{name}: {activity_name}"),
        "severity_id": 1,
        "severity": "Informational",
        "status_id": 1,
        "status": "Success",
        "time": entry.millis(),
        "metadata": {
            "version": VERSION,
            "product": product(),
            "uid": hash,
            "sequence": seq,
            "event_code": event,
            "original_time": at,
        },
        "actor": { "user": { "uid": caller.uid.to_string() }, "process": process(entry) },
        "src_endpoint": { "name": "localhost" },
        "dst_endpoint": { "hostname": target.host, "port": target.port },
        "api": (!is_login).then(|| json!({ "operation": event, "service": { "name": "gocred" } })),
        "resources": (!is_login)
            .then(|| json!([{ "type": "credential", "name": entry.url(), "owner": &user }])),
        "user": is_login.then_some(&user),
        "service": is_login.then(|| json!({ "name": entry.url() })),
        "is_remote": is_login.then_some(true),
        "unmapped": {
            "via": caller.via,
            "source": account.source,
            "secret_mac": account.mac,
            "rule": rule,
            "us": us,
            "tty": caller.tty,
            "chain": caller.chain,
            "process_start": caller.start,
        },
    }))
}

fn product() -> Value {
    json!({ "name": "gocred", "vendor_name": "gocred", "version": env!("CARGO_PKG_VERSION") })
}

/// Returns the process that asked. The schema wants the number of each: those above it are unmapped.
fn process(entry: &Entry) -> Option<Value> {
    let caller = &entry.caller;
    let file = caller.exe.as_ref().map(|path| {
        let name = path.rsplit('/').next();
        json!({ "name": name, "path": path, "type_id": 1 })
    });
    Some(json!({ "pid": caller.pid?, "name": caller.chain.first(), "file": file }))
}

/// Leaves out what is not known: the schema has no null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

//! A record as an event of the Open Cybersecurity Schema Framework, 1.6.0: API Activity (6003), Read;
//! of the proxy's own login, Authentication (3002), Logon.

use serde_json::{Value, json};

use crate::core::audit::Entry;

/// The version of the schema.
const VERSION: &str = "1.6.0";

/// Returns the event.
pub fn ocsf(entry: &Entry) -> Value {
    let Entry { seq, at, event, caller, target, account, rule, us, hash } = entry;
    let is_login = caller.via == "proxy";
    let (class, activity) = if is_login { (3002, 1) } else { (6003, 2) };
    let (category, class_name, activity_name) = if is_login {
        ("Identity & Access Management", "Authentication", "Logon")
    } else {
        ("Application Activity", "API Activity", "Read")
    };
    let mut value = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": class / 1000,
        "category_name": category,
        "class_uid": class,
        "class_name": class_name,
        "type_uid": class * 100 + activity,
        "type_name": format!("{class_name}: {activity_name}"),
        "severity_id": 1,
        "severity": "Informational",
        "status_id": 1,
        "status": "Success",
        "time": entry.millis(),
        "metadata": {
            "version": VERSION,
            "product": {
                "name": "gocred",
                "vendor_name": "gocred",
                "version": env!("CARGO_PKG_VERSION"),
            },
            "uid": hash,
            "sequence": seq,
            "event_code": event,
            "original_time": at,
        },
        "actor": { "user": { "uid": caller.uid.to_string() } },
        "src_endpoint": { "name": "localhost" },
        "dst_endpoint": { "hostname": target.host },
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
    });
    if let Some(port) = target.port {
        value["dst_endpoint"]["port"] = json!(port);
    }
    if let Some(process) = process(entry) {
        value["actor"]["process"] = process;
    }
    let user = json!({ "name": account.user });
    if is_login {
        value["user"] = user;
        value["service"] = json!({ "name": entry.url() });
        value["is_remote"] = json!(true);
    } else {
        value["api"] = json!({ "operation": event, "service": { "name": "gocred" } });
        value["resources"] = json!([{ "type": "credential", "name": entry.url(), "owner": user }]);
    }
    value
}

/// Returns the process that asked. The schema wants the number of each: those above it are unmapped.
fn process(entry: &Entry) -> Option<Value> {
    let caller = &entry.caller;
    let mut process = json!({ "pid": caller.pid? });
    if let Some(name) = caller.chain.first() {
        process["name"] = json!(name);
    }
    if let Some(path) = &caller.exe {
        let name = path.rsplit('/').next();
        process["file"] = json!({ "name": name, "path": path, "type_id": 1 });
    }
    Some(process)
}

//! What one request or tunnel was, for the access log: a line of JSON without secrets.
//!
//! Of a request it has the path and not the query, of nobody a password, a token or a field.

use std::{
    borrow::Cow,
    sync::{
        OnceLock,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    core::{
        refusal::Refusal,
        target::{Absolute, Authority},
        text::printable,
        time::rfc3339,
    },
    proxy::{accept::Caller, pump::Ended, route::Way},
    sys::{clock, peer},
};

/// The longest target that is written, in characters.
const MAX_TARGET: usize = 2048;

/// One request or tunnel.
pub(crate) struct Record {
    begun: Instant,
    caller: Caller,
    method: Cow<'static, str>,
    target: Option<Target>,
    way: Option<Way>,
    /// The upstream that a refusal is about.
    next_hop: Option<String>,
    opened: Option<Duration>,
    took: Duration,
    status: u16,
    code: Option<&'static str>,
    up: u64,
    down: u64,
    result: &'static str,
}

/// What was asked for.
enum Target {
    Tunnel(Authority),
    Plain(String),
}

/// What becomes known of a plain request while it is served.
#[derive(Default)]
pub(crate) struct Facts {
    /// The way that was tried last.
    way: std::sync::Mutex<Option<Way>>,
    target: OnceLock<String>,
    pub(crate) status: AtomicU16,
    pub(crate) up: AtomicU64,
    pub(crate) down: AtomicU64,
}

impl Facts {
    /// Notes where it goes.
    pub(crate) fn goes(&self, way: &Way) {
        *self.way.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(way.clone());
    }

    /// Notes what it asks for.
    pub(crate) fn asks(&self, target: &Absolute) {
        let path = target.path.split('?').next().unwrap_or_default();
        let path = if path.is_empty() { "/" } else { path };
        let _ = self.target.set(format!("http://{}{path}", target.authority));
    }
}

impl Record {
    /// Starts the record of a tunnel.
    pub(crate) fn tunnel(caller: Caller) -> Self {
        Self::new(caller, Cow::Borrowed("CONNECT"))
    }

    /// Starts the record of another request.
    pub(crate) fn request(caller: Caller, method: &str) -> Self {
        Self::new(caller, Cow::Owned(method.to_owned()))
    }

    /// The record of somebody who asked for nothing that can be read.
    pub(crate) fn nothing(caller: Caller) -> Self {
        Self::new(caller, Cow::Borrowed(""))
    }

    fn new(caller: Caller, method: Cow<'static, str>) -> Self {
        Self {
            begun: Instant::now(),
            caller,
            method,
            target: None,
            way: None,
            next_hop: None,
            opened: None,
            took: Duration::ZERO,
            status: 0,
            code: None,
            up: 0,
            down: 0,
            result: "",
        }
    }

    /// Says what a request of the module proxy front is for.
    pub(crate) fn wants(&mut self, target: String) {
        self.target = Some(Target::Plain(target));
    }

    /// Says which module proxy was asked.
    pub(crate) fn asked(&mut self, upstream: String) {
        self.next_hop = Some(upstream);
    }

    /// Says what a client was told, and in how many bytes.
    pub(crate) fn told(&mut self, status: u16, bytes: u64) {
        (self.status, self.down) = (status, bytes);
    }

    /// Says why it ended, where the client was told something else.
    pub(crate) fn code(&mut self, why: &Refusal) {
        self.code = why.code;
    }

    /// Says where a tunnel leads.
    pub(crate) fn leads_to(&mut self, target: Authority) {
        self.target = Some(Target::Tunnel(target));
    }

    /// A tunnel has been opened. Returns how long that took.
    pub(crate) fn opened(&mut self, way: Way) -> Duration {
        let took = self.begun.elapsed();
        (self.way, self.opened, self.status) = (Some(way), Some(took), 200);
        took
    }

    /// The way and the target of a tunnel.
    pub(crate) fn tunnelled(&self) -> Option<(&Way, &Authority)> {
        match (&self.way, &self.target) {
            (Some(way), Some(Target::Tunnel(target))) => Some((way, target)),
            (_, Some(Target::Plain(_)) | None) | (None, _) => None,
        }
    }

    /// A tunnel has ended.
    pub(crate) fn ended(&mut self, ended: &Ended, up: u64, down: u64) {
        self.up += up;
        self.down += down;
        self.end(match ended {
            Ended::Closed => "closed",
            Ended::ByClient => "the client reset it",
            Ended::ByServer | Ended::CutOff(_) => "the server reset it",
            Ended::Silent => "half closed and silent",
            Ended::Stalled(_) => "the server stalled",
            Ended::Stopped => "gocred was stopped",
        });
    }

    /// The client was gone before it heard that its tunnel is open, or had its answer.
    pub(crate) fn unheard(&mut self) {
        self.end("the client was gone");
    }

    /// It was refused.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        (self.status, self.code) = (refusal.status, refusal.code);
        if let Some(hop) = refusal.next_hop() {
            self.next_hop = Some(hop.to_owned());
        }
        self.end("refused");
    }

    /// Takes what became known of a plain request.
    pub(crate) fn takes(&mut self, facts: &Facts) {
        self.target = facts.target.get().cloned().map(Target::Plain);
        let way = facts.way.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        self.way = way;
        self.status = facts.status.load(Ordering::Relaxed);
        (self.up, self.down) =
            (facts.up.load(Ordering::Relaxed), facts.down.load(Ordering::Relaxed));
    }

    /// An answer was passed on.
    pub(crate) fn answered(&mut self) {
        self.end("answered");
    }

    /// Its answer broke off.
    pub(crate) fn broke_off(&mut self) {
        self.end("the answer broke off");
    }

    /// The daemon ended before it did.
    pub(crate) fn stopped(&mut self) {
        if self.result.is_empty() {
            self.end("gocred was stopped");
        }
    }

    fn end(&mut self, result: &'static str) {
        self.took = self.begun.elapsed();
        self.result = result;
    }

    /// Returns its line, with the line feed.
    pub(crate) fn line(&self) -> String {
        let target = self.target.as_ref().map(|target| match target {
            Target::Tunnel(authority) => authority.to_string(),
            Target::Plain(url) => printable(url).chars().take(MAX_TARGET).collect(),
        });
        let (upstream, scheme) = match &self.way {
            Some(Way::Direct) => (Some("DIRECT".to_owned()), None),
            Some(Way::Through(upstream)) => {
                let scheme = upstream.login.method().map(|method| method.scheme().as_str());
                (Some(upstream.origin.to_string()), scheme)
            }
            None => (self.next_hop.clone(), None),
        };
        let age = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = Line {
            time: rfc3339(clock::now_millis().saturating_sub(age)),
            uid: (self.caller == Caller::Known).then(peer::own_uid),
            method: printable(&self.method).chars().take(32).collect(),
            target,
            upstream,
            scheme,
            status: self.status,
            code: self.code,
            up: self.up,
            down: self.down,
            ms: self.took.as_millis(),
            open_ms: self.opened.map(|opened| opened.as_millis()),
            result: self.result,
        };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    }
}

/// A line. Fields are only ever added.
#[derive(Serialize)]
struct Line {
    /// When it came, in UTC.
    time: String,
    /// Who asked; `null` where the system does not tell, or tells another user.
    uid: Option<u32>,
    method: String,
    target: Option<String>,
    /// The URL of the upstream, or `DIRECT`.
    upstream: Option<String>,
    /// The scheme of the login there.
    scheme: Option<&'static str>,
    /// What the client was told.
    status: u16,
    code: Option<&'static str>,
    /// Bytes from the client, and to it.
    up: u64,
    down: u64,
    /// How long it took, and how long until a tunnel was open.
    ms: u128,
    open_ms: Option<u128>,
    result: &'static str,
}

#[cfg(test)]
mod tests {
    use super::{Caller, Ended, Facts, Ordering, Record, Way};
    use crate::core::{
        refusal::Refusal,
        target::{Absolute, Authority},
    };

    fn json(record: &Record) -> serde_json::Value {
        let line = record.line();
        assert!(line.ends_with('\n') && !line.trim_end().contains('\n'), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn it_is_small_because_every_open_tunnel_has_one() {
        assert!(size_of::<Record>() <= 272, "{} bytes", size_of::<Record>());
    }

    #[test]
    fn a_tunnel_leaves_a_line() {
        let mut record = Record::tunnel(Caller::Known);
        record.leads_to(Authority::parse("git.corp.example:443").unwrap());
        record.opened(Way::Direct);
        record.ended(&Ended::ByServer, 5, 7);
        let line = json(&record);
        assert_eq!(line["target"], "git.corp.example:443");
        assert_eq!((&line["method"], &line["upstream"]), (&"CONNECT".into(), &"DIRECT".into()));
        assert_eq!(
            (&line["status"], &line["up"], &line["down"]),
            (&200.into(), &5.into(), &7.into())
        );
        assert_eq!(line["result"], "the server reset it");
        assert!(line["time"].as_str().unwrap().ends_with('Z') && line["open_ms"].is_u64());
    }

    #[test]
    fn a_request_leaves_its_path_and_not_its_query() {
        let facts = Facts::default();
        facts.asks(&Absolute::parse("http://h/a/\u{202e}b?token=hunter2").unwrap());
        facts.status.store(304, Ordering::Relaxed);
        let mut record = Record::request(Caller::Unknown, "GET");
        record.takes(&facts);
        record.answered();
        let line = json(&record);
        assert_eq!(line["target"], "http://h:80/a/\\u{202e}b");
        assert_eq!((&line["status"], &line["uid"]), (&304.into(), &serde_json::Value::Null));
        assert!(!record.line().contains("hunter2"));
    }

    #[test]
    fn a_refusal_leaves_its_code_and_who_refused() {
        let mut refusal = Refusal::new(503, "x", "x").code("P14");
        refusal.is_about("http://p:3128".to_owned());
        let mut record = Record::tunnel(Caller::Known);
        record.refused(&refusal);
        let line = json(&record);
        assert_eq!((&line["status"], &line["code"]), (&503.into(), &"P14".into()));
        assert_eq!(
            (&line["upstream"], &line["target"]),
            (&"http://p:3128".into(), &serde_json::Value::Null)
        );
    }
}

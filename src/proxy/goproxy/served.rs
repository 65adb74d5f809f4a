//! What became of a request, once it has ended: counted, and a line of the access log, which has the
//! fields of the proxy's lines.
//!
//! The line has the path without the secret that GOPROXY may have in it. What is refused before it is
//! known whose it is has none.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Inner, count, report::FrontOutcomes, transfers::Entry};
use crate::{
    core::refusal::Refusal,
    proxy::{accept::Caller, record::Record},
};

/// How many digits follow `s-` in the element of a path that is a secret.
const DIGITS: usize = 48;

/// How many requests ended how.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    answered: AtomicU64,
    missing: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
    gone: AtomicU64,
}

impl Outcomes {
    pub(super) fn report(&self) -> FrontOutcomes {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FrontOutcomes {
            answered: read(&self.answered),
            missing: read(&self.missing),
            refused: read(&self.refused),
            broken: read(&self.broken),
            gone: read(&self.gone),
        }
    }
}

/// A request that is being served. However it ends, it is counted once and leaves one line.
pub(super) struct Served<'a> {
    front: &'a Inner,
    outcome: &'a AtomicU64,
    /// `None`: there is no log.
    record: Option<Record>,
}

impl<'a> Served<'a> {
    /// Begins one. Where it cannot be read, its method is empty.
    pub(super) fn begin(front: &'a Inner, caller: Caller, method: &str) -> Self {
        let record = front.shared.log.is_on().then(|| Record::request(caller, method));
        Self { front, outcome: &front.totals.outcomes.gone, record }
    }

    /// Notes what it asks for, and where it came in.
    pub(super) fn asks(&mut self, own: SocketAddr, path: &str) {
        if let Some(record) = &mut self.record {
            record.wants(format!("http://{own}{}", without_secrets(path)));
        }
    }

    /// Notes whom it was asked of, last.
    pub(super) fn asked(&mut self, entry: &Entry) {
        if let (Some(record), Some(upstream)) = (&mut self.record, entry.upstream()) {
            record.asked(upstream);
        }
    }

    /// The client has its answer.
    pub(super) fn answered(mut self, status: u16, bytes: u64) {
        let outcomes = &self.front.totals.outcomes;
        self.outcome = match status {
            404 | 410 => &outcomes.missing,
            _ => &outcomes.answered,
        };
        self.note(|record| {
            record.told(status, bytes);
            record.answered();
        });
    }

    /// It was refused.
    pub(super) fn refused(mut self, refusal: &Refusal) {
        self.outcome = &self.front.totals.outcomes.refused;
        self.note(|record| record.refused(refusal));
    }

    /// Its answer broke off after so many bytes.
    pub(super) fn broke_off(mut self, status: u16, bytes: u64, why: &Refusal) {
        self.outcome = &self.front.totals.outcomes.broken;
        self.note(|record| {
            record.told(status, bytes);
            record.broke_off();
            record.code(why);
        });
    }

    /// The client went, or takes no more; nothing may have been sent yet.
    pub(super) fn unheard(mut self, status: u16, bytes: u64) {
        self.note(|record| {
            record.told(status, bytes);
            record.unheard();
        });
    }

    fn note(&mut self, note: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut self.record {
            note(record);
        }
    }
}

impl Drop for Served<'_> {
    /// One that has no end yet was cut by the end of the daemon.
    fn drop(&mut self) {
        count(self.outcome);
        if let Some(mut record) = self.record.take() {
            record.stopped();
            self.front.shared.log.write(record);
        }
    }
}

/// Returns a path without its query, and without what may be a secret of this start or another.
fn without_secrets(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let is_secret = |element: &str| {
        let digits = element.strip_prefix("s-").unwrap_or_default();
        digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let elements = path.split('/');
    let shown = elements.map(|element| if is_secret(element) { "s-…" } else { element });
    shown.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn a_path_is_written_without_what_may_be_a_secret() {
        let secret = "0123456789abcdef".repeat(3);
        for (path, written) in [
            ("/m.test/x/@v/list", "/m.test/x/@v/list"),
            ("/m.test/@v/list?token=hunter2", "/m.test/@v/list"),
            (&format!("//s-{secret}/m.test/@v/list"), "//s-…/m.test/@v/list"),
            (&format!("/x/s-{}", secret.to_uppercase()), "/x/s-…"),
            ("/s-12/@latest", "/s-12/@latest"),
        ] {
            assert_eq!(without_secrets(path), written);
        }
    }
}

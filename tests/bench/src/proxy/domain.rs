//! The rows of the domain: NTLM and Kerberos through real squids, from `enter.sh --domain`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Bench,
    load::{self, Seen},
    peers::Peer,
    rows::{beside, count_errors, figures, of},
};
use crate::{
    rounds::percentile,
    table::{Goal, Table},
};

const NTLM: &str = "http://proxy-ntlm.corp.test:3128";
const KERBEROS: &str = "http://proxy-kerberos.corp.test:3128";

impl Bench<'_> {
    pub fn domain(&self, table: &mut Table) {
        let lab = std::env::var_os("GOCRED_LAB").map(PathBuf::from).unwrap_or_default();
        if lab.join("ad").is_dir() {
            self.ntlm(&lab, table);
            self.kerberos(&lab, table);
        } else {
            for what in ["NTLM tunnels", "Kerberos tunnels"] {
                table.skip(what, "the domain needs root: tests/lab/enter.sh --domain");
            }
        }
    }

    fn ntlm(&self, lab: &Path, table: &mut Table) {
        let (user, secret) = account(lab, "NTLM");
        self.field.log_in(NTLM, &user, &secret);
        let peers =
            [self.field.gocred(7671, &[NTLM], &[]), self.field.cntlm(7672, NTLM, &user, &secret)];
        self.warm(&peers);
        let single = self.sample(&peers, async |peer| series(peer, 50).await);
        let p50 = figures(&single, |sample| percentile(&mut sample.seen.times.clone(), 0.5));
        let note = beside(&peers, &p50, |time| format!("{time:.1}"));
        table.time(
            "NTLM tunnel, warm, p50, ms",
            of(&peers, &p50, "gocred"),
            Goal::AtMost(0.5),
            &note,
        );
        let many = self.sample(&peers, async |peer| pause_and_burst(peer, 16).await);
        let p50 = figures(&many, |sample| percentile(&mut sample.seen.times.clone(), 0.5));
        let note = beside(&peers, &p50, |time| format!("{time:.1}"));
        let what = "16 NTLM tunnels at once, p50, ms";
        table.time(what, of(&peers, &p50, "gocred"), Goal::AtMost(5.0), &note);
        count_errors(table, "failed NTLM tunnels", &peers, &single);
        count_errors(table, "failed NTLM tunnels of 16 at once", &peers, &many);
    }

    fn kerberos(&self, lab: &Path, table: &mut Table) {
        let (user, secret) = account(lab, "KRB");
        let cache = self.field.work.join("tickets");
        kinit(self.field.work, &cache, &user, &secret);
        let cache = format!("FILE:{}", cache.display());
        let configuration = std::env::var("KRB5_CONFIG").unwrap_or("/etc/krb5.conf".into());
        let env = [("KRB5CCNAME", cache.as_str()), ("KRB5_CONFIG", configuration.as_str())];
        let peers = [self.field.gocred(7681, &[KERBEROS], &env)];
        self.warm(&peers);
        let samples = self.sample(&peers, async |peer| pause_and_burst(peer, 128).await);
        count_errors(table, "failed tunnels of 128 Kerberos tunnels at once", &peers, &samples);
        for (share, goal) in [(0.5, f64::INFINITY), (0.99, 20.0)] {
            let times =
                figures(&samples, |sample| percentile(&mut sample.seen.times.clone(), share));
            if goal.is_finite() {
                let note = "proxydetox fails; px p50 179 (issue 3)";
                let what = "128 Kerberos tunnels at once, p99, ms";
                table.time(what, of(&peers, &times, "gocred"), Goal::AtMost(goal), note);
            }
        }
    }

    /// Lets each log in once, and fill what it keeps warm.
    fn warm(&self, peers: &[Peer]) {
        for peer in peers {
            let seen = self.runtime.block_on(async { series(peer, 5).await });
            if let Some(error) = seen.error {
                eprintln!("{}: {error}", peer.name);
            }
        }
    }
}

/// So many tunnels one after the other, with a pause in which the next one can be prepared.
async fn series(peer: &Peer, tunnels: usize) -> Seen {
    let mut all = Seen::default();
    let start = Instant::now();
    for _ in 0..tunnels {
        let seen = load::burst(&peer.way, 1).await;
        all.times.extend(seen.times);
        all.errors += seen.errors;
        all.error = all.error.or(seen.error);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    all.seconds = start.elapsed().as_secs_f64();
    all
}

/// A burst after a burst: the first one shows a proxy how much is asked for.
async fn pause_and_burst(peer: &Peer, tunnels: usize) -> Seen {
    let before = load::burst(&peer.way, tunnels).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut seen = load::burst(&peer.way, tunnels).await;
    seen.errors += before.errors;
    seen.error = before.error.or(seen.error);
    seen
}

/// Returns user and secret of an account of the lab.
fn account(lab: &Path, name: &str) -> (String, String) {
    let text = fs::read_to_string(lab.join("accounts.env")).expect("accounts.env");
    let value = |suffix: &str| {
        let key = format!("{name}_{suffix}=");
        text.lines().find_map(|line| line.strip_prefix(&key)).expect("an account").to_owned()
    };
    (value("USER"), value("SECRET"))
}

fn kinit(work: &Path, cache: &Path, user: &str, secret: &str) {
    let file = work.join("kinit.in");
    fs::write(&file, format!("{secret}\n")).expect("secret");
    let status = Command::new("kinit")
        .arg("-c")
        .arg(cache)
        .arg(user)
        .stdin(fs::File::open(&file).expect("secret"))
        .stdout(Stdio::null())
        .status()
        .expect("kinit");
    fs::remove_file(file).expect("removed");
    assert!(status.success(), "kinit {status}");
}

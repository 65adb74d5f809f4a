//! `gocred doctor --egress-list`: the hosts and ports that this machine must be let through to, as the probes
//! found them, for the firewall team.

use std::collections::BTreeSet;

use crate::core::doctor::{plan::Answers, probe::Probe};

/// Returns the lines `host:port  why`, each once, in order.
pub(super) fn lines(answers: &Answers) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for (probe, _) in answers.values() {
        match probe {
            Probe::Exchange(exchange) => {
                let origin = &exchange.link.origin;
                let default = if origin.scheme() == "https" { 443 } else { 80 };
                let place = format!("{}:{}", origin.host(), origin.port().unwrap_or(default));
                match &exchange.proxy {
                    Some(proxy) => {
                        let through = format!("{}:{}", proxy.host, proxy.port);
                        lines.insert(format!("{through}  from this machine: the proxy"));
                        lines.insert(format!("{place}  from the proxy {through}"));
                    }
                    None => {
                        lines.insert(format!("{place}  from this machine"));
                    }
                }
            }
            Probe::Banner { host, port } => {
                lines.insert(format!("{host}:{port}  from this machine"));
            }
            Probe::Names { .. } | Probe::Program { .. } => {}
        }
    }
    lines.into_iter().collect()
}

//! The figures of the module proxy front. Its upstreams are those of the list, which the user wrote: each
//! has a label of its own.

use std::collections::BTreeMap;

use super::{MOST, Text};
use crate::proxy::goproxy::{FrontOutcomes, FrontReport, FrontTotals, FrontUpstream};

type Figure = fn(&FrontUpstream) -> u64;

/// Writes them.
pub(super) fn figures(text: &mut Text, report: &FrontReport) {
    let FrontReport { listen: _, upstreams, then: _, totals, transfers, findings: _ } = report;
    let FrontTotals { retries, connections, bytes, outcomes, .. } = totals;
    let FrontOutcomes { answered, missing, refused, broken, gone } = outcomes;
    let name = "gocred_goproxy_requests_total";
    let mut family = text.family(name, "counter", "Requests for modules that ended, by how");
    for (outcome, count) in [
        ("answered", answered),
        ("missing", missing),
        ("refused", refused),
        ("broken", broken),
        ("gone", gone),
    ] {
        family.value(&[("outcome", outcome)], *count);
    }
    let open = u64::try_from(transfers.len()).unwrap_or(u64::MAX);
    for (name, kind, help, value) in [
        ("gocred_goproxy_transfers", "gauge", "Requests for modules under way", open),
        ("gocred_goproxy_retries_total", "counter", "Questions that were put again", *retries),
        (
            "gocred_goproxy_connections_total",
            "counter",
            "Connections made to module proxies and to whom they redirect",
            *connections,
        ),
        ("gocred_goproxy_bytes_total", "counter", "Bytes that clients of the front got", *bytes),
    ] {
        text.family(name, kind, help).plain(value);
    }
    by_upstream(text, upstreams);
}

fn by_upstream(text: &mut Text, upstreams: &[FrontUpstream]) {
    // A list may name one twice, and nobody writes a longer one.
    let upstreams: BTreeMap<_, _> =
        upstreams.iter().take(MOST).map(|upstream| (upstream.url.as_str(), upstream)).collect();
    let name = "gocred_goproxy_upstream_requests_total";
    let mut family = text.family(name, "counter", "Questions to a module proxy, by outcome");
    for (label, upstream) in &upstreams {
        for (outcome, count) in [("answered", upstream.answered), ("failed", upstream.failed)] {
            family.value(&[("upstream", label), ("outcome", outcome)], count);
        }
    }
    let gauges: [(&str, &str, Figure); 3] = [
        (
            "gocred_goproxy_breaker_state",
            "0 works, 1 is being tried again, 2 is out of order",
            |upstream| match upstream.health.as_str() {
                "good" => 0,
                "being tried again" => 1,
                _ => 2,
            },
        ),
        (
            "gocred_goproxy_credential_refused",
            "1: the credential was refused, and is not sent again",
            |upstream| u64::from(upstream.credential == "refused"),
        ),
        (
            "gocred_goproxy_spare_connections",
            "Connections that wait to be used again",
            |upstream| upstream.kept,
        ),
    ];
    for (name, help, figure) in gauges {
        let mut family = text.family(name, "gauge", help);
        for (label, upstream) in &upstreams {
            family.value(&[("upstream", label)], figure(upstream));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FrontReport, FrontUpstream, Text, figures};
    use crate::proxy::goproxy::Transfer;

    fn upstream(url: &str, health: &str) -> FrontUpstream {
        let credential = "refused".to_owned();
        let (url, health) = (url.to_owned(), health.to_owned());
        FrontUpstream { url, health, credential, answered: 3, failed: 2, kept: 1 }
    }

    #[test]
    fn each_module_proxy_has_one_series_and_the_front_its_sums() {
        let upstreams = vec![
            upstream("https://a.test/\"x\"", "good"),
            upstream("https://a.test/\"x\"", "good"),
            upstream("https://b.test", "out of order, tried again in 4 s"),
            upstream("https://c.test", "being tried again"),
        ];
        let transfers = vec![Transfer::default()];
        let mut report = FrontReport { upstreams, transfers, ..FrontReport::default() };
        (report.totals.retries, report.totals.outcomes.missing) = (5, 7);
        let mut text = Text::default();
        figures(&mut text, &report);
        for line in [
            "gocred_goproxy_requests_total{outcome=\"missing\"} 7\n",
            "gocred_goproxy_requests_total{outcome=\"answered\"} 0\n",
            "gocred_goproxy_transfers 1\n",
            "gocred_goproxy_retries_total 5\n",
            "gocred_goproxy_upstream_requests_total{upstream=\"https://b.test\",outcome=\"failed\"} 2\n",
            "gocred_goproxy_breaker_state{upstream=\"https://a.test/\\\"x\\\"\"} 0\n",
            "gocred_goproxy_breaker_state{upstream=\"https://b.test\"} 2\n",
            "gocred_goproxy_breaker_state{upstream=\"https://c.test\"} 1\n",
            "gocred_goproxy_credential_refused{upstream=\"https://c.test\"} 1\n",
            "gocred_goproxy_spare_connections{upstream=\"https://c.test\"} 1\n",
        ] {
            assert_eq!(text.0.matches(line).count(), 1, "{line}{}", text.0);
        }
    }

    #[test]
    fn a_long_list_makes_no_more_series_than_others() {
        let upstreams =
            (0..200).map(|number| upstream(&format!("https://{number}.test"), "good")).collect();
        let mut text = Text::default();
        figures(&mut text, &FrontReport { upstreams, ..FrontReport::default() });
        let series = text.0.matches("gocred_goproxy_breaker_state{").count();
        assert_eq!(series, super::MOST);
    }
}

//! The ways to a target, in the order in which they are tried: what the rules say, then what is known
//! of the health of each.

use std::sync::Arc;

use crate::{
    core::{
        breaker::Admission,
        origin::Origin,
        pac::question::Question,
        refusal::Refusal,
        target::Authority,
        upstream::{Hop, is_exempt, route},
    },
    proxy::{Shared, failure, hop::Failed, metrics::Metrics, script::Script, upstreams::Upstream},
};

/// One way to a target.
#[derive(Clone)]
pub(crate) enum Way {
    /// To the target itself.
    Direct,
    /// Through a corporate proxy.
    Through(Arc<Upstream>),
}

impl Way {
    /// Counts what became of an attempt to go it, and names it in the refusal.
    pub(crate) fn count<T>(
        &self,
        metrics: &Metrics,
        result: Result<T, Failed>,
    ) -> Result<T, Failed> {
        let outcomes = match self {
            Self::Direct => &metrics.direct,
            Self::Through(upstream) => &upstream.outcomes,
        };
        result.inspect(|_| outcomes.opened()).map_err(|mut failed| {
            let refusal = failed.refusal();
            outcomes.refused(refusal);
            self.signs(refusal);
            failed
        })
    }

    /// Returns the URL of the upstream.
    pub(crate) fn upstream(&self) -> Option<&Origin> {
        match self {
            Self::Direct => None,
            Self::Through(upstream) => Some(&upstream.origin),
        }
    }

    /// Names the upstream in a refusal that came this way.
    pub(crate) fn signs(&self, refusal: &mut Refusal) {
        if let Self::Through(upstream) = self {
            refusal.is_about(upstream.origin.to_string());
        }
    }
}

/// All of them.
pub(crate) struct Ways {
    /// In order; never empty.
    pub(crate) ways: Vec<Way>,
    /// The one that is out of order and due to be tried again, beside the others.
    pub(crate) probe: Option<Arc<Upstream>>,
}

/// Returns the ways to a target: those of the PAC file where there is one, else those of the rules.
pub(crate) async fn ways(
    shared: &Arc<Shared>,
    target: &Authority,
    question: impl FnOnce() -> Question,
) -> Result<Ways, Refusal> {
    let asks = shared.script.is_configured() && !is_exempt(target, &shared.plan().rules.no_proxy);
    let said = if asks { Script::ask(shared, &question()).await } else { None };
    // What is configured now: it may have changed while the script was waited for.
    let plan = shared.plan();
    let hops = match said {
        Some(Ok(upstreams)) => upstreams.iter().map(Hop::from).collect(),
        Some(Err(trouble)) if plan.rules.upstream.is_empty() => {
            return Err(failure::no_script(&trouble));
        }
        Some(Err(trouble)) => {
            shared.script.tell(shared, &trouble);
            route(target, &plan.rules)
        }
        None => route(target, &plan.rules),
    };
    let way = |hop| match hop {
        Hop::Direct => Ok(Way::Direct),
        Hop::Via(origin) => shared.upstreams.find(&origin, &plan.config).map(Way::Through),
    };
    Ok(by_health(hops.into_iter().map(way).collect::<Result<Vec<_>, _>>()?))
}

/// Puts those that are out of order behind the others. The only way there is stays the first.
fn by_health(ways: Vec<Way>) -> Ways {
    if ways.len() == 1 {
        return Ways { ways, probe: None };
    }
    let (mut good, mut bad, mut probe) = (Vec::new(), Vec::new(), None);
    for way in ways {
        let admission = match &way {
            Way::Direct => Admission::Use,
            Way::Through(upstream) => upstream.admit(),
        };
        match (admission, &way) {
            (Admission::Use, _) | (_, Way::Direct) => good.push(way),
            (Admission::Probe, Way::Through(upstream)) => {
                probe = probe.or_else(|| Some(Arc::clone(upstream)));
                bad.push(way);
            }
            (Admission::Avoid, Way::Through(_)) => bad.push(way),
        }
    }
    // Nothing better is left: then it is no probe, it is the request itself.
    let probe = probe.filter(|_| !good.is_empty());
    good.append(&mut bad);
    Ways { ways: good, probe }
}

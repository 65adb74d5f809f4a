//! A netrc, by the plan that `core::netrc::import` makes of it.

use crate::core::{
    credential::Proof,
    import::{Asker, Found, Malformed, Move, Stay, Verdict, edit::Splice},
    netrc::import::{self, Kept, Plan},
    secret::SecretString,
    text::printable,
};

/// Finds its entries: each at its place in [`Plan::items`].
pub(super) fn find(source: &[u8]) -> Result<Vec<Found>, Malformed> {
    let plan = Plan::of(source)
        .map_err(|error| Malformed { line: error.line, what: error.what.to_string() })?;
    Ok(plan.items.iter().map(found).collect())
}

fn found(item: &import::Item) -> Found {
    let name = item.host.as_deref().map_or_else(|| "default".to_owned(), printable);
    let name = format!("machine {name}");
    let (secret, verdict) = match &item.verdict {
        import::Verdict::Store(key, password) => {
            let proof = Proof::Password(password.clone());
            let key = key.clone();
            let one = Move { key, proof, asker: Asker::GitAndGo, cut: None };
            (password.clone(), Verdict::Move(one))
        }
        import::Verdict::Stay(stay) => {
            (SecretString::from(String::new()), Verdict::Stay(Stay::Netrc(*stay)))
        }
    };
    Found { line: item.line, name, secret, verdict }
}

/// Takes entries out, as far as nothing else then answers for their hosts.
pub(super) fn take(source: &[u8], places: &[usize]) -> (Vec<Splice>, Vec<(usize, Kept)>) {
    let Ok(plan) = Plan::of(source) else { return (Vec::new(), Vec::new()) };
    let is_stored = |place: &&usize| {
        let item = plan.items.get(**place);
        item.is_some_and(|item| matches!(item.verdict, import::Verdict::Store(..)))
    };
    let stored: Vec<usize> = places.iter().filter(is_stored).copied().collect();
    let removal = plan.remove(&stored);
    let splices = removal.cuts.iter().filter_map(|cut| Splice::of(source, cut.clone(), Vec::new()));
    (splices.collect(), removal.kept)
}

#[cfg(test)]
mod tests {
    use crate::core::import::{
        Form,
        fixture::{taken, told},
    };

    #[test]
    fn entries_go_as_the_plan_has_it() {
        let text = "# c\nmachine h login ana password pw\nmachine i login x\n";
        let expected = ["2 machine h https://h ana:pw", "3 machine i - Netrc(NoPassword)"];
        assert_eq!(told(Form::Netrc, text), expected);
        assert_eq!(taken(Form::Netrc, text), "# c\nmachine i login x\n");
    }
}

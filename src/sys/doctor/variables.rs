//! The environment of this process, for a diagnosis: values of what the tools read, names of the rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::doctor::{gosettings, private::Private};

/// Reads them. A value that is not UTF-8 is shown with replacement characters: no tool takes it either.
pub(super) fn read() -> (BTreeMap<String, Private>, BTreeSet<String>) {
    let (mut variables, mut others) = (BTreeMap::new(), BTreeSet::new());
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if gosettings::is_read(&name) {
            let value = Private::of(&name, value.to_string_lossy());
            variables.insert(name, value);
        } else {
            others.insert(name);
        }
    }
    (variables, others)
}

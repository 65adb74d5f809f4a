//! N: packets and connections.

use crate::inject::case::{
    Case,
    Tool::{Git, Go},
    both,
};

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let fails = |code, about, host| both(code, about, host, |case| case);
    let hangs = |code, about, host| {
        both(code, about, host, |case| match case.target {
            crate::inject::case::Target::Url(_) => case.hangs(&[Git]),
            _ => case.hangs(&[Go]),
        })
    };
    [
        fails("N01", "nobody listens", "refused.corp.test"),
        hangs("N02", "SYN is dropped", "drop.corp.test"),
        fails("N03", "administratively prohibited", "adminproh.corp.test"),
        fails("N04", "no route", "netunreach.corp.test"),
    ]
    .concat()
}

//! H: answers, gateways, portals.

use crate::inject::case::{
    Case, Target,
    Tool::{Git, Go},
    both,
};

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let fails = |code, about, host| both(code, about, host, |case| case);
    let hangs = |code, about, host| {
        both(code, about, host, |case| match case.target {
            Target::Url(_) => case.hangs(&[Git]),
            _ => case.hangs(&[Go]),
        })
    };
    let status = |code, host| fails(code, "a status", host);
    [
        hangs("H01", "no head", "hstall.corp.test"),
        hangs("H02", "a body that stalls", "bstall.corp.test"),
        hangs("H03", "a byte a second", "drip.corp.test"),
        fails("H04", "a short body", "trunc.corp.test"),
        fails("H04", "TLS ends without a word, and no length is told", "unclosed.corp.test"),
        fails("H05", "no answer", "empty.corp.test"),
        fails("H06", "a redirect to http", "portal302.corp.test"),
        fails("H07", "a redirect to a login page", "portal302s.corp.test"),
        both("H08", "a page with 200", "portal200.corp.test", |case| match case.target {
            // git takes it for a repository without references.
            Target::Url(_) => case.succeeds(&[Git]).exit(1),
            _ => case,
        }),
        status("H09", "p511.corp.test"),
        fails("H10", "a circle", "loop.corp.test"),
        fails("H11", "https to http at the same host", "r301.corp.test"),
        fails("H12", "an endless head", "bighead.corp.test"),
        fails("H13", "not gzip", "badgzip.corp.test"),
        // git takes the empty beginning for a repository without references.
        vec![Case::new("H13").about("half of what was packed").origin("cutgzip.corp.test")],
        status("H14", "s429.corp.test"),
        status("H15", "s500.corp.test"),
        status("H16", "s502.corp.test"),
        status("H17", "s503.corp.test"),
        status("H18", "s504.corp.test"),
        status("H19", "s403.corp.test"),
        both(
            "H19",
            "only the first of git's requests is let through",
            "getonly.corp.test",
            |case| case,
        ),
        status("H20", "s403txt.corp.test"),
        status("H21", "s404.corp.test"),
        status("H22", "s410.corp.test"),
        status("H23", "s451.corp.test"),
        status("H24", "s400.corp.test"),
    ]
    .concat()
}

//! What is wrong with the configuration and the machine, seen without any packet. One file a theme.
//!
//! A fault that matters for what was asked, whatever the network says, is an error. One that matters only if
//! the network fails is a warning or less, and [`Finding::suppresses`] names what it would explain: `rank` makes
//! it the root where one of those was found. A difference that cannot matter here is nothing.

mod crlf;
mod facts;
mod fix;
mod folder;
mod gitconfig;
mod goauth;
mod gofile;
mod goflags;
mod goproxy;
mod govalues;
mod govars;
mod helpers;
mod local;
mod names;
mod neighbours;
mod netrc;
mod noproxy;
mod offer;
mod own;
mod own_files;
mod private;
mod proxies;
mod proxy_value;
mod rewrite;
mod shelf;
mod spelling;
mod sumdb;
mod toolchain;
mod trust;

pub(crate) use self::facts::Facts;
pub(in crate::core::doctor) use self::fix::{before, take_away};
pub use self::offer::offer;
use crate::core::doctor::{finding::Finding, machine::Machine, place::Place, target::Target};

/// What a wrong way past a corporate proxy ends in.
const DIRECT: &[&str] = &[
    "D01", "D02", "D03", "D04", "D05", "D08", "N01", "N02", "N03", "N04", "N05", "T17", "T18",
    "T19",
];
/// What a wrong proxy ends in.
const PROXIED: &[&str] = &[
    "P01", "P02", "P03", "P04", "P05", "P06", "P07", "P08", "P10", "P11", "P12", "P13", "P14",
    "P15", "P16", "P17", "P18", "P19", "P20", "P21", "P22", "P23", "P24", "P26", "P27", "P28",
    "P29", "P30", "P31", "P32", "P33", "D16", "N01", "N02",
];
/// What a module proxy that does not know a private module answers.
const NOT_THERE: &[&str] = &["M01", "M02", "M03", "M04", "M07", "M08", "A14", "E08", "E09", "S04"];
/// What a request without its login ends in.
const NO_LOGIN: &[&str] =
    &["A01", "A02", "A03", "A04", "A07", "A12", "A14", "A15", "M01", "M03", "M04"];

/// Returns the Go that would have to be downloaded, such as `1.24.0`, and the line of go.mod that wants it.
pub(crate) fn wanted_toolchain(target: &Target, machine: &Machine) -> Option<(String, Place)> {
    toolchain::download(&Facts::of(target, machine))
}

/// Returns every finding, in no particular order.
pub fn all(target: &Target, machine: &Machine) -> Vec<Finding> {
    let facts = Facts::of(target, machine);
    let themes: &[fn(&Facts<'_>) -> Vec<Finding>] = &[
        names::findings,
        goproxy::findings,
        shelf::findings,
        private::findings,
        govars::findings,
        govalues::findings,
        crlf::findings,
        goflags::findings,
        toolchain::findings,
        folder::findings,
        gofile::findings,
        proxies::findings,
        noproxy::findings,
        trust::findings,
        neighbours::findings,
        goauth::findings,
        netrc::findings,
        gitconfig::findings,
        rewrite::findings,
        helpers::findings,
        sumdb::findings,
        local::findings,
        own::findings,
        own_files::findings,
    ];
    themes.iter().flat_map(|theme| theme(&facts)).collect()
}

#[cfg(test)]
mod tests;

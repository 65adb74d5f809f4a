//! The failures that are injected, by the letter of their codes.

mod a;
mod d;
mod e;
pub(super) mod g;
mod h;
mod k;
mod l;
mod m;
mod mended;
mod n;
mod p;
mod s;
mod t;

use super::case::Case;

/// Returns all of them.
pub(crate) fn all() -> Vec<Case> {
    let letters = [e::cases, d::cases, n::cases, p::cases, t::cases, h::cases, a::cases, g::cases];
    let others = [m::cases, s::cases, l::cases, k::cases, mended::cases];
    letters.into_iter().chain(others).flat_map(|cases| cases()).collect()
}

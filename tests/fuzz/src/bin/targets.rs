//! What a client asks for, GOPROXY and GOPRIVATE: any text is judged without a panic,
//! and what is a target is written as it was read.
#![no_main]

use gocred::core::{
    goproxy,
    origin::Origin,
    pattern,
    target::{Absolute, Authority},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (left, right) = texts;
    if let Ok(authority) = Authority::parse(left) {
        assert_eq!(Authority::parse(&authority.to_string()), Ok(authority));
    }
    let _ = Absolute::parse(left);
    if let Ok((origin, _)) = Origin::from_url(left) {
        assert_eq!(Origin::from_url(&origin.to_string()), Ok((origin, "")));
    }
    let _ = pattern::matches(left, right);
    let _ = pattern::may_match_host(left, right);
    let _ = goproxy::parse(left);
});

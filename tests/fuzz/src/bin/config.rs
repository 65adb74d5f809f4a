//! `config.toml`: any text is a configuration, or an error with a line.
#![no_main]

use gocred::core::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for read in [Config::parse(text), Config::merge(Some(text), Some(text))] {
        if let Err(error) = read {
            assert!(error.line > 0);
        }
    }
});

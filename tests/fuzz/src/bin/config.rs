//! `config.toml`: any text is a configuration, or an error with a line.
#![no_main]

use gocred::core::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text) {
        assert!(error.line > 0);
    }
});

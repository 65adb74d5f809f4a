//! Which way a question goes: to the keyring in this process, or to the other commands.

use crate::{
    core::{
        choice::Choice,
        config::{Config, Session},
        origin::Origin,
    },
    store,
    sys::env::Env,
};

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `gocred` takes it over: what answers is not in the helper.
    HandOver,
    /// It is answered here.
    InProcess,
}

/// Returns the way of a question. The configuration decides, not a feature: a helper that is built
/// with everything goes the same way.
pub(super) fn way(config: &Config, env: &Env, origin: &Origin) -> Way {
    let is_keyring = store::choice(env, config) == Ok(Choice::Keyring);
    let is_plain = config.secret_service.session == Session::Plain;
    let is_alone = config.store.fallback.is_empty() && !config.has_source(origin);
    if is_keyring && is_plain && is_alone { Way::InProcess } else { Way::HandOver }
}

#[cfg(test)]
mod tests {
    use super::{Way, way};
    use crate::{
        core::{config::Config, origin::Origin},
        sys::env::Env,
    };

    #[test]
    fn what_the_helper_cannot_answer_is_handed_over() {
        let source = "[source.h]\nfrom = \"ci\"\n";
        for (text, store, host, expected) in [
            ("", "", "h", Way::InProcess),
            ("[store]\nname = \"keyring\"\n", "", "h", Way::InProcess),
            ("[store]\nname = \"file\"\n", "", "h", Way::HandOver),
            ("[store]\nname = \"file\"\n", "keyring", "h", Way::InProcess),
            ("", "openbao", "h", Way::HandOver),
            ("", "no such store", "h", Way::HandOver),
            ("[secret_service]\nsession = \"dh\"\n", "", "h", Way::HandOver),
            ("[store]\nfallback = [\"libsecret\"]\n", "", "h", Way::HandOver),
            (source, "", "h", Way::HandOver),
            (source, "", "h:8443", Way::InProcess),
            (source, "", "other", Way::InProcess),
        ] {
            let config = Config::parse(text).unwrap();
            let env = Env::of(&[("GOCRED_STORE", store)]);
            let origin = Origin::new("https", host).unwrap();
            assert_eq!(way(&config, &env, &origin), expected, "{text} {store} {host}");
        }
    }
}

//! K: gocred itself.

use crate::inject::case::{Case, Tool::Git};

/// Returns the cases.
pub(super) fn cases() -> Vec<Case> {
    let config = "~/.config/gocred/config.toml";
    vec![
        Case::new("K01")
            .about("HTTPS_PROXY names gocred, which does not run")
            .proxy("http://127.0.0.1:7407")
            .repository("pub.corp.test")
            .fails(&[Git]),
        Case::new("K02")
            .about("another program listens where gocred should")
            .file(config, "[proxy]\nlisten = [\"127.0.0.1:7417\"]\n")
            .proxy("http://127.0.0.1:7417")
            .repository("pub.corp.test")
            .prepare(|stage| {
                stage.serve("exec python3 -m http.server 7417 --bind 127.0.0.1");
                stage.sh("until grep -qi ':1CF9 ' /proc/net/tcp; do sleep 0.05; done");
            })
            .fails(&[Git]),
        Case::new("K10")
            .about("a key that gocred does not know")
            .file(config, "[proxy]\nlisten_on = 5\n")
            .gitconfig("[credential]\n\thelper = {HELPER}")
            .repository("git.corp.test")
            .fails(&[Git])
            .fixed(),
    ]
}

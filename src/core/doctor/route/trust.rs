//! Whose certificates a tool trusts.

use std::path::PathBuf;

use crate::core::doctor::{
    finding::Tool,
    machine::Machine,
    route::{Link, Trust},
};

/// Returns the trust of a tool for a URL.
pub(super) fn of(tool: Tool, _link: &Link, machine: &Machine) -> Trust {
    let variable = |name: &str| {
        let value = machine.variable(name)?;
        Some((PathBuf::from(value.raw()), format!("${name}")))
    };
    let git = |key: &str| {
        let value = machine.git_value(key).filter(|value| !value.value.raw().is_empty())?;
        Some((PathBuf::from(value.value.raw()), value.place.to_string()))
    };
    match tool {
        Tool::Go => {
            let (file, folder) = (variable("SSL_CERT_FILE"), variable("SSL_CERT_DIR"));
            // Go reads the system's files or folders only where the variable of the same kind is not set.
            let has_system = file.is_none() || folder.is_none();
            Trust { file, folder, has_system, is_off: false }
        }
        Tool::Git => {
            let file = variable("GIT_SSL_CAINFO").or_else(|| git("http.sslcainfo"));
            let folder = variable("GIT_SSL_CAPATH").or_else(|| git("http.sslcapath"));
            let is_off = machine.variable("GIT_SSL_NO_VERIFY").is_some()
                || machine
                    .git_value("http.sslverify")
                    .is_some_and(|value| ["false", "0", "no", "off"].contains(&value.value.raw()));
            Trust { has_system: file.is_none(), file, folder, is_off }
        }
        Tool::Curl => {
            let file = variable("CURL_CA_BUNDLE").or_else(|| variable("SSL_CERT_FILE"));
            Trust {
                has_system: file.is_none(),
                file,
                folder: variable("SSL_CERT_DIR"),
                is_off: false,
            }
        }
    }
}

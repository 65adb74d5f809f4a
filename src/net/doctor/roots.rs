//! Whose certificates a tool trusts: the files and folders that its settings name, and the system's own.
//!
//! What cannot be read is left out, as the tools do; the checks of the configuration tell of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rustls_native_certs::load_certs_from_paths;

use crate::{
    core::doctor::{
        certificate::{X509, parse},
        route::Trust,
    },
    net::tls::BUNDLES,
};

/// The folders that systems keep single certificates in (`root_linux.go` of `crypto/x509`).
const FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// Everybody who is trusted.
pub(super) type Roots = Arc<Vec<X509>>;

/// Reads them, once a process for each setting: it takes milliseconds.
pub(super) fn of(trust: &Trust) -> Roots {
    static KNOWN: Mutex<BTreeMap<String, Roots>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(format!("{trust:?}")).or_insert_with(|| Arc::new(read(trust))))
}

fn read(trust: &Trust) -> Vec<X509> {
    let mut all = BTreeSet::new();
    let mut add = |file: Option<&Path>, folder: Option<&Path>| {
        let found = load_certs_from_paths(file, folder);
        all.extend(found.certs.iter().map(|certificate| certificate.to_vec()));
    };
    if let Some((file, _)) = &trust.file {
        add(Some(file), None);
    }
    if let Some((folders, _)) = &trust.folder {
        // OpenSSL and go take a list here.
        for folder in std::env::split_paths(folders) {
            add(None, Some(&folder));
        }
    }
    if trust.has_system {
        add(BUNDLES.iter().map(Path::new).find(|file| file.is_file()), None);
        for folder in FOLDERS.iter().map(Path::new).filter(|folder| folder.is_dir()) {
            add(None, Some(folder));
        }
    }
    all.iter().filter_map(|der| parse(der)).collect()
}

//! Who opens TLS in companies: names that the authorities of such products bear.
//!
//! A name is no proof, but nobody else bears these. A company that gives its inspection an own name is
//! known by another way: without the proxy the certificate is a good one.

/// Parts of names, in lower case.
const NAMES: &[&str] = &[
    "zscaler",
    "netskope",
    "goskope",
    "palo alto",
    "paloalto",
    "globalprotect",
    "fortinet",
    "fortigate",
    "blue coat",
    "bluecoat",
    "symantec web",
    "proxysg",
    "forcepoint",
    "websense",
    "mcafee web",
    "skyhigh",
    "trellix",
    "cisco umbrella",
    "opendns",
    "ironport",
    "sophos",
    "check point",
    "checkpoint",
    "barracuda",
    "watchguard",
    "sonicwall",
    "iboss",
    "menlo",
    "cloudflare gateway",
    "gateway ca - cloudflare",
    "cato networks",
    "untangle",
    "smoothwall",
    "lightspeed",
    "contentwatch",
    "kaspersky",
    "eset ssl filter",
    "bitdefender",
    "avast",
    "avg web",
    "dr.web",
    "mitmproxy",
    "fiddler",
    "charles proxy",
    "portswigger",
    "burp",
    "owasp zap",
    "superfish",
    "sangfor",
    "qianxin",
    "qi-anxin",
    "360ent",
    "topsec",
    "nsfocus",
    "venustech",
    "hillstone",
    "netentsec",
    "ruijie",
    "squid",
    "inspection",
    "interception",
    "intercept",
    "decryption",
    "decrypt",
    "ssl proxy",
    "https proxy",
    "web proxy",
    "web gateway",
    "webgateway",
    "tls proxy",
    "dlp",
    "casb",
    "mitm",
    "man in the middle",
    "深信服",
    "奇安信",
    "天融信",
    "绿盟",
    "启明星辰",
];

/// Returns whether a certificate's subject or issuer is named like an inspection.
pub(super) fn is_named(name: &str) -> bool {
    let name = name.to_lowercase();
    NAMES.iter().any(|part| name.contains(part))
}

#[test]
fn products_are_known_and_public_authorities_are_not() {
    for name in [
        "CN=Zscaler Intermediate Root CA (zscaler.net), O=Zscaler Inc.",
        "O=Corp, CN=Corp SSL Inspection CA",
        "CN=*.cloudflare gateway",
    ] {
        assert!(is_named(name), "{name}");
    }
    for name in
        ["CN=R11, O=Let's Encrypt, C=US", "CN=DigiCert Global Root G2", "O=Corp Test, CN=Corp Root"]
    {
        assert!(!is_named(name), "{name}");
    }
}

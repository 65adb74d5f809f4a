//! What the settings of a desktop say about proxies: the text that GNOME, KDE, macOS and Windows
//! keep or print.
//!
//! Lists of exceptions are not read: `no_proxy` is ours, and a script has its own.

use crate::core::{
    origin::Origin,
    pac::answer::{self, Choice},
};

/// What a desktop is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Desktop {
    /// No proxy.
    Direct,
    /// One proxy.
    Manual(Origin),
    /// The script of this URL.
    Pac(String),
    /// The environment of each program.
    Variables,
    /// What the network offers.
    Wpad,
}

/// Reads what `gsettings list-recursively org.gnome.system.proxy` prints.
pub fn gnome(printed: &str) -> Option<Desktop> {
    let value = |schema: &str, key: &str| {
        printed.lines().find_map(|line| {
            let (named, rest) = line.trim().split_once(' ')?;
            let (name, value) = rest.split_once(' ')?;
            let value = value.trim();
            let text = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            (named == schema && name == key).then(|| text.unwrap_or(value).to_owned())
        })
    };
    Some(match value("org.gnome.system.proxy", "mode")?.as_str() {
        "none" => Desktop::Direct,
        "auto" => pac_or_wpad(value("org.gnome.system.proxy", "autoconfig-url").as_deref()),
        "manual" => {
            let of = |schema: &str| {
                proxy(&value(schema, "host")?, &value(schema, "port")?).map(Desktop::Manual)
            };
            of("org.gnome.system.proxy.https").or_else(|| of("org.gnome.system.proxy.http"))?
        }
        _ => return None,
    })
}

/// Reads KDE's `kioslaverc`.
pub fn kde(file: &str) -> Option<Desktop> {
    let lines = file.lines().map(str::trim).skip_while(|line| *line != "[Proxy Settings]").skip(1);
    let section: Vec<&str> = lines.take_while(|line| !line.starts_with('[')).collect();
    let value = |key: &str| {
        let found = section.iter().filter_map(|line| line.split_once('='));
        found.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).next_back()
    };
    Some(match value("ProxyType").unwrap_or("0") {
        "0" => Desktop::Direct,
        "1" => {
            // `http://proxy.corp.test 8080`, and of older versions `http://proxy.corp.test:8080`
            let text = value("httpsProxy").or_else(|| value("httpProxy"))?;
            let text = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
            let (host, port) = text.split_once(' ').or_else(|| text.rsplit_once(':'))?;
            Desktop::Manual(proxy(host, port)?)
        }
        "2" => pac_or_wpad(value("Proxy Config Script")),
        "3" => Desktop::Wpad,
        "4" => Desktop::Variables,
        _ => return None,
    })
}

/// Reads what `scutil --proxy` of macOS prints.
pub fn macos(printed: &str) -> Desktop {
    let value = |key: &str| {
        let mut found = printed.lines().filter_map(|line| line.split_once(" : "));
        found.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    let is_on = |key: &str| value(key) == Some("1");
    if is_on("ProxyAutoConfigEnable") {
        return pac_or_wpad(value("ProxyAutoConfigURLString"));
    }
    if is_on("ProxyAutoDiscoveryEnable") {
        return Desktop::Wpad;
    }
    let of = |on: &str, host: &str, port: &str| {
        is_on(on).then(|| proxy(value(host)?, value(port)?)).flatten()
    };
    of("HTTPSEnable", "HTTPSProxy", "HTTPSPort")
        .or_else(|| of("HTTPEnable", "HTTPProxy", "HTTPPort"))
        .map_or(Desktop::Direct, Desktop::Manual)
}

/// Reads what `reg query` of Windows prints for `Internet Settings`.
pub fn windows(printed: &str) -> Desktop {
    let value = |key: &str| {
        printed.lines().find_map(|line| {
            let mut words = line.trim().splitn(2, "    ");
            let (name, rest) = (words.next()?, words.next()?);
            let (_kind, value) = rest.trim().split_once("    ")?;
            (name == key).then(|| value.trim())
        })
    };
    if let Some(url) = value("AutoConfigURL").filter(|url| !url.is_empty()) {
        return Desktop::Pac(url.to_owned());
    }
    let server = value("ProxyServer").filter(|_| value("ProxyEnable") == Some("0x1"));
    let Some(server) = server else { return Desktop::Direct };
    // One for all, or `http=a:80;https=b:81`.
    let named = |scheme: &str| server.split(';').find_map(|one| one.trim().strip_prefix(scheme));
    let one = named("https=").or_else(|| named("http=")).unwrap_or(server);
    let (host, port) = one.rsplit_once(':').unwrap_or((one, "80"));
    proxy(host, port).map_or(Desktop::Direct, Desktop::Manual)
}

impl Desktop {
    /// Returns a script that says the same; `None` where it is somewhere else.
    pub fn script(&self) -> Option<String> {
        let answer = match self {
            Self::Direct => "DIRECT".to_owned(),
            Self::Manual(origin) => format!("PROXY {}", origin.authority()),
            Self::Pac(_) | Self::Variables | Self::Wpad => return None,
        };
        Some(format!("function FindProxyForURL() {{ return \"{answer}\"; }}\n"))
    }
}

fn pac_or_wpad(url: Option<&str>) -> Desktop {
    match url.filter(|url| !url.is_empty()) {
        Some(url) => Desktop::Pac(url.to_owned()),
        None => Desktop::Wpad,
    }
}

/// Takes a host and a port as a script's answer would name them, so that they can stand in one.
fn proxy(host: &str, port: &str) -> Option<Origin> {
    match answer::parse(&format!("PROXY {}:{}", host.trim(), port.trim())).choices.pop()? {
        Choice::Via(origin) => Some(origin),
        Choice::Direct => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Desktop, gnome, kde, macos, windows};

    fn manual(place: &str) -> Desktop {
        Desktop::Manual(crate::core::origin::Origin::new("http", place).unwrap())
    }

    #[test]
    fn gnome_has_three_modes() {
        let printed = |mode: &str, url: &str| {
            format!(
                "org.gnome.system.proxy autoconfig-url '{url}'\n\
                 org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '::1']\n\
                 org.gnome.system.proxy mode '{mode}'\n\
                 org.gnome.system.proxy.http host 'plain.test'\n\
                 org.gnome.system.proxy.http port 3128\n\
                 org.gnome.system.proxy.https host 'proxy.test'\n\
                 org.gnome.system.proxy.https port 8080\n"
            )
        };
        assert_eq!(gnome(&printed("none", "")), Some(Desktop::Direct));
        assert_eq!(gnome(&printed("auto", "")), Some(Desktop::Wpad));
        assert_eq!(
            gnome(&printed("auto", "http://h/p.pac")),
            Some(Desktop::Pac("http://h/p.pac".into()))
        );
        assert_eq!(gnome(&printed("manual", "")), Some(manual("proxy.test:8080")));
        let only = printed("manual", "").replace("'proxy.test'", "''");
        assert_eq!(gnome(&only), Some(manual("plain.test:3128")));
        assert_eq!(gnome("No such schema"), None);
    }

    #[test]
    fn kde_counts_its_types() {
        let file = |kind: u8| {
            format!(
                "[$Version]\nProxyType=9\n[Proxy Settings]\nProxyType={kind}\n\
                 Proxy Config Script=http://h/p.pac\nhttpsProxy=http://proxy.test 8080\n[Other]\nProxyType=8\n"
            )
        };
        let all = (0..6).map(|kind| kde(&file(kind))).collect::<Vec<_>>();
        assert_eq!(
            all,
            [
                Some(Desktop::Direct),
                Some(manual("proxy.test:8080")),
                Some(Desktop::Pac("http://h/p.pac".into())),
                Some(Desktop::Wpad),
                Some(Desktop::Variables),
                None,
            ]
        );
        assert_eq!(kde(&file(1).replace(" 8080", ":8080")), Some(manual("proxy.test:8080")));
        assert_eq!(kde(""), Some(Desktop::Direct));
    }

    #[test]
    fn macos_prints_a_dictionary() {
        let printed = "<dictionary> {\n  HTTPSEnable : 1\n  HTTPSPort : 8080\n  HTTPSProxy : proxy.test\n  \
                       ProxyAutoConfigEnable : 1\n  ProxyAutoConfigURLString : http://h/p.pac\n}\n";
        assert_eq!(macos(printed), Desktop::Pac("http://h/p.pac".into()));
        let off = printed.replace("ConfigEnable : 1", "ConfigEnable : 0");
        assert_eq!(macos(&off), manual("proxy.test:8080"));
        assert_eq!(macos("<dictionary> {\n  ProxyAutoDiscoveryEnable : 1\n}\n"), Desktop::Wpad);
        assert_eq!(macos("<dictionary> {\n  HTTPEnable : 0\n}\n"), Desktop::Direct);
    }

    #[test]
    fn windows_prints_name_kind_and_value() {
        let head = "\r\nHKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\r\n";
        let of = |lines: &str| windows(&format!("{head}{lines}"));
        assert_eq!(
            of("    AutoConfigURL    REG_SZ    http://h/p.pac\r\n"),
            Desktop::Pac("http://h/p.pac".into())
        );
        let server = |on: &str, server: &str| {
            of(&format!(
                "    ProxyEnable    REG_DWORD    {on}\r\n    ProxyServer    REG_SZ    {server}\r\n"
            ))
        };
        assert_eq!(server("0x1", "proxy.test:8080"), manual("proxy.test:8080"));
        assert_eq!(server("0x1", "http=a.test:1;https=b.test:2"), manual("b.test:2"));
        assert_eq!(server("0x0", "proxy.test:8080"), Desktop::Direct);
        assert_eq!(of(""), Desktop::Direct);
    }

    #[test]
    fn a_setting_becomes_a_script_and_cannot_leave_its_text() {
        assert_eq!(
            manual("proxy.test:8080").script().unwrap(),
            "function FindProxyForURL() { return \"PROXY proxy.test:8080\"; }\n"
        );
        assert_eq!(Desktop::Wpad.script(), None);
        let printed = "org.gnome.system.proxy mode 'manual'\norg.gnome.system.proxy.https host 'a\"; x(); \"'\n\
                       org.gnome.system.proxy.https port 1\n";
        assert_eq!(gnome(printed), None);
    }
}

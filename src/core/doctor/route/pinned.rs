//! Addresses that git's configuration gives a name in place of DNS: `http.curloptResolve`, which libcurl reads as
//! `HOST:PORT:ADDRESS[,ADDRESS]…` (`CURLOPT_RESOLVE`). What is dialled is looked up there, also a proxy.

use std::net::IpAddr;

use crate::core::doctor::{
    machine::{GitValue, Machine},
    place::Place,
    route::git_config,
};

/// The addresses, and the line that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// In the order in which they are tried.
    pub addresses: Vec<IpAddr>,
    /// Where it stands.
    pub place: Place,
}

/// An entry as libcurl reads it.
enum Entry<'a> {
    /// `-HOST:PORT`: what an earlier one said does not count.
    Removed(&'a str, u16),
    /// The rest. A host of `*` is every name without an entry of its own.
    Added(&'a str, u16, Vec<IpAddr>),
}

/// Returns the addresses that git dials for a host and port, if its configuration names any. The URL is the one
/// that git has, for `http.<url>.curloptResolve`.
pub(in crate::core::doctor) fn of_git(
    (host, port): (&str, u16),
    url: &str,
    machine: &Machine,
) -> Option<Pinned> {
    let host = host.trim_matches(['[', ']']);
    // An address needs no name.
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let (mut own, mut any) = (None, None);
    for value in values(url, machine) {
        let (name, at, addresses) = match read(value.value.raw())? {
            Entry::Removed(name, at) => (name, at, None),
            Entry::Added(name, at, addresses) => (name, at, Some(addresses)),
        };
        let pinned = addresses.map(|addresses| Pinned { addresses, place: value.place.clone() });
        match name {
            _ if at != port => {}
            "*" => any = pinned,
            name if name.eq_ignore_ascii_case(host) => own = pinned,
            _ => {}
        }
    }
    own.or(any)
}

/// Returns the entry at which libcurl gives up, and with it git.
pub(in crate::core::doctor) fn broken<'a>(url: &str, machine: &'a Machine) -> Option<&'a GitValue> {
    values(url, machine).into_iter().find(|value| read(value.value.raw()).is_none())
}

fn values<'a>(url: &str, machine: &'a Machine) -> Vec<&'a GitValue> {
    git_config::list(machine, ("http", "curloptresolve"), url)
}

/// Reads an entry (libcurl's `Curl_loadhostpairs`); `None`: it ends the transfer.
fn read(entry: &str) -> Option<Entry<'_>> {
    let number = |port: &str| port.parse::<u16>().ok();
    if let Some(rest) = entry.strip_prefix('-') {
        // What cannot be read is passed over here.
        let (host, port) = rest.split_once(':').unwrap_or((rest, ""));
        return Some(Entry::Removed(host, number(port).unwrap_or_default()));
    }
    let entry = entry.strip_prefix('+').unwrap_or(entry);
    let (host, rest) = entry.split_once(':')?;
    let (port, addresses) = rest.split_once(':')?;
    let addresses = addresses
        .split(',')
        .map(|address| address.trim_matches(['[', ']']).parse().ok())
        .collect::<Option<Vec<IpAddr>>>()?;
    Some(Entry::Added(host, number(port)?, addresses))
}

#[cfg(test)]
mod tests {
    use super::{broken, of_git};
    use crate::core::doctor::{
        machine::{GitValue, Machine},
        place::Place,
        private::Private,
    };

    const URL: &str = "https://h.test/x.git";

    fn machine(entries: &[&str]) -> Machine {
        let value = |(line, entry): (usize, &&str)| GitValue {
            key: "http.curloptresolve".to_owned(),
            value: Private::new(*entry),
            place: Place::File("/home/ana/.gitconfig".into(), Some(line + 1)),
            is_local: false,
        };
        let git_config = entries.iter().enumerate().map(value).collect();
        Machine { git_config, ..Machine::default() }
    }

    /// As libcurl 7.88 dialled when it was told so.
    #[test]
    fn the_last_entry_of_a_name_and_port_counts() {
        for (entries, dialled) in [
            (&["h.test:443:127.0.0.9"][..], Some(("127.0.0.9", 1))),
            (&["H.TEST:0443:127.0.0.9"], Some(("127.0.0.9", 1))),
            (&["+h.test:443:[::1],127.0.0.1"], Some(("::1 127.0.0.1", 1))),
            (&["h.test:8443:127.0.0.9"], None),
            (&["i.test:443:127.0.0.9"], None),
            (&["*:443:127.0.0.9"], Some(("127.0.0.9", 1))),
            (&["h.test:443:127.0.0.1", "*:443:127.0.0.9"], Some(("127.0.0.1", 1))),
            (&["h.test:443:127.0.0.1", "h.test:443:127.0.0.2"], Some(("127.0.0.2", 2))),
            (&["h.test:443:127.0.0.1", "-h.test:443"], None),
            (&["h.test:443:127.0.0.1", "", "h.test:443:127.0.0.2"], Some(("127.0.0.2", 3))),
            (&["h.test:443:127.0.0.1", ""], None),
        ] {
            let pinned = of_git(("h.test", 443), URL, &machine(entries));
            let shown = pinned.map(|pinned| {
                let all: Vec<String> = pinned.addresses.iter().map(ToString::to_string).collect();
                let Place::File(_, line) = pinned.place else { panic!("no file") };
                (all.join(" "), line.unwrap())
            });
            let dialled = dialled.map(|(all, line)| (all.to_owned(), line));
            assert_eq!(shown, dialled, "{entries:?}");
        }
        let of_address = of_git(("127.0.0.1", 443), URL, &machine(&["127.0.0.1:443:127.0.0.9"]));
        assert_eq!(of_address, None);
    }

    #[test]
    fn an_entry_that_libcurl_cannot_read_ends_every_request() {
        for bad in ["h.test:443:", "h.test:443:i.test", "garbage", "h.test:x:127.0.0.1"] {
            assert!(broken(URL, &machine(&[bad])).is_some(), "{bad}");
        }
        for good in ["h.test:443:127.0.0.1", "-h.test:443", "*:443:::1"] {
            assert!(broken(URL, &machine(&[good])).is_none(), "{good}");
        }
    }
}

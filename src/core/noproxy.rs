//! `NO_PROXY` in the two readings that meet on one machine: Go's and libcurl's (which is git's).
//!
//! It deliberately offers no third, merged reading: whoever wants "either of them" says so. Nothing
//! is resolved: a CIDR block matches an address that was written as one, in both readings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether Go reaches the host directly (golang.org/x/net/http/httpproxy, `useProxy`).
///
/// `localhost` and loopback addresses always are. `host` has no brackets. An entry that is not
/// ASCII is not translated to punycode, so it matches no host.
pub fn go(list: &str, host: &str, port: u16) -> bool {
    let address = host.parse().ok().map(canonical);
    if host == "localhost" || address.is_some_and(|address: IpAddr| address.is_loopback()) {
        return true;
    }
    let host = host.trim().to_lowercase();
    let port = port.to_string();
    list.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| {
        let matched = match GoEntry::parse(&entry) {
            GoEntry::All => return true,
            GoEntry::Nothing => return false,
            GoEntry::Block(block) => return address.is_some_and(|address| block.has(address)),
            GoEntry::Address(entry, port) => (address == Some(entry)).then_some(port),
            GoEntry::Domain(_, _) if address.is_some() => None,
            GoEntry::Domain(Domain::Below(suffix), port) => host.ends_with(suffix).then_some(port),
            GoEntry::Domain(Domain::Name(name), port) => {
                let above = host.strip_suffix(name);
                above.is_some_and(|above| above.is_empty() || above.ends_with('.')).then_some(port)
            }
        };
        // Ports are compared as text, so that `h:http` matches nothing.
        matched.is_some_and(|wanted| wanted.is_empty() || wanted == port)
    })
}

/// One element of the list in Go's reading. The text beside an address or a domain is the port it
/// is limited to, or empty.
enum GoEntry<'a> {
    All,
    Address(IpAddr, &'a str),
    Block(Block),
    Domain(Domain<'a>, &'a str),
    Nothing,
}

enum Domain<'a> {
    /// `.example.com`, with its dot: what is below it, but not the name itself.
    Below(&'a str),
    /// `example.com`: the name, and what is below it.
    Name(&'a str),
}

impl<'a> GoEntry<'a> {
    fn parse(entry: &'a str) -> Self {
        if entry == "*" {
            return Self::All;
        }
        if let Some(block) = Block::parse(entry) {
            return Self::Block(block);
        }
        let (host, port) = split_host_port(entry).unwrap_or((entry, ""));
        if let Ok(address) = host.parse() {
            return Self::Address(canonical(address), port);
        }
        match host.strip_prefix('*').filter(|below| below.starts_with('.')).unwrap_or(host) {
            "" => Self::Nothing,
            below if below.starts_with('.') => Self::Domain(Domain::Below(below), port),
            name => Self::Domain(Domain::Name(name), port),
        }
    }
}

/// Splits as Go's `net.SplitHostPort`: `None` without a port, and for an IPv6 address without
/// brackets.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(open) => open.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let bracket = |text: &str| text.contains(['[', ']']);
    (!bracket(host) && !bracket(port)).then_some((host, port))
}

/// Returns the IPv4 address that an IPv4-mapped IPv6 address stands for; Go's `net.IP` makes no
/// difference between the two.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// An address block in CIDR notation, as Go's `net.ParseCIDR` reads it.
enum Block {
    V4 { network: u32, mask: u32 },
    V6 { network: u128, mask: u128 },
}

impl Block {
    fn parse(entry: &str) -> Option<Self> {
        let (address, length) = entry.split_once('/')?;
        if length.is_empty() || !length.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let length: u32 = length.parse().ok()?;
        Some(match address.parse().ok()? {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(Ipv4Addr::BITS.checked_sub(length)?).unwrap_or(0);
                Self::V4 { network: address.to_bits() & mask, mask }
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(Ipv6Addr::BITS.checked_sub(length)?).unwrap_or(0);
                let network = address.to_bits() & mask;
                match Ipv6Addr::from_bits(network).to_ipv4_mapped() {
                    Some(mapped) => Self::V4 {
                        network: mapped.to_bits(),
                        mask: u32::try_from(mask & u128::from(u32::MAX)).unwrap_or(u32::MAX),
                    },
                    None => Self::V6 { network, mask },
                }
            }
        })
    }

    fn has(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { network, mask }, IpAddr::V4(address)) => {
                address.to_bits() & mask == *network
            }
            (Self::V6 { network, mask }, IpAddr::V6(address)) => {
                address.to_bits() & mask == *network
            }
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }
}

/// Returns whether libcurl, and so git, reaches the host directly (`Curl_check_noproxy` of 7.88).
///
/// There is no `*.` and no port: the port is an argument so that both readings are called alike.
/// Blanks separate like commas, and an IPv6 address is compared as text; newer versions stop at a
/// blank (from 8.9) and read blocks of IPv6 addresses (from 8.18). `host` has no brackets.
pub fn curl(list: &str, host: &str, _port: u16) -> bool {
    if host.is_empty() {
        return false;
    }
    // The star must be the whole list.
    if list == "*" {
        return true;
    }
    let address: Option<Ipv4Addr> = host.parse().ok();
    list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).any(|entry| match address {
        Some(address) => curl_block(entry, address),
        None => curl_domain(entry, host),
    })
}

/// `.example.com`, `example.com` and `example.com.` are the same: the name, and what is below it.
fn curl_domain(entry: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
    let name = entry.strip_suffix('.').unwrap_or(entry);
    let name = name.strip_prefix('.').unwrap_or(name).as_bytes();
    host.len().checked_sub(name.len()).is_some_and(|above| {
        let (above, tail) = host.split_at(above);
        tail.eq_ignore_ascii_case(name) && (above.is_empty() || above.ends_with(b"."))
    })
}

/// An IPv4 address or block. A prefix length of 0 means the same as 32, and text after the digits
/// is passed over (`atoi`).
fn curl_block(entry: &str, address: Ipv4Addr) -> bool {
    /// The buffer that curl copies an entry to, in bytes, with its NUL.
    const LONGEST: usize = 128;
    let (network, length) = entry.split_once('/').unwrap_or((entry, ""));
    let Ok(network) = network.parse::<Ipv4Addr>() else { return false };
    let length = match atoi(length) {
        Some(0) => Ipv4Addr::BITS,
        Some(length @ 1..=Ipv4Addr::BITS) => length,
        Some(_) | None => return false,
    };
    let mask = u32::MAX << (Ipv4Addr::BITS - length);
    entry.len() < LONGEST && (network.to_bits() ^ address.to_bits()) & mask == 0
}

/// Reads a number as C's `atoi`: 0 where there is none; `None` where it is negative or too large.
fn atoi(text: &str) -> Option<u32> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, _) = text.split_at(end);
    match digits.parse() {
        Ok(number) if number == 0 || !negative => Some(number),
        Err(_) if digits.is_empty() => Some(0),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{curl, go};

    /// List, host, port, Go's answer, curl's answer.
    const TABLE: &[(&str, &str, u16, bool, bool)] = &[
        ("", "h", 443, false, false),
        ("", "localhost", 443, true, false),
        ("", "LOCALHOST", 443, false, false),
        ("", "127.9.9.9", 443, true, false),
        ("", "::1", 443, true, false),
        ("", "::ffff:127.0.0.1", 443, true, false),
        ("*", "h", 443, true, true),
        ("a,*", "h", 443, true, false),
        ("corp.com", "corp.com", 443, true, true),
        ("corp.com", "git.corp.com", 443, true, true),
        ("corp.com", "notcorp.com", 443, false, false),
        (".corp.com", "git.corp.com", 443, true, true),
        (".corp.com", "corp.com", 443, false, true),
        ("*.corp.com", "git.corp.com", 443, true, false),
        ("*.corp.com", "corp.com", 443, false, false),
        ("CORP.com", "git.Corp.COM", 443, true, true),
        ("corp.com.", "corp.com", 443, false, true),
        ("corp.com", "corp.com.", 443, false, true),
        ("corp.com:443", "corp.com", 443, true, false),
        ("corp.com:443", "corp.com", 80, false, false),
        ("corp.com:https", "corp.com", 443, false, false),
        ("corp.com:", "corp.com", 443, true, false),
        ("a.com b.com", "b.com", 443, false, true),
        ("a.com, b.com", "b.com", 443, true, true),
        (" ,, ,b.com", "b.com", 443, true, true),
        ("10.0.0.0/8", "10.1.2.3", 443, true, true),
        ("10.1.2.3/8", "10.9.9.9", 443, true, true),
        ("10.0.0.0/8x", "10.1.2.3", 443, false, true),
        ("10.0.0.0/0", "10.1.2.3", 443, true, false),
        ("10.1.2.3/", "10.1.2.3", 443, false, true),
        ("10.1.2.3/33", "10.1.2.3", 443, false, false),
        ("10.1.2.3/-1", "10.1.2.3", 443, false, false),
        ("10.1.2.3:443", "10.1.2.3", 443, true, false),
        ("10.0.0.0/8", "ten.example", 443, false, false),
        ("2.3", "10.1.2.3", 443, false, false),
        ("fd00::/8", "fd12::1", 443, true, false),
        ("fd00::1", "fd00:0::1", 443, true, false),
        ("fd00::1", "fd00::1", 443, true, true),
        ("[fd00::1]", "fd00::1", 443, false, false),
        ("[fd00::1]:443", "fd00::1", 443, true, false),
        ("::ffff:10.0.0.0/104", "10.1.2.3", 443, true, false),
        ("::/0", "10.1.2.3", 443, false, false),
        ("::ffff:0:0/95", "::ffff:1.2.3.4", 443, false, false),
        ("https://h", "h", 443, false, false),
    ];

    #[test]
    fn the_two_readings_differ_where_they_are_known_to() {
        for (list, host, port, by_go, by_curl) in TABLE {
            assert_eq!(go(list, host, *port), *by_go, "go: {list:?} {host} {port}");
            assert_eq!(curl(list, host, *port), *by_curl, "curl: {list:?} {host} {port}");
        }
    }

    proptest! {
        #[test]
        fn no_list_panics(list in r"([a.:,/0-9\[\]* \t-]|\PC){0,20}", host in r"[a.:0-9é]{0,9}") {
            go(&list, &host, 443);
            curl(&list, &host, 443);
        }
    }
}

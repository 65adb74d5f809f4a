//! Addresses that a proxy for others must not connect to, and the exceptions the user makes.
//!
//! It judges addresses only; whoever connects to a name judges what the name resolves to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused unless it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// This machine.
    Loopback,
    /// The link: 169.254.0.0/16, `fe80::/10`; cloud metadata services are there.
    LinkLocal,
    /// A cloud's metadata service elsewhere.
    Metadata,
    /// Many machines.
    Multicast,
    /// No machine: 0.0.0.0/8, `::`. Linux connects to itself.
    Unspecified,
}

impl Special {
    /// Returns what such an address is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LinkLocal => "a link-local address",
            Self::Loopback => "a loopback address",
            Self::Metadata => "a cloud metadata address",
            Self::Multicast => "a multicast or broadcast address",
            Self::Unspecified => "an unspecified address",
        }
    }

    /// Judges an address, in every spelling of IPv6 that holds an IPv4 address.
    pub fn of(address: IpAddr) -> Option<Self> {
        match canonical(address) {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        match address.octets() {
            [127, ..] => Some(Self::Loopback),
            [0, ..] => Some(Self::Unspecified),
            [169, 254, ..] => Some(Self::LinkLocal),
            // Alibaba Cloud, Azure (WireServer), Oracle Cloud.
            [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => Some(Self::Metadata),
            [224..=239, ..] | [255, 255, 255, 255] => Some(Self::Multicast),
            _ => None,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Some(Self::Loopback),
            [0, 0, 0, 0, 0, 0, 0, 0] => Some(Self::Unspecified),
            [0xfe80..=0xfebf, ..] => Some(Self::LinkLocal),
            [0xff00..=0xffff, ..] => Some(Self::Multicast),
            // Amazon EC2: metadata (::254), time, names, and the credentials of a pod (::23).
            [0xfd00, 0xec2, ..] => Some(Self::Metadata),
            _ => None,
        }
    }
}

/// Returns the IPv4 address inside an IPv6 address where routers or stacks would use it: mapped
/// (RFC 4291 §2.5.5.2), compatible (§2.5.5.1), translated (RFC 2765 §2.1), NAT64 (RFC 6052, and with
/// a prefix of one's own RFC 8215), 6to4 (RFC 3056).
pub fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        [0x64, 0xff9b, 1, ..] => IpAddr::V4(translated(v6)),
        _ => address,
    }
}

/// Returns the IPv4 address behind a prefix of `64:ff9b:1::/48`. How long the prefix is, is known to
/// the network only; what follows the address is zero (RFC 6052 §2.2), and so is the octet at 64 bits.
fn translated(address: Ipv6Addr) -> Ipv4Addr {
    match address.octets() {
        [_, _, _, _, _, _, a, b, _, c, d, 0, 0, 0, 0, 0]
        | [_, _, _, _, _, _, _, a, _, b, c, d, 0, 0, 0, 0]
        | [_, _, _, _, _, _, _, _, _, a, b, c, d, 0, 0, 0]
        | [_, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d] => Ipv4Addr::new(a, b, c, d),
    }
}

/// The blocks that may be connected to although they are special: `[proxy] allow`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Vec<(IpAddr, u8)>);

impl Allow {
    /// Parses addresses and CIDR blocks (RFC 4632). The error is the number, from 1, of the element
    /// that is neither.
    pub fn parse(list: &[String]) -> Result<Self, usize> {
        let block = |text: &String| {
            let (address, length) = text.split_once('/').unwrap_or((text, ""));
            let address: IpAddr = address.parse().ok()?;
            let full = if address.is_ipv4() { 32 } else { 128 };
            let length = if text.contains('/') { length.parse().ok()? } else { full };
            (length <= full).then_some((address, length))
        };
        let blocks = list.iter().enumerate().map(|(at, text)| block(text).ok_or(at + 1));
        blocks.collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether a block covers an address.
    pub fn covers(&self, address: IpAddr) -> bool {
        let address = canonical(address);
        self.0.iter().any(|(block, length)| match (canonical(*block), address) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(*length).min(32);
                u32::from(block).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(*length).min(128);
                u128::from(block).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        })
    }

    /// Returns why an address is refused; `None` is permission.
    pub fn refuses(&self, address: IpAddr) -> Option<Special> {
        Special::of(address).filter(|_| !self.covers(address))
    }
}

#[cfg(test)]
mod tests {
    use super::{Allow, Special};

    #[test]
    fn every_spelling_of_a_special_address_is_known() {
        for (special, addresses) in [
            (
                Special::Loopback,
                &[
                    "127.0.0.1",
                    "127.9.9.9",
                    "::1",
                    "::ffff:127.0.0.1",
                    "::127.0.0.1",
                    "64:ff9b::7f00:1",
                    "2002:7f00:1::",
                    "::ffff:0:127.0.0.1",
                    "64:ff9b:1::127.0.0.1",
                    "64:ff9b:1:abcd::127.0.0.1",
                    // The prefix may end at 48, 56 or 64 bits (RFC 6052 §2.2).
                    "64:ff9b:1:7f00:0:100::",
                    "64:ff9b:1:cc7f:0:1::",
                    "64:ff9b:1:abcd:7f:0:100::",
                ][..],
            ),
            (Special::Unspecified, &["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"]),
            (
                Special::LinkLocal,
                &[
                    "169.254.169.254",
                    "fe80::1",
                    "febf::1",
                    "::ffff:169.254.0.1",
                    "::ffff:0:169.254.169.254",
                    "64:ff9b:1::169.254.169.254",
                    "64:ff9b:1:a9fe:a9:fe00::",
                ],
            ),
            (Special::Multicast, &["224.0.0.1", "239.1.1.1", "255.255.255.255", "ff02::1"]),
            (
                Special::Metadata,
                &[
                    "fd00:ec2::254",
                    "fd00:ec2::23",
                    "fd00:ec2::253",
                    "100.100.100.200",
                    "168.63.129.16",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(Special::of(address.parse().unwrap()), Some(special), "{address}");
            }
        }
    }

    #[test]
    fn any_other_address_is_not_special() {
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "1.1.1.1",
            "::ffff:0:1.1.1.1",
            "fd00::1",
            "fd00:ec3::254",
            "2001:db8::1",
            "fec0::1",
            "64:ff9b:1::10.0.0.1",
            "64:ff9b:1:a00:0:100::",
        ] {
            assert_eq!(Special::of(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn allowed_blocks_are_exceptions_and_nothing_else_is() {
        let allow = Allow::parse(&["127.77.0.0/16".into(), "::1".into()]).unwrap();
        let refused = |address: &str| allow.refuses(address.parse().unwrap()).is_some();
        assert!(!refused("127.77.3.4") && !refused("::ffff:127.77.0.1") && !refused("::1"));
        assert!(refused("127.78.0.1") && refused("169.254.169.254") && refused("::"));
        assert!(!Allow::parse(&["0.0.0.0/0".into()]).unwrap().covers("::1".parse().unwrap()));
        assert!(Allow::parse(&["0.0.0.0/0".into()]).unwrap().covers("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_block_is_counted() {
        for wrong in ["127.0.0.0/33", "127.0.0.0/", "localhost", "127.0.0/8", "::/129", "::/-1"] {
            assert_eq!(Allow::parse(&["::1".into(), wrong.into()]), Err(2), "{wrong}");
        }
    }
}

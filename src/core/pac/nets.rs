//! What a script asks of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `isInNet`, once the host is an address: whether it is the pattern where the mask has ones. What is
/// no dotted quad matches nothing.
pub fn is_in_net(address: Ipv4Addr, pattern: &str, mask: &str) -> bool {
    let (Ok(pattern), Ok(mask)) = (pattern.parse::<Ipv4Addr>(), mask.parse::<Ipv4Addr>()) else {
        return false;
    };
    (address.to_bits() ^ pattern.to_bits()) & mask.to_bits() == 0
}

/// `isInNetEx`, once the host is an address: whether it is in a block, `10.0.0.0/8` or
/// `2001:db8::/32`. An address and a block of different families never match.
pub fn is_in_block(address: IpAddr, block: &str) -> bool {
    let Some((network, length)) = block.split_once('/') else { return false };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let Some(length) = length.parse::<u32>().ok().filter(|_| digits) else { return false };
    match (address, network.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network))) => {
            let Some(shift) = Ipv4Addr::BITS.checked_sub(length) else { return false };
            (address.to_bits() ^ network.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(network))) => {
            let Some(shift) = Ipv6Addr::BITS.checked_sub(length) else { return false };
            (address.to_bits() ^ network.to_bits()).checked_shr(shift).unwrap_or(0) == 0
        }
        (_, Ok(_) | Err(_)) => false,
    }
}

/// `sortIpAddressList`: IPv6 before IPv4, each in the order of its numbers. The empty text is a list
/// with something else in it.
pub fn sorted(list: &str) -> String {
    let addresses: Result<Vec<IpAddr>, _> = list.split(';').map(|one| one.trim().parse()).collect();
    let Ok(mut addresses) = addresses else { return String::new() };
    addresses.sort_by_key(|address| (address.is_ipv4(), *address));
    join(&addresses)
}

/// Writes a list as the functions of Microsoft do.
pub fn join(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::{is_in_block, is_in_net, sorted};

    #[test]
    fn a_mask_says_which_bits_count() {
        let in_net =
            |address: &str, pattern, mask| is_in_net(address.parse().unwrap(), pattern, mask);
        assert!(in_net("198.95.249.79", "198.95.249.79", "255.255.255.255"));
        assert!(!in_net("198.95.249.78", "198.95.249.79", "255.255.255.255"));
        assert!(in_net("198.95.1.2", "198.95.0.0", "255.255.0.0"));
        assert!(in_net("10.1.2.3", "0.0.2.0", "0.0.255.0"));
        assert!(in_net("10.1.2.3", "1.1.1.1", "0.0.0.0"));
        for (pattern, mask) in [("10.0.0", "255.0.0.0"), ("10.0.0.0", "8"), ("", ""), ("::", "::")]
        {
            assert!(!in_net("10.1.2.3", pattern, mask));
        }
    }

    #[test]
    fn a_block_has_a_family_and_a_length() {
        for (address, block, answer) in [
            ("198.95.249.79", "198.95.249.79/32", true),
            ("198.95.249.79", "198.95.0.0/16", true),
            ("198.96.249.79", "198.95.0.0/16", false),
            ("198.96.249.79", "0.0.0.0/0", true),
            ("3ffe:8311:ffff::1", "3ffe:8311:ffff::/48", true),
            ("3ffe:8311:fffe::1", "3ffe:8311:ffff::/48", false),
            ("3ffe::1", "::/0", true),
            ("::ffff:10.0.0.1", "10.0.0.0/8", false),
            ("10.0.0.1", "::/0", false),
            ("10.0.0.1", "10.0.0.0", false),
            ("10.0.0.1", "10.0.0.0/", false),
            ("10.0.0.1", "10.0.0.0/+8", false),
            ("10.0.0.1", "10.0.0.0/33", false),
            ("::1", "::/129", false),
        ] {
            assert_eq!(is_in_block(address.parse().unwrap(), block), answer, "{address} {block}");
        }
    }

    #[test]
    fn a_list_is_sorted_or_empty() {
        assert_eq!(
            sorted("10.2.3.9;2001:4898:28:3:201:2ff:feea:fc14;::1;127.0.0.1;::9;9.0.0.1"),
            "::1;::9;2001:4898:28:3:201:2ff:feea:fc14;9.0.0.1;10.2.3.9;127.0.0.1"
        );
        for list in ["", "10.0.0.1;", "host", "10.0.0.1,10.0.0.2"] {
            assert_eq!(sorted(list), "", "{list}");
        }
    }
}

//! Who listens on the loopback addresses: `/proc/net/tcp`, without a packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::proc;

/// Returns the addresses with the user of each; none where the system does not say.
pub(super) fn listeners() -> Vec<(SocketAddr, u32)> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| proc::read(file))
        .flat_map(|text| text.lines().skip(1).filter_map(listener).collect::<Vec<_>>())
        .collect()
}

/// Reads a line of a socket that listens (state `0A`).
fn listener(line: &str) -> Option<(SocketAddr, u32)> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let user = fields.nth(3)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = address_of(address)?;
    let is_ours = address.is_loopback() || address.is_unspecified();
    (state == "0A" && is_ours).then_some((SocketAddr::new(address, port), user))
}

/// Reads an address: words in the order of the machine.
fn address_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::listener;

    #[test]
    fn a_listener_is_read_and_others_are_not() {
        let line = "   0: 0100007F:1CEF 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1";
        let (address, user) = listener(line).unwrap();
        assert_eq!((address.to_string().as_str(), user), ("127.0.0.1:7407", 1000));
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener(&line.replace("0100007F", "0100000A")), None);
        let v6 = line.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(listener(&v6).unwrap().0.to_string(), "[::1]:7407");
    }
}

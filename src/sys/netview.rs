//! What the system's network looks like now, as two numbers to compare: the addresses and routes,
//! and the resolver's file. It does not say what is different.
//!
//! Left out is what changes by itself: counters, lifetimes (a router advertisement renews them),
//! addresses and routes of a single link, and routes to single hosts, which containers come with.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with},
};

/// The resolver's file.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
/// More than this of it is not looked at, in bytes.
const MAX_RESOLV_CONF: u64 = 64 * 1024;

// linux/netlink.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
// linux/rtnetlink.h, linux/if_addr.h
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const INET: u8 = 2;
const INET6: u8 = 10;
const RT_SCOPE_LINK: u8 = 253;
const IFA_F_TENTATIVE: u8 = 0x40;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTN_UNICAST: u8 = 1;
const RTN_BLACKHOLE: u8 = 6;
const RTN_UNREACHABLE: u8 = 7;
const RTN_PROHIBIT: u8 = 8;
const RTM_F_CLONED: u32 = 0x200;
/// `RTNH_F_DEAD`, `RTNH_F_LINKDOWN`
const DOWN: u32 = 1 | 16;
const RTA_DST: u16 = 1;
/// `RTA_DST`, `RTA_OIF`, `RTA_GATEWAY`, `RTA_PRIORITY`, `RTA_MULTIPATH`, `RTA_TABLE`, `RTA_VIA`
const RTA_TOLD: [u16; 7] = [RTA_DST, 4, 5, 6, 9, 15, 18];
/// Routes to smaller networks are not looked at (IPv4, IPv6).
const SMALLEST: (u8, u8) = (24, 64);

/// What the network looks like. `None`: the system does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Addresses and routes.
    pub routes: Option<u64>,
    /// The resolver's file.
    pub names: Option<u64>,
}

impl View {
    /// Looks.
    pub fn now() -> Self {
        let addresses = dump(RTM_GETADDR, 8, address);
        let routes = dump(RTM_GETROUTE, 12, route);
        let routes = addresses.and_then(|sum| Ok(sum.wrapping_add(routes?))).ok();
        Self { routes, names: names() }
    }
}

fn names() -> Option<u64> {
    let mut bytes = Vec::new();
    File::open(RESOLV_CONF).ok()?.take(MAX_RESOLV_CONF).read_to_end(&mut bytes).ok()?;
    Some(hash(&bytes))
}

/// Asks for all objects of a kind, and adds up what `told` makes of each: the order, which is the
/// kernel's, does not count. `header` is the length of the kind's own header.
fn dump(
    kind: u16,
    header: usize,
    told: impl Fn(&[u8], Attributes<'_>) -> Option<Vec<u8>>,
) -> Result<u64, Errno> {
    let netlink = AddressFamily::NETLINK;
    let socket = socket_with(netlink, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let length = 16 + header;
    let mut request = Vec::with_capacity(length);
    request.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    request.resize(length, 0);
    send(&socket, &request, SendFlags::empty())?;
    let (mut buffer, mut sum) = (vec![0; 32 * 1024], 0u64);
    loop {
        // The kernel has the next part ready before the last one is taken.
        let (_, length) = recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT)?;
        let mut rest = buffer.get(..length).ok_or(Errno::BADMSG)?;
        while let Some((kind, body)) = message(&mut rest) {
            match kind {
                NLMSG_DONE => return Ok(sum),
                NLMSG_ERROR => return Err(Errno::IO),
                _ => {
                    let Some((own, attributes)) = body.split_at_checked(header) else { continue };
                    let told = told(own, Attributes(attributes));
                    sum = sum.wrapping_add(told.map_or(0, |bytes| hash(&bytes)));
                }
            }
        }
    }
}

/// Takes one message: its type, and what follows its header.
fn message<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let length = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|length| *length >= 16)?;
    let kind = u16::from_ne_bytes(rest.get(4..6)?.try_into().ok()?);
    let body = rest.get(16..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body))
}

/// The attributes of an object: each one's type and value.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = u16::from_ne_bytes(self.0.get(..2)?.try_into().ok()?);
        let length = usize::from(length);
        let kind = u16::from_ne_bytes(self.0.get(2..4)?.try_into().ok()?);
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// An `ifaddrmsg`. An address that is still being checked for duplicates comes again.
fn address(own: &[u8], attributes: Attributes<'_>) -> Option<Vec<u8>> {
    let &[family, length, flags, scope, ref index @ ..] = own else { return None };
    if scope >= RT_SCOPE_LINK || flags & IFA_F_TENTATIVE != 0 {
        return None;
    }
    let told = attributes.filter(|(kind, _)| matches!(*kind, IFA_ADDRESS | IFA_LOCAL));
    Some(record(&[&[family, length], index], told))
}

/// An `rtmsg`.
fn route(own: &[u8], attributes: Attributes<'_>) -> Option<Vec<u8>> {
    let &[family, length, _, _, table, _, _, kind, ref flags @ ..] = own else { return None };
    let flags = u32::from_ne_bytes(flags.try_into().ok()?);
    let smallest = match family {
        INET => SMALLEST.0,
        INET6 => SMALLEST.1,
        _ => return None,
    };
    let kinds = [RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT];
    let link_local = Attributes(attributes.0)
        .any(|(kind, value)| kind == RTA_DST && matches!(value, [0xfe, 0x80..=0xbf, ..]));
    if length > smallest || !kinds.contains(&kind) || flags & RTM_F_CLONED != 0 || link_local {
        return None;
    }
    let told = attributes.filter(|(kind, _)| RTA_TOLD.contains(kind));
    Some(record(&[&[family, length, table, kind], &(flags & DOWN).to_ne_bytes()], told))
}

fn record<'a>(own: &[&[u8]], attributes: impl Iterator<Item = (u16, &'a [u8])>) -> Vec<u8> {
    let mut record = own.concat();
    for (kind, value) in attributes {
        record.extend(kind.to_ne_bytes());
        record.extend(value.len().to_ne_bytes());
        record.extend(value);
    }
    record
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{Attributes, View, message};

    #[test]
    fn what_did_not_change_looks_the_same() {
        let view = View::now();
        assert!(view.routes.is_some());
        assert_eq!(view.routes, View::now().routes);
    }

    #[test]
    fn a_message_of_any_length_is_read_within_its_bounds() {
        for length in [0u32, 4, 15, 16, 17, 40, 41, u32::MAX] {
            let bytes = [&length.to_ne_bytes()[..], &[9; 36]].concat();
            let mut rest = &bytes[..];
            let read = message(&mut rest).map(|(_, body)| body.len());
            let legal = usize::try_from(length).ok().filter(|length| (16..=40).contains(length));
            assert_eq!(read, legal.map(|length| length - 16), "{length}");
        }
        for length in [0u16, 3, 4, 5, 8, 9, u16::MAX] {
            let bytes = [&length.to_ne_bytes()[..], &[9; 6]].concat();
            let value = Attributes(&bytes).next().map(|(_, value)| value.len());
            let legal = Some(usize::from(length)).filter(|length| (4..=8).contains(length));
            assert_eq!(value, legal.map(|length| length - 4), "{length}");
        }
    }
}

//! What files prove without a packet, and the doctor says only after it asked: no name server, a line of the
//! hosts file, no certificates at all.

use std::net::IpAddr;

use super::{Kept, Signs};
use crate::core::doctor::{
    catalogue,
    explain::about::About,
    finding::{Finding, Severity, Tool},
    leg::port,
    machine::{Machine, Text},
    place::Place,
    route::pinned,
    ssh, tls_limits,
};

/// Fewer descriptors than this are not enough for a connection beside a tool's own files.
const FEW: u64 = 32;
/// No folder of a machine stays untouched for so long, in seconds: a clock that says so runs ahead.
const LONG: u64 = 90 * 86_400;
/// The name server of a container's engine: its rules lead there, and no socket of this namespace does.
const ENGINE: &str = "127.0.0.11";

/// Returns what is proven.
pub(super) fn findings(about: &About, machine: &Machine, kept: &Kept) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |code, cause: String| {
        found.push(Finding::new(catalogue::entry(code), cause).severity(Severity::Warning));
    };
    if servers(&machine.resolv).is_empty() {
        say("D06", "/etc/resolv.conf names no name server.".to_owned());
    }
    if let Some(line) = without_dns(&machine.nsswitch) {
        say("D15", format!("/etc/nsswitch.conf line {line} does not ask DNS for hosts."));
    }
    let host = about.link.as_ref().map(|link| link.origin.host());
    if let Some((host, line)) = host.and_then(|host| Some((host, listed(&machine.hosts, host)?))) {
        say("D11", format!("/etc/hosts line {line} says where {host} is, whatever DNS says."));
    }
    if about.tool == Tool::Git {
        of_git(about, machine, &mut say);
    }
    if let Some(few) = machine.descriptors.filter(|few| *few < FEW) {
        say("N07", format!("a process may open {few} files here, and a connection is one."));
    }
    if !kept.has_roots {
        say(
            "T21",
            "no certificate authority is installed here, or named by a variable.".to_owned(),
        );
    }
    found
}

/// What git's own settings prove: another address, a version of TLS, an ssh that is not there.
fn of_git(about: &About, machine: &Machine, say: &mut impl FnMut(&'static str, String)) {
    if let Some(link) = &about.link {
        let (url, dialled) = (link.to_string(), (link.origin.host(), port(&link.origin)));
        if let Some(pinned) = pinned::of_git(dialled, &url, machine) {
            let (place, host) = (pinned.place, dialled.0);
            say("D11", format!("{place} says where git finds {host}, whatever DNS says."));
        }
        if let Some((12.., limit)) = tls_limits::oldest(machine, &url) {
            say("T16", format!("{} lets git speak {} and newer only.", limit.place, limit.value));
        }
    }
    let ssh = ssh::command(machine, false);
    let is_missing = |program: &String| machine.programs.get(program) == Some(&None);
    if let Some(program) = ssh.program.filter(is_missing) {
        let code = if matches!(ssh.place, Place::Default(_)) { "G12" } else { "G29" };
        say(code, format!("git is to run {program} for ssh, which is not there."));
    }
}

/// Weighs what is no proof.
pub(super) fn weigh(machine: &Machine, signs: &mut Signs) {
    let servers = servers(&machine.resolv);
    if servers.len() > 1 {
        signs.add(10, &["D14"]);
    } else {
        signs.add(-20, &["D14"]);
    }
    let is_answered = |server: &IpAddr| {
        let is_own = |own: &&(std::net::SocketAddr, u32)| {
            own.0.port() == 53 && (own.0.ip() == *server || own.0.ip().is_unspecified())
        };
        !server.is_loopback()
            || server.to_string() == ENGINE
            || machine.listeners.iter().any(|own| is_own(&own))
    };
    if !servers.is_empty() && !servers.iter().any(is_answered) {
        signs.add(30, &["D05"]);
    }
    if signs.findings.contains_key("L08") {
        signs.add(50, &["T06"]);
    }
    let age = machine.newest.as_ref().map_or(0, |(_, at)| machine.now.saturating_sub(*at));
    if age > LONG {
        signs.add(20, &["T06"]);
    }
}

/// The name servers that can be read.
fn servers(resolv: &Text) -> Vec<IpAddr> {
    let lines = resolv.lines.iter().flatten();
    let named = lines.filter_map(|line| line.raw().trim_start().strip_prefix("nameserver"));
    named.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect()
}

/// Returns the line of nsswitch.conf that leaves DNS out.
fn without_dns(nsswitch: &Text) -> Option<usize> {
    let lines = nsswitch.lines.iter().flatten().enumerate();
    let mut hosts = lines.filter_map(|(at, line)| {
        Some((at + 1, line.raw().trim_start().strip_prefix("hosts:")?.to_owned()))
    });
    let (line, services) = hosts.next()?;
    let asks = ["dns", "resolve", "libvirt", "sss", "winbind"];
    let is_asked = services.split_whitespace().any(|word| asks.contains(&word));
    (!is_asked).then_some(line)
}

/// Returns the line of the hosts file that has a name.
fn listed(hosts: &Text, host: &str) -> Option<usize> {
    let lines = hosts.lines.iter().flatten().enumerate();
    let mut lines = lines.filter(|(_, line)| {
        let line = line.raw().split('#').next().unwrap_or_default();
        line.split_whitespace().skip(1).any(|name| name.eq_ignore_ascii_case(host))
    });
    lines.next().map(|(at, _)| at + 1)
}

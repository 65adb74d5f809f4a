//! The memory of a process, as root or a debugger could read it, but for the pages that are locked.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    process::{Command, Stdio},
};

use crate::{
    process::{eventually, signal},
    secret::Secret,
    trace,
    world::World,
};

/// A part of the memory of a process.
struct Region {
    start: u64,
    end: u64,
    name: String,
    is_readable: bool,
    is_locked: bool,
}

/// Searches the memory of a process, which stands still meanwhile. Returns where the secret is, each
/// with what is around it.
pub fn search(pid: u32, secret: &Secret) -> Vec<String> {
    signal("STOP", pid);
    wait_for_stop(pid);
    let found = read(pid, secret);
    signal("CONT", pid);
    found
}

/// Runs a command up to its last call, searches its memory then, and ends it.
pub fn at_end(world: &World, command: &Command, input: &str) -> Vec<String> {
    let mut held = trace::held_at_end(command);
    held.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut strace = held.spawn().expect("strace");
    strace.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("input");
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let pid = eventually("it comes to its end", || {
        let pid = fs::read_to_string(&children).ok()?.trim().parse().ok()?;
        // strace, too, starts something that ends, to see what the kernel can do.
        let name = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        if name.is_empty() || name.starts_with(b"strace\0") {
            return None;
        }
        let call = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        call.starts_with(&format!("{EXIT_GROUP} ")).then_some(pid)
    });
    let mut found = read(pid, &world.secret);
    // The kernel takes it all back in this moment; the stack was in use up to it.
    found.retain(|find| !find.starts_with("[stack]"));
    // strace would wait on.
    strace.kill().expect("killed");
    signal("KILL", pid);
    strace.wait().expect("strace");
    found
}

/// The number of the call that ends a process.
const EXIT_GROUP: u32 = if cfg!(target_arch = "x86_64") { 231 } else { 94 };

/// Returns how many kilobytes of it are in swap.
pub fn swapped(pid: u32) -> u64 {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    smaps.lines().filter_map(|line| kilobytes(line, "Swap:")).sum()
}

fn wait_for_stop(pid: u32) {
    eventually("it stops", || {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = status.rsplit_once(')').map(|(_, rest)| rest.trim_start().starts_with('T'));
        state.unwrap_or(true).then_some(())
    });
}

fn read(pid: u32, secret: &Secret) -> Vec<String> {
    let mut found = Vec::new();
    let memory = File::open(format!("/proc/{pid}/mem")).expect("memory, as root");
    for region in regions(pid) {
        if !region.is_readable || region.is_locked || region.name.starts_with("[v") {
            continue;
        }
        let mut bytes = vec![0; usize::try_from(region.end - region.start).expect("a size")];
        if memory.read_exact_at(&mut bytes, region.start).is_err() {
            continue;
        }
        for (form, at) in secret.all(&bytes) {
            let address = region.start + at as u64;
            // What is around it tells whose it is. It is the secret of a test, of this run.
            let around = &bytes[at.saturating_sub(96)..(at + 80).min(bytes.len())];
            let around = around.escape_ascii();
            found.push(format!("{} {address:x} ({form}): {around}", region.name));
        }
    }
    found
}

fn regions(pid: u32) -> Vec<Region> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).expect("smaps, as root");
    let mut regions: Vec<Region> = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let range = words.next().and_then(|range| range.split_once('-'));
        let number = |text| u64::from_str_radix(text, 16).ok();
        if let Some((start, end)) = range
            && let (Some(start), Some(end)) = (number(start), number(end))
        {
            let is_readable = words.next().is_some_and(|mode| mode.starts_with('r'));
            let name = words.nth(3).unwrap_or("anonymous memory").to_owned();
            regions.push(Region { start, end, name, is_readable, is_locked: false });
        } else if kilobytes(line, "Locked:").is_some_and(|count| count > 0)
            && let Some(region) = regions.last_mut()
        {
            region.is_locked = true;
        }
    }
    regions
}

fn kilobytes(line: &str, key: &str) -> Option<u64> {
    line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok()
}

//! Which processes there are above one, by their names: never with arguments, which may hold secrets.

use crate::core::audit::Process;

/// Returns the number of the process that started this one.
#[cfg(unix)]
pub fn parent() -> Option<i32> {
    rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get())
}

/// Returns the number of the process that started this one; it is not known here.
#[cfg(not(unix))]
pub fn parent() -> Option<i32> {
    None
}

/// Returns a process and those above it, at most so many.
pub fn chain(pid: i32, most: usize) -> Vec<Process> {
    let mut chain = Vec::with_capacity(most);
    let mut next = pid;
    while chain.len() < most && next > 0 {
        let Some(process) = of(next) else { break };
        next = process.parent;
        chain.push(process);
    }
    chain
}

/// Returns the program that a process runs. `None`: it has ended, or is hidden from us.
#[cfg(target_os = "linux")]
pub fn program(pid: i32) -> Option<String> {
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(program.to_string_lossy().into_owned())
}

/// Returns the program that a process runs; it is not known here.
#[cfg(not(target_os = "linux"))]
pub fn program(_pid: i32) -> Option<String> {
    None
}

/// Returns the number of the terminal that this process belongs to, as `stat(2)` has it.
#[cfg(target_os = "linux")]
pub fn terminal() -> Option<u64> {
    let text = std::fs::read("/proc/self/stat").ok()?;
    let end = text.iter().rposition(|byte| *byte == b')')?;
    // `proc_pid_stat(5)`: field 7, of which 3 is the first after the name; 0 is none.
    let terminal = text.get(end + 2..)?.split(|byte| *byte == b' ').nth(4)?;
    Some(number(terminal)).filter(|terminal| *terminal != 0)
}

/// Returns whether a process has others below it, as far as the system tells (`proc_pid_task_tid_children(5)`).
#[cfg(target_os = "linux")]
pub fn has_children(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut children = threads.map(|it| std::fs::read(it.path().join("children")));
    children.any(|text| text.is_ok_and(|text| !text.is_empty()))
}

/// Returns whether a process has others below it; it is not known here.
#[cfg(not(target_os = "linux"))]
pub fn has_children(_pid: i32) -> bool {
    false
}

/// Returns what the system says of a process.
#[cfg(target_os = "linux")]
fn of(pid: i32) -> Option<Process> {
    use std::io::Read;
    // One read gives all of it (`proc(5)`); a name has at most 64 bytes, each number at most 20.
    let mut text = [0; 2048];
    let mut file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
    let length = file.read(&mut text).ok()?;
    parse(pid, text.get(..length)?)
}

/// Returns what the system says of a process; it is not asked here.
#[cfg(not(target_os = "linux"))]
fn of(_pid: i32) -> Option<Process> {
    None
}

/// Reads `4711 (a name) S 4710 …`. The name ends at the last bracket: it may have brackets itself.
#[cfg(any(target_os = "linux", test))]
fn parse(pid: i32, text: &[u8]) -> Option<Process> {
    let start = text.iter().position(|byte| *byte == b'(')?;
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let name = String::from_utf8_lossy(text.get(start + 1..end)?).into_owned();
    let (mut parent, mut start, mut terminal) = (0, None, 0);
    // `proc_pid_stat(5)`: what follows the name is field 3.
    for (field, text) in text.get(end + 2..)?.split(|byte| *byte == b' ').enumerate() {
        match field + 3 {
            4 => parent = i32::try_from(number(text)).ok()?,
            7 => terminal = number(text),
            22 => start = Some(number(text)),
            _ => {}
        }
    }
    Some(Process { pid, parent, start: start?, name, has_terminal: terminal != 0 })
}

/// Reads a number as the kernel writes it.
#[cfg(any(target_os = "linux", test))]
fn number(text: &[u8]) -> u64 {
    text.iter().fold(0, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit & 15)))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_name_may_look_like_anything() {
        let line = |name| {
            format!(
                "7 ({name}) S 5 7 7 34816 7 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 9 10 11 12\n"
            )
        };
        for name in ["git", "a b", ") R 1 (", "(sd-pam)", ""] {
            let process = parse(7, line(name).as_bytes()).unwrap();
            assert_eq!((process.name.as_str(), process.parent), (name, 5));
            assert_eq!((process.start, process.has_terminal), (987_654, true));
        }
        let text = line("git").replace("34816", "0");
        assert!(!parse(7, text.as_bytes()).unwrap().has_terminal);
        for length in 0..50 {
            let cut: String = text.chars().take(length).collect();
            assert_eq!(parse(7, cut.as_bytes()), None);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_known_and_so_is_the_one_above() {
        use super::{chain, has_children, parent, program};
        let own = i32::try_from(std::process::id()).unwrap();
        let processes = chain(own, 5);
        assert_eq!(processes[0].pid, own);
        assert_eq!(processes.get(1).map(|it| it.pid), parent());
        let here = std::env::current_exe().unwrap();
        assert_eq!(program(own).as_deref(), here.to_str());
        assert_eq!((chain(i32::MAX, 5), program(i32::MAX)), (vec![], None));
        assert_eq!(chain(own, 1).len(), 1);
        let above = parent().unwrap();
        assert!(has_children(above) && !has_children(i32::MAX));
    }
}

//! A terminal with a person at it, who reads what is asked and types.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    process::Child,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

use super::{eventually, home::Run, program};

/// How long a question may be awaited.
const LIMIT: Duration = Duration::from_secs(20);

/// A program that runs in a terminal of its own.
pub(crate) struct Terminal {
    keys: File,
    screen: Receiver<Vec<u8>>,
    child: Child,
    shown: String,
    read: usize,
}

impl Terminal {
    /// Starts a program; its arguments and variables are those of `run`. `None`: skipped.
    #[must_use]
    pub(crate) fn start(run: Run) -> Option<Self> {
        let setsid = program("setsid", "util-linux")?;
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
        let open = || OpenOptions::new().read(true).write(true).open(&name).expect("the terminal");
        let mut command = run.inside(setsid, &["--ctty", "--wait"]).command();
        command.stdin(open()).stdout(open()).stderr(open());
        let child = command.spawn().expect("setsid");
        let (keys, mut shown) = (File::from(master), Vec::new());
        let mut reader = keys.try_clone().expect("the terminal");
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Linux says EIO when the last program has closed it.
            while let Ok(size @ 1..) = reader.read(&mut bytes) {
                shown.extend(bytes.get(..size).unwrap_or_default());
                if sender.send(std::mem::take(&mut shown)).is_err() {
                    break;
                }
            }
        });
        Some(Self { keys, screen, child, shown: String::new(), read: 0 })
    }

    /// Waits until the terminal shows a text after what was awaited before.
    pub(crate) fn awaits(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            let rest = self.shown.get(self.read..).unwrap_or_default();
            if let Some(at) = rest.find(text) {
                self.read += at + text.len();
                return;
            }
            match self.screen.recv_timeout(LIMIT.saturating_sub(start.elapsed())) {
                Ok(bytes) => self.shown += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!("`{text}` does not come: {error}: {}", self.shown),
            }
        }
    }

    /// Returns the word that comes after what was awaited.
    pub(crate) fn word(&mut self) -> String {
        let from = self.read;
        self.awaits("\n");
        let rest = self.shown.get(from..self.read).unwrap_or_default();
        rest.split([' ', ',', '\r', '\n']).next().unwrap_or_default().to_owned()
    }

    /// Presses a key that is a control character.
    pub(crate) fn presses(&mut self, key: u8) {
        self.keys.write_all(&[key]).expect("pressed");
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).expect("typed");
    }

    /// Types a line that is not to be shown, once the program has seen to that.
    pub(crate) fn types_secret(&mut self, line: &str) {
        eventually("the terminal shows nothing", || {
            let modes = tcgetattr(&self.keys).expect("modes").local_modes;
            (!modes.contains(LocalModes::ECHO)).then_some(())
        });
        self.types(line);
    }

    /// Waits for the end; returns the exit code and all that the terminal showed.
    pub(crate) fn ends(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            match self.screen.recv_timeout(Duration::from_millis(10)) {
                Ok(bytes) => self.shown += &String::from_utf8_lossy(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(status) = self.child.try_wait().expect("a child") {
                while let Ok(bytes) = self.screen.recv_timeout(Duration::from_millis(100)) {
                    self.shown += &String::from_utf8_lossy(&bytes);
                }
                return (status.code(), self.shown);
            }
        }
        let status = self.child.wait().expect("a child");
        (status.code(), self.shown)
    }
}

#[test]
fn a_program_asks_and_a_person_answers() {
    let home = super::home::Home::new();
    let script =
        "test -t 0 && printf 'name? ' >/dev/tty && read name </dev/tty && echo hi $name; exit 3";
    let Some(mut terminal) = Terminal::start(home.run("/bin/sh").args(["-c", script])) else {
        return;
    };
    terminal.awaits("name? ");
    terminal.types("ana");
    terminal.awaits("hi ana");
    assert_eq!(terminal.ends().0, Some(3));
}

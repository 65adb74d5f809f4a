//! The terminal as a screen that is written anew each time, and the keys that are pressed meanwhile.
//! However it ends, the terminal is left as it was found.

use std::{
    io::{self, IsTerminal, Read, Write},
    thread,
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// The other screen, without a cursor (xterm's control sequences).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// What a terminal is where it does not say.
const USUAL: (usize, usize) = (80, 24);

/// The screen.
pub struct Screen {
    /// How standard input was before, where it is the terminal.
    before: Option<Termios>,
}

impl Screen {
    /// Takes the terminal. From now on keys come at once and unseen, Ctrl-C as the byte 3.
    pub fn open() -> io::Result<Self> {
        let before = if io::stdin().is_terminal() { Some(tcgetattr(io::stdin())?) } else { None };
        let screen = Self { before };
        if let Some(before) = &screen.before {
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        }
        write(ENTER)?;
        Ok(screen)
    }

    /// Returns how many columns and rows there are.
    pub fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (usize::from(size.ws_col), usize::from(size.ws_row))
            }
            Ok(_) | Err(_) => USUAL,
        }
    }

    /// Shows these lines and nothing else. They have no control characters, and fit.
    pub fn show(&self, lines: &[String]) -> io::Result<()> {
        // At once, and each line over the old one: nothing flickers.
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
        write(&format!("\x1b[H{}\x1b[J", lines.join("\r\n")))
    }

    /// Calls `pressed` with each key until it says that it is enough.
    pub fn keys(&self, mut pressed: impl FnMut(u8) -> bool + Send + 'static) -> io::Result<()> {
        if self.before.is_none() {
            return Ok(());
        }
        let read = move || {
            let mut key = [0];
            while let Ok(1) = io::stdin().lock().read(&mut key) {
                let [key] = key;
                if !pressed(key) {
                    return;
                }
            }
        };
        // It waits for a key when the program ends, and ends with it.
        thread::Builder::new().spawn(read).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write(LEAVE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

//! `gocred proxy top`: what the module proxy front brings at this moment, and to whom.
//!
//! On a terminal a table that is written anew each second, until q or Ctrl-C; with `--json` an object a
//! second, until nobody reads; else the table, once.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use crate::{
    cli::ProxyTop,
    core::fault::{Fault, Kind},
    front::{
        Answer, Context, Outcome,
        proxy_cmd::{
            control_fault, control_path,
            top_table::{Before, Moment, Shown, lines},
        },
        ui,
    },
    proxy::{
        control,
        goproxy::{FrontReport, Transfer},
    },
    sys::{
        clock, owner,
        peer::{Registry, Socket},
        process, tty,
    },
};

/// How often it is asked.
const EACH: Duration = Duration::from_secs(1);

/// Runs the command.
pub(super) fn run(arguments: &ProxyTop, context: &Context) -> Outcome {
    let path = control_path(context)?;
    if arguments.json {
        return stream(path);
    }
    if tty::stdout_is_terminal() {
        return live(path);
    }
    let report = ask(path)?;
    for line in lines(&report, &with_callers(&report), &Before::new(), None) {
        ui::out(&line);
    }
    Ok(Answer::Yes)
}

fn ask(path: &Path) -> Result<FrontReport, Fault> {
    let report = control::status(path).map_err(|error| control_fault(&error, path))?;
    report.goproxy.ok_or_else(|| {
        Fault::new(Kind::NotFound, "the proxy runs without a module proxy front")
            .cause("`upstream` of `[goproxy]` names nobody")
            .hint("gocred setup --goproxy")
    })
}

/// Prints until the reader goes.
fn stream(path: &Path) -> Outcome {
    loop {
        let report = ask(path)?;
        let moment = Moment::new(clock::now(), &report, with_callers(&report));
        let line = serde_json::to_string(&moment)
            .map_err(|error| Fault::new(Kind::Internal, "the report is not JSON").cause(error))?;
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
            Ok(()) => std::thread::sleep(EACH),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Answer::Yes),
            Err(error) => {
                let what = "standard output cannot be written";
                return Err(Fault::new(Kind::Config, what).cause(error));
            }
        }
    }
}

/// Names the processes that ask.
fn with_callers(report: &FrontReport) -> Vec<Shown<'_>> {
    let mut registry = Registry::default();
    let mut found = |transfer: &Transfer| -> Option<Socket> {
        let port = port(&transfer.who)?;
        report.listen.iter().find_map(|listen| {
            let local: SocketAddr = listen.parse().ok()?;
            registry.socket(local, SocketAddr::new(local.ip(), port))
        })
    };
    let sockets: Vec<_> = report.transfers.iter().map(|it| (it, found(it))).collect();
    let inodes: BTreeSet<u32> =
        sockets.iter().filter_map(|(_, socket)| Some(socket.as_ref()?.inode)).collect();
    let holders = owner::of(&inodes);
    let shown = |(transfer, socket): (_, Option<Socket>)| {
        let pid = socket.as_ref().and_then(|socket| holders.get(&socket.inode).copied());
        let uid = socket.map(|socket| socket.uid);
        Shown { transfer, uid, pid, program: pid.and_then(process::program) }
    };
    sockets.into_iter().map(shown).collect()
}

/// Reads the port that a client's name ends with.
fn port(who: &str) -> Option<u16> {
    let digits = who.len() - who.bytes().rev().take_while(u8::is_ascii_digit).count();
    who.get(digits..)?.parse().ok().filter(|port| *port > 0)
}

#[cfg(not(unix))]
fn live(path: &Path) -> Outcome {
    ask(path).map(|_| Answer::Yes)
}

#[cfg(unix)]
fn live(path: &Path) -> Outcome {
    use crate::{front::proxy_cmd::broken, sys::screen::Screen};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| broken("the runtime does not start", &error))?;
    // What is wrong from the start is said on the screen that stays.
    let mut report = ask(path)?;
    let screen = Screen::open()
        .map_err(|error| Fault::new(Kind::Config, "the terminal cannot be used").cause(error))?;
    let gone = |error| Fault::new(Kind::Config, "the terminal is gone").cause(error);
    let result = runtime.block_on(async {
        let mut end = End::new(&screen)?;
        let mut before = Before::new();
        loop {
            let shown = with_callers(&report);
            let lines = lines(&report, &shown, &before, Some(screen.size()));
            screen.show(&lines).map_err(gone)?;
            before = report.transfers.iter().map(|it| (it.id, it.bytes)).collect();
            if tokio::time::timeout(EACH, end.comes()).await.is_ok() {
                return Ok(Answer::Yes);
            }
            report = ask(path)?;
        }
    });
    drop(screen);
    result
}

/// What ends it.
#[cfg(unix)]
struct End {
    signals: super::signals::Signals,
    keys: tokio::sync::mpsc::UnboundedReceiver<()>,
}

#[cfg(unix)]
impl End {
    fn new(screen: &crate::sys::screen::Screen) -> Result<Self, Fault> {
        const CTRL_C: u8 = 3;
        let broken = |error| super::broken("signals cannot be received", &error);
        let signals = super::signals::Signals::new().map_err(broken)?;
        let (sender, keys) = tokio::sync::mpsc::unbounded_channel();
        let pressed = move |key| match key {
            b'q' | b'Q' | CTRL_C => sender.send(()).is_ok(),
            _ => true,
        };
        screen.keys(pressed).map_err(broken)?;
        Ok(Self { signals, keys })
    }

    async fn comes(&mut self) {
        use super::signals::Signalled;
        loop {
            tokio::select! {
                signal = self.signals.next() => if signal != Signalled::Reload { return },
                Some(()) = self.keys.recv() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn the_port_of_a_client_stands_last() {
        assert_eq!(port("Go-http-client/1.1 127.0.0.1:4711"), Some(4711));
        assert_eq!(port("4711"), Some(4711));
        for who in ["", "go", "Go/1.1 ", "x 0", "x 99999", "\u{e9}"] {
            assert_eq!(port(who), None, "{who}");
        }
    }
}

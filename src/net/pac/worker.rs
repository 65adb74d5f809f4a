//! The engine's process, seen from the proxy: started when it is needed, ended when it does not
//! answer, and started again for the next question.

use std::{ffi::OsString, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::net::pac::{
    Error,
    message::{Job, Reply},
};

/// How long an answer may take; the engine ends itself far earlier, unless the machine is busy.
const PATIENCE: Duration = Duration::from_secs(2);
/// A longer answer is none, in bytes.
const MAX_REPLY: u64 = 4 * 1024 * 1024;

/// What to start: this program, and the arguments that make it an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<&'static str>,
    /// `TZ`, which scripts see in their dates; the only variable that is passed on.
    pub zone: Option<OsString>,
}

/// The process, if there is one.
#[derive(Debug)]
pub(super) struct Worker {
    program: Program,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub(super) fn new(program: Program) -> Self {
        Self { program, live: None }
    }

    /// Lets the process do one run. When this is dropped in between, so is the process.
    pub(super) async fn ask(&mut self, job: &Job) -> Result<Reply, Error> {
        // One that has ended meanwhile is nobody's fault here.
        let alive = |live: &mut Live| matches!(live.child.try_wait(), Ok(None));
        let mut live = match self.live.take().and_then(|mut live| alive(&mut live).then_some(live))
        {
            Some(live) => live,
            None => Live::start(&self.program)?,
        };
        let question = serde_json::to_vec(job).map_err(|error| Error::Engine(error.to_string()))?;
        if let Ok(Some(reply)) = timeout(PATIENCE, live.ask(&question)).await {
            self.live = Some(live);
            return Ok(reply);
        }
        let _ = live.child.start_kill();
        // Or it stays a zombie for as long as there is nothing else to wait for.
        let _ = live.child.wait().await;
        Err(Error::Ended)
    }
}

impl Live {
    fn start(program: &Program) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::Engine(error.to_string());
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).env_clear();
        if let Some(zone) = &program.zone {
            command.env("TZ", zone);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Engine("it has no pipes".to_owned()));
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// Returns `None` where the process is gone, or answers something else.
    async fn ask(&mut self, line: &[u8]) -> Option<Reply> {
        self.input.write_all(line).await.ok()?;
        self.input.write_all(b"\n").await.ok()?;
        let mut reply = Vec::new();
        let mut output = (&mut self.output).take(MAX_REPLY);
        output.read_until(b'\n', &mut reply).await.ok()?;
        serde_json::from_slice(&reply).ok()
    }
}

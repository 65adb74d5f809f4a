//! Real `go mod download`, with a module cache that is empty each time.

use std::{
    cell::Cell,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// A go, and where it works.
pub struct Go {
    program: PathBuf,
    work: PathBuf,
    runs: Cell<usize>,
}

impl Go {
    /// Takes the go that `GOCRED_BENCH_GO` names, or else the one in `PATH`.
    pub fn new(work: &Path) -> Self {
        let program = env::var_os("GOCRED_BENCH_GO").unwrap_or_else(|| "go".into());
        let go = Self { program: program.into(), work: work.join("go"), runs: Cell::default() };
        let telemetry = go.work.join("config/go/telemetry");
        fs::create_dir_all(&telemetry).expect("folder");
        fs::write(telemetry.join("mode"), "off").expect("mode");
        go
    }

    /// Downloads what a project needs. Returns how many seconds it took, or what go says.
    pub fn download(&self, project: &Path, proxy: &str, ca: &Path) -> Result<f64, String> {
        self.runs.set(self.runs.get() + 1);
        let cache = self.work.join(format!("cache-{}", self.runs.get()));
        let mut command = Command::new(&self.program);
        command.args(["mod", "download"]).current_dir(project).env_clear();
        command.env("HOME", &self.work).env("XDG_CONFIG_HOME", self.work.join("config"));
        command.env("GOPATH", self.work.join("path")).env("GOMODCACHE", &cache);
        command.env("GOCACHE", self.work.join("build")).env("GOTOOLCHAIN", "local");
        command.env("GOFLAGS", "-modcacherw -mod=mod").env("GOSUMDB", "off");
        command.env("GOPROXY", proxy).env("SSL_CERT_FILE", ca).env("PATH", "/usr/bin:/bin");
        let start = Instant::now();
        let output = command.output().expect("go: set GOCRED_BENCH_GO");
        let took = start.elapsed().as_secs_f64();
        let _ = fs::remove_dir_all(&cache);
        if output.status.success() {
            return Ok(took);
        }
        Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned())
    }
}

//! The names of go's variables, and the folders that go takes where nothing names others.

use std::path::{Path, PathBuf};

use crate::core::doctor::{gomod, machine::Machine};

/// Every variable that cmd/go knows (cmd/go `internal/cfg`, `go help environment`), and the runtime's.
pub const KNOWN: &[&str] = &[
    "GCCGO",
    "GO111MODULE",
    "GO386",
    "GOAMD64",
    "GOARCH",
    "GOARM",
    "GOARM64",
    "GOAUTH",
    "GOBIN",
    "GOCACHE",
    "GOCACHEPROG",
    "GOCOVERDIR",
    "GODEBUG",
    "GOENV",
    "GOEXE",
    "GOEXPERIMENT",
    "GOFIPS140",
    "GOFLAGS",
    "GOGC",
    "GOGCCFLAGS",
    "GOHOSTARCH",
    "GOHOSTOS",
    "GOINSECURE",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOMIPS",
    "GOMIPS64",
    "GOMOD",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOOS",
    "GOPATH",
    "GOPPC64",
    "GOPRIVATE",
    "GOPROXY",
    "GORACE",
    "GORISCV64",
    "GOROOT",
    "GOROOT_FINAL",
    "GOROOT_BOOTSTRAP",
    "GOSUMDB",
    "GOTELEMETRY",
    "GOTELEMETRYDIR",
    "GOTMPDIR",
    "GOTOOLCHAIN",
    "GOTOOLDIR",
    "GOTRACEBACK",
    "GOVCS",
    "GOVERSION",
    "GOWASM",
    "GOWORK",
    "GO_EXTLINK_ENABLED",
];

/// The variables of others whose values are read, beside go's.
pub const OTHERS: &[&str] = &[
    "ALL_PROXY",
    "all_proxy",
    "CI",
    "CURL_CA_BUNDLE",
    "GCM_INTERACTIVE",
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_CURL_VERBOSE",
    "GIT_DIR",
    "GIT_EXEC_PATH",
    "GIT_HTTP_LOW_SPEED_LIMIT",
    "GIT_HTTP_LOW_SPEED_TIME",
    "GIT_HTTP_PROXY_AUTHMETHOD",
    "GIT_HTTP_USER_AGENT",
    "GIT_PROTOCOL",
    "GIT_PROXY_SSL_CAINFO",
    "GIT_PROXY_SSL_CERT",
    "GIT_PROXY_SSL_KEY",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_CIPHER_LIST",
    "GIT_SSL_KEY",
    "GIT_SSL_NO_VERIFY",
    "GIT_SSL_VERSION",
    "GIT_TERMINAL_PROMPT",
    "GIT_WORK_TREE",
    "HOME",
    "HOSTALIASES",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "LANG",
    "LC_ALL",
    "LOCALDOMAIN",
    "NETRC",
    "NO_PROXY",
    "no_proxy",
    "PATH",
    "REQUEST_METHOD",
    "RES_OPTIONS",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
    "WSL_DISTRO_NAME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];

/// Returns whether the value of a variable is read.
pub fn is_read(name: &str) -> bool {
    KNOWN.contains(&name) || OTHERS.contains(&name)
}

/// Returns the module cache.
pub fn modcache(machine: &Machine) -> Option<PathBuf> {
    if let Some(value) = set(machine, "GOMODCACHE") {
        return Some(PathBuf::from(value));
    }
    Some(gopath(machine)?.join("pkg/mod"))
}

/// Returns the first folder of GOPATH.
pub fn gopath(machine: &Machine) -> Option<PathBuf> {
    match set(machine, "GOPATH") {
        Some(value) => value.split(':').find(|folder| !folder.is_empty()).map(PathBuf::from),
        None => Some(machine.home.as_ref()?.join("go")),
    }
}

/// Returns the build cache.
pub fn gocache(machine: &Machine) -> Option<PathBuf> {
    if let Some(value) = set(machine, "GOCACHE") {
        return Some(PathBuf::from(value));
    }
    match machine.variable("XDG_CACHE_HOME") {
        Some(folder) => Some(Path::new(folder.raw()).join("go-build")),
        None => Some(machine.home.as_ref()?.join(".cache/go-build")),
    }
}

/// Returns the folder of a Go that was downloaded (cmd/go `toolchain.Exec`).
pub fn toolchain(machine: &Machine, version: &str) -> Option<PathBuf> {
    let own = machine.go.as_ref()?.version.split_whitespace().last();
    let platform = own.filter(|word| word.contains('/')).unwrap_or("linux/amd64").replace('/', "-");
    let is_whole = version.matches('.').count() > 1 || version.contains(char::is_alphabetic);
    let version = if is_whole { version.to_owned() } else { format!("{version}.0") };
    let name = format!("golang.org/toolchain@v0.0.1-go{version}.{platform}");
    Some(modcache(machine)?.join(name))
}

/// Returns the folder for temporary files, and the variable that names it.
pub fn tmpdir(machine: &Machine) -> (PathBuf, Option<&'static str>) {
    if let Some(value) = set(machine, "GOTMPDIR") {
        return (PathBuf::from(value), Some("GOTMPDIR"));
    }
    match machine.variable("TMPDIR") {
        Some(folder) => (PathBuf::from(folder.raw()), Some("TMPDIR")),
        None => (PathBuf::from("/tmp"), None),
    }
}

/// Returns where the module cache keeps a version of a module, without `.zip` and the like.
pub fn cached(cache: &Path, module: &str, version: &str) -> PathBuf {
    let folder = cache.join("cache/download").join(gomod::escaped(module)).join("@v");
    folder.join(gomod::escaped(version))
}

fn set(machine: &Machine, name: &str) -> Option<String> {
    let (value, _) = machine.go_setting(name)?;
    (!value.raw().is_empty()).then(|| value.raw().to_owned())
}

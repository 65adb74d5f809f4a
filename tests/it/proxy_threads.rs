//! A system that has no thread left: what needs one is late, and the proxy goes on.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use rustix::process::{Resource, getrlimit};

use super::{
    proxy_lab::Upstream,
    support::{as_another_user, home::GOCRED, program},
};

#[test]
fn a_system_that_gives_no_thread_ends_no_proxy() {
    let Some(mut another_user) = as_another_user() else { return };
    let Some(prlimit) = program("prlimit", "util-linux") else { return };
    let upstream = Upstream::basic("ana:right");
    // As somebody whom the system counts: root may start as many as it likes.
    let mut child = another_user
        .arg(GOCRED)
        .args(["proxy", "run", "--listen", "127.0.0.1:0", "--upstream", &upstream.url()])
        .env_clear()
        .env("HOME", "/nonexistent")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("gocred proxy run");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let port = line.trim_end().rsplit(':').next().unwrap_or_default().to_owned();
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port}; \
         printf 'CONNECT h.test:443 HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n' >&3; read -r line <&3; echo \"$line\""
    );
    let ask = || {
        let mut client = as_another_user().expect("another user");
        let output = client.args(["bash", "-c", &script]).output().expect("bash");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let most = getrlimit(Resource::Nproc)
        .maximum
        .map_or_else(|| "unlimited".into(), |most| most.to_string());
    let limit = |threads: &str| {
        let mut command = as_another_user().expect("another user");
        let pid = child.id().to_string();
        let limited = command.arg(&prlimit).args([&format!("--nproc={threads}:"), "--pid", &pid]);
        assert!(limited.status().expect("prlimit").success());
    };
    limit("1");
    let told = ask();
    assert!(told.starts_with("HTTP/1.1 504 gocred[P17]: "), "{told:?}");
    limit(&most);
    let told = ask();
    assert!(told.starts_with("HTTP/1.1 502 gocred[K06]: "), "{told:?}");
    let _ = child.kill();
    let _ = child.wait();
}

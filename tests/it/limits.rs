//! Few descriptors: daemons say so, and never that it is a bug of ours.

use std::{process::Stdio, time::Duration};

use crate::support::{
    eventually,
    home::{GOCRED, Home},
};

#[test]
fn a_daemon_that_gets_few_descriptors_says_so_or_runs() {
    for words in ["agent run", "proxy run --listen 127.0.0.1:0"] {
        let mut started = 0;
        for limit in 4..=20 {
            let home = Home::new();
            let script = format!("ulimit -n {limit} && exec {GOCRED} {words}");
            let run = home.run("/bin/sh").args(["-c", &script]).limit(Duration::from_secs(20));
            let mut command = run.command();
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let socket = home.runtime().join("gocred/control.sock");
            let is_up = eventually("it runs, or ends", || {
                let has_ended = child.try_wait().unwrap().is_some();
                (has_ended || socket.exists()).then_some(!has_ended)
            });
            // One that ends now has said why.
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(!err.contains("bug"), "{words} with {limit}: {err}");
            assert!(is_up || err.contains("Too many open files"), "{words} with {limit}: {err}");
            started += usize::from(is_up);
        }
        assert!(started > 0, "{words}");
    }
}

//! Sixty-four writers of one encrypted file, a disk without room, and one that takes no writes.

use std::{
    fs,
    process::{Child, Stdio},
};

use super::{
    support::{home::HELPER, program, skipped},
    vault::Desk,
};

const WRITERS: usize = 64;

#[test]
fn of_sixty_four_processes_that_write_at_once_none_loses_anything() {
    let desk = Desk::signed_in();
    let start = |at: usize| -> Child {
        let request =
            format!("protocol=https\nhost=git.corp.test\nusername=u{at}\npassword=S3cret-{at}\n\n");
        let request = desk.home.write(&format!("request{at}"), request);
        // Whoever signs in once may store any account of that host.
        let mut command = desk.run(HELPER).arg("store").command();
        command.stdin(fs::File::open(request).unwrap());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..WRITERS).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
    let list = desk.gocred(&["list", "--json"]).success();
    for at in 0..WRITERS {
        assert!(list.contains(&format!("\"account\":\"u{at}\"")), "u{at} is not in {list}");
    }
    let folder = fs::read_dir(desk.file().parent().unwrap()).unwrap();
    let mut names: Vec<_> = folder.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["vault", "vault.lock", "vault.prev"]);
}

/// Runs a script in a mount namespace of its own, with the vault's folder on a file system of `options`.
fn on(options: &str, script: &str, desk: &Desk) -> Option<super::support::home::Output> {
    let unshare = program("unshare", "util-linux")?;
    let folder = desk.file().parent().unwrap().display().to_string();
    let works = desk.home.run(&unshare).args(["--mount", "true"]).output();
    if works.code != Some(0) {
        skipped("this machine gives no mount namespace");
        return None;
    }
    let script = format!(
        "set -e; saved=$(mktemp -d); cp -p '{folder}'/* \"$saved\"; \
         mount -t tmpfs -o mode=0700,size=8k tmpfs '{folder}'; cp -p \"$saved\"/vault '{folder}'; \
         rm -r \"$saved\"; mount -o remount,{options} '{folder}'; {script}"
    );
    Some(desk.run(&unshare.display().to_string()).args(["--mount", "sh", "-c", &script]).output())
}

#[test]
fn a_full_disk_costs_no_secret_and_is_told_as_such() {
    let desk = Desk::signed_in();
    let script = format!(
        "head -c 3000 /dev/zero >\"$HOME/filler\"; \
         printf 'protocol=https\\nhost=git.corp.test\\nusername=big\\npassword=%05000d\\n' 7 \
         | '{HELPER}' store; \
         printf 'protocol=https\\nhost=git.corp.test\\nusername=ana\\n' | '{HELPER}' get; \
         ls \"$(dirname '{}')\"",
        desk.file().display()
    );
    let Some(output) = on("rw", &script, &desk) else { return };
    let (out, err) = (output.out(), output.err());
    assert!(err.contains("no room for the encrypted file"), "{output:?}");
    assert!(out.starts_with("username=ana\npassword=S3cret-of-ana\n"), "{output:?}");
    assert!(!out.contains(".tmp"), "{output:?}");
    output.success();
}

#[test]
fn a_read_only_disk_answers_and_says_that_it_takes_nothing() {
    let desk = Desk::signed_in();
    let script = format!(
        "printf 'protocol=https\\nhost=git.corp.test\\nusername=new\\npassword=x\\n' \
         | '{HELPER}' store; \
         printf 'protocol=https\\nhost=git.corp.test\\n' | '{HELPER}' get"
    );
    let Some(output) = on("ro", &script, &desk) else { return };
    assert!(output.err().contains("read-only file system"), "{output:?}");
    assert_eq!(output.success(), "username=ana\npassword=S3cret-of-ana\n");
}

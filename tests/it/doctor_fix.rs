//! `gocred doctor --fix` and `--undo` with files as people have them: of Windows, without a last line end, not
//! UTF-8, linked, read-only, edited since; on a full disk, and with two doctors at once.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    thread,
};

use super::support::{
    home::{GOCRED, Home, Output},
    program,
    terminal::Terminal,
};

/// A module that nobody is asked about with `--offline`.
const MODULE: &str = "git.corp.example/team/lib@v1.0.0";
/// Where go keeps its settings.
const GOENV: &str = ".config/go/env";

fn doctor(home: &Home, words: &[&str]) -> Output {
    home.gocred().arg("doctor").args(words.iter().copied()).output()
}

fn fix(home: &Home) -> Output {
    doctor(home, &["--offline", "--fix", "--yes", MODULE])
}

fn read(home: &Home, file: &str) -> Vec<u8> {
    fs::read(home.path().join(file)).expect("a file")
}

/// doctor mends, and takes back byte for byte; returns what was written in between.
fn there_and_back(home: &Home, file: &str) -> String {
    let (before, path) = (read(home, file), home.path().join(file));
    let about = || fs::metadata(&path).map(|about| (about.mode(), about.gid())).expect("a file");
    let kept = about();
    let fixed = fix(home);
    assert!(fixed.out().contains("done; `gocred doctor --undo` takes it back"), "{fixed:?}");
    let after = read(home, file);
    assert_ne!(after, before, "{fixed:?}");
    assert_eq!(about(), kept, "mode and group");
    let undone = doctor(home, &["--undo"]);
    assert_eq!((undone.code, read(home, file)), (Some(0), before), "{undone:?}");
    assert_eq!(about(), kept, "mode and group");
    assert!(!home.state().join("gocred/doctor.json").exists());
    String::from_utf8_lossy(&after).into_owned()
}

#[test]
fn every_form_of_a_file_comes_back_as_it_was() {
    for text in [
        b"GOPROXY=off\n".as_slice(),
        b"GOPROXY=off",
        b"# mine\r\nGOPROXY=off\nGOSUMDB=sum.golang.org\r\n",
        b"\xef\xbb\xbf# mine\nGOPROXY=off\n",
        b"# caf\xe9 \xff\xfe\nGOPROXY=off\n\n\n",
    ] {
        let home = Home::new();
        let file = home.write(GOENV, text);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("0640");
        let after = there_and_back(&home, GOENV);
        assert!(after.contains("# gocred doctor: GOPROXY=off"), "{after}");
    }
    // git's file keeps the line ends that it has.
    let home = Home::new();
    home.write(".gitconfig", "[http]\r\n\tsslVerify = false\r\n[core]\r\n\taskPass = /gone");
    let after = there_and_back(&home, ".gitconfig");
    assert!(after.contains("\r\n# gocred doctor: \tsslVerify = false\r\n"), "{after}");
}

#[test]
fn a_netrc_is_mended_without_a_word_of_its_passwords() {
    let words = |home: &Home, how: &str| {
        doctor(home, &["--offline", how, "--yes", "--only", "A25", "--only", "A27", MODULE])
    };
    for (text, mode) in [
        "default login x password s3cret-x\nmachine git.corp.example login a password s3cret-a",
        "\u{feff}machine git.corp.example login a password s3cret-a\n",
        "macdef m\r\nquit\r\n\r\nmachine git.corp.example login a password s3cret-a\r\n",
        "\u{feff}# mine\r\ndefault\r\n login x\r\n password s3cret-x\r\nmachine git.corp.example\r\n\tlogin a password s3cret-a",
    ]
    .iter()
    .flat_map(|text| [(*text, 0o640), (*text, 0o400)])
    {
        let home = Home::new();
        home.write(GOENV, "GOPRIVATE=*.corp.example\n");
        let file = home.write(".netrc", text);
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        let shown = words(&home, "--fix");
        let record = fs::read_to_string(home.state().join("gocred/doctor.json")).expect("a record");
        for said in [shown.out(), shown.err(), record] {
            assert!(!said.contains("s3cret"), "{said}");
        }
        let after = read(&home, ".netrc");
        assert_ne!(after, text.as_bytes(), "{shown:?}");
        assert_eq!(file.metadata().expect("netrc").mode() & 0o777, mode);
        let again = words(&home, "--dry-run");
        assert!(!again.out().contains("A25") && !again.out().contains("A27"), "{again:?}");
        // What was edited since is left alone.
        let edited = [after.as_slice(), b"# later\n"].concat();
        let write = |text: &[u8]| {
            // Whoever edits it does not mind its mode.
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("0600");
            fs::write(&file, text).expect("netrc");
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        write(&edited);
        let left = doctor(&home, &["--undo"]);
        assert_eq!(left.code, Some(1), "{left:?}");
        assert!(left.out().contains("edited since"), "{left:?}");
        assert_eq!(read(&home, ".netrc"), edited);
        write(&after);
        let undone = doctor(&home, &["--undo"]);
        assert_eq!(undone.code, Some(0), "{undone:?}");
        for said in [left.out(), left.err(), undone.out(), undone.err()] {
            assert!(!said.contains("s3cret"), "{said}");
        }
        assert_eq!(read(&home, ".netrc"), text.as_bytes());
        assert_eq!(file.metadata().expect("netrc").mode() & 0o777, mode);
    }
}

#[test]
fn several_findings_are_mended_in_one_go_and_a_second_run_has_nothing_to_do() {
    let home = Home::new();
    home.write(GOENV, "GOPROXY=off\nGO111MODULE=off\nGOFLAGS=-insecure\n");
    home.write(".gitconfig", "[http]\n\tsslVerify = false\n");
    let netrc = home.write(".netrc", "machine h.test login a password s3cret\n");
    fs::set_permissions(&netrc, fs::Permissions::from_mode(0o644)).expect("0644");
    let files = [GOENV, ".gitconfig", ".netrc"];
    let before = files.map(|file| read(&home, file));
    let fixed = fix(&home);
    for code in ["E01", "E20", "E26", "E59", "A28"] {
        assert!(fixed.out().contains(code), "{code}: {fixed:?}");
    }
    assert_eq!(netrc.metadata().expect("netrc").mode() & 0o777, 0o600);
    let again = fix(&home);
    assert!(again.out().ends_with("nothing to mend\n"), "{again:?}");
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(doctor(&home, &["--undo"]).code, Some(0));
    assert_eq!(files.map(|file| read(&home, file)), before);
    assert_eq!(netrc.metadata().expect("netrc").mode() & 0o777, 0o644);
}

#[test]
fn what_only_a_person_can_do_is_said_as_a_command() {
    let home = Home::new();
    home.write(GOENV, "GOSUMDB=off\n");
    let output = fix(&home);
    let out = output.out();
    assert!(out.contains("nothing here can be mended by a program; for you to do:\n"), "{out}");
    assert!(out.contains("S12: by hand: go env -u GOSUMDB"), "{out}");
    assert_eq!((output.code, read(&home, GOENV)), (Some(1), b"GOSUMDB=off\n".to_vec()));
}

#[test]
fn the_command_for_one_value_of_several_takes_no_other() {
    let home = Home::new();
    let good = "[http]\n\tcurloptResolve = git.corp.example:443:10.0.0.1\n\tcurloptResolve = x.test:443:10.0.0.2\n";
    home.write(".gitconfig", format!("{good}\tcurloptResolve = git.corp.example:443:it's\n"));
    let shown = doctor(&home, &["--offline", "--json", "https://git.corp.example/x.git"]);
    let report: serde_json::Value = serde_json::from_str(&shown.out()).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let finding = findings.iter().find(|it| it["code"] == "E46").expect("E46");
    let command = finding["fix"]["commands"][0].as_str().expect("a command");
    home.run(Path::new("/bin/sh")).args(["-c", command]).output().success();
    assert_eq!(String::from_utf8_lossy(&read(&home, ".gitconfig")), good, "{command}");
}

#[test]
fn what_nothing_fails_by_is_mended_where_it_is_named() {
    let home = Home::new();
    let text =
        "[http \"https://git.corp.example/\"]\n\textraHeader = Authorization: Basic czNjcmV0\n";
    home.write(".gitconfig", text);
    let output = fix(&home);
    assert!(
        output.out().contains("nothing to mend\nleft, because nothing fails by it: G11"),
        "{output:?}"
    );
    assert_eq!((output.code, read(&home, ".gitconfig")), (Some(0), text.as_bytes().to_vec()));
    let words = ["--offline", "--fix", "--yes", "--only", "G11", "https://git.corp.example/x.git"];
    let output = doctor(&home, &words);
    assert!(
        output.out().contains("# gocred doctor:     extraHeader = Authorization: …"),
        "{output:?}"
    );
    assert!(!output.out().contains("czNjcmV0"), "{output:?}");
    assert_ne!(read(&home, ".gitconfig"), text.as_bytes());
    assert_eq!(doctor(&home, &["--undo"]).code, Some(0));
    assert_eq!(read(&home, ".gitconfig"), text.as_bytes());
}

#[test]
fn a_password_is_never_written() {
    let home = Home::new();
    let text = "export https_proxy='http://a:s3cret#x@proxy.test:3128'\n";
    home.write(".profile", text);
    let run = home.gocred().env("https_proxy", "http://a:s3cret#x@proxy.test:3128");
    let output = run.args(["doctor", "--offline", "--fix", "--yes", MODULE]).output();
    assert!(output.out().contains("E37: by hand: gocred login --proxy"), "{output:?}");
    assert!(!output.out().contains("s3cret") && !output.err().contains("s3cret"), "{output:?}");
    assert_eq!(read(&home, ".profile"), text.as_bytes());
}

/// What is left as it is, and why.
fn is_left(home: &Home, file: &str, why: &str) {
    let before = read(home, file);
    let output = fix(home);
    assert!(
        output.out().contains("is left as it is: ") && output.out().contains(why),
        "{output:?}"
    );
    assert_eq!((output.code, read(home, file)), (Some(1), before), "{output:?}");
}

#[test]
fn files_that_are_not_the_users_to_change_are_left() {
    // A link within the home folder stays one.
    let home = Home::new();
    let target = home.write("dotfiles/goenv", "GOPROXY=off\n");
    home.write(GOENV, "");
    let link = home.path().join(GOENV);
    fs::remove_file(&link).expect("removed");
    symlink(&target, &link).expect("a link");
    there_and_back(&home, GOENV);
    assert!(link.is_symlink());
    // One that leads out of it is not followed.
    let outside = tempfile::tempdir().expect("a folder");
    let other = outside.path().join("env");
    fs::write(&other, "GOPROXY=off\n").expect("a file");
    fs::remove_file(&link).expect("removed");
    symlink(&other, &link).expect("a link");
    is_left(&home, GOENV, "a symbolic link leads out of your home folder");
    fs::remove_file(&link).expect("removed");
    fs::create_dir_all(home.path().join("repo/.git")).expect("a folder");
    let in_git = home.write("repo/.git/env", "GOPROXY=off\n");
    symlink(&in_git, &link).expect("a link");
    is_left(&home, GOENV, "it belongs to a repository");
    for mode in [0o400, 0o444] {
        let home = Home::new();
        let file = home.write(GOENV, "GOPROXY=off\n");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        is_left(&home, GOENV, "the file is read-only");
        assert_eq!(file.metadata().expect("a file").mode() & 0o777, mode);
    }
    let home = Home::new();
    let file = home.write(GOENV, "GOPROXY=off\n");
    fs::hard_link(&file, home.path().join("second")).expect("a second name");
    is_left(&home, GOENV, "a hard link");
    // A file outside of the home folder, which a variable names.
    let home = Home::new();
    let run = home.gocred().env("GOENV", &other);
    let output = run.args(["doctor", "--offline", "--fix", "--yes", MODULE]).output();
    assert!(output.out().contains("it is outside of your home folder"), "{output:?}");
    assert_eq!(fs::read(&other).expect("a file"), b"GOPROXY=off\n");
}

#[test]
fn a_repositorys_own_configuration_is_left_though_it_is_in_the_home_folder() {
    let home = Home::new();
    let git = program("git", "git").expect("git");
    let folder = home.path().join("code");
    home.run(&git).args(["init", "-q"]).arg(&folder).output().success();
    let set = ["config", "http.sslVerify", "false"];
    home.run(&git).arg("-C").arg(&folder).args(set).output().success();
    let before = read(&home, "code/.git/config");
    let run = home.gocred().folder(&folder);
    let output = run.args(["doctor", "--offline", "--fix", "--yes", MODULE]).output();
    assert!(output.out().contains("E59"), "{output:?}");
    assert_eq!(read(&home, "code/.git/config"), before, "{output:?}");
}

#[test]
fn a_file_that_was_edited_since_is_left_and_its_lines_are_named() {
    let home = Home::new();
    home.write(GOENV, "GOPROXY=off\n");
    home.write(".gitconfig", "[http]\n\tsslVerify = false\n");
    assert_eq!(fix(&home).code, Some(0));
    let mended = read(&home, GOENV);
    let edited = [b"GOPRIVATE=*.corp.example\n".as_slice(), &mended].concat();
    home.write(GOENV, &edited);
    let undone = doctor(&home, &["--undo"]);
    let out = undone.out();
    assert!(out.contains("~/.config/go/env is left as it is: it was edited since"), "{out}");
    assert!(out.contains("line 2: `# gocred doctor: GOPROXY=off` was `GOPROXY=off`"), "{out}");
    assert!(out.contains("~/.gitconfig: as it was"), "{out}");
    assert_eq!((undone.code, read(&home, GOENV)), (Some(1), edited));
    assert_eq!(read(&home, ".gitconfig"), b"[http]\n\tsslVerify = false\n");
    // As soon as the file is again what doctor left, it is taken back.
    home.write(GOENV, &mended);
    assert_eq!(doctor(&home, &["--undo"]).code, Some(0));
    assert_eq!(read(&home, GOENV), b"GOPROXY=off\n");
    // What is gone altogether is forgotten.
    assert_eq!(fix(&home).code, Some(0));
    home.write(GOENV, "GOPROXY=https://h.test\n");
    let undone = doctor(&home, &["--undo"]);
    assert!(undone.out().contains("nothing of ours is there any more"), "{undone:?}");
    assert_eq!(doctor(&home, &["--undo"]).code, Some(1), "nothing to take back");
}

#[test]
fn what_was_written_down_and_never_made_is_passed_over() {
    let home = Home::new();
    let texts = [
        (GOENV, "GO111MODULE=off\nGOPRIVATE=*.corp.example\n"),
        (
            ".netrc",
            "default login x password s3cret-x\nmachine git.corp.example login a password s3cret-a\n",
        ),
    ];
    for (file, text) in texts {
        let path = home.write(file, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("0644");
    }
    let words =
        ["--offline", "--fix", "--yes", "--only", "E20", "--only", "A25", "--only", "A28", MODULE];
    let fixed = doctor(&home, &words);
    assert!(fixed.out().contains("E20") && fixed.out().contains("A25"), "{fixed:?}");
    assert!(fixed.out().contains("A28"), "{fixed:?}");
    // As a crash leaves it: the record is written, and every file is as it was.
    for (file, text) in texts {
        let path = home.write(file, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("0644");
    }
    let undone = doctor(&home, &["--undo"]);
    assert_eq!((undone.code, undone.out().as_str()), (Some(0), ""), "{undone:?}");
    for (file, text) in texts {
        assert_eq!(read(&home, file), text.as_bytes());
    }
    assert!(!home.state().join("gocred/doctor.json").exists());
}

#[test]
fn a_program_that_was_never_run_is_not_taken_back() {
    let home = Home::new();
    let record = home.state().join("gocred/doctor.json");
    fs::create_dir_all(record.parent().expect("a folder")).expect("a folder");
    for (is_made, code) in [("false", 0), ("true", 1)] {
        let step = format!(r#"{{"run":{{"undo":["gocred","proxy","stop"],"is_made":{is_made}}}}}"#);
        fs::write(&record, format!(r#"{{"schema":1,"steps":[{step}]}}"#)).expect("a record");
        let undone = doctor(&home, &["--undo"]);
        assert_eq!(undone.code, Some(code), "{undone:?}");
        assert_eq!(record.exists(), code == 1);
    }
}

#[test]
fn a_record_of_an_older_gocred_is_taken_back() {
    let home = Home::new();
    home.write(GOENV, "GOPROXY=off\n");
    assert_eq!(fix(&home).code, Some(0));
    let file = home.state().join("gocred/doctor.json");
    let mut record: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("a record")).expect("JSON");
    let edit = record["steps"][0]["edit"].as_object_mut().expect("an edit");
    assert!(edit.remove("found").is_some());
    fs::write(&file, record.to_string()).expect("a record");
    assert_eq!(doctor(&home, &["--undo"]).code, Some(0));
    assert_eq!(read(&home, GOENV), b"GOPROXY=off\n");
}

#[test]
fn a_folder_in_the_place_of_netrc_gets_another_name_and_its_own_again() {
    let home = Home::new();
    home.write(".netrc/inside", "x");
    let output = doctor(&home, &["--offline", "--fix", "--yes", "--only", "A27", MODULE]);
    assert!(output.out().contains("A27: ~/.netrc gets another name"), "{output:?}");
    assert!(!home.path().join(".netrc").exists());
    assert_eq!(read(&home, ".netrc.gocred-aside/inside"), b"x");
    // A new one is not written over.
    home.write(".netrc", "");
    assert_eq!(doctor(&home, &["--undo"]).code, Some(1));
    fs::remove_file(home.path().join(".netrc")).expect("removed");
    assert_eq!(doctor(&home, &["--undo"]).code, Some(0));
    assert_eq!(read(&home, ".netrc/inside"), b"x");
}

#[test]
fn somebody_is_asked_and_may_refuse() {
    let home = Home::new();
    home.write(GOENV, "GOPROXY=off\n");
    for (answer, changed) in [("n", false), ("y", true)] {
        let run = home.gocred().args(["doctor", "--offline", "--fix", MODULE]);
        let Some(mut terminal) = Terminal::start(run) else { return };
        terminal.awaits("# gocred doctor: GOPROXY=off");
        terminal.awaits("Make these changes?");
        terminal.types(answer);
        let (code, shown) = terminal.ends();
        assert_eq!(code, Some(i32::from(!changed)), "{shown}");
        assert_eq!(read(&home, GOENV) != b"GOPROXY=off\n", changed, "{shown}");
    }
}

#[test]
fn on_a_full_disk_and_at_a_sudden_end_every_file_is_whole_and_comes_back() {
    let Some(strace) = program("strace", "strace") else { return };
    let mut reached = 0;
    let calls = ["fsync", "rename", "write"];
    for (call, how) in
        calls.into_iter().flat_map(|call| [(call, "error=ENOSPC"), (call, "signal=KILL")])
    {
        for nth in 1..40 {
            let home = Home::new();
            home.write(GOENV, "GOPROXY=off\n");
            home.write(".gitconfig", "[http]\n\tsslVerify = false\n");
            let trace = home.path().join("trace");
            let inject = format!("inject={call}:{how}:when={nth}");
            let run = home.run(&strace).args(["-f", "-qq", "-e", &format!("trace={call}")]);
            let run = run.args(["-e", &inject, "-o"]).arg(&trace).arg(GOCRED);
            let output = run.args(["doctor", "--offline", "--fix", "--yes", MODULE]).output();
            assert!(!output.err().contains("panic"), "{call} {nth}: {output:?}");
            let whole = |file: &str, before: &str| {
                let now = String::from_utf8(read(&home, file)).expect("UTF-8");
                let is_mended = now.lines().any(|line| line.starts_with("# gocred doctor: "))
                    && now.contains(before.lines().last().expect("a line"));
                assert!(now == before || is_mended, "{call} {nth}: {now}");
            };
            whole(GOENV, "GOPROXY=off\n");
            whole(".gitconfig", "[http]\n\tsslVerify = false\n");
            let was_written = home.state().join("gocred/doctor.json").exists();
            let undone = doctor(&home, &["--undo"]);
            // What was written down and not made has nothing to be taken back.
            assert_eq!(undone.code, Some(i32::from(!was_written)), "{call} {nth}: {undone:?}");
            assert!(!undone.out().contains("since"), "{call} {nth}: {undone:?}");
            assert_eq!(read(&home, GOENV), b"GOPROXY=off\n", "{call} {nth}: {output:?}");
            assert_eq!(
                read(&home, ".gitconfig"),
                b"[http]\n\tsslVerify = false\n",
                "{call} {nth}: {output:?}"
            );
            let is_killed = how == "signal=KILL";
            assert!(is_killed || left_behind(home.path()).is_empty(), "{call} {nth}");
            let said = fs::read_to_string(&trace).expect("a trace");
            if !said.contains("(INJECTED)") && !said.contains("killed by SIGKILL") {
                break;
            }
            reached += 1;
        }
    }
    assert!(reached > 10, "{reached}");
}

/// Files that a write has begun and not ended.
fn left_behind(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(left_behind(&entry.path()));
        }
        let is_begun = entry.path().extension().is_some_and(|end| end == "tmp");
        found.extend(is_begun.then(|| entry.path().display().to_string()));
    }
    found
}

#[test]
fn two_doctors_at_once_mend_once() {
    for _ in 0..4 {
        let home = Home::new();
        home.write(GOENV, "GOPROXY=off\nGO111MODULE=off\n");
        thread::scope(|scope| {
            let both = [(); 2].map(|()| scope.spawn(|| fix(&home)));
            for one in both {
                let output = one.join().expect("a doctor");
                assert!(output.code.is_some_and(|code| code < 2), "{output:?}");
            }
        });
        let text = String::from_utf8(read(&home, GOENV)).expect("UTF-8");
        assert_eq!(text.matches("# gocred doctor: ").count(), 2, "{text}");
        assert_eq!(doctor(&home, &["--undo"]).code, Some(0));
        assert_eq!(read(&home, GOENV), b"GOPROXY=off\nGO111MODULE=off\n");
    }
}

//! `setup`: real git and go read what it wrote, and `--undo` brings every byte back.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use gocred::core::setup::{
    Reverted, apply,
    gitconfig::{Wanted, parse, parse_list, wire},
};

use super::support::{
    go::Release,
    home::{GOCRED, HELPER, Home, Output},
    random::{Random, cases},
};

fn setup(home: &Home, arguments: &[&str]) -> Output {
    home.gocred().arg("setup").args(arguments.iter().copied()).output()
}

fn helpers(home: &Home) -> String {
    home.run("git").args(["config", "--get-all", "credential.helper"]).output().success()
}

#[test]
fn git_asks_ours_first_and_keeps_the_others() {
    let home = Home::new();
    home.write(".gitconfig", "[user]\n\tname = Ana\n[credential]\n\thelper = cache\n");
    setup(&home, &["--git", "--yes"]).success();
    assert_eq!(helpers(&home), format!("{HELPER}\ncache\n"));
    let again = setup(&home, &["--git", "--yes"]).success();
    assert!(again.contains("wired already"), "{again}");
}

#[test]
fn helpers_of_the_system_stay_behind_ours() {
    let home = Home::new();
    let system = home.write("system", "[credential]\n\thelper = cache --timeout=9\n");
    let with = |run: super::support::home::Run| {
        run.without("GIT_CONFIG_NOSYSTEM").env("GIT_CONFIG_SYSTEM", &system)
    };
    with(home.gocred().args(["setup", "--git", "--yes"])).output().success();
    let list = home.run("git").args(["config", "--list", "--name-only"]);
    with(list).output().success();
    let all = home.run("git").args(["config", "--get-all", "credential.helper"]);
    let all = with(all).output().success();
    assert_eq!(all, format!("cache --timeout=9\n\n{HELPER}\ncache --timeout=9\n"));
    with(home.gocred().args(["setup", "--undo"])).output().success();
    assert!(!home.path().join(".gitconfig").exists());
}

#[test]
fn git_runs_a_helper_whose_path_needs_quoting() {
    let home = Home::new();
    let folder = home.path().join("a b'$(x)");
    fs::create_dir(&folder).unwrap();
    for (program, name) in [(GOCRED, "gocred"), (HELPER, "git-credential-gocred")] {
        fs::copy(program, folder.join(name)).unwrap();
    }
    home.run(folder.join("gocred")).args(["setup", "--git", "--yes"]).output().success();
    let fill = home.run("git").args(["credential", "fill"]).env("GIT_TERMINAL_PROMPT", "0");
    let output = fill.env("GIT_TRACE", "1").input("protocol=https\nhost=h.test\n\n").output();
    let said = output.err();
    assert!(said.contains("git-credential-gocred get"), "{said}");
    assert!(!said.contains("not found") && !said.contains("Syntax error"), "{said}");
}

#[test]
fn real_go_reads_what_setup_wrote() {
    let Some(go) = Release::Go127.program() else { return };
    let home = Home::new().without_telemetry();
    home.write(".config/go/env", "GOPRIVATE=old.test\nGOAUTH=git /tmp\nGOFLAGS=-mod=mod");
    let said =
        setup(&home, &["--go", "--private", "*.corp.test", "--private", "git.test/t", "--yes"]);
    said.success();
    let read = home.run(&go).args(["env", "GOPRIVATE", "GOAUTH", "GOFLAGS"]);
    let read = read.env("GOTOOLCHAIN", "local").output().success();
    assert_eq!(
        read,
        format!("old.test,*.corp.test,git.test/t\n{GOCRED} goauth;git /tmp\n-mod=mod\n")
    );
}

#[test]
fn undo_brings_every_byte_back() {
    let gitconfigs: &[Option<&[u8]>] = &[
        None,
        Some(b""),
        Some(b"[user]\n\tname = Ana"),
        Some(b"# only a comment"),
        Some(b"\xef\xbb\xbf[user]\r\n\tname = Ana\r\n[credential]\r\n\thelper = store\r\n"),
        Some(
            b"[credential]\n\thelper =\n\thelper = store ; why\n[http]\n\tproxy = http://a:b@p:1\n",
        ),
        Some(
            b"[credential \"https://h\"]\n\thelper = !gh auth\n\n[alias]\n\tx = \"a\\\n b\"\n\n\n",
        ),
        Some(b"[credential]\n\thelper = /old/git-credential-gocred\n\thelper = cache\n"),
        Some(b"[a] b = c\n[credential] helper = store\n\xff\xfe"),
    ];
    let goenvs: &[Option<&[u8]>] = &[
        None,
        Some(b""),
        Some(b"GOAUTH=off\n"),
        Some(b"GOPRIVATE=a.test,b.test\r\n# x\nGOAUTH=netrc"),
        Some(b"\n\n\xffbinary\nGOPRIVATE=\n"),
        Some(b"GOAUTH=/old/gocred goauth;git /h\nGOAUTH=netrc\n"),
    ];
    for (index, gitconfig) in gitconfigs.iter().enumerate() {
        let goenv = goenvs.get(index % goenvs.len()).copied().flatten();
        let home = Home::new();
        let files = [(".gitconfig", *gitconfig), (".config/go/env", goenv)];
        for (name, bytes) in files {
            if let Some(bytes) = bytes {
                let file = home.write(name, bytes);
                fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
            }
        }
        let before = shape(home.path());
        let arguments = ["--git", "--go", "--proxy", "--private", "x.test", "--yes"];
        let output = setup(&home, &arguments);
        if output.code != Some(0) {
            // What git itself refuses is left alone, and nothing of it was written.
            assert_eq!(output.code, Some(3), "{index} {output:?}");
            assert_eq!(read(&home, ".gitconfig"), gitconfig.map(<[u8]>::to_vec), "{index}");
            continue;
        }
        assert_ne!(read(&home, ".gitconfig"), gitconfig.map(<[u8]>::to_vec), "{index}");
        // A second setup on top is taken back, too.
        setup(&home, &["--private", "y.test", "--yes"]).success();
        setup(&home, &["--undo"]).success();
        assert_eq!(read(&home, ".gitconfig"), gitconfig.map(<[u8]>::to_vec), "{index}");
        assert_eq!(read(&home, ".config/go/env"), goenv.map(<[u8]>::to_vec), "{index}");
        assert_eq!(shape(home.path()), before, "{index}");
        assert_eq!(setup(&home, &["--undo"]).code, Some(1));
    }
}

fn read(home: &Home, name: &str) -> Option<Vec<u8>> {
    fs::read(home.path().join(name)).ok()
}

/// Returns every file and folder with its mode, but for our own state.
fn shape(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        if name == ".local" {
            continue;
        }
        found.push((name, entry.metadata().expect("metadata").permissions().mode()));
        if entry.path().is_dir() {
            found.extend(shape(&entry.path()));
        }
    }
    found.sort();
    found
}

#[test]
fn undo_keeps_what_was_edited_since() {
    let home = Home::new();
    setup(&home, &["--git", "--go", "--yes"]).success();
    let git = String::from_utf8(read(&home, ".gitconfig").unwrap()).unwrap();
    home.write(".gitconfig", format!("[user]\n\tname = Ana\n{git}[alias]\n\tst = status\n"));
    let said = setup(&home, &["--undo"]).success();
    assert!(said.contains("what was edited since stays"), "{said}");
    let left = String::from_utf8(read(&home, ".gitconfig").unwrap()).unwrap();
    assert_eq!(left, "[user]\n\tname = Ana\n[alias]\n\tst = status\n");
    assert!(!home.config().join("go").exists());
}

#[test]
fn git_is_sent_to_the_proxy_with_our_user_name_where_our_helper_answers_for_it() {
    let home = Home::new();
    let proxy = || home.run("git").args(["config", "--get", "http.proxy"]).output().success();
    setup(&home, &["--proxy", "--yes"]).success();
    assert_eq!(proxy(), "http://127.0.0.1:7407\n", "nobody would be asked but the person");
    setup(&home, &["--git", "--yes"]).success();
    setup(&home, &["--proxy", "--yes"]).success();
    assert_eq!(proxy(), "http://gocred@127.0.0.1:7407\n");
    setup(&home, &["--undo"]).success();
    assert!(read(&home, ".gitconfig").is_none());
    setup(&home, &["--git", "--proxy", "--yes"]).success();
    assert_eq!(proxy(), "http://gocred@127.0.0.1:7407\n");
}

#[test]
fn the_record_holds_no_secret_of_the_files() {
    let home = Home::new();
    home.write(
        ".gitconfig",
        "[url \"https://t:hunter2@h/\"]\n\tinsteadOf = https://h/\n[http]\n\tproxy = http://a:hunter2@p\n",
    );
    setup(&home, &["--git", "--proxy", "--yes"]).success();
    let record = home.state().join("gocred/setup.json");
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains("git-credential-gocred") && !text.contains("hunter2"), "{text}");
    assert_eq!(record.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn without_a_terminal_it_needs_a_yes_and_dry_run_writes_nothing() {
    let home = Home::new();
    let output = setup(&home, &["--git"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    let shown = setup(&home, &["--dry-run"]).success();
    assert!(shown.contains("+ [credential]") && shown.contains("+ GOAUTH="), "{shown}");
    assert!(read(&home, ".gitconfig").is_none() && read(&home, ".config/go/env").is_none());
    setup(&home, &["--git", "--yes"]).success();
    let shown = setup(&home, &["--undo", "--dry-run"]).success();
    assert!(shown.contains("would take back"), "{shown}");
    assert!(read(&home, ".gitconfig").is_some());
}

#[test]
fn a_helper_that_copies_secrets_into_a_file_is_told_with_what_removes_it() {
    let home = Home::new();
    home.write(".gitconfig", "[credential]\n\thelper = store --file /tmp/x\n");
    let output = setup(&home, &["--git", "--yes"]);
    let said = output.err();
    assert!(said.contains("in clear"), "{output:?}");
    // The section above the similar one is shown from its own first line on.
    assert!(output.out().contains("  + [credential]\n  +     helper = "), "{output:?}");
    let (_, command) = said.split_once("remove it: `").expect("the command");
    let command = command.split('`').next().expect("the command");
    home.run("/bin/sh").args(["-c", command]).output().success();
    assert_eq!(helpers(&home), format!("{HELPER}\n"));
    assert!(!setup(&home, &["--git", "--yes"]).err().contains("in clear"));
    setup(&home, &["--undo"]).success();
}

#[test]
fn the_file_that_git_writes_is_the_one_that_is_edited() {
    let home = Home::new();
    home.write(".config/git/config", "[user]\n\tname = Ana\n");
    setup(&home, &["--git", "--yes"]).success();
    assert!(read(&home, ".gitconfig").is_none());
    assert_eq!(helpers(&home), format!("{HELPER}\n"));
    let other = home.path().join("other");
    let run = home.gocred().args(["setup", "--git", "--yes"]).env("GIT_CONFIG_GLOBAL", &other);
    run.output().success();
    assert!(fs::read_to_string(other).unwrap().contains(HELPER));
}

#[test]
fn a_dotfile_that_is_a_link_stays_one() {
    let home = Home::new();
    let target = home.write("dotfiles/gitconfig", "[user]\n\tname = Ana\n");
    let link = home.path().join(".gitconfig");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    setup(&home, &["--git", "--yes"]).success();
    assert!(link.is_symlink() && fs::read_to_string(&target).unwrap().contains(HELPER));
    fs::remove_file(&target).unwrap();
    assert_eq!(setup(&home, &["--git", "--yes"]).code, Some(3));
}

#[test]
fn what_go_would_refuse_or_hide_is_said() {
    let home = Home::new();
    home.write(".config/go/env", "X=y\nGOAUTH=netrc;\n");
    let output = setup(&home, &["--go", "--yes"]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.err().contains("go/env:2"), "{output:?}");
    let output = setup(&home, &["--private", "https://h.test", "--yes"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    home.write(".config/go/env", "GOAUTH=off\n");
    let run = home.gocred().args(["setup", "--go", "--yes"]).env("GOAUTH", "netrc").output();
    assert!(run.err().contains("hides") && run.err().contains("`off`"), "{run:?}");
    run.success();
    let off = home.gocred().args(["setup", "--go", "--yes"]).env("GOENV", "off").output();
    assert_eq!(off.code, Some(3), "{off:?}");
}

/// What real git lists of `text`; `None` if it refuses the file.
fn listed(home: &Home, text: &[u8]) -> Option<Vec<(String, String)>> {
    home.write("file", text);
    let git = home.run("git").args(["config", "--file", "file", "--list", "--show-origin", "-z"]);
    let output = git.output();
    let settings = parse_list(&output.stdout).into_iter();
    (output.code == Some(0)).then(|| settings.map(|one| (one.key, one.value)).collect())
}

/// A file out of the corners of git's grammar, most of them legal.
fn gitconfig(random: &mut Random) -> String {
    let starts = [
        "key = ",
        "k-2=",
        "helper = ",
        "\thelper=",
        "[credential]\n",
        "[credential] ",
        "[Credential]\r\n",
        "[credential \"https://h\"]\n",
        "[A \"b\\\"C\"]\r\n",
        "[c.D] ",
        "bare\n",
        "# c\n",
        "[credential]helper = /old/git-credential-gocred\n",
        "[credential]\nhelper = gocred\n",
        "[credential]\n\thelper =\n",
        "[e \"f]",
        "1k = ",
    ];
    let words = [
        "v", "v", " x y ", " ", "\"a b\"", "\"", "\\\"", "\\\n", "\\t", "\\n", "#", ";", "\\\\",
        "\t", "é", "\\\r\n", "\r", "\\x",
    ];
    let mut text = "[s]\n".to_owned();
    for _ in 0..=random.below(6) {
        let start = random.of(&starts);
        text.push_str(start);
        if start.ends_with(['=', ' ']) && start.contains('=') {
            text.extend((0..random.below(4)).map(|_| random.of(&words)));
            text.push_str(random.of(&["\n", "\n", "\r\n", ""]));
        }
    }
    text
}

#[test]
fn real_git_reads_values_as_we_do() {
    let (home, mut random) = (Home::new(), Random::new());
    let mut both = 0;
    for _ in 0..cases(200) {
        let text = gitconfig(&mut random);
        match (listed(&home, text.as_bytes()), parse(text.as_bytes())) {
            (Some(theirs), Ok(entries)) => {
                both += 1;
                let ours = entries.into_iter().map(|entry| {
                    let value = entry.value.unwrap_or_default();
                    let key = format!("{}.{}", entry.section, entry.key);
                    (key, String::from_utf8_lossy(&value).into_owned())
                });
                assert_eq!(ours.collect::<Vec<_>>(), theirs, "{text:?}");
            }
            // A backslash at the end continues into nothing; text after it would change the value.
            (Some(_), Err(_)) => assert!(text.ends_with('\\'), "{text:?}"),
            (None, Ok(_)) => panic!("git refuses what we read: {text:?}"),
            (None, Err(_)) => {}
        }
    }
    assert!(both > 20, "only {both} files were readable");
}

#[test]
fn real_git_asks_ours_first_in_every_file_and_undo_is_exact() {
    const OURS: &str = "/a/git-credential-gocred";
    let (home, mut random) = (Home::new(), Random::new());
    let mut wired = 0;
    for _ in 0..cases(200) {
        let text = gitconfig(&mut random);
        let other = ["a b".to_owned()];
        let inherited = if random.below(2) == 0 { &other[..0] } else { &other };
        let Ok(edits) = wire(text.as_bytes(), Wanted { helper: OURS, inherited }) else { continue };
        let after = apply(text.as_bytes(), &edits).expect("edits that fit");
        let settings = listed(&home, &after).unwrap_or_else(|| panic!("{text:?}"));
        let mut helpers: Vec<&str> = Vec::new();
        for (_, value) in settings.iter().filter(|(key, _)| key == "credential.helper") {
            if value.is_empty() {
                helpers.clear();
            } else {
                helpers.push(value);
            }
        }
        assert_eq!(helpers.first(), Some(&OURS), "{text:?}");
        let others = |settings: Vec<(String, String)>| -> Vec<(String, String)> {
            settings.into_iter().filter(|(key, _)| key != "credential.helper").collect()
        };
        let before = listed(&home, text.as_bytes()).expect("a file that git reads");
        assert_eq!(others(settings.clone()), others(before), "{text:?}");
        let back = edits.iter().rev().fold(after, |bytes, edit| match edit.revert(&bytes) {
            Reverted::Exactly(before) => before,
            other => panic!("{other:?} {text:?}"),
        });
        assert_eq!(back, text.as_bytes());
        wired += 1;
    }
    assert!(wired > 20, "only {wired} files could be wired");
}

//! Rules of the loopback proxy that a change could break unseen: found by breaking each on purpose.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::{
    proxy_lab::{CONNECT, Daemon, Next, Upstream, save, status},
    proxy_within::proofs,
    support::{as_another_user, home::Home, keyring::Keyring, program},
};

/// Two tunnels ask at once. The first is offered NTLM only, and then, late, the second is offered
/// Basic: by whoever sits in between, perhaps. The offer of stronger schemes only stands.
#[test]
fn an_offer_of_basic_that_comes_late_does_not_weaken_a_stronger_one() {
    let Some(keyring) = Keyring::unlocked() else { return };
    let home = Home::new();
    let (release, held) = mpsc::channel::<()>();
    let (turn, held) = (AtomicUsize::new(0), Mutex::new(held));
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&arrived);
    let upstream = Upstream::start(move |client, _| {
        let number = turn.fetch_add(1, Ordering::SeqCst);
        count.fetch_add(1, Ordering::SeqCst);
        while number == 0 && count.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
        if number == 1 {
            held.lock().expect("alone").recv().expect("released");
        }
        let offer = if number == 0 { "NTLM" } else { "Basic realm=\"x\"" };
        client.send(format!(
            "HTTP/1.1 407 x\r\nProxy-Authenticate: {offer}\r\nContent-Length: 0\r\n\r\n"
        ));
        Next::Close
    });
    save(&keyring, &upstream, "ana:right");
    let daemon = Daemon::with_keyring(&home, &keyring, &upstream);
    let (mut first, mut second) = (daemon.client(), daemon.client());
    first.send(CONNECT);
    second.send(CONNECT);
    // Whichever of them is offered NTLM is answered; the other is still held.
    let (told, answers) = mpsc::channel();
    for mut client in [first, second] {
        let told = told.clone();
        thread::spawn(move || told.send(client.until_end()).expect("told"));
    }
    let strong = answers.recv().expect("an answer");
    assert!(strong.starts_with("HTTP/1.1 502 gocred[P40]: "), "{strong}");
    release.send(()).expect("held");
    let late = answers.recv().expect("an answer");
    assert_eq!(status(&late), "502", "{late}");
    for _ in 0..3 {
        assert_eq!(status(&daemon.ask(CONNECT)), "502");
    }
    assert_eq!(proofs(&upstream.heads()), [""; 0], "{:?}", upstream.heads());
}

/// The modes of folder and socket keep everybody else out; this is what holds when they do not.
#[test]
fn the_control_socket_answers_no_other_user_even_where_its_mode_lets_them_in() {
    let Some(mut another_user) = as_another_user() else { return };
    let Some(python) = program("python3", "python3") else { return };
    let (home, open) = (Home::new(), |mode| std::os::unix::fs::PermissionsExt::from_mode(mode));
    let daemon = Daemon::through(&home, &[]);
    let socket = home.runtime().join("gocred/control.sock");
    let folders = socket.ancestors().skip(1).take_while(|folder| folder.starts_with(home.path()));
    for folder in folders {
        fs::set_permissions(folder, open(0o755)).expect("opened");
    }
    fs::set_permissions(&socket, open(0o666)).expect("opened");
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_UNIX)\n\
                  s.connect(sys.argv[1])\n\
                  try:\n s.sendall(b'{\"ask\":\"stop\"}\\n'); got = s.recv(9)\n\
                  except OSError: got = b''\n\
                  print('connected', got)\n";
    // A Python of the user's own may be where nobody else can go.
    let python =
        if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3".into() } else { python };
    let output = another_user.arg(python).args(["-c", script]).arg(&socket).output();
    let output = output.expect("setpriv");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told, "connected b''\n", "{output:?}");
    let report = home.gocred().args(["proxy", "status"]).output().success();
    assert!(report.contains(&daemon.address.to_string()), "it runs on: {report}");
}

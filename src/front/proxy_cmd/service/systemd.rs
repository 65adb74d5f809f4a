//! systemd: two units of the user's own manager. The socket listens; the first connection starts the
//! service.
//!
//! Every restriction is one that the kernel applies to the process itself. Those that need a mount
//! namespace (`ProtectSystem`, `PrivateTmp`) are left out on purpose: in a user's manager they imply
//! a user namespace in which root is nobody, so that the administrator's configuration could not be
//! told from anybody's, and a private `/tmp` hides the Kerberos ticket (`/tmp/krb5cc_1000`).

use std::path::{Path, PathBuf};

use crate::front::proxy_cmd::service::{Facts, File, Service, Step};

const SOCKET: &str = "gocred-proxy.socket";
const SERVICE: &str = "gocred-proxy.service";

/// Returns what there is to do.
pub(super) fn service(facts: &Facts) -> Service {
    let folder = folder(&facts.config);
    let file = |name: &str, text| File { path: folder.join(name), text };
    let reload = || systemctl(&["daemon-reload"]);
    Service {
        name: "systemd",
        files: vec![file(SOCKET, socket(facts)), file(SERVICE, unit(facts))],
        install: vec![
            reload(),
            // An earlier one may run with other addresses, or another program.
            systemctl(&["stop", SOCKET, SERVICE]),
            systemctl(&["enable", "--now", SOCKET]),
        ],
        before_removal: vec![
            systemctl(&["disable", "--now", SOCKET, SERVICE]),
            // A unit that has failed is kept in mind when its file is gone.
            systemctl(&["reset-failed", SOCKET, SERVICE]).tolerated(),
        ],
        after_removal: vec![reload()],
        start: vec![systemctl(&["start", SOCKET, SERVICE])],
        stop: vec![systemctl(&["stop", SOCKET, SERVICE])],
        query: None,
        folders: vec![folder.join("sockets.target.wants"), folder, facts.config.join("systemd")],
        waits: Some(systemctl(&["is-active", "--quiet", SOCKET])),
        starts: "systemd starts it with the first connection",
    }
}

fn folder(config: &Path) -> PathBuf {
    config.join("systemd/user")
}

fn systemctl(arguments: &[&str]) -> Step {
    Step::new("systemctl", &[&["--user"], arguments].concat())
}

fn socket(facts: &Facts) -> String {
    let listen: Vec<String> =
        facts.sockets().map(|address| format!("ListenStream={address}\n")).collect();
    // With the control socket, git's helper starts the agent, too.
    format!(
        "\
# {mark}
[Unit]
Description=gocred, the loopback proxy: its listeners

[Socket]
{listen}ListenStream=%t/gocred/control.sock
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes
Backlog=4096
NoDelay=yes

[Install]
WantedBy=sockets.target
",
        mark = super::MARK,
        listen = listen.concat(),
    )
}

fn unit(facts: &Facts) -> String {
    let variables: Vec<String> = facts
        .variables
        .iter()
        .map(|(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}"))))
        .collect();
    format!(
        "\
# {mark}
[Unit]
Description=gocred, the loopback proxy
Requires={SOCKET}
After={SOCKET}

[Service]
Type=notify
ExecStart={program} proxy run
ExecReload=/bin/kill -HUP $MAINPID
{variables}Restart=on-failure
RestartSec=1
# A wrong command line, configuration or policy does not mend itself.
RestartPreventExitStatus=2 3 7
# Open connections get 10 s.
TimeoutStopSec=15
LimitNOFILE=65536
LimitCORE=0
MemorySwapMax=0
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
",
        mark = super::MARK,
        program = quoted(&facts.program),
        variables = variables.concat(),
    )
}

/// Writes a word as systemd.syntax(7) reads it, without specifiers.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::{quoted, service};
    use crate::front::proxy_cmd::service::tests::facts;

    #[test]
    fn a_word_stays_one_word() {
        assert_eq!(quoted(r#"/home/a b/100%/"x\y"#), r#""/home/a b/100%%/\"x\\y""#);
    }

    #[test]
    fn the_units_name_every_address_and_the_program() {
        let service = service(&facts());
        let [socket, unit] = &service.files[..] else { panic!("{:?}", service.files) };
        assert!(socket.path.ends_with("systemd/user/gocred-proxy.socket"));
        assert!(
            socket.text.contains(
                "\nListenStream=127.0.0.1:7407\nListenStream=[::1]:7407\nListenStream=127.0.0.1:7408\n"
            ),
            "{}",
            socket.text
        );
        assert!(unit.text.contains("\nExecStart=\"/opt/my tools/gocred\" proxy run\n"));
        assert!(unit.text.contains("\nEnvironment=\"SSL_CERT_FILE=/etc/corp & co.pem\"\n"));
    }
}

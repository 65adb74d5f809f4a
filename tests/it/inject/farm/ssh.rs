//! A real sshd that gives everybody whose key it knows the one repository.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test fails by panicking, and starts the programs that it needs"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command},
};

use super::{address, must, serve};

/// Starts it.
pub(super) fn server(own: &Path) -> Child {
    let folder = own.join("ssh");
    fs::create_dir_all(&folder).expect("a folder");
    for (name, secret) in
        [("host", ""), ("key", ""), ("locked", "kanarie-phrase-2Vb"), ("other", "")]
    {
        let mut make = Command::new("ssh-keygen");
        must(
            make.args(["-q", "-t", "ed25519", "-C", "farm", "-N", secret, "-f"])
                .arg(folder.join(name)),
        );
    }
    let public = |name: &str| fs::read_to_string(folder.join(name)).expect("a public key");
    let known = public("key.pub") + &public("locked.pub");
    fs::write(folder.join("authorized"), known).expect("the keys");
    // The folder that sshd goes into before anybody has logged in; a package makes it when the machine starts.
    must(Command::new("mount").args(["-t", "tmpfs", "-o", "mode=0755", "farm", "/run"]));
    fs::create_dir("/run/sshd").expect("a folder");
    fs::set_permissions("/run/sshd", PermissionsExt::from_mode(0o755)).expect("0755");
    let (place, at) = (folder.display().to_string(), address("ssh.corp.test"));
    let repository = own.join("repos/pub.corp.test/team/lib.git").display().to_string();
    let text = format!(
        "ListenAddress {at}:22\nListenAddress {at}:2222\nHostKey {place}/host\nPidFile none\n\
         AuthorizedKeysFile {place}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n\
         ForceCommand git -c safe.directory=* upload-pack {repository}\n"
    );
    let config = folder.join("config");
    fs::write(&config, text).expect("sshd's file");
    serve(own, "sshd", Command::new("/usr/sbin/sshd").arg("-D").arg("-e").arg("-f").arg(config))
}

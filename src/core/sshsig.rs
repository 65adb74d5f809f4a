//! The blob that an SSH key signs (OpenSSH, PROTOCOL.sshsig).

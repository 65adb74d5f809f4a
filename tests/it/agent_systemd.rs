//! The agent under `systemd --user`, started by its socket.

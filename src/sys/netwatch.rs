//! Descriptors that become readable when the network may have changed: the kernel's notices of
//! links, addresses and routes, and the files that the resolver reads.
//!
//! What they say is thrown away: [`crate::sys::netview`] looks at what is. Nothing here waits.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink, recv,
        socket_with,
    },
};

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`,
/// `RTMGRP_IPV6_ROUTE` of linux/rtnetlink.h.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// What is told of a folder: a name in it means another file, or the folder itself is gone.
const FOLDER: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);
/// What is told of a file: it was written in place. In a container it is a mount of its own, and its
/// folder hears nothing.
const FILE: WatchFlags = WatchFlags::MODIFY;

/// More links than this lead nowhere.
const MAX_LINKS: usize = 8;

/// The kernel's notices.
#[derive(Debug)]
pub struct Notices(OwnedFd);

impl Notices {
    /// Subscribes.
    pub fn new() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Throws away what there is.
    pub fn drain(&self) {
        let mut buffer = [0; 8192];
        loop {
            match recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                // NOBUFS: there were more than fit, which is a notice, too.
                Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsRawFd for Notices {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The watch over a file that may be replaced, be a link, or not be there yet.
#[derive(Debug)]
pub struct Files {
    inotify: OwnedFd,
    path: PathBuf,
    watched: BTreeSet<i32>,
}

impl Files {
    /// Starts to watch a file.
    pub fn new(path: &str) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut files = Self { inotify, path: path.into(), watched: BTreeSet::new() };
        files.follow();
        Ok(files)
    }

    /// Throws away what there is.
    pub fn drain(&self) {
        let mut buffer = [0; 8192];
        loop {
            match rustix::io::read(&self.inotify, &mut buffer) {
                Ok(1..) | Err(Errno::INTR) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Goes again where the file's links lead. Called after a change, before the file is read.
    pub fn follow(&mut self) {
        let mut watched = BTreeSet::new();
        let mut place = self.path.clone();
        for _ in 0..MAX_LINKS {
            // Where there is no folder yet, whatever is above it hears of it.
            let folder = place.ancestors().skip(1).find_map(|folder| self.watch(folder, FOLDER));
            watched.extend(folder);
            let Ok(target) = std::fs::read_link(&place) else { break };
            place = place.parent().unwrap_or(&self.path).join(target);
        }
        watched.extend(self.watch(&self.path, FILE));
        for gone in self.watched.difference(&watched) {
            // It fails where the file is gone, and its watch with it.
            let _ = inotify::remove_watch(&self.inotify, *gone);
        }
        self.watched = watched;
    }

    fn watch(&self, path: &Path, what: WatchFlags) -> Option<i32> {
        inotify::add_watch(self.inotify.as_fd(), path, what).ok()
    }
}

impl AsRawFd for Files {
    fn as_raw_fd(&self) -> RawFd {
        self.inotify.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{File, create_dir, remove_file, rename},
        io::Write,
        os::unix::fs::symlink,
    };

    use super::Files;

    /// Returns whether it has heard anything.
    fn heard(files: &mut Files) -> bool {
        let heard = rustix::io::read(&files.inotify, &mut [0; 4096]).is_ok();
        files.follow();
        // A watch that is removed says so.
        files.drain();
        heard
    }

    #[test]
    fn a_file_is_followed_through_its_links_and_from_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        create_dir(at("etc")).unwrap();
        let mut files = Files::new(at("etc/resolv.conf").to_str().unwrap()).unwrap();
        assert!(!heard(&mut files));
        symlink("../run/resolve/stub.conf", at("etc/resolv.conf")).unwrap();
        assert!(heard(&mut files));
        create_dir(at("run")).unwrap();
        assert!(heard(&mut files));
        create_dir(at("run/resolve")).unwrap();
        assert!(heard(&mut files));
        File::create(at("run/resolve/new")).unwrap();
        rename(at("run/resolve/new"), at("run/resolve/stub.conf")).unwrap();
        assert!(heard(&mut files));
        File::create(at("run/resolve/stub.conf")).unwrap().write_all(b"2").unwrap();
        assert!(heard(&mut files));
        remove_file(at("etc/resolv.conf")).unwrap();
        File::create(at("etc/resolv.conf")).unwrap();
        assert!(heard(&mut files));
        // Where it led before is of no interest any more.
        File::create(at("run/resolve/new")).unwrap();
        assert!(!heard(&mut files));
    }

    #[test]
    fn links_that_go_in_a_circle_end() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        symlink(&a, &b).unwrap();
        symlink(&b, &a).unwrap();
        let mut files = Files::new(a.to_str().unwrap()).unwrap();
        remove_file(&b).unwrap();
        assert!(heard(&mut files));
    }
}

//! A file that lies in memory and has no name anywhere: it is gone with the last process that has it open,
//! whatever ends that.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    os::fd::AsRawFd,
    path::PathBuf,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd},
};

/// The least number that it has: scripts use small ones for files of their own.
const LEAST: i32 = 100;

/// A file in memory that the processes have, too, which this one starts.
#[derive(Debug)]
pub struct MemoryFile(File);

impl MemoryFile {
    /// Makes an empty one. `name` is what `/proc` shows.
    pub fn new(name: &str) -> io::Result<Self> {
        let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
        let file = fcntl_dupfd_cloexec(file, LEAST)?;
        fcntl_setfd(&file, FdFlags::empty())?;
        Ok(Self(File::from(file)))
    }

    /// Returns its path, for this process and those below it.
    pub fn path(&self) -> PathBuf {
        format!("/dev/fd/{}", self.0.as_raw_fd()).into()
    }

    /// Writes what it holds from now on. Who reads it at this moment finds no less than before, where
    /// it gets no shorter.
    pub fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(bytes)?;
        self.0.set_len(bytes.len() as u64)
    }
}

impl Drop for MemoryFile {
    /// Empties it for whoever still has it open.
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryFile;

    #[test]
    fn it_is_read_by_its_path_and_empty_in_the_end() {
        let mut file = MemoryFile::new("test").unwrap();
        file.fill(b"one longer").unwrap();
        file.fill(b"two").unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"two");
        let other = std::fs::File::open(file.path()).unwrap();
        drop(file);
        assert_eq!(other.metadata().unwrap().len(), 0);
    }
}

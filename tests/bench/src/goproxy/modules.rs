//! Modules in the folder of a module proxy, and projects that need them.

use std::{
    fmt::Write as _,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

const VERSION: &str = "v1.0.0";
/// How much source a module has, in bytes: about what the median of the public ones has.
const SOURCE: usize = 24 * 1024;

/// Publishes so many modules.
pub fn publish(folder: &Path, count: usize) {
    for number in 0..count {
        let module = format!("bench.test/m{number}");
        let versions = folder.join(&module).join("@v");
        fs::create_dir_all(&versions).expect("folder");
        let write = |name: &str, bytes: &[u8]| fs::write(versions.join(name), bytes).expect(name);
        let modfile = format!("module {module}\n\ngo 1.21\n");
        write("list", format!("{VERSION}\n").as_bytes());
        write(&format!("{VERSION}.info"), info().as_bytes());
        write(&format!("{VERSION}.mod"), modfile.as_bytes());
        let mut source = format!("package m{number}\n\n");
        for line in 0.. {
            if source.len() >= SOURCE {
                break;
            }
            // Different in each module and line.
            let _ =
                writeln!(source, "const C{line} = {}", line * 2_654_435_761_u64 ^ number as u64);
        }
        let prefix = format!("{module}@{VERSION}/");
        let files = [("go.mod", modfile.as_bytes()), ("m.go", source.as_bytes())];
        let files = files.map(|(name, bytes)| (format!("{prefix}{name}"), bytes));
        write(&format!("{VERSION}.zip"), &zip(&files));
    }
}

fn info() -> String {
    format!("{{\"Version\":\"{VERSION}\",\"Time\":\"2026-01-02T03:04:05Z\"}}")
}

/// Publishes an answer of 1 KB, and a zip of so many MiB whose middle is a hole.
pub fn publish_extremes(folder: &Path, large: u64) -> [String; 2] {
    let paths = ["small", "large"].map(|name| format!("/bench.test/{name}/@v/{VERSION}"));
    for path in &paths {
        let file = folder.join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().expect("a folder")).expect("folder");
    }
    let [small, zip] = [format!("{}.info", paths[0]), format!("{}.zip", paths[1])];
    let mut text = info();
    text.push_str(&" ".repeat(1024 - text.len()));
    fs::write(folder.join(small.trim_start_matches('/')), text).expect("small");
    let mut file = fs::File::create(folder.join(zip.trim_start_matches('/'))).expect("large");
    file.write_all(b"PK\x03\x04").expect("large");
    file.set_len(large * 1024 * 1024).expect("large");
    [small, zip]
}

/// Makes a project that needs so many of them; returns its folder.
pub fn project(folder: &Path, count: usize) -> PathBuf {
    let folder = folder.join(format!("project-{count}"));
    fs::create_dir_all(&folder).expect("folder");
    let mut modfile = "module bench.test/project\n\ngo 1.21\n\nrequire (\n".to_owned();
    for number in 0..count {
        let _ = writeln!(modfile, "\tbench.test/m{number} {VERSION}");
    }
    modfile.push_str(")\n");
    fs::write(folder.join("go.mod"), modfile).expect("go.mod");
    folder
}

/// Returns an archive of files that are stored as they are (APPNOTE.TXT 4.3).
fn zip(files: &[(String, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let offset = u32::try_from(archive.len()).expect("a small archive");
        let length = u32::try_from(bytes.len()).expect("a small file").to_le_bytes();
        // From the version that is needed to the length of the extra field.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(bytes).to_le_bytes());
        common.extend(length);
        common.extend(length);
        common.extend(u16::try_from(name.len()).expect("a name").to_le_bytes());
        common.extend([0, 0]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&common);
        archive.extend(name.as_bytes());
        archive.extend(*bytes);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length) = (archive.len(), directory.len());
    let count = u16::try_from(files.len()).expect("few files").to_le_bytes();
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count);
    archive.extend(count);
    archive.extend(u32::try_from(length).expect("a small archive").to_le_bytes());
    archive.extend(u32::try_from(start).expect("a small archive").to_le_bytes());
    archive.extend([0, 0]);
    archive
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

//! The module proxy's files, as go.dev/ref/mod#goproxy-protocol lays them out, and variants of them that
//! are wrong.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, fs, path::Path};

use base64::Engine as _;
use hmac_sha256::Hash;

use super::repositories;

/// How many modules `example.com/m00`… there are.
const MANY: usize = 30;

/// The sums of a module: path, `h1:` of its zip, `h1:` of its go.mod.
pub(super) type Sum = (String, String, String);

/// Makes `modules/`, and returns the sums for the checksum database.
pub(super) fn make(folder: &Path) -> Vec<Sum> {
    let mut sums = Vec::new();
    for (host, name) in [("pub.corp.test", "lib"), ("pub.corp.test", "dep")] {
        let files = repositories::files(host, name);
        sums.push(module(folder, &format!("{host}/team/{name}"), &files));
    }
    let mut public = vec!["example.com/pub".to_owned(), "example.com/Pub".to_owned()];
    public.extend((0..MANY).map(|number| format!("example.com/m{number:02}")));
    for path in public {
        let files = [
            ("go.mod".to_owned(), format!("module {path}\n\ngo 1.18\n")),
            ("pub.go".to_owned(), "package pub\n\nconst N = 1\n".to_owned()),
        ];
        sums.push(module(folder, &path, &files));
    }
    // A fork that was not renamed, and a package that a proxy packs as if it were a module.
    let fork = [
        ("go.mod".to_owned(), "module example.com/pub\n\ngo 1.18\n".to_owned()),
        ("pub.go".to_owned(), "package pub\n".to_owned()),
    ];
    sums.push(module(folder, "example.com/fork", &fork));
    let sub = [
        ("go.mod".to_owned(), "module example.com/pub/sub\n\ngo 1.18\n".to_owned()),
        ("sub.go".to_owned(), "package sub\n".to_owned()),
    ];
    sums.push(module(folder, "example.com/pub/sub", &sub));
    let packed = folder.join("modules/example.com/pub/sub/@v/v1.0.0.zip");
    fs::write(packed, archive("example.com/pub", &sub)).expect("written");
    // One that is newer than most that need it.
    let young = [
        ("go.mod".to_owned(), "module example.com/young\n\ngo 1.24\n".to_owned()),
        ("young.go".to_owned(), "package young\n".to_owned()),
    ];
    sums.push(module(folder, "example.com/young", &young));
    let good = folder.join("modules/example.com/pub/@v");
    let zip = fs::read(good.join("v1.0.0.zip")).expect("the zip");
    // The same module with other content: what a tampering proxy serves.
    let bad = [
        ("go.mod".to_owned(), "module example.com/pub\n\ngo 1.18\n".to_owned()),
        ("pub.go".to_owned(), "package pub\n\nconst N = 2\n".to_owned()),
    ];
    let changed = folder.join("modules/changed.zip");
    fs::write(changed, archive("example.com/pub", &bad)).expect("written");
    fs::write(folder.join("modules/bad.zip"), "<html>not a zip</html>").expect("written");
    let half = zip.get(..zip.len() / 2).expect("half a zip");
    fs::write(folder.join("modules/half.zip"), half).expect("written");
    sums
}

/// Writes one module, and returns its sums.
fn module(folder: &Path, path: &str, files: &[(String, String)]) -> Sum {
    let mut escaped = String::new();
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(letter.to_ascii_lowercase());
    }
    let place = folder.join("modules").join(escaped);
    let versions = place.join("@v");
    fs::create_dir_all(&versions).expect("a folder");
    let info = r#"{"Version":"v1.0.0","Time":"2026-01-02T03:04:05Z"}"#;
    let go_mod = &files.first().expect("go.mod").1;
    fs::write(place.join("@latest"), info).expect("written");
    fs::write(versions.join("list"), "v1.0.0\n").expect("written");
    fs::write(versions.join("v1.0.0.info"), info).expect("written");
    fs::write(versions.join("v1.0.0.mod"), go_mod).expect("written");
    fs::write(versions.join("v1.0.0.zip"), archive(path, files)).expect("written");
    let named: Vec<(String, &str)> =
        files.iter().map(|(name, text)| (format!("{path}@v1.0.0/{name}"), text.as_str())).collect();
    (path.to_owned(), sum(named), sum(vec![("go.mod".to_owned(), go_mod)]))
}

/// `h1:`, as golang.org/x/mod/sumdb/dirhash documents it: a SHA-256 of the list of SHA-256s.
fn sum(mut files: Vec<(String, &str)>) -> String {
    files.sort();
    let mut list = String::new();
    for (name, text) in files {
        for byte in Hash::hash(text.as_bytes()) {
            let _ = write!(list, "{byte:02x}");
        }
        let _ = writeln!(list, "  {name}");
    }
    let sum = Hash::hash(list.as_bytes());
    format!("h1:{}", base64::engine::general_purpose::STANDARD.encode(sum))
}

/// A zip whose files are stored as they are (APPNOTE 4.3).
fn archive(path: &str, files: &[(String, String)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let name = format!("{path}@v1.0.0/{name}");
        let at = u32::try_from(bytes.len()).expect("small");
        let length = u32::try_from(text.len()).expect("small");
        let name_length = u16::try_from(name.len()).expect("small");
        let mut head = Vec::new();
        // Version 2.0, no flags, stored, 1980-01-01.
        for number in [20_u16, 0, 0, 0, 0x21] {
            head.extend(number.to_le_bytes());
        }
        for number in [crc(text.as_bytes()), length, length] {
            head.extend(number.to_le_bytes());
        }
        head.extend(name_length.to_le_bytes());
        head.extend(0_u16.to_le_bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&head);
        bytes.extend(name.as_bytes());
        bytes.extend(text.as_bytes());
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&head);
        directory.extend([0; 10]); // no comment, first disk, no attributes
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(files.len()).expect("few").to_le_bytes();
    let start = u32::try_from(bytes.len()).expect("small");
    let length = u32::try_from(directory.len()).expect("small");
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count);
    bytes.extend(count);
    bytes.extend(length.to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// CRC-32 of ISO 3309, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

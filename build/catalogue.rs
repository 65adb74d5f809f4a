//! The catalogue: `catalogue/CODE.toml`, one file a code, becomes `ENTRIES`. What is missing in a file, or
//! not known, ends the build with the file's name.

use std::{fmt::Write, fs, io, path::Path};

use toml::{Table, Value};

/// The letters of the codes, with their layers.
const LAYERS: &[(char, &str)] = &[
    ('E', "Configuration"),
    ('D', "Names"),
    ('N', "Transport"),
    ('P', "Proxy"),
    ('T', "Tls"),
    ('H', "Http"),
    ('A', "Authentication"),
    ('G', "Git"),
    ('M', "Module"),
    ('S', "Sumdb"),
    ('L', "Local"),
    ('K', "Gocred"),
];

/// The fields of a file that are texts; each must be there.
const TEXTS: &[&str] =
    &["title", "title_zh", "cause", "cause_zh", "evidence", "fix", "fix_zh", "test"];

/// Writes the table.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    println!("cargo:rerun-if-changed=catalogue");
    println!("cargo:rerun-if-changed=build/catalogue.rs");
    let mut files: Vec<_> = fs::read_dir("catalogue")?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut table =
        String::from("/// The catalogue, by code.\npub static ENTRIES: &[Entry] = &[\n");
    for file in files {
        let (path, name) = (file.path(), file.file_name());
        let name = name.to_string_lossy();
        let text = fs::read_to_string(&path)?;
        let entry = entry(&name, &text);
        table += &entry.map_err(|why| io::Error::other(format!("catalogue/{name}: {why}")))?;
    }
    table += "];\n";
    fs::write(folder.join("catalogue.rs"), table)
}

/// Returns an entry as Rust writes it.
fn entry(name: &str, text: &str) -> Result<String, String> {
    let code = name.strip_suffix(".toml").ok_or("not a .toml file")?;
    let mut letters = code.chars();
    let letter = letters.next().ok_or("no code")?;
    let layer = LAYERS.iter().find(|(own, _)| *own == letter).ok_or("no such layer")?.1;
    if letters.clone().count() != 2 || !letters.all(|digit| digit.is_ascii_digit()) {
        return Err("the name is not a letter and two digits".to_owned());
    }
    let mut fields: Table = text.parse().map_err(|error| format!("{error}"))?;
    let mut out = format!("Entry {{ code: {code:?}, layer: Layer::{layer}, ");
    for name in TEXTS {
        let Some(Value::String(value)) = fields.remove(*name) else {
            return Err(format!("`{name}` is missing"));
        };
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if value.is_empty() && *name != "evidence" {
            return Err(format!("`{name}` is empty"));
        }
        let _ = write!(out, "{name}: {value:?}, ");
    }
    let severity = match fields.remove("severity") {
        Some(Value::String(word)) if word == "error" => "Error",
        Some(Value::String(word)) if word == "warning" => "Warning",
        Some(Value::String(word)) if word == "info" => "Info",
        _ => return Err("`severity` is not error, warning or info".to_owned()),
    };
    let _ = write!(out, "severity: Severity::{severity}, patterns: &[");
    let patterns = fields.remove("patterns");
    for pattern in patterns.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let pattern = pattern.as_array().map(Vec::as_slice);
        let Some([Value::String(tool), Value::String(text)]) = pattern else {
            return Err("`patterns` are not pairs of texts".to_owned());
        };
        let _ = write!(out, "({tool:?}, {text:?}), ");
    }
    if let Some(unknown) = fields.keys().next() {
        return Err(format!("`{unknown}` is not known"));
    }
    Ok(out + "] },\n")
}

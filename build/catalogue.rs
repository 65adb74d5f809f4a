//! The catalogue: `catalogue/CODE.toml`, one file a code, becomes `ENTRIES`, a small table, and `PAGES`, one
//! text with everything else: a table of texts would be a relocation each when the program starts. What is
//! missing in a file, or not known, ends the build with the file's name.

use std::{collections::BTreeSet, fmt::Write, fs, io, path::Path};

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

/// The texts of the small table.
const SHORT: &[&str] = &["title", "fix"];

/// The lines of a page, in this order; `src/core/doctor/catalogue.rs` reads them so. Behind them stand
/// the patterns.
const PAGE: &[&str] =
    &["title_zh", "cause", "cause_zh", "evidence", "evidence_zh", "fix_zh", "command", "test"];

/// Who prints what a pattern describes; or nobody prints anything, or go nothing but `go: downloading`.
const PRINTERS: &[&str] = &["go", "git", "curl", "silent", "downloading"];

/// Writes the table and the pages.
#[expect(clippy::disallowed_methods, reason = "what a build script writes is no file of a user")]
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    println!("cargo:rerun-if-changed=catalogue");
    println!("cargo:rerun-if-changed=build/catalogue.rs");
    let mut files: Vec<_> = fs::read_dir("catalogue")?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut table =
        String::from("/// The catalogue, by code.\npub static ENTRIES: &[Entry] = &[\n");
    let (mut pages, injected) = (String::new(), injected()?);
    for file in files {
        let (path, name) = (file.path(), file.file_name());
        let name = name.to_string_lossy();
        let text = fs::read_to_string(&path)?;
        let entry = entry(&name, &text, &injected, &mut pages);
        table += &entry.map_err(|why| io::Error::other(format!("catalogue/{name}: {why}")))?;
    }
    table += "];\n";
    fs::write(folder.join("catalogue.txt"), pages)?;
    fs::write(folder.join("catalogue.rs"), table)
}

/// Returns the codes that a case injects: the first word of a call, `Case::new("P02")`. A package without
/// tests has none. A change of a case does not build the program anew: a fresh build looks again.
fn injected() -> io::Result<BTreeSet<String>> {
    let mut codes = BTreeSet::new();
    let Ok(folder) = fs::read_dir("tests/it/inject/cases") else { return Ok(codes) };
    for file in folder {
        let text = fs::read_to_string(file?.path())?;
        for call in text.split('(').skip(1) {
            let word = call.trim_start().strip_prefix('"').and_then(|word| word.get(..4));
            codes.extend(word.and_then(|word| word.strip_suffix('"')).map(str::to_owned));
        }
    }
    Ok(codes)
}

/// Returns an entry as Rust writes it, and adds its page.
fn entry(
    name: &str,
    text: &str,
    injected: &BTreeSet<String>,
    pages: &mut String,
) -> Result<String, String> {
    let code = name.strip_suffix(".toml").ok_or("not a .toml file")?;
    let mut letters = code.chars();
    let letter = letters.next().ok_or("no code")?;
    let layer = LAYERS.iter().find(|(own, _)| *own == letter).ok_or("no such layer")?.1;
    if letters.clone().count() != 2 || !letters.all(|digit| digit.is_ascii_digit()) {
        return Err("the name is not a letter and two digits".to_owned());
    }
    let mut fields: Table = text.parse().map_err(|error| format!("{error}"))?;
    let mut out = format!("Entry {{ code: {code:?}, layer: Layer::{layer}, ");
    for name in SHORT {
        let _ = write!(out, "{name}: {:?}, ", line(&mut fields, name)?);
    }
    let severity = match fields.remove("severity") {
        Some(Value::String(word)) if word == "error" => "Error",
        Some(Value::String(word)) if word == "warning" => "Warning",
        Some(Value::String(word)) if word == "info" => "Info",
        _ => return Err("`severity` is not error, warning or info".to_owned()),
    };
    let common = fields.remove("common").as_ref().and_then(Value::as_integer);
    let common =
        common.filter(|common| (1..=9).contains(common)).ok_or("`common` is not 1 to 9")?;
    if let Some(Value::String(test)) = fields.get("test") {
        let is_there = injected.is_empty() || injected.contains(test);
        if !is_there && !test.starts_with("not injected: ") {
            return Err(format!("no case of tests/it/inject/cases injects {test}"));
        }
    }
    let start = pages.len();
    for name in PAGE {
        *pages += &line(&mut fields, name)?;
        pages.push('\n');
    }
    let patterns = fields.remove("patterns");
    for pattern in patterns.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let pattern = pattern.as_array().map(Vec::as_slice);
        let Some([Value::String(printer), Value::String(text)]) = pattern else {
            return Err("`patterns` are not pairs of texts".to_owned());
        };
        if !PRINTERS.contains(&printer.as_str()) || text.contains('\n') {
            return Err(format!("the pattern {printer:?}, {text:?} is none"));
        }
        let _ = writeln!(pages, "{printer} {text}");
    }
    if let Some(unknown) = fields.keys().next() {
        return Err(format!("`{unknown}` is not known"));
    }
    let end = pages.len();
    let _ = writeln!(
        out,
        "severity: Severity::{severity}, common: {common}, page: ({}, {}) }},",
        number(start),
        number(end)
    );
    Ok(out)
}

/// Writes a number as the style has it, `123_456`.
fn number(number: usize) -> String {
    match (number / 1000, number % 1000) {
        (0, _) => number.to_string(),
        (thousands, rest) => format!("{thousands}_{rest:03}"),
    }
}

/// Takes a text out of a file, as one line.
fn line(fields: &mut Table, name: &str) -> Result<String, String> {
    let Some(Value::String(value)) = fields.remove(name) else {
        return Err(format!("`{name}` is missing"));
    };
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if value.is_empty() {
        return Err(format!("`{name}` is empty"));
    }
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    if name.ends_with("_zh") && name != "evidence_zh" && !value.contains(is_chinese) {
        return Err(format!("`{name}` is not Chinese"));
    }
    Ok(value)
}

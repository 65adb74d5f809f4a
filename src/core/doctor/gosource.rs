//! What a Go source file imports. It is no parser: the head of a file, as gofmt writes it, is all that is read.

/// Returns the paths that a file imports. `None`: it is not built everywhere (a `//go:build` line).
pub fn imports(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let (mut is_block, mut is_comment) = (false, false);
    for line in text.lines() {
        let line = line.trim();
        if is_comment {
            is_comment = !line.contains("*/");
            continue;
        }
        if line.starts_with("//go:build") || line.starts_with("// +build") {
            return None;
        }
        if line.starts_with("/*") {
            is_comment = !line.contains("*/");
            continue;
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        if is_block {
            is_block = !line.starts_with(')');
            found.extend(path(line));
        } else if let Some(rest) = line.strip_prefix("import") {
            is_block = rest.trim_start().starts_with('(') && !rest.contains(')');
            found.extend(path(rest));
        } else if !line.starts_with("package ") {
            break;
        }
    }
    Some(found)
}

/// Returns what stands between the quotes.
fn path(line: &str) -> Option<String> {
    let quote = line.find(['"', '`'])?;
    let (_, rest) = line.split_at(quote);
    let mut parts = rest.split(['"', '`']);
    parts.next();
    parts.next().map(str::to_owned)
}

/// Whether a file is one of every platform and of no test, by its name (go/build `goodOSArchFile`).
pub fn is_of_all(name: &str) -> bool {
    const SYSTEMS: &[&str] = &[
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "illumos",
        "ios",
        "js",
        "linux",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "unix",
        "wasip1",
        "windows",
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mips64",
        "mips64le",
        "mipsle",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "wasm",
        "test",
    ];
    let Some(stem) = name.strip_suffix(".go").filter(|stem| !stem.starts_with(['.', '_'])) else {
        return false;
    };
    stem.rsplit_once('_').is_none_or(|(_, last)| !SYSTEMS.contains(&last))
}

#[cfg(test)]
mod tests {
    use super::{imports, is_of_all};

    #[test]
    fn the_head_of_a_file_names_its_imports() {
        let text = "// Package m.\npackage m\n\nimport \"a.test/x\"\nimport (\n\t// y\n\t_ \"b.test/y\" // c\n\tz `c.test/z`\n)\n\n\
                    const s = \"d.test/no\"\n";
        assert_eq!(imports(text).unwrap(), ["a.test/x", "b.test/y", "c.test/z"]);
        assert_eq!(
            imports("package m\nimport(\"a.test/x\")\nvar x = \"y\"\n").unwrap(),
            ["a.test/x"]
        );
        assert!(imports("//go:build ignore\n\npackage m\n").is_none());
        assert_eq!(imports("/*\nimport \"no\"\n*/\npackage m\n").unwrap(), [""; 0]);
    }

    #[test]
    fn a_file_of_one_platform_or_of_a_test_is_passed_over() {
        assert!(is_of_all("m.go") && is_of_all("a_b.go"));
        for name in ["m_test.go", "m_windows.go", "m_linux_amd64.go", "_m.go", "m.txt"] {
            assert!(!is_of_all(name), "{name}");
        }
    }
}

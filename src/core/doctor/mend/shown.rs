//! A line of a user's file as a diff shows it: without what may be secret in it. Better too much is hidden than
//! one word too few.

use super::MARK;
use crate::core::doctor::private::{Private, has_places};

/// Words behind which a secret stands, in small letters: netrc's, and those of headers.
const BEFORE: &[&str] = &["password", "account", "authorization:", "basic", "bearer", "token"];

/// Returns a line as it is shown.
pub fn shown(line: &str) -> String {
    if let Some(rest) = line.strip_prefix(MARK) {
        return format!("{MARK}{}", shown(rest));
    }
    let name = line.split('=').next().unwrap_or_default();
    let name = name.rsplit([' ', '\t', ']', '.']).find(|word| !word.is_empty());
    let value = line.split_once('=').map_or("", |(_, value)| value);
    match name.unwrap_or_default().to_ascii_lowercase().as_str() {
        "goauth" => {
            let programs = Private::new(value).programs();
            let is_whole = programs.split("; ").eq(value.split(';'));
            if is_whole { line.to_owned() } else { format!("{}={programs}", before(line, "=")) }
        }
        "goflags" => format!("{}={}", before(line, "="), Private::new(value).flags()),
        // What a helper is given may be a password, and so may what stands in a header.
        "helper" | "extraheader" => {
            let first = value.split_whitespace().next().unwrap_or_default();
            let rest = if first.len() < value.trim().len() { " …" } else { "" };
            let first = if first.starts_with(['!', '"', '\'']) { "…" } else { first };
            format!("{}= {first}{rest}", before(line, "="))
        }
        _ => Private::new(words(line)).to_string(),
    }
}

fn before<'a>(line: &'a str, mark: &str) -> &'a str {
    line.split(mark).next().unwrap_or_default()
}

/// Cuts a line behind the first word that a secret follows.
fn words(line: &str) -> String {
    let mut at = 0;
    for word in line.split_inclusive([' ', '\t', '"', '=']) {
        at += word.len();
        let plain = word.trim_end_matches([' ', '\t', '"', '=']).to_ascii_lowercase();
        let rest = line.get(at..).unwrap_or_default();
        if BEFORE.contains(&plain.as_str()) && !rest.trim().is_empty() {
            return format!("{}***", line.get(..at).unwrap_or_default());
        }
        if has_places(&plain) && rest.contains(':') {
            let before = line.get(..at).unwrap_or_default();
            let value = rest.trim_start_matches(['=', ' ', '\t', '"', '\'']);
            let gap = rest.get(..rest.len() - value.len()).unwrap_or_default();
            return format!("{before}{gap}{}", Private::of(&plain, value));
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn no_secret_of_a_line_is_shown() {
        for (line, wanted) in [
            ("GOPROXY=https://h,direct", "GOPROXY=https://h,direct"),
            ("GOPROXY=https://a:hunter2@h", "GOPROXY=https://a:***@h"),
            ("GOAUTH=x --token hunter2;netrc", "GOAUTH=x …; netrc"),
            ("GOAUTH=/bin/gocred goauth;netrc", "GOAUTH=/bin/gocred goauth;netrc"),
            ("GOFLAGS=-tags=x -ldflags=-X=a.t=hunter2", "GOFLAGS=-tags=x -ldflags=…"),
            ("machine h login u password hunter2", "machine h login u password ***"),
            ("  password hunter2 login u", "  password ***"),
            ("\thelper = store", "\thelper = store"),
            ("\thelper = \"!f() { echo password=hunter2; }; f\"", "\thelper = … …"),
            (
                "[http] extraHeader = Authorization: Basic hunter2",
                "[http] extraHeader = Authorization: …",
            ),
            ("\textraHeader = \"X: hunter2\"", "\textraHeader = … …"),
            ("[url \"https://u:hunter2@h/\"]", "[url \"https://u:***@h/\"]"),
            ("export https_proxy='http://u:hun'ter2@h:1'", "export https_proxy='http://u:***@h:1'"),
            (
                "# gocred doctor: machine h password hunter2",
                "# gocred doctor: machine h password ***",
            ),
            ("\tAuthorization: Basic hunter2", "\tAuthorization: ***"),
            ("export X_TOKEN=1", "export X_TOKEN=1"),
            ("GOPROXY=ana:hunter2", "GOPROXY=ana:***"),
            ("export GOPROXY='ana:hunter2',direct", "export GOPROXY='ana:***"),
            ("export https_proxy=ana:hunter2 x=y", "export https_proxy=ana:***"),
            ("set -gx HTTPS_PROXY ana:hunter2", "set -gx HTTPS_PROXY ana:***"),
            ("\tproxy = \"ana:hunter2\"", "\tproxy = \"ana:***"),
            ("export HTTPS_PROXY=http://h:80", "export HTTPS_PROXY=http://h:80"),
            ("https_proxy=h:80; x=y", "https_proxy=h:80; x=y"),
            ("NO_PROXY=h:80,[::1]", "NO_PROXY=h:80,[::1]"),
        ] {
            assert_eq!(shown(line), wanted);
        }
    }
}

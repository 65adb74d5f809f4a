//! `gocred explain`: a code's page, or the likeliest causes of what a tool printed. It sends no packet, and
//! repeats nothing of what was pasted but the place to look at.

use std::io::{self, IsTerminal as _, Read};

use secrecy::zeroize::Zeroizing;
use serde_json::{Value, json};

use crate::{
    cli::Explain,
    core::{
        credential::Kind as Namespace,
        doctor::{
            catalogue::{self, Entry, Language},
            checks,
            explain::{
                self, Candidate, Explanation,
                about::About,
                names::Names,
                signs::{Kept, Signs},
            },
            finding::{self, Layer, Severity},
            machine::Machine,
            route,
            shell::quoted,
            target::Target,
        },
        fault::{Fault, Kind},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        doctor::{
            json::{layer_word, severity_word},
            look::configured,
            state,
        },
        ui,
    },
    net,
    store::index::Index,
    sys::{self, env::Env},
};

/// How much of a text is kept at each of its ends: a build's log may be long, and its failure stands at one.
const KEPT: usize = 256 << 10;

/// How much is read at most.
const LIMIT: u64 = 1 << 30;

/// How wide the text of a page is.
const WIDTH: usize = 88;

/// How many lines of what the tools print a page shows.
const PRINTED: usize = 3;

/// Runs the command.
pub fn run(arguments: &Explain, context: &Context) -> Outcome {
    let language = language(&context.env);
    if arguments.what == "-" {
        let text = read()?;
        let about = About::of(&text);
        let (signs, names) = look(&text, &about, context);
        let found = explain::explain(&text, &signs);
        let target = about.target.as_deref();
        if arguments.json {
            ui::json(&as_json(&found, target, &names))?;
        } else {
            for line in causes(&found, target, &names, language) {
                ui::out(&line);
            }
        }
        return Ok(if found.candidates.is_empty() { Answer::No } else { Answer::Yes });
    }
    let Some(entry) = catalogue::find(arguments.what.trim()) else {
        return Err(unknown(&arguments.what, language));
    };
    if arguments.json {
        ui::json(&page_json(entry))?;
    } else {
        for line in page(entry, language) {
            ui::out(&line);
        }
    }
    Ok(Answer::Yes)
}

/// Returns the language of the pages, as POSIX has it: the first of three variables that is set.
pub(super) fn language(env: &Env) -> Language {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
    match names.into_iter().find_map(|name| env.text(name)) {
        Some(locale) if locale.to_ascii_lowercase().starts_with("zh") => Language::Chinese,
        _ => Language::English,
    }
}

/// Says that there is no such code, and which are near: those of its letter, or of a few words.
fn unknown(what: &str, language: Language) -> Fault {
    let mut fault =
        Fault::new(Kind::NotFound, format!("there is no code `{}`", printable(what.trim())));
    for entry in catalogue::near(what) {
        let title = entry.page(language).title;
        fault = fault.hint(format!("gocred explain {}   # {title}", entry.code));
    }
    fault.hint("gocred doctor --list-checks")
}

/// Reads what a tool printed. It may hold secrets: what is read is wiped.
fn read() -> Result<Zeroizing<String>, Fault> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        ui::err("paste what go, git or curl printed, then press Ctrl-D");
    }
    ends(stdin.lock().take(LIMIT))
        .map_err(|error| Fault::new(Kind::Usage, "standard input cannot be read").cause(error))
}

/// Keeps the beginning and the end of a long text, in whole lines.
fn ends(mut from: impl Read) -> io::Result<Zeroizing<String>> {
    // Never grown, so that nothing of it stays behind.
    let mut kept = Zeroizing::new(Vec::with_capacity(3 * KEPT));
    let mut piece = Zeroizing::new(vec![0; KEPT]);
    let mut is_cut = false;
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            break;
        }
        kept.extend_from_slice(piece.get(..read).unwrap_or_default());
        let length = kept.len();
        if length > 2 * KEPT {
            kept.drain(KEPT..length - KEPT);
            is_cut = true;
        }
    }
    if is_cut {
        // Half a line may end within a login.
        let is_end = |byte: &u8| *byte == b'\n';
        let (start, end) = kept.split_at(KEPT);
        let before = start.iter().rposition(is_end).map_or(0, |at| at + 1);
        let behind = KEPT + end.iter().position(is_end).map_or(end.len(), |at| at + 1);
        kept.splice(before..behind, "…\n".bytes());
    }
    Ok(Zeroizing::new(match kept.as_slice() {
        // Windows PowerShell writes its files so (UTF-16, a mark at the start).
        [0xff, 0xfe, rest @ ..] if !is_cut => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] if !is_cut => wide(rest, u16::from_be_bytes),
        all => String::from_utf8_lossy(all).into_owned(),
    }))
}

/// Reads UTF-16.
fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let letters = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
    // Reserved in one piece, so that nothing of it stays behind.
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(letters.map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)));
    text
}

/// Looks at this machine: files, variables, what gocred keeps. No packet is sent, and no store is asked.
fn look(text: &str, about: &About, context: &Context) -> (Signs, Names) {
    let word = about.target.as_deref();
    let target = word.and_then(|word| Target::parse(word).ok()).unwrap_or(Target::Here);
    let mut machine = sys::doctor::read(&target, &context.env, &context.paths);
    machine.gocred = state::read(&configured(context), true);
    let findings = checks::all(&target, &machine);
    let signs = Signs::of(about, &machine, &kept(text, about, &machine, context), findings);
    (signs, Names::of(about, &machine))
}

fn kept(text: &str, about: &About, machine: &Machine, context: &Context) -> Kept {
    let index = Index::load(&context.paths.state).ok().flatten();
    let of = |kind| index.iter().flat_map(|it| it.origins(kind).cloned()).collect();
    // Certificates are read only where the text is about them: it takes a while.
    let is_about_them = ["certificate", "x509"].iter().any(|word| text.contains(word));
    let route = about.link.as_ref().and_then(|link| route::route(about.tool, link, machine));
    let has_roots = match route {
        Some(route) if is_about_them => net::doctor::has_roots(&route.trust),
        _ => true,
    };
    Kept { proxies: of(Namespace::Proxy), hosts: of(Namespace::Git), has_roots }
}

/// A page as text.
fn page(entry: &Entry, language: Language) -> Vec<String> {
    let page = entry.page(language);
    let (severity, layer) = place(entry, language);
    let (names, comma) = match language {
        Language::English => (["Cause", "Seen by", "Mend"], ", "),
        Language::Chinese => (["原因", "依据", "解决"], "，"),
    };
    let mut lines =
        vec![format!("{}  {}", entry.code, page.title), format!("     {severity}{comma}{layer}")];
    let printed = printed(entry);
    if !printed.is_empty() {
        let name = match language {
            Language::English => "Printed, among others",
            Language::Chinese => "工具的输出（部分）",
        };
        lines.extend([String::new(), name.to_owned()]);
        lines.extend(printed);
    }
    for (name, text) in names.into_iter().zip([page.cause, page.evidence, page.fix]) {
        lines.extend([String::new(), name.to_owned()]);
        lines.extend(wrapped(text).into_iter().map(|line| format!("  {line}")));
    }
    lines.push(format!("    {}", page.command));
    if page.command.contains("corp.example") {
        lines.push(match language {
            Language::English => {
                "  (with your own hosts in place of those of corp.example)".to_owned()
            }
            Language::Chinese => "  （请把 corp.example 换成您自己的主机）".to_owned(),
        });
    }
    lines.push(String::new());
    lines.push(match language {
        Language::English => "`gocred doctor` looks whether it is so here".to_owned(),
        Language::Chinese => "`gocred doctor` 检查本机是否如此".to_owned(),
    });
    lines
}

/// What the tools print, a few lines.
fn printed(entry: &Entry) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (tool, pattern) in entry.patterns().filter(|(_, pattern)| !pattern.trim().is_empty()) {
        let line = format!("  {tool}: {}", explain::shown(pattern));
        if lines.len() < PRINTED && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// How bad it is, and where on the way.
fn place(entry: &Entry, language: Language) -> (&'static str, &'static str) {
    if language == Language::English {
        return (severity_word(entry.severity), layer_word(entry.layer));
    }
    let severity = match entry.severity {
        Severity::Error => "错误",
        Severity::Warning => "警告",
        Severity::Info => "提示",
    };
    let layer = match entry.layer {
        Layer::Configuration => "配置",
        Layer::Names => "域名解析",
        Layer::Transport => "网络连接",
        Layer::Proxy => "公司代理",
        Layer::Tls => "TLS",
        Layer::Http => "HTTP 与网关",
        Layer::Authentication => "身份认证",
        Layer::Git => "git",
        Layer::Module => "模块代理",
        Layer::Sumdb => "校验数据库",
        Layer::Local => "本机",
        Layer::Gocred => "gocred",
    };
    (severity, layer)
}

/// The likeliest causes as text.
fn causes(
    found: &Explanation,
    target: Option<&str>,
    names: &Names,
    language: Language,
) -> Vec<String> {
    let is_chinese = language == Language::Chinese;
    let say =
        |english: &'static str, chinese: &'static str| if is_chinese { chinese } else { english };
    let next = next(target);
    if found.candidates.is_empty() {
        return vec![
            say(
                "no code of the catalogue prints this; the doctor can look for itself:",
                "目录中没有与此输出对应的代码；可以让 doctor 直接检查：",
            )
            .to_owned(),
            format!("  {next}"),
        ];
    }
    let first = match found.candidates.len() {
        1 => say("what it most likely is:", "最可能的原因："),
        _ => say("what it may be, the likeliest first:", "可能的原因，最可能的在前："),
    };
    let mut lines = vec![first.to_owned(), String::new()];
    for candidate in &found.candidates {
        let page = candidate.entry.page(language);
        lines.push(format!("{}  {}", candidate.entry.code, page.title));
        lines.extend(wrapped(page.cause).into_iter().map(|line| format!("  {line}")));
        lines.push(format!("  {}: {}", say("printed", "输出"), words(candidate, language)));
        lines.push(format!("  {}: {}", say("seen by", "依据"), page.evidence));
        let mut command = names.fill(page.command);
        if let Some(here) = &candidate.here {
            let said = format!("{}: {}", say("on this machine", "本机"), here.cause);
            lines.extend(wrapped(&said).into_iter().map(|line| format!("  {line}")));
            if !here.command.is_empty() {
                command.clone_from(&here.command);
            }
        }
        lines.push(format!("  {}: {}", say("mend", "解决"), page.fix));
        lines.push(format!("    {command}"));
        lines.push(String::new());
    }
    if !found.same.is_empty() {
        let name = say("the same is printed for", "输出相同的还有");
        lines.push(format!("{name}:"));
        let same = found.same.iter().map(|entry| (entry.code, entry.page(language).title));
        lines.extend(same.map(|(code, title)| format!("  {code}  {title}")));
        lines.push(String::new());
    }
    let last = match (found.candidates.len(), found.alike) {
        (1, _) => say("this looks whether it is so:", "以下命令可以确认是否如此：").to_owned(),
        (_, 0 | 1) => {
            say("this finds out which of them it is:", "以下命令可以区分它们：").to_owned()
        }
        (_, alike) => undecided(alike, language),
    };
    lines.extend([last, format!("  {next}")]);
    lines
}

/// Says that the text does not tell which of several codes it is.
fn undecided(alike: usize, language: Language) -> String {
    match language {
        Language::English => {
            format!(
                "{alike} codes print just this, and the text does not tell which it is; this looks:"
            )
        }
        Language::Chinese => {
            format!("有 {alike} 个代码的输出完全相同，仅凭文字无法区分；以下命令会实际检查：")
        }
    }
}

/// The command that looks for itself, at what the text is about: that may be any words that somebody pasted.
fn next(target: Option<&str>) -> String {
    match target {
        Some(target) => format!("gocred doctor {}", quoted(target)),
        None => "gocred doctor".to_owned(),
    }
}

/// The words that matched, with `…` for what differs from case to case.
fn words(candidate: &Candidate, language: Language) -> String {
    if candidate.pattern.trim().is_empty() {
        let nothing = match language {
            Language::English => "nothing: it waits",
            Language::Chinese => "没有输出，一直等待",
        };
        return nothing.to_owned();
    }
    format!("`{}`", explain::shown(candidate.pattern))
}

/// Breaks a text at blanks. Chinese has none: a terminal breaks it as it should be.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { continue };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn page_json(entry: &Entry) -> Value {
    let [english, chinese] = [Language::English, Language::Chinese].map(|it| entry.page(it));
    let prints: Vec<_> = entry
        .patterns()
        .map(|(printer, pattern)| json!({"tool": printer, "text": explain::shown(pattern)}))
        .collect();
    json!({
        "schema": finding::SCHEMA,
        "code": entry.code,
        "layer": layer_word(entry.layer),
        "severity": severity_word(entry.severity),
        "title": {"en": english.title, "zh": chinese.title},
        "cause": {"en": english.cause, "zh": chinese.cause},
        "evidence": {"en": english.evidence, "zh": chinese.evidence},
        "fix": {"en": english.fix, "zh": chinese.fix},
        "command": english.command,
        "prints": prints,
        "test": entry.test(),
    })
}

fn as_json(found: &Explanation, target: Option<&str>, names: &Names) -> Value {
    let candidates: Vec<_> = found
        .candidates
        .iter()
        .map(|candidate| {
            let mut value = page_json(candidate.entry);
            if let Some(fields) = value.as_object_mut() {
                fields.retain(|name, _| !["schema", "prints", "test"].contains(&name.as_str()));
                fields.insert("matched".into(), explain::shown(candidate.pattern).into());
                fields.insert("here".into(), candidate.here.is_some().into());
                let mut command = names.fill(candidate.entry.page(Language::English).command);
                if let Some(here) = &candidate.here {
                    fields.insert("shown".into(), here.cause.as_str().into());
                    if !here.command.is_empty() {
                        command.clone_from(&here.command);
                    }
                }
                fields.insert("command".into(), command.into());
            }
            value
        })
        .collect();
    json!({
        "schema": finding::SCHEMA,
        "candidates": candidates,
        "same": found.same.iter().map(|entry| entry.code).collect::<Vec<_>>(),
        "alike": found.alike,
        "next": next(target),
    })
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Language, ends, language, page, wrapped};
    use crate::{core::doctor::catalogue, sys::env::Env};

    #[test]
    fn the_language_is_chinese_where_the_locale_is() {
        for (values, expected) in [
            ([("LANG", "zh_CN.UTF-8"), ("LC_ALL", "")].as_slice(), Language::Chinese),
            (&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], Language::English),
            (&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "zh_TW")], Language::Chinese),
            (&[], Language::English),
        ] {
            assert_eq!(language(&Env::of(values)), expected, "{values:?}");
        }
    }

    #[test]
    fn a_page_says_cause_evidence_and_a_command() {
        let entry = catalogue::find("P02").unwrap();
        let english = page(entry, Language::English).join("\n");
        assert!(english.contains("Cause\n") && english.contains("gocred login --proxy"));
        let chinese = page(entry, Language::Chinese).join("\n");
        assert!(chinese.contains("公司代理") && chinese.contains("原因"));
    }

    #[test]
    fn of_a_long_text_both_ends_are_kept_in_whole_lines() {
        let text = format!("first\n{}\nlast\n", "x".repeat(10 << 20));
        assert_eq!(ends(text.as_bytes()).unwrap().as_str(), "first\n…\nlast\n");
        let lines = (0..300_000).map(|at| format!("http://u:{at} {at}@h"));
        let lines = lines.collect::<Vec<_>>().join("\n");
        let kept = ends(lines.as_bytes()).unwrap();
        assert!(kept.len() <= 2 * KEPT && kept.starts_with("http://u:0 0@h\n"));
        let is_whole = |line: &str| line == "…" || line.starts_with("http") && line.ends_with("@h");
        assert!(kept.lines().all(is_whole));
        assert_eq!(ends(&b"\xff\xff"[..]).unwrap().as_str(), "\u{fffd}\u{fffd}");
        for (mark, bytes) in
            [(0xfeff_u16, u16::to_le_bytes as fn(u16) -> [u8; 2]), (0xfeff, u16::to_be_bytes)]
        {
            let units = [mark].into_iter().chain("失败 x\n".encode_utf16());
            let wide: Vec<u8> = units.flat_map(bytes).chain([7]).collect();
            assert_eq!(ends(wide.as_slice()).unwrap().as_str(), "失败 x\n");
        }
        let one = "x".repeat(3 * KEPT);
        assert_eq!(ends(one.as_bytes()).unwrap().as_str(), "…\n");
    }

    #[test]
    fn a_paragraph_is_broken_at_blanks() {
        assert_eq!(wrapped(&"word ".repeat(40)).len(), 3);
        assert_eq!(wrapped("密码错误或已更改"), ["密码错误或已更改"]);
    }
}

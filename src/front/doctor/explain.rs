//! `gocred explain`: a code's page, or the likeliest causes of what a tool printed. It sends no packet, and
//! repeats nothing of what was pasted but the place to look at.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Read as _},
};

use serde_json::{Value, json};

use crate::{
    cli::Explain,
    core::{
        doctor::{
            catalogue::{self, Entry, Language},
            checks,
            explain::{self, Candidate, Explanation},
            finding::{self, Layer, Severity},
            target::Target,
        },
        fault::{Fault, Kind},
        text::printable,
    },
    front::{
        Answer, Context, Outcome,
        doctor::json::{layer_word, severity_word},
        ui,
    },
    sys::{self, env::Env},
};

/// How much is read.
const LIMIT: u64 = 1 << 20;

/// How wide the text of a page is.
const WIDTH: usize = 88;

/// Runs the command.
pub fn run(arguments: &Explain, context: &Context) -> Outcome {
    let language = language(&context.env);
    if arguments.what == "-" {
        let text = read()?;
        let target = explain::target(&text);
        let found = explain::explain(&text, &here(target.as_deref(), context));
        if arguments.json {
            ui::json(&as_json(&found, target.as_deref()))?;
        } else {
            for line in causes(&found, target.as_deref(), language) {
                ui::out(&line);
            }
        }
        return Ok(if found.candidates.is_empty() { Answer::No } else { Answer::Yes });
    }
    let Some(entry) = catalogue::find(&arguments.what) else {
        let code = printable(&arguments.what);
        return Err(Fault::new(Kind::NotFound, format!("there is no code `{code}`"))
            .hint("gocred doctor --list-checks"));
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

/// Reads what a tool printed.
fn read() -> Result<String, Fault> {
    let mut bytes = Vec::new();
    let stdin = io::stdin();
    if stdin.is_terminal() {
        ui::err("paste what go, git or curl printed, then press Ctrl-D");
    }
    stdin
        .lock()
        .take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::new(Kind::Usage, "standard input cannot be read").cause(error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Fault::new(Kind::Usage, "that is more than 1 MiB")
            .hint("tail -n 500 FILE | gocred explain -"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the codes that the files and variables of this machine show.
fn here(target: Option<&str>, context: &Context) -> BTreeSet<&'static str> {
    let target = target.and_then(|word| Target::parse(word).ok()).unwrap_or(Target::Here);
    let machine = sys::doctor::read(&target, &context.env, &context.paths);
    checks::all(&target, &machine).iter().map(|finding| finding.entry.code).collect()
}

/// A page as text.
fn page(entry: &Entry, language: Language) -> Vec<String> {
    let page = entry.page(language);
    let (severity, layer) = place(entry, language);
    let names = match language {
        Language::English => ["Cause", "Seen by", "Mend"],
        Language::Chinese => ["原因", "依据", "解决"],
    };
    let mut lines =
        vec![format!("{}  {}", entry.code, page.title), format!("     {severity}, {layer}")];
    for (name, text) in names.into_iter().zip([page.cause, page.evidence, page.fix]) {
        lines.extend([String::new(), name.to_owned()]);
        lines.extend(wrapped(text).into_iter().map(|line| format!("  {line}")));
    }
    lines.push(format!("    {}", page.command));
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
fn causes(found: &Explanation, target: Option<&str>, language: Language) -> Vec<String> {
    let is_chinese = language == Language::Chinese;
    let say =
        |english: &'static str, chinese: &'static str| if is_chinese { chinese } else { english };
    let next = format!("gocred doctor {}", target.unwrap_or_default());
    if found.candidates.is_empty() {
        return vec![
            say(
                "no code of the catalogue prints this; the doctor can look for itself:",
                "目录中没有与此输出对应的代码；可以让 doctor 直接检查：",
            )
            .to_owned(),
            format!("  {}", next.trim_end()),
        ];
    }
    let mut lines = Vec::new();
    for candidate in &found.candidates {
        let page = candidate.entry.page(language);
        lines.push(format!("{}  {}", candidate.entry.code, page.title));
        lines.extend(wrapped(page.cause).into_iter().map(|line| format!("  {line}")));
        lines.push(format!("  {}: {}", say("printed", "输出"), words(candidate, language)));
        lines.push(format!("  {}: {}", say("seen by", "依据"), page.evidence));
        if candidate.is_here {
            let here = say("this machine's settings show it, too", "本机的配置也显示有这个问题");
            lines.push(format!("  {here}"));
        }
        lines.push(format!("  {}: {}", say("mend", "解决"), page.fix));
        lines.push(format!("    {}", page.command));
        lines.push(String::new());
    }
    if !found.same.is_empty() {
        let name = say("the same is printed for", "输出相同的还有");
        lines.push(format!("{name}:"));
        let same = found.same.iter().map(|entry| (entry.code, entry.page(language).title));
        lines.extend(same.map(|(code, title)| format!("  {code}  {title}")));
        lines.push(String::new());
    }
    lines.push(
        say(
            "what is printed cannot tell these apart; a look can:",
            "仅凭输出无法区分，请实际检查：",
        )
        .to_owned(),
    );
    lines.push(format!("  {}", next.trim_end()));
    lines
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

fn as_json(found: &Explanation, target: Option<&str>) -> Value {
    let candidates: Vec<_> = found
        .candidates
        .iter()
        .map(|candidate| {
            let mut value = page_json(candidate.entry);
            if let Some(fields) = value.as_object_mut() {
                fields.retain(|name, _| !["schema", "prints", "test"].contains(&name.as_str()));
                fields.insert("matched".into(), explain::shown(candidate.pattern).into());
                fields.insert("here".into(), candidate.is_here.into());
            }
            value
        })
        .collect();
    json!({
        "schema": finding::SCHEMA,
        "candidates": candidates,
        "same": found.same.iter().map(|entry| entry.code).collect::<Vec<_>>(),
        "next": format!("gocred doctor {}", target.unwrap_or_default()).trim_end(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Language, language, page, wrapped};
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
    fn a_paragraph_is_broken_at_blanks() {
        assert_eq!(wrapped(&"word ".repeat(40)).len(), 3);
        assert_eq!(wrapped("密码错误或已更改"), ["密码错误或已更改"]);
    }
}

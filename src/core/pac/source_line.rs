//! Which line of a script gave the answer, as far as its text tells: the line that has the answer as
//! a literal. An answer that was put together stands on no line.

/// Returns the line, from 1, that has the answer in quotes. Where there are several, it is the first
/// one from the line of the last call on: `if (…) return "…"`.
pub fn of_answer(script: &str, answer: &str, last_call: Option<u32>) -> Option<u32> {
    if answer.is_empty() {
        return None;
    }
    let quoted = ['"', '\'', '`'].map(|quote| format!("{quote}{answer}{quote}"));
    let lines = script.lines().zip(1_u32..);
    let mut found = lines.filter(|(line, _)| quoted.iter().any(|quoted| line.contains(quoted)));
    let (_, first) = found.next()?;
    let mut rest = found.map(|(_, number)| number).peekable();
    if rest.peek().is_none() {
        return Some(first);
    }
    let from = last_call?;
    std::iter::once(first).chain(rest).find(|number| *number >= from)
}

/// Returns a line, from 1.
pub fn text(script: &str, number: u32) -> Option<&str> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    script.lines().nth(at).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::{of_answer, text};

    #[test]
    fn an_answer_is_found_by_its_literal() {
        let script = "function FindProxyForURL(url, host) {\n\
                      if (a()) return \"DIRECT\";\n\
                      if (b())\n  return 'PROXY p:1';\n\
                      return \"DIRECT\";\n}";
        assert_eq!(of_answer(script, "PROXY p:1", None), Some(4));
        assert_eq!(of_answer(script, "DIRECT", Some(2)), Some(2));
        assert_eq!(of_answer(script, "DIRECT", Some(3)), Some(5));
        assert_eq!(of_answer(script, "DIRECT", None), None);
        assert_eq!(of_answer(script, "PROXY q:1", Some(1)), None);
        assert_eq!(of_answer(script, "", Some(1)), None);
        assert_eq!(text(script, 4), Some("return 'PROXY p:1';"));
        assert_eq!((text(script, 0), text(script, 9)), (None, None));
    }
}

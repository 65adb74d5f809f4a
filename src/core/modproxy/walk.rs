//! The order in which upstreams are asked, and what go is told in the end: what go itself would have
//! done with the same list (cmd/go `modfetch.TryProxies`).
//!
//! It asks nobody, and does not know what an answer is.

use crate::core::modproxy::list::{Base, Element, Next, Target, Upstreams};

/// A walk along a list, for one request. `A` is what go could be told: an answer, or a refusal.
///
/// Ask its [`upstream`](Self::upstream) until it has none, tell [`missing`](Self::missing) or
/// [`failed`](Self::failed) after each, and let the walk [`end`](Self::end). Who has it ends the walk
/// by not going on.
#[derive(Debug)]
pub struct Walk<'list, A> {
    left: &'list [Element],
    best: Best<A>,
    is_held: bool,
}

/// The most helpful answer so far. A failure tells more than "not here", and the last of them most.
#[derive(Debug)]
enum Best<A> {
    None,
    Missing(A),
    Failed(A),
}

/// How a walk ends on which nobody had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End<A> {
    /// With what an upstream answered, or what kept it from answering.
    Answer(A),
    /// At `direct`: 404, so that go goes on to its own.
    Direct,
    /// At `off`, with nothing to tell: 404, so that go goes on to its own.
    Off,
}

impl<'list, A> Walk<'list, A> {
    /// Starts at the first upstream.
    pub fn new(list: &'list Upstreams) -> Self {
        Self { left: list.elements(), best: Best::None, is_held: false }
    }

    /// Returns whom to ask next. Until something is told of it, it stays the next.
    pub fn upstream(&self) -> Option<&'list Base> {
        match &self.left.first()?.target {
            Target::Direct | Target::Off => None,
            Target::Proxy(base) => Some(base),
        }
    }

    /// The one asked last answered 404 or 410: the next one is asked, whatever the separator.
    pub fn missing(&mut self, answer: A) {
        if !matches!(self.best, Best::Failed(_)) {
            self.best = Best::Missing(answer);
        }
        self.left = self.left.split_first().map_or(&[], |(_, left)| left);
    }

    /// The one asked last failed, in any other way: the next one is asked only after a pipe.
    pub fn failed(&mut self, answer: A) {
        self.best = Best::Failed(answer);
        self.is_held = matches!(
            self.left,
            [Element { target: _, next: Next::WhenMissing }, Element { target, next: _ }, ..]
                if *target != Target::Off
        );
        self.left = match self.left.split_first() {
            Some((Element { target: _, next: Next::OnError }, left)) => left,
            Some((Element { target: _, next: Next::WhenMissing }, _)) | None => &[],
        };
    }

    /// Returns whether somebody behind a comma was not asked, because the one before failed.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Returns what to tell go.
    pub fn end(self) -> End<A> {
        let at = self.left.first().map(|element| &element.target);
        match (at, self.best) {
            // What `direct` says outranks what proxies said.
            (Some(Target::Direct), _) => End::Direct,
            // `off` is "not here" too, and the last of those. Nothing is told of nobody but where a list
            // begins with it.
            (Some(Target::Off), Best::Missing(_)) | (_, Best::None) => End::Off,
            (_, Best::Failed(answer) | Best::Missing(answer)) => End::Answer(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{End, Upstreams, Walk};

    /// Walks a list whose upstreams `https://N-STATUS.test` answer so; 0 is no answer at all. Returns who
    /// was asked, and what go is told.
    fn walk(list: &str) -> (String, String) {
        let list = Upstreams::parse(list).unwrap();
        let mut walk = Walk::new(&list);
        let mut asked = String::new();
        while let Some(base) = walk.upstream() {
            let host = base.origin.host().to_owned();
            let (name, status) = host.trim_end_matches(".test").split_once('-').unwrap();
            asked.push_str(name);
            match status {
                "200" => return (asked, host),
                "404" | "410" => walk.missing(host),
                _ => walk.failed(host),
            }
        }
        let told = match walk.end() {
            End::Answer(host) => host,
            End::Direct => "direct".to_owned(),
            End::Off => "off".to_owned(),
        };
        (asked, told)
    }

    /// Each row is what real go does with the same list: `tests/it/goside_walk.rs` asks it.
    #[test]
    fn go_is_told_what_it_would_have_found() {
        for (list, asked, told) in [
            ("a-200.test", "a", "a-200.test"),
            ("a-404.test", "a", "a-404.test"),
            ("a-404.test,b-200.test", "ab", "b-200.test"),
            ("a-410.test,b-200.test", "ab", "b-200.test"),
            ("a-404.test|b-200.test", "ab", "b-200.test"),
            ("a-403.test,b-200.test", "a", "a-403.test"),
            ("a-403.test|b-200.test", "ab", "b-200.test"),
            ("a-0.test,b-200.test", "a", "a-0.test"),
            ("a-0.test|b-200.test", "ab", "b-200.test"),
            // The last of several that say the same, and a failure before "not here".
            ("a-404.test,b-410.test", "ab", "b-410.test"),
            ("a-500.test|b-502.test", "ab", "b-502.test"),
            ("a-500.test|b-404.test", "ab", "a-500.test"),
            ("a-404.test,b-500.test,c-200.test", "ab", "b-500.test"),
            ("a-404.test,b-500.test|c-404.test", "abc", "b-500.test"),
            ("a-500.test|b-404.test,c-502.test", "abc", "c-502.test"),
            // `direct` and `off`.
            ("direct", "", "direct"),
            ("off", "", "off"),
            ("a-404.test,direct", "a", "direct"),
            ("a-500.test,direct", "a", "a-500.test"),
            ("a-500.test|direct", "a", "direct"),
            ("a-404.test,off", "a", "off"),
            ("a-500.test,off", "a", "a-500.test"),
            ("a-500.test|off", "a", "a-500.test"),
            ("a-500.test|b-404.test,off", "ab", "a-500.test"),
            ("a-404.test,direct,b-200.test", "a", "direct"),
        ] {
            assert_eq!(walk(list), (asked.to_owned(), told.to_owned()), "{list}");
        }
    }

    #[test]
    fn a_comma_holds_back_who_stands_behind_it() {
        for (list, is_held) in [
            ("a.test,b.test", true),
            ("a.test,direct", true),
            ("a.test|direct", false),
            ("a.test,off", false),
            ("a.test", false),
        ] {
            let list = Upstreams::parse(list).unwrap();
            let mut walk = Walk::new(&list);
            walk.failed(());
            assert_eq!(walk.is_held(), is_held, "{list:?}");
            let mut walk = Walk::new(&list);
            walk.missing(());
            assert!(!walk.is_held(), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn everybody_is_asked_at_most_once_and_in_order(
            elements in proptest::collection::vec(("(200|404|410|403|500|0)", "[,|]"), 1..9),
            last in "(direct|off)?",
        ) {
            let mut list = String::new();
            for ((status, next), name) in elements.iter().zip('a'..) {
                list.extend([format!("{name}-{status}.test"), next.clone()]);
            }
            list.push_str(&last);
            let (asked, told) = walk(&list);
            let all: String = elements.iter().zip('a'..).map(|(_, name)| name).collect();
            prop_assert!(all.starts_with(&asked) && !asked.is_empty());
            let served = told.ends_with("-200.test");
            prop_assert_eq!(served, asked.chars().last() == told.chars().next() && served);
            // Nobody is asked after one that has it, or after a failure and a comma.
            for ((status, next), _) in elements.iter().zip(1..asked.len()) {
                let goes_on = status != "200" && (next == "|" || status == "404" || status == "410");
                prop_assert!(goes_on);
            }
        }
    }
}

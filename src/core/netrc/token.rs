//! The tokens of a file: spans that join to the whole of it.
//!
//! It deliberately knows no grammar; the dialects say what a token is.

use std::ops::Range;

/// A piece of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub span: Range<usize>,
}

/// What a piece of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `machine`, `default`, `login`, `password` or `account`.
    Keyword,
    /// `macdef` and everything up to its end.
    Macro,
    /// A word that the tool skips.
    Skipped,
    /// Blanks, line ends, comment lines.
    Space,
    /// What comes after an error, or after the end that a tool sees.
    Unread,
    /// What follows a keyword.
    Value,
}

/// Collects tokens and fills the gaps between them.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
    end: usize,
}

impl Tokens {
    /// Adds a token behind the last one; what lies between them becomes [`TokenKind::Space`].
    pub(super) fn push(&mut self, kind: TokenKind, span: Range<usize>) {
        if span.start > self.end {
            self.tokens.push(Token { kind: TokenKind::Space, span: self.end..span.start });
            self.end = span.start;
        }
        if span.end > span.start {
            self.end = span.end;
            self.tokens.push(Token { kind, span });
        }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Closes the list: what is left up to `end` becomes one token of `kind`.
    pub(super) fn finish(mut self, kind: TokenKind, end: usize) -> Vec<Token> {
        self.push(kind, self.end..end);
        self.tokens
    }
}

//! The words of a migration's text.

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A name or a word of the language, in lower case and without quotes.
    Word(String),
    /// A whole number.
    Number(i64),
    /// A text, or anything else that is a value.
    Value,
    /// A character between them.
    Sign(char),
}

impl Piece {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(is) if is == word)
    }
}

/// The statements of a text. What cannot be read ends up as signs, which nobody takes for something he knows.
pub(super) fn statements(text: &str) -> Vec<Vec<Piece>> {
    let mut all = Vec::new();
    let mut statement: Vec<Piece> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        if rest.starts_with("--") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, after)| after);
        } else if first == '\'' {
            rest = quoted(after, '\'').1;
            statement.push(Piece::Value);
        } else if first == '"' {
            let (name, after) = quoted(after, '"');
            statement.push(Piece::Word(name.to_owned()));
            rest = after;
        } else if let Some(after) = dollars(rest) {
            statement.push(Piece::Value);
            rest = after;
        } else if first.is_alphabetic() || first == '_' {
            let (word, after) = split(rest, |c| c.is_alphanumeric() || c == '_');
            statement.push(Piece::Word(word.to_lowercase()));
            rest = after;
        } else if first.is_ascii_digit() {
            let (number, after) = split(rest, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
            statement.push(number.parse().map_or(Piece::Value, Piece::Number));
            rest = after;
        } else if first == ';' && !is_within_trigger(&statement) {
            all.push(std::mem::take(&mut statement));
            rest = after;
        } else {
            if !first.is_whitespace() {
                statement.push(Piece::Sign(first));
            }
            rest = after;
        }
    }
    all.push(statement);
    all.retain(|statement| !statement.is_empty());
    all
}

/// A trigger of SQLite has statements of its own, between `begin` and `end`.
fn is_within_trigger(statement: &[Piece]) -> bool {
    let count = |word| statement.iter().filter(|piece| piece.is(word)).count();
    let is_trigger = statement.iter().take(3).any(|piece| piece.is("trigger"));
    is_trigger && count("begin") > 0 && count("end") <= count("case")
}

fn split(text: &str, is_part: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

/// What is before the closing quote, and after it; a doubled one is part of the text.
fn quoted(text: &str, quote: char) -> (&str, &str) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(quote)) {
        let (end, after) = (from + at, from + at + 1);
        if !text.get(after..).is_some_and(|rest| rest.starts_with(quote)) {
            return (text.get(..end).unwrap_or_default(), text.get(after..).unwrap_or_default());
        }
        from = after + 1;
    }
    (text, "")
}

/// What is after a text between `$$`, or `$name$`, with which this begins.
fn dollars(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let (name, after) = split(inner, |c| c.is_alphanumeric() || c == '_');
    let after = after.strip_prefix('$')?;
    let mark = format!("${name}$");
    Some(after.split_once(mark.as_str()).map_or("", |(_, after)| after))
}

/// Goes through the pieces of a statement.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [Piece],
}

impl<'a> Reader<'a> {
    pub(super) fn word(&mut self) -> Option<&'a str> {
        match self.rest.split_first() {
            Some((Piece::Word(word), rest)) => {
                self.rest = rest;
                Some(word)
            }
            Some((Piece::Number(_) | Piece::Value | Piece::Sign(_), _)) | None => None,
        }
    }

    pub(super) fn sees(&self, word: &str) -> bool {
        self.rest.first().is_some_and(|piece| piece.is(word))
    }

    pub(super) fn eat(&mut self, word: &str) -> bool {
        let sees = self.sees(word);
        if sees {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        sees
    }

    pub(super) fn eat_all(&mut self, words: &[&str]) {
        while words.iter().any(|word| self.eat(word)) {}
    }

    /// A name, the schema before it left out.
    pub(super) fn name(&mut self) -> Option<String> {
        let mut name = self.word()?;
        while let Some((Piece::Sign('.'), rest)) = self.rest.split_first() {
            self.rest = rest;
            name = self.word()?;
        }
        Some(name.to_owned())
    }

    /// Goes on behind the next of these words.
    pub(super) fn seek(&mut self, word: &str) -> bool {
        let at = self.rest.iter().position(|piece| piece.is(word));
        self.rest = at.and_then(|at| self.rest.get(at + 1..)).unwrap_or_default();
        at.is_some()
    }
}

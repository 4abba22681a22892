//! Tags: words an owner sorts websites by; and what a website depends on.

use std::fmt;
use std::str::FromStr;

use super::{FieldError, FieldErrors, WebsiteId};

/// One word, or a few: at most [`Tag::MOST_CHARACTERS`], lower case, single spaces, no comma.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// Characters of one.
    pub const MOST_CHARACTERS: usize = 32;
    /// Tags of a website.
    pub const MOST: usize = 10;

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTag {
    /// Nothing is left of it.
    #[error("a tag has at least one character")]
    Empty,
    /// It is too long.
    #[error("a tag has at most 32 characters")]
    Long,
    /// It could be mistaken, or cannot be read.
    #[error("a tag has no comma and no invisible characters")]
    Odd,
}

impl FromStr for Tag {
    type Err = NoTag;

    /// In normal form, whatever the form it has.
    fn from_str(text: &str) -> Result<Self, NoTag> {
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if plain.is_empty() {
            return Err(NoTag::Empty);
        }
        if plain.chars().any(|c| c == ',' || c.is_control() || is_invisible(c)) {
            return Err(NoTag::Odd);
        }
        if plain.chars().count() > Self::MOST_CHARACTERS {
            return Err(NoTag::Long);
        }
        Ok(Self(plain))
    }
}

/// Marks of direction and joiners: two tags would look the same, or turn the text around them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Tags from a list by commas, sorted, each once.
///
/// # Errors
/// Of field `tags`.
pub fn tags_of(text: &str) -> Result<Vec<Tag>, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut tags = Vec::new();
    for one in text.split(',').filter(|one| !one.trim().is_empty()) {
        match one.parse::<Tag>() {
            Ok(tag) => tags.push(tag),
            Err(why) => errors.push(FieldError::new("tags", one.trim(), format!("“{}”: {why}.", short(one.trim())))),
        }
    }
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > Tag::MOST {
        errors.push(FieldError::new("tags", text, format!("Give {} tags at most.", Tag::MOST)));
    }
    if errors.is_empty() { Ok(tags) } else { Err(errors) }
}

fn short(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(40).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}

/// What ties a website to others of its account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ties {
    /// Sorted, each once, at most [`Tag::MOST`].
    pub tags: Vec<Tag>,
    /// What it depends on: while that is down, nobody is told of this one.
    pub parent_id: Option<WebsiteId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_one_form() {
        let tags = tags_of(" Shop ,, eu-west,SHOP,  two   words ,É").map(|t| t.iter().map(Tag::to_string).collect());
        assert_eq!(tags, Ok(vec!["eu-west".to_owned(), "shop".into(), "two words".into(), "é".into()]));
        assert_eq!(tags_of(" , "), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_tag_is_named() {
        let wrong = |text: &str| tags_of(text).err().map(|e| e.of("tags").unwrap_or_default().to_owned());
        assert_eq!(wrong(&"a".repeat(32)), None);
        assert_eq!(wrong(&"ä".repeat(33)), Some(format!("“{}”: a tag has at most 32 characters.", "ä".repeat(33))));
        assert_eq!(wrong("a\u{202e}b"), Some("“ab”: a tag has no comma and no invisible characters.".to_owned()));
        let eleven: Vec<String> = (0..11).map(|n| format!("t{n}")).collect();
        assert_eq!(wrong(&eleven.join(",")), Some("Give 10 tags at most.".to_owned()));
        assert_eq!(wrong(&"x,".repeat(60_000)), None);
    }
}

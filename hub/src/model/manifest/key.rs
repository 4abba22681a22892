//! Keys: what an object of a file is known again by.

use std::collections::HashSet;

/// Characters of a key, and of the name of a file.
pub const NAME_CHARACTERS: usize = 64;

/// Which file keeps an object, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Managed {
    /// The name that the file gives itself.
    pub by: String,
    /// The object's key in it.
    pub key: String,
}

/// Whether a text can be a key, or the name of a file.
pub(super) fn is_key(text: &str) -> bool {
    let is_in = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    (1..=NAME_CHARACTERS).contains(&text.len()) && text.chars().all(is_in)
}

/// What to do about one that cannot.
pub(super) const REMEDY: &str = "Give 1 to 64 of a-z, 0-9, -, _ and .";

/// A key made of an address or a name; of an address neither scheme nor query, which may be secret. `other`: where nothing
/// is left of it.
pub(super) fn made_of(text: &str, other: &str) -> String {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let mut key = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            key.push(c);
        } else if !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
        if key.len() >= 56 {
            break;
        }
    }
    let key = key.trim_end_matches('-');
    if key.is_empty() { other.to_owned() } else { key.to_owned() }
}

/// The key, or with a number where it is taken; it is taken from then on.
pub(super) fn free(key: String, taken: &mut HashSet<String>) -> String {
    let mut found = key.clone();
    let mut n = 2;
    while !taken.insert(found.clone()) {
        found = format!("{key}-{n}");
        n += 1;
    }
    found
}

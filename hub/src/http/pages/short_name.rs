use std::fmt;

use askama::filters::{Html, HtmlSafe, escape};

/// The short name of a website in a narrow column: where it has to go on in the next line, that is before a dot or after a
/// slash rather than within a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShortName(pub(super) String);

/// It escapes what it writes itself, since it writes elements, too.
impl HtmlSafe for ShortName {}

impl fmt::Display for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut start = 0;
        for (at, found) in self.0.char_indices() {
            let end = match found {
                '.' | '?' | '&' | '=' | '_' => at,
                '/' => at + 1,
                _ => continue,
            };
            // Within a word alone: not between "//", not at the end of a sentence, and not before the first letter.
            let goes_on = self.0[at + 1..].starts_with(char::is_alphanumeric);
            if end > start && goes_on {
                write!(f, "{}<wbr>", piece(&self.0[start..end]))?;
                start = end;
            }
        }
        write!(f, "{}", piece(&self.0[start..]))
    }
}

fn piece(text: &str) -> impl fmt::Display {
    let Ok(escaped) = escape(text, Html);
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        ShortName(name.to_owned()).to_string()
    }

    #[test]
    fn a_name_breaks_between_its_words() {
        assert_eq!(shown("shop.example/a/b"), "shop<wbr>.example/<wbr>a/<wbr>b");
        assert_eq!(shown("http://wiki.example"), "http://<wbr>wiki<wbr>.example");
        assert_eq!(shown("localhost"), "localhost");
        assert_eq!(shown("shop: is it there? #2."), "shop: is it there? #2.");
        assert_eq!(shown(""), "");
    }

    #[test]
    fn t152_what_a_name_holds_is_text() {
        assert_eq!(shown("<b>.x\"&y"), "&#60;b&#62;<wbr>.x&#34;<wbr>&#38;y");
        assert_eq!(shown("/é.ü"), "/<wbr>é<wbr>.ü");
    }
}

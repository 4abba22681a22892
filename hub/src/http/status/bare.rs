//! Something that links to a page: a message, a password, a button.

use askama::Template;

use crate::http::assets;

/// Something that links to the page: a message, a password, a button.
#[derive(Template, Debug)]
#[template(path = "status_bare.html", whitespace = "minimize")]
pub(in crate::http) struct BarePage {
    title: String,
    message: String,
    wrong: Option<String>,
    /// Where a password is sent.
    unlock: Option<String>,
    /// A form without fields: what its button says.
    button: Option<&'static str>,
    back: Option<String>,
}

impl BarePage {
    pub(super) fn new(title: &str, message: &str) -> Self {
        let (title, message) = (title.to_owned(), message.to_owned());
        Self { title, message, wrong: None, unlock: None, button: None, back: None }
    }

    pub(super) fn asking_password(self, base: &str, wrong: Option<&str>) -> Self {
        Self { unlock: Some(format!("{base}/unlock")), wrong: wrong.map(str::to_owned), ..self }
    }

    pub(super) fn with_button(self, words: &'static str) -> Self {
        Self { button: Some(words), ..self }
    }

    pub(super) fn with_back(self, base: &str) -> Self {
        Self { back: Some(if base.is_empty() { "/".to_owned() } else { base.to_owned() }), ..self }
    }

    fn style(&self) -> &str {
        assets::STATUS_STYLE.url()
    }
}

//! What a visitor sees who is not signed in.

use askama::Template;

use super::Frame;

/// The page.
#[derive(Template, Debug)]
#[template(path = "landing.html", whitespace = "minimize")]
pub struct LandingPage {
    frame: Frame,
    open: bool,
}

impl LandingPage {
    /// `open`: anybody may sign up.
    #[must_use]
    pub fn new(open: bool) -> Self {
        Self { frame: Frame::narrow("Know when your websites are down", None), open }
    }
}

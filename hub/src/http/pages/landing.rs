//! What a visitor sees who is not signed in.

use askama::Template;

use super::Frame;

/// The page.
#[derive(Template, Debug)]
#[template(path = "landing.html", whitespace = "minimize")]
pub struct LandingPage {
    frame: Frame,
    first: bool,
    open: bool,
}

impl LandingPage {
    /// `first`: no account exists yet. `open`: anybody may sign up.
    #[must_use]
    pub fn new(first: bool, open: bool) -> Self {
        Self { frame: Frame::narrow("Know when your websites are down", None), first, open }
    }
}

//! "Are you sure?", without script.

use askama::Template;

use super::{Frame, Viewer, words};
use crate::model::{Website, WebsiteId};

/// The page.
#[derive(Template, Debug)]
#[template(path = "delete.html", whitespace = "minimize")]
pub struct DeletePage {
    frame: Frame,
    website_id: WebsiteId,
    name: String,
}

impl DeletePage {
    /// For a website of the one who is signed in.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, website: &Website) -> Self {
        Self {
            frame: Frame::narrow("Delete this website?", Some(viewer.into())),
            website_id: website.website_id,
            name: words::name(&website.settings.url),
        }
    }
}

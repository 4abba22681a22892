//! The static files, embedded. Their content is in their name, so they are cached for good and never stale.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::{App, HttpError, Request, Response, route::Params};

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    source: &'static [u8],
    body: OnceLock<Vec<u8>>,
    url: OnceLock<String>,
}

/// The style sheet of all pages.
pub static STYLE: Asset =
    Asset::new("style", "css", "text/css; charset=utf-8", include_bytes!("../../static/style.css"));
/// What the form for a website needs beside it.
pub static FORM_STYLE: Asset =
    Asset::new("form", "css", "text/css; charset=utf-8", include_bytes!("../../static/form.css"));
/// What the pages for operators need beside it.
pub static DESK_STYLE: Asset =
    Asset::new("desk", "css", "text/css; charset=utf-8", include_bytes!("../../static/desk.css"));
/// What the pages of incidents and channels need beside it.
pub static ALERT_STYLE: Asset =
    Asset::new("alert", "css", "text/css; charset=utf-8", include_bytes!("../../static/alert.css"));
/// What the pages of reports need beside it.
pub static REPORT_STYLE: Asset =
    Asset::new("report", "css", "text/css; charset=utf-8", include_bytes!("../../static/report.css"));
/// What hides from those who may look only what changes things.
pub static LOOK_STYLE: Asset =
    Asset::new("look", "css", "text/css; charset=utf-8", include_bytes!("../../static/look.css"));
/// What the form for a status page needs beside the form for a website.
pub static STATUS_FORM_STYLE: Asset =
    Asset::new("status-form", "css", "text/css; charset=utf-8", include_bytes!("../../static/status-form.css"));
/// All that a public status page needs.
pub static STATUS_STYLE: Asset =
    Asset::new("status", "css", "text/css; charset=utf-8", include_bytes!("../../static/status.css"));
/// The script that keeps a page current.
pub static SCRIPT: Asset =
    Asset::new("app", "js", "text/javascript; charset=utf-8", include_bytes!("../../static/app.js"));
/// The icon in the browser's tab.
pub static ICON: Asset = Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../../static/icon.svg"));

impl Asset {
    const fn new(stem: &'static str, extension: &'static str, media_type: &'static str, source: &'static [u8]) -> Self {
        Self { stem, extension, media_type, source, body: OnceLock::new(), url: OnceLock::new() }
    }

    /// `/static/<name>.<hash>.<extension>`.
    pub fn url(&self) -> &str {
        self.url.get_or_init(|| format!("/static/{}.{}.{}", self.stem, tag(self.body()), self.extension))
    }

    /// Its content, without what is there for its readers alone: indentation, blank lines, lines of comment.
    pub fn body(&self) -> &[u8] {
        self.body.get_or_init(|| match self.extension {
            "css" | "js" => lean(self.source),
            _ => self.source.to_vec(),
        })
    }
}

/// `GET /static/:file`.
///
/// # Errors
/// Not found: also for a name of another version.
pub fn serve(_: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    answer(&request.path).ok_or(HttpError::NotFound)
}

/// The answer to `GET /static/<name>`; `None` when there is no such file, or it is one of another version.
#[must_use]
pub fn answer(path: &str) -> Option<Response> {
    let asset = [
        &STYLE,
        &FORM_STYLE,
        &DESK_STYLE,
        &ALERT_STYLE,
        &REPORT_STYLE,
        &LOOK_STYLE,
        &STATUS_STYLE,
        &STATUS_FORM_STYLE,
        &SCRIPT,
        &ICON,
    ];
    let asset = asset.into_iter().find(|asset| asset.url() == path)?;
    let answer = Response::new(200, asset.media_type, asset.body());
    Some(answer.with("cache-control", "public, max-age=31536000, immutable"))
}

fn lean(source: &[u8]) -> Vec<u8> {
    let lines = source.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with(b"//"));
    kept.flat_map(|line| [line, b"\n"].concat()).collect()
}

/// The first 64 bits of the content's SHA-256, in hex: enough to tell versions of one file apart.
pub(super) fn tag(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_readers_stays_here() {
        assert_eq!(lean(b"// a\n  let b = 1; // c\n\n\tb();\n"), b"let b = 1; // c\nb();\n");
        // A text over several lines would not survive.
        assert!(!SCRIPT.source.contains(&b'`') && SCRIPT.body().len() < SCRIPT.source.len());
        assert_eq!(ICON.body(), ICON.source);
    }

    #[test]
    fn a_file_is_found_by_its_hashed_name_only() {
        assert!(answer(STYLE.url()).is_some_and(|a| a.body == STYLE.body()));
        for other in ["/static/style.css", "/static/style.0000000000000000.css", "/static/../Cargo.toml", "/static/"] {
            assert!(answer(other).is_none(), "{other}");
        }
    }
}
